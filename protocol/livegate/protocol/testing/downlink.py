"""What the client gets, as a model checks it against what the client is owed."""

from collections import deque
from collections.abc import Mapping
from typing import Final

import attrs

from livegate.protocol.errors import FATAL, ErrorCode
from livegate.protocol.replies import CONNECTED, RECONNECTED
from livegate.protocol.testing.answers import Answers
from livegate.protocol.testing.batch import Batch
from livegate.protocol.testing.frames_seen import check_frame
from livegate.protocol.testing.line import Line
from livegate.protocol.testing.links import Leg
from livegate.protocol.testing.numbered import Numbered
from livegate.protocol.testing.past import Past
from livegate.protocol.testing.speaker import Speaker
from livegate.protocol.testing.watch import Watch
from livegate.protocol.testing.wishes import Book, is_report_of

UNHEARD: Final = frozenset({"audio_format", "audio_broken"})
REFUSALS: Final = frozenset({"model_unknown", "setup_refused"})


@attrs.define
class Downlink:
    """The way of frames to the client."""

    batch: Batch
    book: Book
    line: Line
    speaker: Speaker
    answers: Answers
    past: Past
    leg: Leg
    watch: Watch
    numbered: Numbered | None = None
    """Of a client that speaks `livegate.v1`."""
    pongs: deque[object] = attrs.field(factory=deque[object])
    complaints: int = 0
    """Errors that nonsense of the client must still cause."""
    closed_with: int | None = None
    """The client must be closed with this."""

    def got(self, frame: object, now: float) -> None:
        """Check one frame.

        Raises:
            AssertionError: It is not owed.
        """
        if self.numbered is None:
            self._got(*check_frame(frame), now)
        elif (read := self.numbered.read(frame)) is not None:
            self._got(*read, now)

    def check(self) -> None:
        """Raise unless all that had to come at once has come.

        Raises:
            AssertionError: Something is missing.
        """
        self.batch.check()
        if self.numbered is not None:
            self.numbered.check()
        assert self.closed_with is None, f"not closed with {self.closed_with}"
        assert not self.past.tells_loss, "Gemini has forgotten something, and nobody was told"

    def settled(self) -> None:
        """Raise unless nothing is owed any more.

        Raises:
            AssertionError: Something was lost.
        """
        assert not self.pongs, f"pings without an answer: {list(self.pongs)}"
        assert not self.complaints, f"{self.complaints} errors are missing"

    def _got(self, type_: str, frame: Mapping[str, object], now: float) -> None:
        match type_:
            case "config_success":
                self._config_succeeded(frame)
            case "error":
                self.batch.errors[str(frame["code"])] += 1
                self._heard_error(str(frame["code"]), now)
            case "pong":
                assert self.pongs, "a pong that nobody asked for"
                assert self.pongs.popleft() == frame["data"], "a pong of another ping"
            case "context_lost":
                assert self.past.tells_loss, "context_lost, but nothing is lost"
                self.past.tells_loss = False
            case "system":
                self._noticed(str(frame["data"]), now)
            case "session":
                self.batch.tokens += 1
            case "going_away":
                assert self.numbered is not None, "going_away, in the plain dialect"
                assert self.batch.cue == "shutdown", "going_away, but nobody goes"
            case _:
                self.batch.got(frame)

    def _noticed(self, notice: str, now: float) -> None:
        if notice in (CONNECTED, RECONNECTED):
            assert self.batch.cue == "accept", f"{notice}, at no time for it"
            self.leg.greeted(notice)
        elif self.book.model in notice or self.batch.cue == "shutdown":
            pass  # a model that is no more
        elif self.past.tells_loss:
            self.past.tells_loss = False
        else:
            assert self.leg.noticed(now), f"a notice for nothing: {notice}"

    def _config_succeeded(self, frame: Mapping[str, object]) -> None:
        wish = self.line.answered_config()
        assert wish is not None, "a bad config succeeded, or a good one was answered too early"
        assert is_report_of(frame, wish), f"{frame!r:.300} speaks of other keys than {wish.data}"
        assert self.leg.link.state == "ready", "a config succeeded on no link"
        self.book.accept(self.leg.link.setup)
        self.answers.terms = self.book.terms()
        self.batch.answered(is_good=True, may_return=self.book.is_resumable)

    def _heard_error(self, code: str, now: float) -> None:
        batch = self.batch
        if code == "bad_config":
            assert self.line.answered_config() is None, "bad_config answers a good config"
            batch.answered(is_good=False, may_return=self.book.is_resumable)
        elif code == "setup_refused" and batch.cue == "content":
            self.line.take_back()
            self.speaker.dropped()
        elif code in REFUSALS:
            assert batch.due[code], f"{code} for nothing"
            self.speaker.dropped()
            self.line.drop(code)
            self.book.take_back()
        elif code == "upstream_unavailable":
            assert self.leg.may_give_up(now), "Gemini was given up too early"
            self.closed_with = FATAL[ErrorCode.UPSTREAM_UNAVAILABLE]
        elif code == "no_answer":
            batch.expected += self.answers.given_up()
            self.watch.gave_up(now, is_awaited=self.answers.is_awaited)
        elif code in ("upstream_lost", "call_unanswered", *FATAL):
            assert batch.errors[code] <= batch.due[code], f"{code} for nothing"
        elif code in UNHEARD and batch.cue != "nonsense" and self.line.has_broken_head:
            assert self.leg.link.state == "ready", f"{code} came before what is in front of it"
            self.leg.link.is_used = True
            self.speaker.heard(self.line.give())
        else:
            assert self.complaints, f"an error {code} for nothing"
            self.complaints -= 1
