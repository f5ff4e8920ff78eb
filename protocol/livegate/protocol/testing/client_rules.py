"""The rules by which a client plays."""

from typing import Final

import hypothesis.strategies as st
from hypothesis.stateful import initialize, precondition, rule

from livegate.protocol import transcript
from livegate.protocol.testing import moments, recordings, strategies
from livegate.protocol.testing.gemini_rules import GeminiRules
from livegate.protocol.testing.line import Content
from livegate.protocol.testing.recordings import Piece, Shape
from livegate.protocol.testing.strategies import frame
from livegate.protocol.testing.wishes import Wish
from livegate.protocol.transcript import ClientSends

_JPEG: Final = "/9j/2Q=="
_LONG: Final = 40_100
"""More bytes than go to Gemini in one message."""
_ABSENCES_S: Final = (0.0, 0.0, 0.3, 2.0, 31.0)


class ClientRules(GeminiRules):
    """A client connects, asks, speaks, wishes, leaves and comes back."""

    plays_v1 = True
    """Whether the client speaks `livegate.v1` in some of the examples."""

    def __init__(self) -> None:
        super().__init__()
        self._rest: list[Piece] = []
        """Of the recording that the client is making."""

    @initialize(
        is_patient=st.sampled_from([True, True, False]),
        first=st.sampled_from(strategies.FIRST),
        is_v1=st.sampled_from([False, False, True]),
        may_return=st.sampled_from([True, True, True, False]),
    )
    def client_opens(
        self,
        *,
        is_patient: bool,
        first: Wish | None,
        is_v1: bool = False,
        may_return: bool = True,
    ) -> None:
        """A client connects; a patient one says nothing until it is told that it may.

        One that speaks `livegate.v1` has to say something first, such as that it may come back.
        """
        is_v1 = is_v1 and self.plays_v1 and self.system.plays_gemini
        self.model.client_opened(is_v1=is_v1)
        self._do(transcript.ClientOpens(is_v1=is_v1))
        if is_v1:
            self.config(strategies.returning(first, may_return=may_return))
        if is_patient and self.system.plays_gemini:
            self._wait(0.5)
            self.gemini_serves()
        if first is not None and not is_v1:
            self.config(first)

    @moments.speaking
    @rule(form=st.integers(0, 5))
    def text(self, form: int) -> None:
        """The client asks something that it has not asked before."""
        text = f"text {self._next()}"
        self.model.client_says(Content(text=text))
        self._do(frame(**strategies.text_frames(text)[form]))

    @moments.speaking
    @rule(form=st.integers(0, 4), is_long=st.sampled_from([False, False, False, True]))
    def sound(self, form: int, *, is_long: bool) -> None:
        """The client speaks, each time another sound."""
        pcm = self._next().to_bytes(2, "little") * (_LONG if is_long else 4)
        form = form if self.model.speaker.takes_plain else max(form, strategies.DECLARED)
        self.model.client_speaks(pcm)
        self._do(strategies.sound_frames(pcm)[form])

    @moments.plain
    @rule(form=st.integers(0, 1), size=st.integers(1, 5))
    def cut_sound(self, form: int, size: int) -> None:
        """The client speaks, and cuts its sound where it likes: amid a sample, too."""
        pcm = recordings.speech(self._next(), size)[:size]
        self.model.client_speaks(pcm)
        self._do(recordings.FORMS[form](pcm))

    @moments.speaking
    @rule(shape=recordings.shapes(), silence=st.sampled_from([0.0, 0.0, 0.0, 1.0, 2.0]))
    def recording(self, shape: Shape, silence: float) -> None:
        """The client begins to send a recording, or sends one at once; it may make a pause then."""
        speaker = self.model.speaker
        may_cut_head = speaker.takes_plain and not speaker.is_plain
        self._rest = recordings.pieces_of(shape, self._next(), may_cut_head=may_cut_head)
        self._record()
        if silence:
            self._let_pass(silence)

    @precondition(lambda self: self.model.is_open and self.model.has_room and self.goes_on)
    @rule()
    def recording_goes_on(self) -> None:
        """The client sends the next piece of its recording."""
        self._record()

    @moments.speaking
    @rule(kind=st.integers(0, 2 * len(recordings.FORMS) - 1))
    def bad_recording(self, kind: int) -> None:
        """The client sends a recording that nothing can be made of."""
        self.model.client_records_badly()
        self._do(recordings.broken(self._next())[kind])

    @moments.refused
    @rule(form=st.integers(0, len(recordings.FORMS) - 1))
    def bad_recording_goes_on(self, form: int) -> None:
        """The client sends more of a recording that was refused: that is refused, too."""
        self.model.client_errs()
        self._do(recordings.FORMS[form](recordings.speech(self._next(), 7)))

    @moments.plain
    @rule(said=st.sampled_from(recordings.MISFITS))
    def misfit(self, said: ClientSends) -> None:
        """The client sends sound that is neither PCM nor a recording."""
        self.model.client_errs()
        self._do(said)

    @moments.ending
    @rule()
    def speech_ends(self) -> None:
        """The client says that the speaker has finished."""
        self.model.client_ends_speech()
        self._do(frame(type="audio_end"))

    @moments.speaking
    @rule()
    def image(self) -> None:
        """The client shows a picture."""
        self.model.client_says(Content(image=_JPEG))
        self._do(frame(type="image", data=_JPEG, mime_type="image/jpeg"))

    @moments.speaking
    @rule(wish=strategies.wishes())
    def config(self, wish: Wish) -> None:
        """The client changes its mind."""
        self.model.client_wishes(wish)
        self._do(frame(type="config", data=dict(wish.data)))

    @moments.speaking
    @rule(wish=strategies.forms())
    def form(self, wish: Wish) -> None:
        """The client wants sound in another form, or none: that seldom needs another link."""
        self.config(wish)

    @moments.speaking
    @rule(data=strategies.bad_configs())
    def bad_config(self, data: dict[str, object]) -> None:
        """The client asks for what cannot be."""
        self.model.client_wishes(None)
        self._do(frame(type="config", data=data))

    @moments.speaking
    @rule(data=strategies.json_values)
    def ping(self, data: object) -> None:
        """The client asks whether the gateway is there."""
        self.model.client_pings(data)
        self._do(frame(type="ping", data=data))

    @moments.speaking
    @rule()
    def interrupt(self) -> None:
        """The client wants the answer to stop."""
        self.model.client_interrupts()
        self._do(frame(type="interrupt"))

    @moments.flowing
    @rule(is_start=st.booleans())
    def activity(self, *, is_start: bool) -> None:
        """The client takes turns by hand."""
        self._whole.client_marks_activity(is_start=is_start)
        self._do(frame(type="activity_start" if is_start else "activity_end"))

    @moments.flowing
    @rule(call=st.sampled_from(["first", "last", "nobody's"]), goes_on=st.booleans())
    def result(self, call: str, *, goes_on: bool) -> None:
        """The client answers a call, or one that there is not."""
        calls = self.model.answers.calls
        id_ = calls[0 if call == "first" else -1] if calls and call != "nobody's" else "nobody's"
        self._whole.client_answers_call(id_)
        result = {"id": id_, "response": {"found": 1}, "will_continue": goes_on}
        self._do(frame(type="tool_response", data=result))

    @moments.speaking
    @rule(said=strategies.nonsense())
    def nonsense(self, said: ClientSends) -> None:
        """The client sends what means nothing."""
        if not self.system.plays_gemini and not said.is_sendable:
            return  # RFC 6455 section 8.1: any server has to end the connection
        self.model.client_errs()
        self._do(said)

    @moments.left
    @rule(code=st.sampled_from([1000, 1001, 1006]))
    def client_leaves(self, code: int) -> None:
        """The client's socket ends."""
        self.model.client_leaves(code)
        self._do(transcript.ClientLeaves(code))

    @moments.numbered
    @rule(may_return=st.booleans())
    def client_decides(self, *, may_return: bool) -> None:
        """The client wants to be able to come back, or does not any more."""
        self.config(strategies.returning(may_return=may_return))

    @moments.vanishing
    @rule(
        code=st.sampled_from([1001, 1006, 1006, 4000, 4001]), seconds=st.sampled_from(_ABSENCES_S)
    )
    def client_vanishes(self, code: int, seconds: float) -> None:
        """The client's socket ends, and the client will be back, perhaps soon."""
        self.client_leaves(code)
        self._wait(seconds)

    @moments.returning
    @rule(lost=st.sampled_from([0, 0, 1, 3, 9]), seconds=st.sampled_from([0.0, 0.0, 0.0, 125.0]))
    def client_returns(self, lost: int, seconds: float = 0.0) -> None:
        """The client is back on another socket, whether or not the one before has ended.

        So many of the frames that were on their way to it are lost. It may stay for longer than it
        would have been waited for.
        """
        seq = self._whole.client_returns(lost)
        self._do(transcript.ClientReturns(seq))
        self._wait(seconds)

    @moments.missing
    @rule(
        pieces=st.integers(1, 3),
        is_interrupted=st.booleans(),
        lost=st.sampled_from([0, 1, 3]),
    )
    def client_misses_an_answer(self, pieces: int, lost: int, *, is_interrupted: bool) -> None:
        """The client loses its socket, and is back when Gemini has spoken."""
        self.client_vanishes(code=1006, seconds=0.0)
        self.gemini_speaks(pieces, is_last=False)
        if is_interrupted:
            self.gemini_is_interrupted()
        if self.model.may_return:
            self.client_returns(lost)

    @moments.away
    @rule(seconds=st.sampled_from([1.0, 31.0, 119.0, 121.0]))
    def client_stays_away(self, seconds: float) -> None:
        """The client is not back yet, and may be too late then."""
        self._wait(seconds)

    @moments.ended
    @rule()
    def shutdown(self) -> None:
        """The process is about to end."""
        self._whole.shuts_down()
        self._do(transcript.ShutsDown())

    # How it is done

    @property
    def goes_on(self) -> bool:
        """Whether the client has more of the recording that it has begun."""
        return bool(self._rest) and self.model.speaker.is_recording

    def _record(self) -> None:
        piece = self._rest.pop(0)
        self.model.client_records(piece.pcm, is_first=piece.is_first, is_whole=piece.is_whole)
        self._do(*piece.frames)
