"""What a gateway owes its peers, seen from outside: a small model, assumed to be right.

The machine tells it what a peer is about to do (`client_...`, `gemini_...`), then shows it what
the gateway did (`saw`), then asks whether all is well (`check`).
"""

import math
from collections import Counter, deque
from collections.abc import Mapping
from typing import Final

import attrs

from livegate.protocol import _json, transcript
from livegate.protocol.errors import FATAL, ErrorCode
from livegate.protocol.replies import CONNECTED, RECONNECTED
from livegate.protocol.testing.answers import Answers, Pattern, Said
from livegate.protocol.testing.frames_seen import check_close, check_frame
from livegate.protocol.testing.line import END, Config, Content, Line
from livegate.protocol.testing.wishes import Book, Wish, is_report_of
from livegate.protocol.transcript import Observation

_FAILURES: Final = frozenset({"upstream_unavailable", "model_unknown", "setup_refused"})
_PATIENCE_S: Final = 120.0
"""Longer than any span after which a gateway must have done, or given up, what it was asked."""
_SETUP_S: Final = 15.0
_PAUSE_S: Final = 1.0
_GRACE_S: Final = 1.0
_LONG: Final = 512


@attrs.define
class Link:
    """The connection to Gemini, as Gemini sees it."""

    number: int = 0
    state: str = ""
    """Nothing, `dialling`, `open` (no setupComplete yet) or `ready`."""
    setup: Mapping[str, object] | None = None
    handle: object = None
    dialled_at: float = 0.0


