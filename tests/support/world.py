# pyright: reportPrivateUsage=false
"""One session, both its peers and the shell between them, with every promise checked at each step.

`World` is driven by hypothesis (`test_machine.py`) and by a random walk (`fuzz.py`). It plays a
shell that honours `reading`, and keeps a small model of what is owed: which texts wait for
Gemini, which configs wait for an answer, what is in flight.
"""

import base64
import json
from collections import Counter, deque
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, cast
from unittest import mock

import attrs
import msgspec

from livegate.protocol import Limits, Session, SessionOptions, commands, inputs, leg
from livegate.protocol.config import Delta
from livegate.protocol.errors import ErrorCode, Refusal
from livegate.protocol.flow import Reading
from livegate.protocol.inputs import Side
from livegate.protocol.media.decoder import Decoder
from livegate.protocol.states import Phase, Trigger, next_phase
from livegate.protocol.testing.recordings import Piece
from promises import check_timers

LIMITS: Final = Limits(high_water=8 * 1024, low_water=4 * 1024, free_json_bytes=2048)
_REFUSALS: Final = {"model_unknown", "setup_refused"}
_LARGEST: Final = 44 * 1024
"""A second of silence is the largest message that a small frame can cause."""

Cell = tuple[Phase, Trigger]


@contextmanager
def counted_cells(cells: Counter[Cell]) -> Generator[None]:
    """Count each look-up in the table of phases that a session makes meanwhile."""

    def count(phase: Phase, trigger: Trigger) -> Phase:
        cells[phase, trigger] += 1
        return next_phase(phase, trigger)

    with mock.patch.object(leg, "next_phase", count):
        yield


@attrs.define
class Queue:
    """What a socket has been given and has not sent yet."""

    items: deque[tuple[int, int]] = attrs.field(factory=deque[tuple[int, int]])
    """(bytes, turn), oldest first."""
    size: int = 0

    def push(self, size: int, turn: int = 0) -> None:
        """Add a message."""
        self.items.append((size, turn))
        self.size += size

    def take(self, most: int) -> int:
        """Send at most so many bytes, and return how many."""
        sent = 0
        while self.items and sent < most:
            size, turn = self.items.popleft()
            if size > most - sent:
                self.items.appendleft((size - (most - sent), turn))
                size = most - sent
            sent += size
        self.size -= sent
        return sent

    def drop_sound(self, turn: int) -> int:
        """Throw away the sound of this turn and earlier ones, and return how much it was."""
        kept = deque(item for item in self.items if not 0 < item[1] <= turn)
        dropped = self.size - sum(size for size, _ in kept)
        self.items, self.size = kept, self.size - dropped
        return dropped


@attrs.define
class Model:
    """What the gateway owes: the whole conversation, seen from outside."""

    texts: list[str] = attrs.field(factory=list[str])
    """Sent by the client, neither given to Gemini nor reported as dropped."""
    sound: bytes = b""
    """The same of recordings."""
    configs: list[tuple[int, bool]] = attrs.field(factory=list[tuple[int, bool]])
    """(number, whether it is a good one) of those without an answer."""
    keys: dict[int, set[str]] = attrs.field(factory=dict[int, set[str]])
    silenced: int = 0
    """No sound of this turn or an earlier one may come any more."""
    shown: dict[int, set[str]] = attrs.field(factory=dict[int, set[str]])
    """Turn -> what its answer was read from."""

    def gave(self, text: str) -> None:
        """A text went to Gemini."""
        assert self.texts, f"{text} was doubled, or given after it was reported as dropped"
        assert self.texts.pop(0) == text, f"{text} overtook another, which may be lost"

    def gave_sound(self, pcm: bytes) -> None:
        """Sound went to Gemini. That of recordings is all digits."""
        if pcm.isdigit():
            assert self.sound.startswith(pcm), f"not the next sound: {pcm[:40]!r}"
            self.sound = self.sound.removeprefix(pcm)

    def answered(self, report: dict[str, dict[str, object]]) -> None:
        """A config_success came."""
        number, is_good = self.configs.pop(0)
        assert is_good, f"config {number} was bad, but succeeded"
        assert report["applied"].get("request_id") == number, f"config {number} is answered late"
        told = [key for part in ("applied", "clamped", "refused") for key in report[part]]
        assert sorted(told) == sorted(self.keys[number])

    def failed(self, code: str, sentence: str, *, is_answer: bool) -> None:
        """An error came that ends a link's setup, or the wait of a bad config."""
        if "was dropped" in sentence:
            self.texts.clear()
            self.sound = b""
        if is_answer:
            number, is_good = self.configs.pop(0)
            assert is_good == (code != "bad_config"), f"config {number} has another's answer"


