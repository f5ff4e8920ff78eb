"""A client of livegate.v1 that loses its WebSockets and comes back, and what it should have got.

`Returning` is a session with its shell: what the session sends waits in the shell, where sound can
still be taken back, then in the network, where nothing can, until the client takes it. A WebSocket
that is cut loses both. Beside it a twin, whose client never leaves, is told the same: what that one
says is the truth.
"""

import base64
import json
import re
import struct
from collections import deque
from collections.abc import Mapping

import attrs

from livegate.protocol import Session, SessionOptions, commands, inputs
from livegate.protocol.commands import Command
from livegate.protocol.inputs import Side

_HEAD = re.compile(
    rb'\{(?:"seq":(\d+),)?(?:"turn":(\d+),)?"type":"(\w+)"(?:,"turn":(\d+))?', re.ASCII
)
READY = b'{"setupComplete":{}}'


def heard(data: bytes) -> bytes:
    """Return Gemini's message with sound."""
    blob = {"mimeType": "audio/pcm;rate=24000", "data": base64.b64encode(data).decode()}
    return json.dumps({"serverContent": {"modelTurn": {"parts": [{"inlineData": blob}]}}}).encode()


def read(words: str) -> bytes:
    """Return Gemini's message with what it says, in writing."""
    return json.dumps({"serverContent": {"outputTranscription": {"text": words}}}).encode()


@attrs.frozen
class Got:
    """A frame, as far as it matters here."""

    seq: int
    payload: bytes
    type: str
    turn: int

    @property
    def is_sound(self) -> bool:
        """Whether it is to be heard."""
        return self.type == "audio"


def parsed(payload: bytes, *, is_text: bool) -> Got:
    """Return a frame that a client got; `resumed` has no number."""
    if not is_text:
        seq, turn = struct.unpack(">II", payload[:8])
        return Got(seq, payload, "audio", turn)
    head = _HEAD.match(payload)  # most is sound, which nobody wants to decode
    assert head is not None
    return Got(int(head[1] or 0), payload, head[3].decode(), int(head[2] or head[4] or 0))


class Twin:
    """A session that is told the same, and whose client never leaves."""

    def __init__(self, options: SessionOptions, now: float) -> None:
        self._session = Session(options, seed=7)
        self._session.start(now)
        self.frames: list[Got] = []

    def handle(self, event: inputs.Input, now: float) -> None:
        """Tell it, unless it is about how its client's WebSockets fare."""
        match event:
            case inputs.ClientGone() | inputs.ClientReturned() | inputs.Sent(side=Side.CLIENT):
                return
            case inputs.ClientFrame():
                event = attrs.evolve(event, link=1)
            case _:
                pass
        for command in self._session.handle(event, now):
            if isinstance(command, commands.SendClient):
                self.frames.append(parsed(command.payload, is_text=command.is_text))
                sent = inputs.Sent(Side.CLIENT, 1, len(command.payload))
                self._session.handle(sent, now)


