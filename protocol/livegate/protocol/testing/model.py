"""What a gateway owes its peers, seen from outside: a small model, assumed to be right.

The machine tells it what a peer is about to do (`client_...`, `gemini_...`), then shows it what
the gateway did (`saw`), then asks whether all is well (`check`).
"""

from collections.abc import Mapping
from math import inf
from typing import Final

import attrs

from livegate.protocol import _json, transcript
from livegate.protocol.errors import FATAL, ErrorCode
from livegate.protocol.replies import RECONNECTED
from livegate.protocol.testing.absence import Absence
from livegate.protocol.testing.answers import Answers, Said
from livegate.protocol.testing.batch import Batch
from livegate.protocol.testing.downlink import Downlink
from livegate.protocol.testing.frames_seen import check_close
from livegate.protocol.testing.handover import Handover
from livegate.protocol.testing.line import END, Config, Content, Line
from livegate.protocol.testing.links import Leg, Link
from livegate.protocol.testing.numbered import Numbered
from livegate.protocol.testing.past import Past
from livegate.protocol.testing.speaker import Speaker
from livegate.protocol.testing.uplink import Uplink
from livegate.protocol.testing.watch import Watch
from livegate.protocol.testing.wishes import Book, Wish
from livegate.protocol.transcript import Observation

_GOODBYE: Final = 1000
_REPLACED: Final = 4202
_PATIENCE_S: Final = 120.0
"""Longer than any span after which a gateway must have done what it was asked."""


