"""A state machine that plays both peers of a gateway, and checks all that it promises."""

import base64
import contextlib
from collections.abc import Generator
from typing import Final

import hypothesis.strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
)

from livegate.protocol import transcript
from livegate.protocol.inputs import Fault
from livegate.protocol.testing import strategies
from livegate.protocol.testing.answers import Said
from livegate.protocol.testing.client_view import ClientView
from livegate.protocol.testing.line import Content
from livegate.protocol.testing.model import Model
from livegate.protocol.testing.strategies import LinkEnd, frame
from livegate.protocol.testing.systems import CoreSystem, SystemUnderTest
from livegate.protocol.testing.wishes import Wish
from livegate.protocol.transcript import Action, ClientSends, Stimulus

_JPEG: Final = "/9j/2Q=="
_LONG: Final = 40_100
"""More bytes than go to Gemini in one message."""
_SETTLING: Final = 100
_MOMENT_S: Final = 0.01
_SOUND: Final = Wish(
    {"response_modalities": ["AUDIO"]},
    {"response_modalities": ["AUDIO"]},
    frozenset({"response_modalities"}),
)
_ALL: Final = Wish(
    {"response_modalities": ["TEXT", "AUDIO"], "events": "all"},
    {"response_modalities": ["TEXT", "AUDIO"], "events": ["all"]},
    frozenset({"response_modalities", "events"}),
)
_BY_HAND: Final = Wish({"vad": {"disabled": True}}, {"vad": True}, frozenset({"vad"}))
FIRST: Final = (None, None, _SOUND, _ALL, _BY_HAND)
"""What a client may configure before all else, so that rare paths are not that rare."""

speaking: Final = precondition(lambda self: self.model.is_open and self.model.has_room)
flowing: Final = precondition(lambda self: self.model.is_open and self.model.is_flowing)
dialling: Final = precondition(lambda self: self.model.link.state == "dialling")
opened: Final = precondition(lambda self: self.model.link.state == "open")
linked: Final = precondition(lambda self: self.model.link.state in ("open", "ready"))
ready: Final = precondition(lambda self: self.model.link.state == "ready")