class World:
    """A session and all around it."""

    def __init__(self, options: SessionOptions | None = None, *, seed: int = 0) -> None:
        self.options = options or SessionOptions(limits=LIMITS)
        self.session = Session(self.options, seed=seed)
        self._decoder = Decoder()
        self.steps: deque[commands.Decode] = deque()
        """What the decoder has to do."""
        self.rest: list[Piece] = []
        """Of the recording that the client is making."""
        self._is_recording = False
        self.now = 100.0
        self.model = Model()
        self.history: list[tuple[inputs.Input, float, list[commands.Command]]] = []
        self.valid = self.invalid = 0
        self.client = Queue()
        self.upstream = Queue()
        self.is_joined = self.is_closed = False
        self.link = 0
        self.link_state = ""
        """Nothing, `dialling`, `open` (no setupComplete yet) or `ready`."""
        self._said = 0
        self._numbers = 0
        self._has_setup = self._must_tell = False
        self._waiting = 0
        self.session.start(self.now)

    # What may happen, each a rule of the machine

    @property
    def is_over(self) -> bool:
        """Whether the session has ended."""
        return self.session.phase is Phase.CLOSED

    @property
    def may_speak(self) -> bool:
        """Whether the shell may read from the client."""
        return self.is_joined and self.session.reading.client

    @property
    def may_hear(self) -> bool:
        """Whether the shell may read from Gemini."""
        return self.link_state in ("open", "ready") and self.session.reading.upstream

    def join(self) -> None:
        """The client connects."""
        self.is_joined = True
        self._feed(inputs.ClientOpened(1, "192.0.2.1"))

    def text(self) -> None:
        """The client asks something that it has not asked before."""
        self._said += 1
        text = f"text {self._said}"
        self.model.texts.append(text)
        self._client_says({"type": "text", "text": text})

    def config(self, data: dict[str, object], *, is_good: bool) -> None:
        """The client sends a config."""
        self._numbers += 1
        inner = data.get("generation_config")
        keys = {key for key in data if key != "generation_config"} | {"request_id"}
        if isinstance(inner, dict):
            keys |= {f"generation_config.{key}" for key in cast("dict[str, object]", inner)}
        self.model.keys[self._numbers] = keys
        self.model.configs.append((self._numbers, is_good))
        self._client_says({"type": "config", "data": {**data, "request_id": self._numbers}})

    def record(self, pieces: list[Piece]) -> None:
        """The client sends the first of these pieces of a recording."""
        piece, *self.rest = pieces
        if not piece.is_first and not self._is_recording:
            return  # its beginning was dropped
        self._is_recording = True
        self.model.sound += piece.pcm
        for said in piece.frames:
            self.valid += 1
            self._feed(inputs.ClientFrame(1, said.payload, said.is_text))

    def decode(self) -> None:
        """The decoder does a step."""
        self._feed(self._decoder.step(self.steps.popleft()))

    def _stop_recording(self, payload: bytes, *, is_text: bool) -> None:
        """Let nothing that may be sound be taken for more of a recording."""
        if self._is_recording and (b"audio" in payload or not is_text):
            self._is_recording = False
            self._client_says({"type": "audio_end"})

    def frame(self, payload: bytes, *, is_text: bool) -> None:
        """The client sends another valid frame."""
        self._stop_recording(payload, is_text=is_text)
        self.valid += 1
        self._feed(inputs.ClientFrame(1, payload, is_text))

    def junk(self, payload: bytes, *, is_text: bool) -> None:
        """The client sends anything."""
        self._stop_recording(payload, is_text=is_text)
        self.invalid += 1
        self._feed(inputs.ClientFrame(1, payload, is_text))

    def _client_says(self, frame: dict[str, object]) -> None:
        self.frame(json.dumps(frame).encode(), is_text=True)

    def leave(self) -> None:
        """The client's socket ends."""
        self._feed(inputs.ClientGone(1, 1001))
        assert self.is_over, "a session without a client"

    def dismiss(self) -> None:
        """The client has used up what it may."""
        self._feed(inputs.ClientDismissed(Refusal(ErrorCode.RATE_LIMITED, "too much", 1.0)))
        assert self.is_over, "a session that outlives its welcome"

    def move(self) -> None:
        """The client goes on with an earlier session."""
        self._feed(inputs.ClientMoved())
        assert self.is_over, "a session that nobody has"

    def shut_down(self) -> None:
        """The process is about to end."""
        self._feed(inputs.ShutdownRequested())
        assert self.is_over, "a session that outlives its process"

    def open_link(self) -> None:
        """The dial succeeds."""
        self.link_state, self._has_setup = "open", False
        self._feed(inputs.UpstreamOpened(self.link))
        assert self._has_setup or self.link_state != "open", "no setup was sent"

    def fail_dial(self, fault: inputs.Fault) -> None:
        """The dial fails."""
        self._lose_link()
        self._feed(inputs.DialFailed(self.link, fault))

    def accept_setup(self) -> None:
        """Gemini accepts the setup."""
        self.link_state = "ready"
        self.hear(b'{"setupComplete":{}}')

    def hear(self, payload: bytes) -> None:
        """Gemini says something."""
        self.valid += 1
        if b"setupComplete" in payload and self.link_state == "open":
            self.link_state = "ready"
        self._feed(inputs.UpstreamFrame(self.link, payload))

    def hear_junk(self, payload: bytes) -> None:
        """Gemini says anything, if not that it is ready."""
        if b"setupComplete" not in payload:
            self.invalid += 1
            self._feed(inputs.UpstreamFrame(self.link, payload))

    def lose_link(self, code: int, reason: str) -> None:
        """Gemini's socket ends."""
        self._lose_link()
        self._feed(inputs.UpstreamGone(self.link, code, reason))

    def replay_old_link(self) -> None:
        """Late news of a link that is no more."""
        for event in (
            inputs.UpstreamFrame(self.link - 1, b'{"setupComplete":{}}'),
            inputs.UpstreamGone(self.link - 1, 1006),
            inputs.Sent(Side.UPSTREAM, self.link - 1, 10**6),
        ):
            assert not self._feed(event), "an old link was heard"

    def send(self, side: Side, most: int) -> None:
        """A socket gets some of its bytes out."""
        queue, link = (self.client, 1) if side is Side.CLIENT else (self.upstream, self.link)
        if size := queue.take(most):
            self._feed(inputs.Sent(side, link, size))

    def pass_time(self, seconds: float) -> None:
        """Time passes; each deadline is kept."""
        until = self.now + seconds
        while (deadline := self.session.deadline) is not None and deadline <= until:
            self.reach_deadline()
        self.now = max(self.now, until)

    def reach_deadline(self) -> None:
        """The next deadline comes, and is over then."""
        if (deadline := self.session.deadline) is not None:
            self.now = max(self.now, deadline)
            self._feed(inputs.DeadlineReached())
            later = self.session.deadline
            assert later is None or later > deadline, "the deadline stands still"

    def wake_early(self) -> None:
        """The shell wakes up for nothing."""
        deadline = self.session.deadline
        if deadline is None or deadline > self.now:
            assert not self._feed(inputs.DeadlineReached()), "an early deadline did something"
            assert self.session.deadline == deadline

    def settle(self) -> None:
        """From here on all goes well; then nothing may be owed any more."""
        for _ in range(300):
            if self.is_over or not self.is_joined:
                return
            self.send(Side.CLIENT, 10**9)
            self.send(Side.UPSTREAM, 10**9)
            while self.steps:
                self.decode()
            if self.link_state == "dialling":
                self.open_link()
            elif self.link_state == "open":
                self.accept_setup()
            elif self.link_state == "ready" and self.session.phase is Phase.HANDOVER:
                self.hear(b'{"serverContent":{"turnComplete":true}}')
                if self.session.phase is Phase.HANDOVER:
                    self.pass_time(1.5)
            elif self.session.phase is Phase.RETRYING or self._is_owing:
                self.pass_time(1.0)
            elif not self.upstream.size:
                break
        assert not self._is_owing, f"still owed: {self.model}"
        assert self.session.phase in (Phase.UNLINKED, Phase.LIVE, Phase.REFUSED)
        assert self.session.reading == Reading(client=True, upstream=True), "reading is stuck"

    @property
    def _is_owing(self) -> bool:
        return bool(self.model.texts or self.model.sound or self.model.configs)

    # What comes of it

    def _lose_link(self) -> None:
        self.link_state = ""
        self.upstream = Queue()

    def _feed(self, event: inputs.Input) -> list[commands.Command]:
        was_closed = self.is_over
        turn = self.session._conversation.turns.number
        self._waiting = len(self.session._terms._unanswered)
        done = self.session.handle(event, self.now)
        self.history.append((event, self.now, done))
        assert not (was_closed and done), "a command after the end"
        for command in done:
            self._obey(command, turn)
        self._check()
        return done

    def _obey(self, command: commands.Command, turn: int) -> None:
        match command:
            case commands.SendClient(link, payload, is_text, sounding):
                assert (self.is_joined, self.is_closed, link) == (True, False, 1), "nobody there"
                assert not 0 < sounding <= self.model.silenced, "stale sound"
                is_sound = not is_text or payload.startswith(b'{"type":"audio"')
                assert (sounding > 0) == is_sound, "sound of no turn"
                self.client.push(len(payload), sounding)
                if is_text:
                    self._told(msgspec.json.decode(payload), turn)
            case commands.DropSound(link=1, turn=turn):
                if dropped := self.client.drop_sound(turn):
                    event = inputs.Sent(Side.CLIENT, 1, dropped)
                    self.history.append((event, self.now, self.session.handle(event, self.now)))
            case commands.CloseClient():
                assert (self.is_joined, self.is_closed) == (True, False), "closed twice"
                self.is_closed = True
            case commands.OpenUpstream(link=link):
                assert not self.link_state, "two links at a time"
                assert link == self.link + 1
                self.link, self.link_state = link, "dialling"
            case commands.SendUpstream(link=link, payload=payload):
                assert link == self.link, "sent on an old link"
                self.upstream.push(len(payload))
                self._given(msgspec.json.decode(payload))
            case commands.CloseUpstream(link=link):
                assert link == self.link * bool(self.link_state), "closed a link twice"
                self._lose_link()
            case commands.Decode():
                assert not self.steps, "two steps at a time"
                self.steps.append(command)
            case commands.StopDecoding(job=job):
                self._decoder.stop(job)
                self.steps.clear()
            case commands.Log():
                assert all(
                    isinstance(value, str | int | float) for value in command.fields.values()
                )
            case _:
                raise AssertionError(command)

    def _given(self, message: dict[str, dict[str, object]]) -> None:
        [(kind, body)] = message.items()
        if self.link_state == "open":
            assert (kind, self._has_setup) == ("setup", False), "sent before setupComplete"
            self._has_setup, self._must_tell = True, "historyConfig" in body
            return
        assert self.link_state == "ready", "sent on a link that is not open"
        assert kind in ("clientContent", "realtimeInput", "toolResponse")
        if self._must_tell:
            assert body["turns"], "Gemini waits for what was said before"
            self._must_tell = False
        elif "turns" in body:
            [turn] = msgspec.convert(body["turns"], list[dict[str, object]])
            [part] = msgspec.convert(turn["parts"], list[dict[str, str]])
            self.model.gave(part["text"])
        elif isinstance(text := body.get("text"), str):
            self.model.gave(text)
        elif "audio" in body:
            blob = msgspec.convert(body["audio"], dict[str, str])
            self.model.gave_sound(base64.b64decode(blob["data"]))

    def _told(self, frame: dict[str, object], turn: int) -> None:
        match frame:
            case {"type": "config_success", **report}:
                report.pop("message")
                self.model.answered(msgspec.convert(report, dict[str, dict[str, object]]))
            case {"type": "error", "code": str(code), "data": str(sentence)}:
                self._heard_error(code, sentence)
            case {"type": "interrupted", "turn": int(silenced)}:
                self.model.silenced = silenced
                queued = [turn for _, turn in self.client.items if 0 < turn <= silenced]
                assert not queued, "stale sound is queued"
            case {"type": "response", "text": str(text)}:
                shown = self.model.shown.setdefault(turn, set())
                shown |= {word for word in ("PART", "SAID", "THOUGHT") if word in text}
                assert "THOUGHT" not in shown, "a thought was shown as the answer"
                assert len(shown) <= 1, "text and its transcription were both shown"
            case _:
                pass

    def _heard_error(self, code: str, sentence: str) -> None:
        event = self.history[-1][0]
        if isinstance(event, inputs.ClientFrame):
            if code == "bad_config":
                number, is_good = self.model.configs.pop()
                assert (is_good, self.model.configs) == (False, []), f"config {number} was hasty"
            elif code == "setup_refused" and b'"text"' in event.payload:
                self.model.texts.pop()
            elif code == "setup_refused":
                self.model.sound, self._is_recording = b"", False
        elif code in _REFUSALS or code == "bad_config":
            self._is_recording &= "was dropped" not in sentence
            is_set_up = isinstance(event, inputs.UpstreamFrame | inputs.Answer)
            self.model.failed(code, sentence, is_answer=is_set_up or self._waiting > 0)
            self._waiting -= 1

    def _check(self) -> None:
        flow, held = self.session._flow, self.session._line.size + self.session._terms.size
        if self.is_over:
            assert self.session.deadline is None, "a timer outlived the session"
            assert not self.link_state, "a link outlived the session"
            assert not self.steps, "a decoder outlived the session"
            return
        for side, size in (
            (Side.CLIENT, self.client.size),
            (Side.UPSTREAM, self.upstream.size + held),
        ):
            assert flow.in_flight(side) == size, f"{side}: {flow.in_flight(side)}, not {size}"
            assert size <= 2 * (self.options.limits.high_water + _LARGEST), "too much in flight"
        reading = self.session.reading
        high, low = self.options.limits.high_water, self.options.limits.low_water
        assert reading.upstream or self.client.size >= low, "Gemini is never read again"
        assert not (reading.upstream and self.client.size > high), "Gemini is read too fast"
        assert not (reading.client and self.upstream.size + held > high), "read too fast"
        is_full = max(self.client.size, self.upstream.size + held) >= low
        assert reading.client or is_full, "the client is never read again"
        check_timers(self.session)
        if self.session.phase in (Phase.LIVE, Phase.HANDOVER):
            assert not self._must_tell, "Gemini was not told what was said before"
            is_full = self.upstream.size >= self.options.limits.high_water
            head = self.session._line.head
            is_changing = self.session.phase is Phase.HANDOVER and isinstance(head, Delta)
            is_waiting = head is not None and not (is_changing or self.steps or is_full)
            assert not is_waiting, "something waits for nothing"
