"""How a machine plays both peers of a gateway: what its rules are made of."""

import contextlib
from collections.abc import Generator
from math import inf
from typing import Final

from hypothesis.stateful import RuleBasedStateMachine

from livegate.protocol import transcript
from livegate.protocol.testing.client_view import ClientView
from livegate.protocol.testing.model import Model
from livegate.protocol.testing.systems import CoreSystem, SystemUnderTest
from livegate.protocol.transcript import Action, Stimulus

_MOMENT_S: Final = 0.01
_STEP_S: Final = 1.0
_SHORT_STEP_S: Final = 0.25
"""While no link is ready: shorter than a pause."""


class Stage(RuleBasedStateMachine):
    """A gateway, a model of it, and all that has happened between them."""

    patience_s = 15.0
    """How long a server that runs may be silent while it owes an answer: longer than the answer
    of a Gemini that speaks at its real pace."""

    def __init__(self) -> None:
        super().__init__()
        self.system = self.new_system()
        self.model: Model | ClientView = Model() if self.system.plays_gemini else ClientView()
        self.told: list[Action] = []
        """The conversation so far."""
        self._count = 0
        self.failure = ""
        """What was wrong and the conversation up to then, as `transcript.parse` reads it."""

    def new_system(self) -> SystemUnderTest:
        """Return what is to be tested; each example gets a fresh one."""
        return CoreSystem()

    def transcript(self) -> str:
        """Return the conversation so far, for `transcript.parse`."""
        return "\n".join(transcript.line_of(action) for action in self.told)

    # How it is done

    @property
    def _whole(self) -> Model:
        assert isinstance(self.model, Model), "only the client's side is known here"
        return self.model

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _do(self, *stimuli: Stimulus) -> None:
        """Let a peer do something, all of it before it is looked at what comes of it."""
        with self._telling():
            for stimulus in stimuli:
                self.told.append(stimulus)
                self.system.feed(stimulus)
            self._look()

    def _let_pass(self, seconds: float) -> None:
        """Let time pass, if the clock is not everybody's."""
        self._wait(seconds if self.system.plays_gemini else _MOMENT_S)

    def _wait(self, seconds: float) -> bool:
        """Let time pass, until another link is dialled; return whether the gateway did something."""
        link, left, has_done = self.model.link.number, seconds, False
        while left > 0 and self.model.link.number == link:
            step = self.model.step_of(min(left, self._longest_step))
            left -= step
            self.model.time_passes(step)
            self._tell_time(step)
            with self._telling():
                self.system.advance(step)
                has_done |= self._look()
        return has_done

    @property
    def _longest_step(self) -> float:
        """How long time may pass until it is looked at what has been done, and when."""
        if not self.system.plays_gemini:
            return inf
        return _STEP_S if self.model.link.state == "ready" else _SHORT_STEP_S

    def _tell_time(self, seconds: float) -> None:
        """Add to the conversation that time passes."""
        last = self.told[-1]
        if isinstance(last, transcript.TimePasses):
            self.told.pop()
            seconds += last.seconds
        self.told.append(transcript.TimePasses(seconds))

    def _look(self) -> bool:
        found = self.system.output()
        for seen in found:
            self.told.append(seen)
            self.model.saw(seen)
        self.model.check()
        return bool(found)

    @contextlib.contextmanager
    def _telling(self) -> Generator[None]:
        """Add the conversation to whatever goes wrong."""
        try:
            yield
        except Exception as error:
            words = str(error).partition("\n")[0] or type(error).__name__
            self.failure = f"# {words}\n{self.transcript()}"
            error.add_note(self.failure)
            raise
