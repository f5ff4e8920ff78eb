"""A session on the core, whose Gemini counts all that it hears, on whatever link.

A handle knows what Gemini had heard when the answer before it ended. So what a link hears after
that is lost with the link, and nothing else may be.
"""

import heapq
import json
import struct
from collections import Counter, deque
from collections.abc import Callable
from itertools import count
from math import inf
from typing import Any, Final, TypeAlias

import attrs

from livegate.protocol import Session, SessionOptions, audio, commands, inputs
from livegate.protocol.commands import Event
from livegate.protocol.inputs import Fault, Side

PIECE_S: Final = 2 / audio.INPUT_RATE
"""A piece of sound is one number: two samples."""
_SILENCE: Final = audio.decode(audio.silence(1.0))

Said: TypeAlias = str | int
"""What the client says: a text, a picture's data, or a piece of sound by its number."""
Loss: TypeAlias = tuple[int, float]
"""How many texts and pictures, and how many seconds of sound."""


@attrs.frozen(kw_only=True)
class Habits:
    """How long Gemini takes, and what it does of its own accord; each is asked each time."""

    dial_s: Callable[[], float] = lambda: 0.1
    setup_s: Callable[[], float] = lambda: 0.2
    think_s: Callable[[], float] = lambda: 0.5
    speak_s: Callable[[], float] = lambda: 0.5
    """Before each word of an answer, and its end."""
    handle_s: Callable[[], float] = lambda: 0.1
    """From an answer's end to its handle."""
    dials: Callable[[], bool] = lambda: True
    """Whether a link can be opened."""
    accepts: Callable[[], bool] = lambda: True
    """Whether a setup is accepted."""


@attrs.define
class Link:
    """One link, as Gemini sees it."""

    number: int
    is_open: bool = True
    known: list[Said] = attrs.field(factory=list[Said])
    """All that was said in its conversation."""
    covered: int = 0
    """How much of that was said before the last answer's end."""
    awaits_seed: bool = False
    has_sound: bool = False
    """Sound came that it has not answered."""
    is_answering: bool = False
    plan: int = 0
    """Counts answers: what was planned for an older one does not happen."""