class Returning:
    """A session, all that was said to it, and its client.

    Args:
        options: Of the session.
        config: Of the client, besides `resumable`.
    """

    def __init__(
        self,
        options: SessionOptions | None = None,
        config: Mapping[str, object] | None = None,
    ) -> None:
        self.options = options or SessionOptions()
        self.session = Session(self.options, seed=7)
        self.now = 1000.0
        self.session.start(self.now)
        self.twin = Twin(self.options, self.now)
        self.history: list[tuple[inputs.Input, float, list[Command]]] = []
        self._events: deque[inputs.Input] = deque()
        self.link = 1
        self._upstream = 0
        self.tokens = 0
        self.outbox: deque[commands.SendClient] = deque()
        """In the shell."""
        self.network: deque[commands.SendClient] = deque()
        self.is_away = False
        self.got: list[Got] = []
        """All that the client has taken; `resumed` left out."""
        self.has_token = False
        """The client has one."""
        self.answers: list[Mapping[str, object]] = []
        """Of `resumed`."""
        self.closed: list[tuple[int, int]] = []
        """WebSockets that were closed, and with which codes."""
        self.tell(inputs.ClientOpened(1, "192.0.2.1", is_v1=True))
        self.say(type="config", data={"resumable": True, **(config or {})})

    @property
    def seq(self) -> int:
        """The number of the last frame that the client has."""
        return self.got[-1].seq if self.got else 0

    # What happens

    def tell(self, event: inputs.Input) -> list[Command]:
        """Tell the session, do what it answers, and return the first answers."""
        self._events.append(event)
        first: list[Command] | None = None
        while self._events:
            given = self._told(self._events.popleft())
            first = given if first is None else first
        return first or []

    def say(self, **frame: object) -> list[Command]:
        """Let the client say something."""
        payload = json.dumps(frame).encode()
        return self.tell(inputs.ClientFrame(self.link, payload, is_text=True))

    def hear(self, *payloads: bytes) -> None:
        """Let Gemini say something, as far as the session reads it."""
        for payload in payloads:
            if self.session.reading.upstream:
                self.tell(inputs.UpstreamFrame(self._upstream, payload))

    def wait(self, seconds: float) -> None:
        """Let time pass; each deadline is kept."""
        until = self.now + seconds
        while (deadline := self.session.deadline) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            self.tell(inputs.DeadlineReached())
        self.now = until

    def send(self, count: int) -> None:
        """Let so many frames leave the shell."""
        sent = [self.outbox.popleft() for _ in range(min(count, len(self.outbox)))]
        self.network += sent
        if sent:
            size = sum(len(frame.payload) for frame in sent)
            self.tell(inputs.Sent(Side.CLIENT, self.link, size))

    def take(self, count: int) -> None:
        """Let the client take so many of those."""
        for _ in range(min(count, len(self.network))):
            sent = self.network.popleft()
            frame = parsed(sent.payload, is_text=sent.is_text)
            if frame.type == "resumed":
                self.answers.append(json.loads(frame.payload))
                continue
            self.has_token |= frame.type == "session"
            self.got.append(frame)

    def take_all(self) -> None:
        """Let the client take all that there is."""
        while self.outbox or self.network:
            self.send(len(self.outbox))
            self.take(len(self.network))

    def cut(self, code: int = 1006) -> None:
        """Lose the WebSocket, and all that was on its way."""
        self.outbox.clear()
        self.network.clear()
        self.is_away = True
        self.tell(inputs.ClientGone(self.link, code))

    def come_back(self, seq: int | None = None) -> list[Got]:
        """Let the client be back, with another WebSocket; return what is sent again."""
        self.outbox.clear()
        self.network.clear()
        self.link += 1
        self.is_away = False
        has = self.seq if seq is None else seq
        given = self.tell(inputs.ClientReturned(self.link, has, "192.0.2.1"))
        sent = [one for one in given if isinstance(one, commands.SendClient)]
        assert all(one.link == self.link for one in sent)
        return [parsed(one.payload, is_text=one.is_text) for one in sent[1:]]

    # What is done

    def _told(self, event: inputs.Input) -> list[Command]:
        given = self.session.handle(event, self.now)
        self.history.append((event, self.now, given))
        self.twin.handle(event, self.now)
        for command in given:
            self._do(command)
        return given

    def _do(self, command: Command) -> None:
        match command:
            case commands.SendClient():
                assert not self.is_away, "sent to nobody"
                self.outbox.append(command)
            case commands.DropSound(link=link, turn=turn):
                dropped = [one for one in self.outbox if 0 < one.turn <= turn]
                self.outbox = deque(one for one in self.outbox if not 0 < one.turn <= turn)
                size = sum(len(one.payload) for one in dropped)
                self._events.append(inputs.Sent(Side.CLIENT, link, size))
            case commands.CloseClient(link=link, code=code):
                self.closed.append((link, code))
            case commands.OpenUpstream(link=link):
                self._upstream = link
                self._events.append(inputs.UpstreamOpened(link))
                self._events.append(inputs.UpstreamFrame(link, READY))
            case commands.SendUpstream(link=link, payload=payload):
                self._events.append(inputs.Sent(Side.UPSTREAM, link, len(payload)))
            case commands.Seal():
                self.tokens += 1
                self._events.append(inputs.Sealed(f"token {self.tokens}"))
            case commands.CloseUpstream() | commands.Log():
                pass
            case _:
                raise AssertionError(command)
