"""A gateway of which only the client's side is seen: the core, with the emulator behind it."""

import json
from typing import assert_never

from livegate.protocol import transcript
from livegate.protocol.emulator import (
    Abort,
    Close,
    Frame,
    Gone,
    Hello,
    Link,
    Options,
    Pong,
    Send,
    Service,
)
from livegate.protocol.testing.systems import CoreSystem
from livegate.protocol.transcript import Observation, Stimulus

_STEP_S = 0.1
PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"


class EmulatedSystem:
    """The core and the emulator, both pure, on one virtual clock."""

    plays_gemini = False

    def __init__(self) -> None:
        self._core = CoreSystem()
        self._service = Service(Options(pace=0))
        self._link: Link | None = None
        self._now = 0.0
        self._seen: list[Observation] = []

    def feed(self, stimulus: Stimulus) -> None:
        """Let the client do something."""
        self._core.feed(stimulus)

    def output(self) -> list[Observation]:
        """Let Gemini answer until there is nothing more to say; return what the client saw."""
        self._answer()
        seen, self._seen = self._seen, []
        return seen

    def advance(self, seconds: float) -> None:
        """Let virtual time pass, in steps that are short for either of them."""
        for _ in range(max(1, round(seconds / _STEP_S))):
            self._answer()
            self._now += _STEP_S
            self._core.advance(_STEP_S)

    def _answer(self) -> None:
        while found := self._core.output():
            for one in found:
                if isinstance(one, transcript.ClientGets | transcript.ClientClosed):
                    self._seen.append(one)
                else:
                    self._play(one)

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""

    def _play(self, seen: Observation) -> None:
        match seen:
            case transcript.GeminiDialled():
                self._link = Link(self._service, Hello(PATH, "key"))
                self._core.feed(transcript.GeminiOpens())
            case transcript.GeminiGets(expected=message):
                self._tell(Frame(json.dumps(message).encode()))
            case _:
                self._tell(Gone())

    def _tell(self, event: Frame | Gone) -> None:
        assert self._link is not None
        for command in self._link.handle(event, self._now):
            match command:
                case Send(payload=payload):
                    self._core.feed(transcript.GeminiSends(payload))
                case Close(code=code, reason=reason):
                    self._core.feed(transcript.GeminiCloses(code, reason))
                case Abort():
                    self._core.feed(transcript.GeminiCloses(1006, ""))
                case Pong():
                    pass
                case _:
                    assert_never(command)