class Simulation:
    """A client, a session, and a Gemini, on a virtual clock.

    Args:
        habits: Gemini's.
        seed: The session's.
    """

    def __init__(self, habits: Habits, *, seed: int = 0) -> None:
        self._habits = habits
        self.session = Session(SessionOptions(), seed=seed)
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._unread: deque[inputs.Input] = deque()
        self._inputs: deque[inputs.Input] = deque()
        self._pieces = count(1)
        self._links: dict[int, Link] = {}
        self._before = Link(0, is_open=False)
        """The last one that was set up."""
        self._handles: dict[str, list[Said]] = {}
        self.set_up = 0
        """How many links were."""
        self.said: list[Said] = []
        """By the client, in order."""
        self.heard: list[Said] = []
        """By Gemini, in order, on whatever link."""
        self.lost: list[Said] = []
        """What no link knows any more."""
        self.losses: dict[int, Loss] = {}
        """How much of it when which link took over."""
        self.logged: dict[int, Loss] = {}
        """The same, as the session tells it."""
        self.seeds: list[list[str]] = []
        """The texts of which Gemini was told again."""
        self.answers: list[str] = []
        """What the client read, turn by turn."""
        self.ends: Counter[str] = Counter()
        """The reasons with which turns ended."""
        self.notices: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.closed: int | None = None
        self._read = ""
        self.session.start(self.now)
        self._feed(inputs.ClientOpened(1))

    # What a test does

    def ask(self, text: str) -> None:
        """Have the client send a text."""
        self.said.append(text)
        self.send({"type": "text", "text": text})

    def speak(self) -> None:
        """Have it send a piece of sound."""
        number = next(self._pieces)
        self.said.append(number)
        self._unread.append(
            inputs.ClientFrame(1, struct.pack("<I", number), is_text=False),
        )
        self._read_client()

    def show(self) -> None:
        """Have it send a picture."""
        data = audio.encode(struct.pack("<I", next(self._pieces)))
        self.said.append(data)
        self.send({"type": "image", "data": data, "mime_type": "image/jpeg"})

    def send(self, frame: dict[str, object]) -> None:
        """Have it send any other frame."""
        self._unread.append(inputs.ClientFrame(1, json.dumps(frame).encode(), is_text=True))
        self._read_client()

    def leave(self, after_s: float) -> None:
        """Have Gemini announce the end of its link, and end it then."""
        link = self._before
        self._say(link, {"goAway": {"timeLeft": f"{after_s:.3f}s"}})
        self._later(after_s, lambda: self._end(link, 1011))

    def lose(self) -> None:
        """Have the link break, once it is set up."""
        self._end(self._before, 1006)

    def forget(self) -> None:
        """Have Gemini forget every conversation."""
        self._handles.clear()

    def run(self, seconds: float) -> None:
        """Let time pass."""
        until = self.now + seconds
        while True:
            due, deadline = self._due[0][0] if self._due else inf, self.session.deadline or inf
            if min(due, deadline) > until:
                break
            self.now = max(self.now, min(due, deadline))
            if due <= deadline:
                heapq.heappop(self._due)[-1]()
            else:
                self._feed(inputs.DeadlineReached())
        self.now = until

    @property
    def known(self) -> list[Said]:
        """What Gemini knows in the end."""
        return self._before.known

    # The session and its client

    def _feed(self, event: inputs.Input) -> None:
        self._inputs.append(event)
        while self._inputs:
            for command in self.session.handle(self._inputs.popleft(), self.now):
                self._do(command)
        self._read_client()

    def _read_client(self) -> None:
        while self._unread and self.session.reading.client:
            self._feed(self._unread.popleft())

    def _do(self, command: commands.Command) -> None:
        match command:
            case commands.SendClient(payload=payload):
                self._inputs.append(inputs.Sent(Side.CLIENT, 1, len(payload)))
                self._client_reads(json.loads(payload))
            case commands.CloseClient(code=code):
                self.closed = code
            case commands.OpenUpstream(link=number):
                assert not any(link.is_open for link in self._links.values())
                self._links[number] = link = Link(number)
                self._later(self._habits.dial_s(), lambda: self._open(link))
            case commands.SendUpstream(link=number, payload=payload):
                self._inputs.append(inputs.Sent(Side.UPSTREAM, number, len(payload)))
                self._hear(self._links[number], json.loads(payload))
            case commands.CloseUpstream(link=number):
                self._links[number].is_open = False
            case commands.Log(event=Event.INPUT_LOST, fields=fields):
                found = int(fields["frames"]), float(fields["audio_s"])
                self.logged[int(fields["link"])] = found
            case _:
                pass

    def _client_reads(self, frame: dict[str, str]) -> None:
        match frame["type"]:
            case "response":
                self._read += frame["text"]
            case "turn_complete":
                self.answers.append(self._read)
                self.ends[frame["reason"]] += 1
                self._read = ""
            case "system":
                self.notices[frame["data"]] += 1
            case "error":
                self.errors[frame["code"]] += 1
            case _:
                pass

    # Gemini

    def _later(self, after_s: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self.now + after_s, next(self._order), act))

    def _say(self, link: Link, *messages: dict[str, object]) -> None:
        for message in messages:
            if link.is_open:
                self._feed(inputs.UpstreamFrame(link.number, json.dumps(message).encode()))

    def _end(self, link: Link, code: int, reason: str = "") -> None:
        if link.is_open:
            link.is_open = False
            self._feed(inputs.UpstreamGone(link.number, code, reason))

    def _open(self, link: Link) -> None:
        if not link.is_open:
            return
        if self._habits.dials():
            self._feed(inputs.UpstreamOpened(link.number))
        else:
            link.is_open = False
            self._feed(inputs.DialFailed(link.number, Fault.NETWORK))

    def _set_up(self, link: Link, handle: str | None) -> None:
        if not link.is_open:
            return
        if handle is not None and handle not in self._handles:
            self._end(link, 1008, "BidiGenerateContent session not found")
        elif not self._habits.accepts():
            self._end(link, 1011, "Internal error encountered.")
        else:
            link.known = [*self._handles[handle]] if handle else []
            link.covered = len(link.known)
            lost = self._before.known[link.covered :]
            self.lost += lost
            if lost:
                texts = sum(isinstance(one, str) for one in lost)
                self.losses[link.number] = texts, (len(lost) - texts) * PIECE_S
            self._before = link
            self.set_up += 1
            self._say(link, {"setupComplete": {}})

    def _hear(self, link: Link, message: dict[str, Any]) -> None:
        assert link.is_open
        match message:
            case {"setup": setup}:
                handle: str | None = setup["sessionResumption"].get("handle")
                link.awaits_seed = "historyConfig" in setup
                self._later(self._habits.setup_s(), lambda: self._set_up(link, handle))
            case {"clientContent": content}:
                said = [one for one in content["turns"] if one["role"] == "user"]
                texts: list[str] = [one["parts"][0]["text"] for one in said]
                if link.awaits_seed:
                    link.awaits_seed = False
                    self.seeds.append(texts)
                else:
                    self._note(link, *texts)
                    self._ask(link, f"About {texts[-1]}")
            case {"realtimeInput": {"video": {"data": str(data)}}}:
                self._note(link, data)
            case {"realtimeInput": {"audio": {"data": str(data)}}}:
                pcm = audio.decode(data)
                if pcm != _SILENCE:
                    self._note(link, *(one for (one,) in struct.iter_unpack("<I", pcm)))
                    link.has_sound = True
                elif link.has_sound:
                    link.has_sound = False
                    self._ask(link, "I hear.")
            case _:
                raise AssertionError(message)

    def _note(self, link: Link, *what: Said) -> None:
        link.known += what
        self.heard += what

    def _ask(self, link: Link, answer: str) -> None:
        """Plan an answer; what runs is interrupted."""
        if link.is_answering:
            self._later(0, lambda: self._complete(link, {"interrupted": True}))
        link.is_answering = True
        link.plan += 1
        plan, after_s = link.plan, self._habits.think_s()
        for word in answer.partition(" "):
            said: dict[str, object] = {"outputTranscription": {"text": word}}
            after_s += self._habits.speak_s()
            self._planned(link, plan, after_s, said)
        self._planned(link, plan, after_s + self._habits.speak_s(), None)

    def _planned(
        self, link: Link, plan: int, after_s: float, said: dict[str, object] | None
    ) -> None:
        def act() -> None:
            if link.plan != plan:
                return
            if said is not None:
                self._say(link, {"serverContent": said})
                return
            link.is_answering = False
            self._complete(link, {})

        self._later(after_s, act)

    def _complete(self, link: Link, how: dict[str, object]) -> None:
        if link.is_open:
            link.covered = len(link.known)
            self._later(self._habits.handle_s(), lambda: self._renew(link))
            self._say(link, {"serverContent": {**how, "turnComplete": True}})

    def _renew(self, link: Link) -> None:
        """Give a handle, unless an answer runs: the real one has none then."""
        update: dict[str, object] = {}
        if not link.is_answering:
            handle = f"{link.number}-{self.now}"
            self._handles[handle] = link.known[: link.covered]
            update = {"newHandle": handle, "resumable": True}
        self._say(link, {"sessionResumptionUpdate": update})