class GatewayMachine(RuleBasedStateMachine):
    """Both peers of one session, a jumping clock, and a model that says what is owed.

    Run it on your own gateway:

        class MyMachine(GatewayMachine):
            def new_system(self):
                return MySystem()  # a `SystemUnderTest`

        TestMine = MyMachine.TestCase

    A failure carries the conversation as a transcript, which `play` plays again.
    """

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

    # The client

    @initialize(is_patient=st.sampled_from([True, True, False]), first=st.sampled_from(FIRST))
    def client_opens(self, *, is_patient: bool, first: Wish | None) -> None:
        """A client connects; a patient one says nothing until it is told that it may."""
        self.model.client_opened()
        self._do(transcript.ClientOpens())
        if is_patient and self.system.plays_gemini:
            self._wait(0.5)
            self.gemini_serves()
        if first is not None:
            self.config(first)

    @speaking
    @rule(form=st.integers(0, 5))
    def text(self, form: int) -> None:
        """The client asks something that it has not asked before."""
        text = f"text {self._next()}"
        self.model.client_says(Content(text=text))
        self._do(frame(**strategies.text_frames(text)[form]))

    @speaking
    @rule(form=st.integers(0, 4), is_long=st.sampled_from([False, False, False, True]))
    def sound(self, form: int, *, is_long: bool) -> None:
        """The client speaks, each time another sound."""
        pcm = self._next().to_bytes(2, "little") * (_LONG if is_long else 4)
        self.model.client_says(Content(sound=base64.b64encode(pcm).decode()))
        self._do(strategies.sound_frames(pcm)[form])

    @precondition(lambda self: self.model.is_open and self.model.may_end_speech)
    @rule()
    def speech_ends(self) -> None:
        """The client says that the speaker has finished."""
        self.model.client_ends_speech()
        self._do(frame(type="audio_end"))

    @speaking
    @rule()
    def image(self) -> None:
        """The client shows a picture."""
        self.model.client_says(Content(image=_JPEG))
        self._do(frame(type="image", data=_JPEG, mime_type="image/jpeg"))

    @speaking
    @rule(wish=strategies.wishes())
    def config(self, wish: Wish) -> None:
        """The client changes its mind."""
        self.model.client_wishes(wish)
        self._do(frame(type="config", data=dict(wish.data)))

    @speaking
    @rule(data=strategies.bad_configs())
    def bad_config(self, data: dict[str, object]) -> None:
        """The client asks for what cannot be."""
        self.model.client_wishes(None)
        self._do(frame(type="config", data=data))

    @speaking
    @rule(data=strategies.json_values)
    def ping(self, data: object) -> None:
        """The client asks whether the gateway is there."""
        self.model.client_pings(data)
        self._do(frame(type="ping", data=data))

    @speaking
    @rule()
    def interrupt(self) -> None:
        """The client wants the answer to stop."""
        self.model.client_interrupts()
        self._do(frame(type="interrupt"))

    @flowing
    @rule(is_start=st.booleans())
    def activity(self, *, is_start: bool) -> None:
        """The client takes turns by hand."""
        self._whole.client_marks_activity(is_start=is_start)
        self._do(frame(type="activity_start" if is_start else "activity_end"))

    @flowing
    @rule(call=st.sampled_from(["first", "last", "nobody's"]), goes_on=st.booleans())
    def result(self, call: str, *, goes_on: bool) -> None:
        """The client answers a call, or one that there is not."""
        calls = self.model.answers.calls
        id_ = calls[0 if call == "first" else -1] if calls and call != "nobody's" else "nobody's"
        self._whole.client_answers_call(id_)
        result = {"id": id_, "response": {"found": 1}, "will_continue": goes_on}
        self._do(frame(type="tool_response", data=result))

    @speaking
    @rule(said=strategies.nonsense())
    def nonsense(self, said: ClientSends) -> None:
        """The client sends what means nothing."""
        if not self.system.plays_gemini and not said.is_sendable:
            return  # RFC 6455 section 8.1: any server has to end the connection
        self.model.client_errs()
        self._do(said)

    @precondition(lambda self: self.model.is_open and self.model.link.number > 1)
    @rule(code=st.sampled_from([1000, 1001, 1006]))
    def client_leaves(self, code: int) -> None:
        """The client's socket ends."""
        self.model.client_leaves()
        self._do(transcript.ClientLeaves(code))

    @precondition(lambda self: self.model.is_open and self.model.link.number > 1)
    @rule()
    def shutdown(self) -> None:
        """The process is about to end."""
        self._whole.shuts_down()
        self._do(transcript.ShutsDown())

    # Gemini

    @dialling
    @rule()
    def gemini_opens(self) -> None:
        """The dial succeeds."""
        self._whole.gemini_opens()
        self._do(transcript.GeminiOpens())

    @dialling
    @rule()
    def gemini_serves(self) -> None:
        """The dial succeeds, and Gemini accepts the setup."""
        self.gemini_opens()
        self.gemini_accepts()

    @dialling
    @rule(fault=strategies.faults())
    def gemini_fails(self, fault: Fault) -> None:
        """The dial fails."""
        self._whole.gemini_fails(is_denied=fault is Fault.FORBIDDEN)
        self._do(transcript.GeminiUnreachable(fault))

    @opened
    @rule()
    def gemini_accepts(self) -> None:
        """Gemini accepts the setup."""
        self._whole.gemini_accepts()
        self._do(transcript.GeminiSends(b'{"setupComplete":{}}'))

    @ready
    @rule(said=strategies.messages())
    def gemini_says(self, said: Said) -> None:
        """Gemini sends one message, with contents that it has not sent before."""
        self._say(self._anew(said))

    @ready
    @rule()
    def gemini_completes(self) -> None:
        """Gemini ends its answer, and gives the handle that it gives then."""
        self._say(Said(is_complete=True))
        self._say(Said(handle=f"handle-{self._next()}"))

    @ready
    @rule()
    def gemini_is_interrupted(self) -> None:
        """Gemini hears the user speak, whether it has begun to answer or not."""
        self._say(Said(is_interrupted=True))

    @linked
    @rule(payload=strategies.gemini_nonsense())
    def gemini_babbles(self, payload: bytes) -> None:
        """Gemini sends what nobody understands."""
        self._whole.gemini_babbles()
        self._do(transcript.GeminiSends(payload))

    @linked
    @rule(end=strategies.link_ends())
    def gemini_closes(self, end: LinkEnd) -> None:
        """Gemini ends the link."""
        self._whole.gemini_closes(end.kind)
        self._do(transcript.GeminiCloses(end.code, end.reason))

    @precondition(lambda self: self.model.link.state == "open" and self.model.link.handle)
    @rule()
    def gemini_forgets(self) -> None:
        """Gemini does not know the conversation that it is to resume."""
        (end,) = (end for end in strategies.LINK_ENDS if end.kind == "forgotten")
        self.gemini_closes(end)

    # The clock

    @rule(seconds=st.sampled_from([0.01, 0.3, 1.0, 2.0, 8.0, 11.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        """The clock jumps, if it is not everybody's."""
        self._wait(seconds if self.system.plays_gemini else _MOMENT_S)

    def teardown(self) -> None:
        """From here on all goes well; then nothing is owed any more."""
        try:
            if not self.failure:
                if self.model.is_open:
                    self.ping("the last")
                self._settle()
        finally:
            self.system.close()

    def _settle(self) -> None:
        for _ in range(_SETTLING):
            if self.model.is_over:
                return
            if self.model.link.state == "dialling":
                self.gemini_opens()
            elif self.model.link.state == "open":
                self.gemini_accepts()
            elif not self.model.is_owing:
                break
            elif self.model.link.state == "ready":
                self.gemini_completes()
                self._wait(1.5)
            elif self.system.plays_gemini:
                self._wait(8.0)
            elif not self._wait(self.patience_s):
                break
        if self.system.plays_gemini:
            self._wait(5.0)
        with self._telling():
            self.model.settled()

    # How it is done

    @property
    def _whole(self) -> Model:
        assert isinstance(self.model, Model), "only the client's side is known here"
        return self.model

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _anew(self, said: Said) -> Said:
        """Return a message like this one, told apart from all others."""
        return said.renamed(self._next(), self.model.answers.calls)

    def _say(self, said: Said) -> None:
        if self.model.link.state == "ready":
            self._whole.gemini_says(said)
            self._do(transcript.GeminiSends(said.payload()))

    def _do(self, stimulus: Stimulus) -> None:
        self.told.append(stimulus)
        with self._telling():
            self.system.feed(stimulus)
            self._look()

    def _wait(self, seconds: float) -> bool:
        """Let time pass; return whether the gateway did something."""
        self.model.time_passes(seconds)
        self.told.append(transcript.TimePasses(seconds))
        with self._telling():
            self.system.advance(seconds)
            return self._look()

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