@attrs.define
class Model:
    """The whole conversation."""

    answers: Answers = attrs.field(factory=Answers)
    book: Book = attrs.field(factory=Book)
    link: Link = attrs.field(factory=Link)
    now: float = 0.0
    is_open: bool = False
    is_over: bool = False
    line: Line = attrs.field(init=False)
    """What waits for Gemini, or for an answer of the gateway."""
    pongs: deque[object] = attrs.field(factory=deque[object])
    complaints: int = 0
    """Errors that nonsense of the client must still cause."""
    _cue: str = ""
    """What the batch at hand comes from."""
    _expected: list[Pattern] = attrs.field(factory=list[Pattern])
    _got: list[Mapping[str, object]] = attrs.field(factory=list[Mapping[str, object]])
    """The frames of this batch that speak of an answer."""
    _errors: Counter[str] = attrs.field(factory=Counter[str])
    _closed_with: int | None = None
    _opened_at: float = 0.0
    _owing_since: float | None = None
    _handle: tuple[str, str] = ("", "")
    """The newest that Gemini still knows, and its model."""
    _has_history: bool = False
    _is_covered: bool = True
    """The newest handle stands for all that was said."""
    _tells_loss: bool = False
    _may_greet: bool = True
    _is_speaking: bool = False
    _flush_at: float = math.inf
    """When the sound that came last has stopped for long enough to count as ended."""
    _is_active: bool = False
    """Between activityStart and activityEnd."""

    def __attrs_post_init__(self) -> None:
        self.line = Line(self.book)

    # What the peers do

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

    def client_opened(self) -> None:
        """The client connects."""
        self._begin("open")
        self.is_open = True
        self._opened_at = self.now

    def client_says(self, content: Content) -> None:
        """The client sends something for Gemini."""
        self._begin("content")
        self.line.items.append(content)
        if content.sound:
            self._is_speaking = True
            if not self.book.terms().is_manual:
                self._flush_at = self.now + content.seconds + _PAUSE_S

    def client_wishes(self, wish: Wish | None) -> None:
        """The client sends a config; None stands for a bad one."""
        self._begin("config")
        self.line.items.append(Config(wish))
        if self.link.state == "dialling":
            self.line.absorb()

    def client_pings(self, data: object) -> None:
        """The client asks whether the gateway is there."""
        self._begin("ping")
        self.pongs.append(data)

    def client_interrupts(self) -> None:
        """The client wants the answer to stop."""
        self._begin("interrupt")
        if self.is_open:
            self._expected.append(self.answers.hushed())

    def client_errs(self) -> None:
        """The client sends what must be answered with an error, and nothing else."""
        self._begin("nonsense")
        self.complaints += 1

    def client_ends_speech(self) -> None:
        """The client says that the speaker has finished."""
        self._begin("speech ends")
        if self._is_speaking and not self.answers.terms.is_manual:
            self.line.items.append(END)
        self._hush()

    def client_marks_activity(self, *, is_start: bool) -> None:
        """The client says that the user begins or has finished, while all flows."""
        self._begin("activity")
        if not self.answers.terms.is_manual or not (is_start or self._is_active):
            self.complaints += 1
        if self.answers.terms.is_manual and not is_start:
            self._hush()

    def client_answers_call(self, call: str) -> None:
        """The client sends the result of a call, or of none, while all flows."""
        self._begin("result")
        if call not in self.answers.calls:
            self.complaints += 1

    def client_leaves(self) -> None:
        """The client's socket ends."""
        self._begin("leave")
        self.is_open, self.is_over = False, True

    def shuts_down(self) -> None:
        """The process is about to end."""
        self._begin("shutdown")
        self._closed_with = 1012
        self.is_over = True

    def gemini_opens(self) -> None:
        """The dial succeeds."""
        self._begin("open link")
        self.link.state = "open"

    def gemini_fails(self, *, is_denied: bool) -> None:
        """The dial fails."""
        self._begin("denied" if is_denied else "fail")
        self._end_link()
        self._closed_with = FATAL[ErrorCode.KEY_REFUSED] if is_denied else None

    def gemini_accepts(self) -> None:
        """Gemini accepts the setup."""
        self._begin("accept")
        self.link.state = "ready"
        self.book.accept()
        self.answers.terms = self.book.terms()
        is_fresh = not self.link.handle
        self._tells_loss = self._has_history if is_fresh else not self._is_covered
        self._is_covered = True
        self._has_history &= not is_fresh
        if is_fresh:
            self._handle = ("", "")

    def gemini_says(self, said: Said) -> None:
        """Gemini sends a message on a link that is ready."""
        self._begin("message")
        self._expected += self.answers.heard(said)
        self._owing_since = None  # a config may wait for each answer to end
        if said.is_output:
            self._has_history, self._is_covered = True, False
        if said.handle:
            self._handle = (said.handle, self.book.model)
            self._is_covered |= not self.answers.owed and not self._is_speaking

    def gemini_babbles(self) -> None:
        """Gemini sends what is not the Live API's: nobody hears of it."""
        self._begin("babble")

    def gemini_closes(self, kind: str) -> None:
        """Gemini ends the link; `kind` is that of a `strategies.LinkEnd`."""
        self._begin(f"close {kind} {self.link.state}")
        was_ready = self.link.state == "ready"
        if kind == "key":
            self._closed_with = FATAL[ErrorCode.KEY_REFUSED]
        elif kind == "quota":
            self._closed_with = FATAL[ErrorCode.QUOTA]
        elif kind == "forgotten" and not was_ready and self.link.handle:
            self._handle = ("", "")
            self._begin("close again")
        self._end_link()
        self._may_greet |= was_ready
        if was_ready and not self.line.has_sound:
            self._hush()

    def time_passes(self, seconds: float) -> None:
        """Let the clock run."""
        self._begin("time")
        self.now += seconds
        if self._flush_at <= self.now:
            self.line.items.append(END)
            self._hush()

    # What the gateway did

    def saw(self, seen: Observation) -> None:
        """Take note of one thing that the gateway did.

        Raises:
            AssertionError: It should not have done it.
        """
        self._skip_ends()
        match seen:
            case transcript.ClientGets(expected=frame):
                assert self.is_open, f"a frame after the end: {frame!r:.200}"
                self._client_got(*check_frame(frame))
            case transcript.ClientClosed(code=code):
                check_close(code)
                assert self.is_open, "closed twice"
                assert code == self._closed_with, f"closed with {code}, not {self._closed_with}"
                self.is_open, self.is_over, self._closed_with = False, True, None
            case transcript.GeminiDialled():
                self._dialled()
            case transcript.GeminiGets(expected=message):
                assert _json.is_object(message), f"not the Live API's: {message!r:.200}"
                self._gemini_got(message)
            case transcript.GeminiClosed():
                assert self.link.state, "closed a link that is not there"
                self._end_link()

    def check(self) -> None:
        """Raise unless all that had to come at once has come.

        Raises:
            AssertionError: Something is missing.
        """
        self._check_answers()
        self._skip_ends()
        assert self._closed_with is None, f"not closed with {self._closed_with}"
        assert not self._tells_loss, "a conversation started anew, and nobody was told"
        if self.is_over:
            assert not self.link.state, "a link outlived its session"
            return
        if self.link.state == "open":
            assert self.link.setup is not None, "no setup was sent"
        if self.link.state == "ready" and self.link.setup is not None and not self.line.unanswered:
            self.book.check_setup(self.link.setup)
        self._check_batch()
        self._check_clocks()

    def settled(self) -> None:
        """Raise unless nothing is owed any more, after all went well for long enough.

        Raises:
            AssertionError: Something was lost.
        """
        assert not self.line, f"never given to Gemini, or never answered: {self.line}"
        assert not self.pongs, f"pings without an answer: {list(self.pongs)}"
        assert not self.complaints, f"{self.complaints} errors are missing"

    # Frames

    def _client_got(self, type_: str, frame: Mapping[str, object]) -> None:
        match type_:
            case "config_success":
                self._config_succeeded(frame)
            case "error":
                self._errors[str(frame["code"])] += 1
                self._heard_error(str(frame["code"]))
            case "pong":
                assert self.pongs, "a pong that nobody asked for"
                assert self.pongs.popleft() == frame["data"], "a pong of another ping"
            case "context_lost":
                assert self._tells_loss, "context_lost, but nothing is lost"
                self._tells_loss = False
            case "system":
                if frame["data"] in (CONNECTED, RECONNECTED):
                    assert self._may_greet, "a greeting that nobody waits for"
                    self._may_greet = False
                else:
                    self._tells_loss = False
            case _:
                self._got.append(frame)

    def _config_succeeded(self, frame: Mapping[str, object]) -> None:
        wish = self.line.answered_config()
        assert wish is not None, "a bad config succeeded, or a good one was answered too early"
        assert is_report_of(frame, wish), f"{frame!r:.300} speaks of other keys than {wish.data}"
        self.book.accept()
        self.answers.terms = self.book.terms()

    def _heard_error(self, code: str) -> None:
        if code == "bad_config":
            assert self.line.answered_config() is None, "bad_config answers a good config"
        elif code == "setup_refused" and self._cue == "content":
            assert isinstance(self.line.items.pop(), Content)
            self._hush()
        elif code in _FAILURES:
            self._failed(code)
        elif code in ("upstream_lost", *FATAL):
            assert self._cue.startswith(("close", "denied")), f"{code} for nothing"
        else:
            assert self.complaints, f"an error {code} for nothing"
            self.complaints -= 1

    def _failed(self, code: str) -> None:
        """A link was never set up: what waited is dropped, and configs have their answer."""
        self._hush()
        self.line.drop(code)
        if code != "upstream_unavailable":
            self.book.take_back()

    def _gemini_got(self, message: Mapping[str, object]) -> None:
        [(kind, body)] = message.items()
        assert _json.is_object(body), f"{kind} is {body!r:.200}"
        if kind == "setup":
            assert self.link.state == "open", "a setup on a link that is not open"
            assert self.link.setup is None, "two setups on one link"
            self.link.setup = body
            self._check_handle(body)
            self.book.check_setup(body)
            return
        assert self.link.state == "ready", f"{kind} on a link that is not ready"
        self._has_history, self._is_covered = True, False
        if kind == "toolResponse":
            self._check_results(body)
        else:
            self._given(kind, body)

    def _given(self, kind: str, body: Mapping[str, object]) -> None:
        """Check a piece of content against the head of the line."""
        sound, text = _part(body, "audio", "data"), _text_of(body)
        if "audioStreamEnd" in body or (sound and not sound.strip("A=") and len(sound) > _LONG):
            assert self.line.next_content(kind) == END, "an end of speech that nothing caused"
            self.line.give()
            return
        if {"activityStart", "activityEnd"} & body.keys():
            self._marked(is_start="activityStart" in body)
            return
        self._skip_ends()
        head = self.line.next_content(kind)
        assert head != END, "the end of speech was not told"
        if sound:
            self.line.give_sound(head, sound)
        elif text:
            assert text == head.text, f"not the next text: {text}"
            self.line.give()
            self.answers.asked()
        else:
            assert _part(body, "video", "data") == head.image, f"not the next picture: {body!r}"
            self.line.give()

    def _skip_ends(self) -> None:
        """Take out ends of speech where they mean nothing to Gemini: by hand it is told others."""
        while self.link.state == "ready" and self.answers.terms.is_manual:
            if not self.line.items or self.line.items[0] != END:
                return
            self.line.give()

    def _hush(self) -> None:
        """Nobody speaks any more."""
        self._is_speaking, self._flush_at = False, math.inf

    def _marked(self, *, is_start: bool) -> None:
        assert self.answers.terms.is_manual, "activity, where Gemini finds out itself"
        assert is_start or self._is_active, "activityEnd without activityStart"
        self._is_active = is_start
        if not is_start:
            self.answers.asked()

    def _check_results(self, body: Mapping[str, object]) -> None:
        results = body.get("functionResponses")
        for one in results if _json.is_array(results) else [None]:
            call = one.get("id") if _json.is_object(one) else None
            assert call in self.answers.calls, f"a result of {call}, which was not called"
            if _json.is_object(one) and not one.get("willContinue"):
                self.answers.calls.remove(str(call))

    def _check_handle(self, setup: Mapping[str, object]) -> None:
        handle = _part(setup, "sessionResumption", "handle") or None
        newest, model = self._handle
        wanted = newest if newest and model == self.book.model else None
        assert handle == wanted, f"the handle had to be {wanted}, not {handle}"
        self.link.handle = handle

    # Links

    def _dialled(self) -> None:
        assert not self.link.state, "two links at a time"
        assert not self.is_over, "a dial after the end"
        has_reason = self.line or not self.link.number
        assert has_reason, "a dial for nothing"
        self.link = Link(self.link.number + 1, "dialling", dialled_at=self.now)
        self.line.absorb()

    def _end_link(self) -> None:
        self.link.state = ""
        self._is_active = False
        if not self.is_over:
            self._expected += self.answers.lost()

    # Clocks

    def _begin(self, cue: str) -> None:
        self._cue = cue
        self._errors.clear()
        self._expected.clear()
        self._got.clear()

    def _check_answers(self) -> None:
        """Raise unless the client got exactly the frames that this batch had to give."""
        told = [*map(dict, self._got)]
        assert len(told) == len(self._expected), f"{self._expected} had to come, not {told!r:.500}"
        for wanted, got in zip(self._expected, self._got, strict=True):
            assert transcript.fits(wanted, got), f"{wanted} had to come, not {got!r:.200}"

    def _check_batch(self) -> None:
        """Raise unless a lost or refused link was reported, once."""
        _, _, rest = self._cue.partition("close ")
        kind, _, state = rest.partition(" ")
        if state == "ready" and kind not in ("key", "quota"):
            assert self._errors["upstream_lost"] == 1, "a lost link was not reported, once"
        elif kind in ("refused", "forgotten"):
            assert self._errors["setup_refused"], "a refused setup was not reported"
        elif kind == "model":
            assert self._errors["model_unknown"], "an unknown model was not reported"
        elif kind == "gone" or self._cue == "fail":
            assert self._errors["upstream_unavailable"], "a failed dial was not reported"
        elif kind in ("key", "quota") or self._cue == "denied":
            assert self._errors.keys() & set(FATAL), "a refused key was not reported"

    def _check_clocks(self) -> None:
        is_waiting = self.link.state in ("dialling", "open")
        if is_waiting:
            assert self.now - self.link.dialled_at < _SETUP_S, "a link that is never given up"
        if self.is_open and not self.link.number:
            assert self.now - self._opened_at < _GRACE_S, "a patient client is never served"
        if not self.line:
            self._owing_since = None
        elif self._owing_since is None:
            self._owing_since = self.now
        else:
            assert self.now - self._owing_since < _PATIENCE_S, f"waits for ever: {self.line}"


def _part(body: Mapping[str, object], *path: str) -> str:
    found: object = body
    for step in path:
        found = found.get(step) if _json.is_object(found) else None
    return found if isinstance(found, str) else ""


def _text_of(body: Mapping[str, object]) -> str:
    """Return the text of a user's turn, by either path."""
    turns = body.get("turns")
    if not _json.is_array(turns):
        return _part(body, "text")
    [turn] = turns
    parts = turn.get("parts") if _json.is_object(turn) else None
    [part] = parts if _json.is_array(parts) else [None]
    return _part(part, "text") if _json.is_object(part) else ""