@attrs.define
class Model:
    """The whole conversation."""

    answers: Answers = attrs.field(factory=Answers)
    book: Book = attrs.field(factory=Book)
    past: Past = attrs.field(factory=Past)
    now: float = 0.0
    is_open: bool = False
    is_over: bool = False
    line: Line = attrs.field(init=False)
    """What waits for Gemini, or for an answer of the gateway."""
    speaker: Speaker = attrs.field(init=False)
    leg: Leg = attrs.field(init=False)
    _batch: Batch = attrs.field(factory=Batch)
    _uplink: Uplink = attrs.field(init=False)
    _down: Downlink = attrs.field(init=False)
    _absence: Absence = attrs.field(init=False)
    _watch: Watch = attrs.field(factory=Watch)
    _owing_since: float = 0.0
    _done: int = 0
    _handover: Handover = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.line = Line(self.book)
        self.speaker = Speaker(self.line)
        self.leg = Leg(self.line)
        self._uplink = Uplink(self.line, self.speaker, self.answers, self.past, self._watch)
        self._handover = Handover(
            self.leg.link, self.line, self.answers, self.past, self.speaker, self._uplink
        )
        self._down = Downlink(
            *(self._batch, self.book, self.line, self.speaker),
            *(self.answers, self.past, self.leg, self._watch),
        )
        self._absence = Absence(self._down)

    # What the peers do

    @property
    def link(self) -> Link:
        """The newest connection to Gemini."""
        return self.leg.link

    @property
    def has_room(self) -> bool:
        """Whether the client may say more without being held up."""
        return self.line.has_room

    @property
    def is_flowing(self) -> bool:
        """Whether what the client says now goes straight to Gemini."""
        return self.link.state == "ready" and not self.line

    @property
    def may_end_speech(self) -> bool:
        """Whether it can be told what comes of an `audio_end` now."""
        return self.is_flowing

    @property
    def is_owing(self) -> bool:
        """Whether anything waits for Gemini, or for an answer of the gateway."""
        return bool(self.line)

    @property
    def is_v1(self) -> bool:
        """Whether the client speaks `livegate.v1`."""
        return self.book.is_v1

    @property
    def is_away(self) -> bool:
        """Whether the client has lost its WebSocket, and its session waits for it."""
        return self._absence.is_on

    @property
    def may_return(self) -> bool:
        """Whether the client has a token, and there is a session that it opens."""
        is_sure = not (self.leg.may_be_over or (self.leg.is_unsure and not self.link.state))
        return self._has_token and (self.is_open or (self.is_away and is_sure))

    @property
    def may_vanish(self) -> bool:
        """Whether its session may wait for a client that loses its WebSocket now."""
        return self.is_open and self._has_token

    @property
    def _has_token(self) -> bool:
        return self._down.numbered is not None and self._down.numbered.first_token > 0

    def client_opened(self, *, is_v1: bool) -> None:
        """The client connects, and speaks one dialect or the other."""
        self._begin("open")
        self.is_open = True
        self.leg.opened_at = inf if is_v1 else self.now
        self.book.is_v1 = is_v1
        self._down.numbered = Numbered() if is_v1 else None
        self.answers.terms = self.book.terms()

    def client_says(self, content: Content) -> None:
        """The client shows or asks something."""
        self._begin("content")
        self.line.items.append(content)
        if content.text:
            self.speaker.asks()

    def client_speaks(self, pcm: bytes) -> None:
        """The client sends PCM, cut anywhere."""
        self._begin("content")
        self.speaker.says(pcm, self.now)

    def client_records(self, pcm: bytes, *, is_first: bool, is_whole: bool) -> None:
        """The client sends a piece of a recording."""
        self._begin("content")
        self.speaker.records(pcm, self.now, is_first=is_first, is_whole=is_whole)

    def client_records_badly(self) -> None:
        """The client sends a recording that nothing can be made of."""
        self._begin("content")
        self.speaker.records_badly(self.now)

    def client_wishes(self, wish: Wish | None) -> None:
        """The client sends a config; None stands for a bad one."""
        self._begin("config")
        self.line.items.append(Config(wish))
        if self.link.state == "dialling":
            self.line.absorb()

    def client_pings(self, data: object) -> None:
        """The client asks whether the gateway is there."""
        self._begin("ping")
        self._down.pongs.append(data)

    def client_interrupts(self) -> None:
        """The client wants the answer to stop."""
        self._begin("interrupt")
        if self.is_open:
            self._batch.expected.append(self.answers.hushed())

    def client_errs(self) -> None:
        """The client sends what must be answered with an error, and nothing else."""
        self._begin("nonsense")
        self._down.complaints += 1

    def client_ends_speech(self) -> None:
        """The client says that the speaker has finished, while all flows."""
        self._begin("speech ends")
        self.link.is_used |= self.speaker.is_speaking
        if self.speaker.is_speaking and not self.answers.terms.is_manual:
            self.line.items.append(END)
        self.speaker.ends(is_said=True)

    def client_marks_activity(self, *, is_start: bool) -> None:
        """The client says that the user begins or has finished, while all flows."""
        self._begin("activity")
        self.link.is_used = True
        if not self.answers.terms.is_manual or not (is_start or self._uplink.is_active):
            self._down.complaints += 1
        if self.answers.terms.is_manual and not is_start:
            self.speaker.ends(is_said=True)

    def client_answers_call(self, call: str) -> None:
        """The client sends the result of a call, or of none, while all flows."""
        self._begin("result")
        self.link.is_used = True
        if call not in self.answers.calls:
            self._down.complaints += 1

    def client_leaves(self, code: int) -> None:
        """The client's socket ends."""
        self._begin("leave")
        is_away = self.may_vanish and self.book.is_resumable and code != _GOODBYE
        self.is_open, self.is_over = False, not is_away
        if is_away:
            self._absence.begin(self.now)

    def client_returns(self, lost: int) -> int:
        """The client has another WebSocket, and comes back.

        Args:
            lost: How many frames it has not got of those that were on their way to it.

        Returns:
            The number of the last frame that it has.
        """
        self._begin("return")
        numbered = self._down.numbered
        assert numbered is not None, "a client without numbers cannot come back"
        seq = max(numbered.first_token, numbered.last - lost)
        numbered.returns(seq, is_away=self.is_away)
        self._absence.end()
        self.is_open = True
        return seq

    def step_of(self, seconds: float) -> float:
        """Return how long time may pass at once, of so many seconds."""
        return self._absence.step_of(seconds, self.now) if self.is_away else seconds

    def shuts_down(self) -> None:
        """The process is about to end."""
        self._begin("shutdown")
        self._down.closed_with = 1012
        self.is_over = True

    def gemini_opens(self) -> None:
        """The dial succeeds."""
        self._begin("open link")
        self.link.state = "open"

    def gemini_fails(self, *, is_denied: bool) -> None:
        """The dial fails."""
        self._begin("fail")
        if is_denied:
            self._deny(ErrorCode.KEY_REFUSED)
        else:
            self.leg.failed(self.now)

    def gemini_accepts(self) -> None:
        """Gemini accepts the setup."""
        self._begin("accept")
        self.leg.accepted(self.now)
        self.book.accept(self.link.setup)
        self.answers.terms = self.book.terms()
        is_resumed = bool(self.link.handle)
        self.past.accepted(is_resumed=is_resumed)
        self._uplink.tells_history = not is_resumed and bool(self.past.words)

    def gemini_says(self, said: Said) -> None:
        """Gemini sends a message on a link that is ready."""
        self._begin("message")
        is_beginning = said.is_output and self.answers.begins_next
        self._batch.expected += self.answers.heard(said)
        self._owing_since = self.now  # a config may wait for each answer to end
        if said.is_complete or is_beginning:
            self._handover.turned(self.now)
        if said.is_output or said.is_complete:
            self.leg.proved()
        self._hear(said)
        if said.goes_away_s is not None:
            self.link.announce(said.goes_away_s, self.now)

    def _hear(self, said: Said) -> None:
        """Keep what is said, and what it means for what is waited for."""
        texts = [] if self.answers.terms.speaks else [*said.texts]
        texts += [said.transcript] if said.transcript else []
        self.past.heard(texts, said.heard, is_output=said.is_output)
        for call in said.calls:
            self._watch.called(call, self.now)
        for call in said.cancelled:
            self._watch.returned(call)
        if said.is_complete:
            self.past.ended()
        if said.is_sign:
            self._watch.listen(self.now, is_awaited=self.answers.is_awaited)
        if said.handle:
            self._batch.handles += 1
            self._handover.has_handle = True
            self.past.renewed(said.handle, self.book.model, is_idle=not self.answers.owed)

    def gemini_babbles(self) -> None:
        """Gemini sends what is not the Live API's: nobody hears of it."""
        self._begin("babble")

    def gemini_closes(self, kind: str) -> None:
        """Gemini ends the link; `kind` is that of a `strategies.LinkEnd`."""
        self._begin("close")
        if kind in ("key", "quota"):
            self._deny(ErrorCode.KEY_REFUSED if kind == "key" else ErrorCode.QUOTA)
        elif self.link.state == "ready":
            self._lose_link()
        elif kind == "gone":
            if self.link.handle:
                self.past.refused()
            self.leg.failed(self.now)
        elif kind != "model" and self._is_handle_refused(kind):
            self.past.forget()
            self.leg.forgot()
        else:
            self._batch.due["model_unknown" if kind == "model" else "setup_refused"] = 1
            if self.is_away:
                self._absence.drop()
            self.leg.refused()

    def _is_handle_refused(self, kind: str) -> bool:
        """Whether Gemini refuses to resume, since it has accepted the config before."""
        is_known = kind == "forgotten" or not self.book.is_changed(self.link.setup)
        return bool(self.link.handle) and is_known

    def time_passes(self, seconds: float) -> None:
        """Let the clock run."""
        self._begin("time")
        self.now += seconds
        if self.now >= self._absence.until:
            self._end_absence()
        if self.speaker.flush_at <= self.now:
            self.line.items.append(END)
            self.speaker.ends(is_said=False)

    # What the gateway did

    def saw(self, seen: Observation) -> None:
        """Take note of one thing that the gateway did.

        Raises:
            AssertionError: It should not have done it.
        """
        self._skip_silence()
        match seen:
            case transcript.ClientGets(expected=frame):
                assert not self.is_away, f"a frame to a client that is away: {frame!r:.200}"
                assert self.is_open, f"a frame after the end: {frame!r:.200}"
                self._down.got(frame, self.now)
            case transcript.ClientClosed(code=code):
                self._client_closed(code)
            case transcript.GeminiDialled():
                assert not self.is_over, "a dial after the end"
                self.leg.dialled(self.now)
            case transcript.GeminiGets(expected=message):
                assert _json.is_object(message), f"not the Live API's: {message!r:.200}"
                self._gemini_got(message)
            case transcript.GeminiClosed():
                self._link_closed()

    def check(self) -> None:
        """Raise unless all that had to come at once has come.

        Raises:
            AssertionError: Something is missing.
        """
        self._skip_silence()
        if self.is_away:
            if self._absence.owe(self.now):
                self._end_absence()
        else:
            self._down.check()
        if self.is_over:
            assert not self.link.state, "a link outlived its session"
            return
        self.leg.check(self.now, is_heard=not self.is_away)
        self._watch.check(self.now)
        if self.link.state == "open":
            assert self.link.setup is not None, "no setup was sent"
        if self.link.state == "ready":
            self._check_flow()
        self._handover.check(
            self.now, is_message=self._batch.cue == "message", is_timed=self._batch.cue == "time"
        )
        self._check_patience()

    def settled(self) -> None:
        """Raise unless nothing is owed any more, after all went well for long enough.

        Raises:
            AssertionError: Something was lost.
        """
        assert not self.line, f"never given to Gemini, or never answered: {self.line}"
        self._down.settled()

    # Frames

    def _client_closed(self, code: int) -> None:
        check_close(code)
        numbered = self._down.numbered
        if numbered is not None and numbered.has_socket_left:
            assert code == _REPLACED, f"a WebSocket that was replaced is closed with {code}"
            numbered.has_socket_left = False
            return
        assert self.is_open, "closed twice"
        wanted = self._down.closed_with
        assert code == wanted, f"closed with {code}, not {wanted}"
        self.is_open, self.is_over, self._down.closed_with = False, True, None

    def _end_absence(self) -> None:
        """The session has ended, and its client is not told."""
        self._absence.end()
        self.is_over = True

    def _gemini_got(self, message: Mapping[str, object]) -> None:
        [(kind, body)] = message.items()
        assert _json.is_object(body), f"{kind} is {body!r:.200}"
        if kind == "setup":
            assert self.link.state == "open", "a setup on a link that is not open"
            assert self.link.setup is None, "two setups on one link"
            self.link.setup = body
            self.link.handle = self.past.check_setup(body, self.book.model)
            self.book.check_setup(body)
            return
        assert self.link.state == "ready", f"{kind} on a link that is not ready"
        self.link.is_used |= not self._uplink.tells_history
        if kind != "toolResponse":
            self._uplink.got(kind, body, self.now)
            return
        is_late = self._batch.cue == "time"
        calls = self._uplink.got_results(body, self.now, is_late=is_late)
        if is_late:
            self._batch.due["call_unanswered"] += 1
            self._batch.expected.append({"type": "tool_call_cancelled", "ids": calls})

    def _skip_silence(self) -> None:
        """Take out of the line what Gemini gets nothing of."""
        if self.link.state == "ready":
            self.link.is_used |= self._uplink.skip_silence()
            while self.is_away and self._absence.answer():
                self.link.is_used |= self._uplink.skip_silence()

    # Links

    def _deny(self, code: ErrorCode) -> None:
        """Gemini lets nobody in."""
        self._batch.due[code] = 1
        self._down.closed_with = FATAL[code]
        self._end_link()

    def _lose_link(self) -> None:
        """Gemini ends a link that is ready: what is owed on it is lost."""
        if self.answers.owed or self.answers.calls:
            self._batch.due["upstream_lost"] = 1
            self.leg.greeting = RECONNECTED
        self._end_link()
        self.leg.lost(self.now)
        if not self.line.has_sound:
            self.speaker.hush()

    def _link_closed(self) -> None:
        """The gateway ends a link."""
        assert self.link.state, "closed a link that is not there"
        if self.is_over:
            self._end_link()
        elif self.link.state == "ready":
            self._handover.check_replaced(self.now)
            self._end_link()
            self.leg.replaced()
        else:
            self.leg.given_up(self.now)

    def _end_link(self) -> None:
        self.link.state = ""
        self._uplink.link_ended()
        if not self.is_over:
            self._batch.expected += self.answers.lost()

    def _check_flow(self) -> None:
        """Raise unless all goes on that can, on a link that is ready."""
        assert not self._uplink.tells_history, "Gemini was not told what was said before"
        if self.link.setup is not None and not self.line.unanswered:
            self.book.check_setup(self.link.setup)
        head = self.line.items[0] if self.line.items else None
        assert not isinstance(head, Content), f"{head} waits for nothing"

    # Clocks

    def _begin(self, cue: str) -> None:
        self._handover.has_handle = False
        self._batch.begin(cue, may_return=self.book.is_resumable)

    def _check_patience(self) -> None:
        is_unsure = self.is_away and self.leg.is_unsure
        if self.line.done > self._done or not self.line or is_unsure:
            self._owing_since, self._done = self.now, self.line.done
        waited_s = self.now - self._owing_since
        assert waited_s < _PATIENCE_S, f"waits for ever: {self.line}"
