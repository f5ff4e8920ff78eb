"""What a client alone can tell of a gateway, whoever wrote it and whatever is behind it.

Answers take their time and come in between one another, so little is expected at once; but each
ping and each config has one answer, in order, turns are counted, sound that was taken back stays
away, and nothing ends the session but what the tables of errors and closes say.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

import attrs

from livegate.protocol import _json, transcript
from livegate.protocol.errors import FATAL, ErrorCode
from livegate.protocol.testing.answers import Answers
from livegate.protocol.testing.frames_seen import check_close, check_frame
from livegate.protocol.testing.line import Content, Line
from livegate.protocol.testing.links import Link
from livegate.protocol.testing.sounds import Form, form_of
from livegate.protocol.testing.speaker import Speaker
from livegate.protocol.testing.wishes import Book, Wish, is_report_of
from livegate.protocol.transcript import Observation

_REFUSALS: Final = frozenset({"model_unknown", "setup_refused"})
_LOSSES: Final = frozenset({"upstream_lost", "no_answer", "call_unanswered"})
"""Errors that may come at any time: an answer or a result is lost."""
_OF_SOUND: Final = frozenset(code for code in ErrorCode if code.startswith("audio_"))
_BROKEN: Final = frozenset({1006, 1011})
"""Closes that no client can cause: a connection cut, or a fault of the gateway."""
_RESTART: Final = 1012
_ROOM: Final = 40


@attrs.define
class ClientView:
    """The conversation, as far as one client sees it. The machine drives it like a `Model`."""

    answers: Answers = attrs.field(factory=Answers)
    link: Link = attrs.field(factory=Link)
    """Nothing is known of it."""
    is_open: bool = False
    is_over: bool = False
    is_flowing: bool = False
    """Whether all goes straight to Gemini; nobody can tell."""
    may_end_speech: bool = True
    is_v1: bool = False
    is_away: bool = False
    may_vanish: bool = False
    may_return: bool = False
    """In the plain dialect nobody comes back."""
    speaker: Speaker = attrs.field(factory=lambda: Speaker(Line(Book())))
    """What of its sound is heard when is not known, so nothing ever is."""
    pongs: deque[object] = attrs.field(factory=deque[object])
    configs: deque[Wish | None] = attrs.field(factory=deque["Wish | None"])
    complaints: int = 0
    interrupts: int = 0
    events: frozenset[str] = frozenset()
    """All that was ever asked for."""
    may_be_binary: bool = False
    """Sound was once asked for in bytes."""
    _excuses: int = 0
    """Frames of recordings: each may be answered with an error, or dropped in silence."""
    _excused: int = 0
    """Errors that were taken for answers to those."""
    _silenced: int = 0
    _doubts: int = 0
    """Errors that told of the link to Gemini: each may have been the answer to a good config."""

    @property
    def is_owing(self) -> bool:
        """Whether the gateway still has something to answer."""
        waiting = len(self.configs) > self._doubts
        complaints = self.complaints > self._excused
        return bool(self.pongs or waiting or complaints or self.interrupts)

    @property
    def has_room(self) -> bool:
        """Whether the client may say more without waiting for an answer."""
        owed = len(self.pongs) + len(self.configs) + self.complaints + self.interrupts
        return owed < _ROOM

    def client_opened(self, *, is_v1: bool) -> None:
        """The client connects, and speaks the plain dialect."""
        assert not is_v1, "frames without numbers are all that is known here"
        self.is_open = True

    def client_says(self, content: Content) -> None:
        """The client asks or shows something: when it is answered is Gemini's affair."""

    def client_speaks(self, pcm: bytes) -> None:
        """The client sends PCM, cut anywhere."""
        self.speaker.says(pcm, 0.0)

    def client_records(self, pcm: bytes, *, is_first: bool, is_whole: bool) -> None:
        """The client sends a piece of a recording: what came before it may have been dropped."""
        self._excuses += 1
        self.speaker.records(pcm, 0.0, is_first=is_first, is_whole=is_whole)

    def client_records_badly(self) -> None:
        """The client sends a recording that nothing can be made of."""
        self._excuses += 1
        self.speaker.records_badly(0.0)

    def client_wishes(self, wish: Wish | None) -> None:
        """The client sends a config; None stands for a bad one."""
        self.configs.append(wish)
        asked = wish.settings.get("events") if wish is not None else None
        if _json.is_array(asked):
            self.events |= frozenset(map(str, asked))
        form = form_of(wish.settings.get("audio")) if wish is not None else Form()
        self.may_be_binary |= form.encoding == "binary"

    def client_pings(self, data: object) -> None:
        """The client asks whether the gateway is there."""
        self.pongs.append(data)

    def client_interrupts(self) -> None:
        """The client wants the answer to stop."""
        self.interrupts += 1

    def client_errs(self) -> None:
        """The client sends what must be answered with one error."""
        self.complaints += 1

    def client_ends_speech(self) -> None:
        """The client says that the speaker has finished."""
        self.speaker.ends(is_said=True)

    def client_leaves(self, _code: int) -> None:
        """The client's socket ends, and so does the session, whatever the code."""
        self.is_open, self.is_over = False, True

    def step_of(self, seconds: float) -> float:
        """Return how long time may pass at once, of so many seconds."""
        return seconds

    def time_passes(self, seconds: float) -> None:
        """Let the clock run: nothing depends on it."""

    def saw(self, seen: Observation) -> None:
        """Take note of one thing that the gateway did.

        Raises:
            AssertionError: It should not have done it.
        """
        match seen:
            case transcript.ClientGets(expected=frame):
                assert self.is_open, f"a frame after the end: {frame!r:.200}"
                self._got(*check_frame(frame))
            case transcript.ClientClosed(code=code):
                assert code not in _BROKEN, f"the connection broke: {code}"
                check_close(code)
                assert code == _RESTART, f"closed with {code}, with no error to tell why"
                self.is_open, self.is_over = False, True
            case _:
                raise AssertionError(f"a client cannot see {seen}")

    def check(self) -> None:
        """Do nothing: what is missing may still be on its way."""

    def settled(self) -> None:
        """Raise unless all that was owed has come.

        Raises:
            AssertionError: Something was lost.
        """
        if self.is_over:
            return
        assert not self.pongs, f"pings without an answer: {list(self.pongs)}"
        assert len(self.configs) <= self._doubts, f"{len(self.configs)} configs without an answer"
        missing = self.complaints - self._excused
        assert missing <= 0, f"{missing} errors are missing"
        assert not self.interrupts, f"{self.interrupts} interruptions without an answer"

    def _got(self, type_: str, frame: Mapping[str, object]) -> None:
        match frame:
            case {"type": "pong"}:
                assert self.pongs, "a pong that nobody asked for"
                assert self.pongs.popleft() == frame["data"], "a pong of another ping"
            case {"type": "config_success"}:
                self._answered(lambda wish: wish is not None and is_report_of(frame, wish))
            case {"type": "error", "code": str(code)}:
                self._heard_error(code)
            case {"type": "turn_complete", "turn": int(turn)}:
                assert turn == self.answers.current, f"turn {turn}, not {self.answers.current}"
                self.answers.completed += 1
            case {"type": "interrupted", "turn": int(turn)}:
                last = self.answers.completed
                assert turn in (last, last + 1), f"turn {turn} of {last} was interrupted"
                self._silenced = turn
                self.interrupts = max(0, self.interrupts - 1)
            case {"type": "audio", "data": data}:
                assert self.may_be_binary or isinstance(data, str), "bytes, but nobody asked"
                is_silenced = self._silenced == self.answers.current
                assert not is_silenced, "sound of a turn that was to be silent"
            case {"type": "response" | "system" | "tool_call" | "tool_call_cancelled"}:
                pass
            case _:
                assert {type_, "all"} & self.events, f"nobody asked for {type_}"

    def _heard_error(self, code: str) -> None:
        assert code not in FATAL, f"the server cannot use Gemini: {code}"
        if code == "bad_config":
            self._answered(lambda wish: wish is None)
        elif code in _REFUSALS:
            self._doubts += 1
        elif code in _LOSSES:
            pass
        elif code in _OF_SOUND and self._excuses:
            self._excuses -= 1
            self._excused += 1
        else:
            assert self.complaints, f"an error {code} for nothing"
            self.complaints -= 1

    def _answered(self, fits: Callable[[Wish | None], bool]) -> None:
        """Take out the config that was answered, and good ones before it that may have been."""
        for position, wish in enumerate(list(self.configs)[: self._doubts + 1]):
            if fits(wish):
                for _ in range(position + 1):
                    self.configs.popleft()
                self._doubts -= position
                return
            assert wish is not None, "another answer came where a bad config waits"
        raise AssertionError("an answer that fits no config that waits")
