# pyright: reportPrivateUsage=false
"""A `Connection` by hand: what happens to its streams is told step by step, and all of it is kept.

Its peers are raw bytes, so that they can break every rule. What the operating system takes is
the test's to say: at once, or by `take`.
"""

import base64
import json
import math
from collections import Counter
from collections.abc import Iterable

from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN, Protocol
from websockets.protocol import Side as End
from websockets.server import ServerProtocol

from byte_system import ENDS, PATH, SERVICE, Doors
from livegate.protocol import Session, SessionOptions, commands, inputs, tokens
from livegate.protocol.admission import Admission, Rules, Ticket, Visit
from livegate.protocol.connection import Connection, events
from livegate.protocol.connection.events import CLIENT_LINK
from livegate.protocol.connection.gate import Verdict, Welcome
from livegate.protocol.flow import Reading
from livegate.protocol.hello import Hello
from livegate.protocol.inputs import Side
from livegate.protocol.limits import WireLimits

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = {
    "Host": "localhost",
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}
READY = b'{"setupComplete":{}}'
WITH_SOUND = b'{"type":"config","data":{"response_modalities":["AUDIO"]}}'
INTERRUPTED = b'{"serverContent":{"interrupted":true}}'


def head(
    method: str = "GET",
    target: str = PATH,
    *extra: tuple[str, str],
    version: str = "1.1",
    without: Iterable[str] = (),
    **fields: str,
) -> bytes:
    """Return a request head: a valid opening handshake, but for what is asked for."""
    changed = {name.replace("_", "-"): value for name, value in fields.items()}
    kept = {name: value for name, value in {**UPGRADE, **changed}.items() if name not in without}
    lines = [f"{name}: {value}" for name, value in (*kept.items(), *extra)]
    return "\r\n".join([f"{method} {target} HTTP/{version}", *lines, "", ""]).encode("latin-1")


def padded(size: int, *, method: str = "GET") -> bytes:
    """Return an opening handshake of so many bytes."""
    bare = len(head(method, X=""))
    return head(method, X="x" * (size - bare))


def frame(  # noqa: PLR0913 - a frame has so many parts
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    is_masked: bool = True,
    reserved: int = 0,
    size: int | None = None,
) -> bytes:
    """Return one frame, however wrong; its mask changes nothing. `size` is what it declares."""
    size = len(payload) if size is None else size
    mark = 0x80 if is_masked else 0
    if size < 126:
        length = bytes([mark | size])
    elif size < 1 << 16:
        length = bytes([mark | 126]) + size.to_bytes(2)
    else:
        length = bytes([mark | 127]) + size.to_bytes(8)
    first = bytes([(0x80 if fin else 0) | reserved << 4 | opcode])
    return first + length + (bytes(4) if is_masked else b"") + payload


def text(payload: bytes, *, fin: bool = True) -> bytes:
    """Return a client's text frame."""
    return frame(1, payload, fin=fin)


def more(payload: bytes, *, fin: bool = False) -> bytes:
    """Return a client's continuation frame."""
    return frame(0, payload, fin=fin)


def goodbye(code: int = 1000, reason: bytes = b"", *, is_masked: bool = True) -> bytes:
    """Return a close frame."""
    return frame(8, code.to_bytes(2) + reason, is_masked=is_masked)


def gemini(payload: bytes) -> bytes:
    """Return one of Gemini's messages as bytes on the wire."""
    return frame(2, payload, is_masked=False)


def sound(size: int) -> bytes:
    """Return Gemini's message with `size` bytes of base64 sound."""
    data = base64.b64encode(bytes(size // 4 * 3)).decode()
    part = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": data}}
    return json.dumps({"serverContent": {"modelTurn": {"parts": [part]}}}).encode()


def spoken(words: str) -> bytes:
    """Return Gemini's message with what it says, in writing."""
    return json.dumps({"serverContent": {"outputTranscription": {"text": words}}}).encode()


def parsed(data: bytes, *, from_client: bool = False) -> list[Frame]:
    """Return the frames that bytes are; they are whole."""
    reader = Protocol(End.SERVER if from_client else End.CLIENT, state=OPEN, max_size=None)
    frames: list[Frame] = []
    reader.receive_data(data)
    for event in reader.events_received():
        assert isinstance(event, Frame)
        frames.append(event)
    assert reader.parser_exc is None
    return frames


class Overheard(Visit):
    """A session, and all that it was told."""

    def __init__(self, session: Session, ticket: Ticket) -> None:
        super().__init__(session, ticket)
        self.heard: list[inputs.Input] = []
        self.breaks_on: type[object] = type(None)
        """The input at which it raises."""
        self.adds: dict[type[inputs.Input], list[commands.Command]] = {}
        """What it answers besides."""
        self.is_listening = True

    def handle(self, event: inputs.Input, now: float) -> list[commands.Command]:
        """Take note, and let the session answer."""
        self.heard.append(event)
        if isinstance(event, self.breaks_on):
            raise ZeroDivisionError
        return [*super().handle(event, now), *self.adds.get(type(event), [])]

    @property
    def reading(self) -> Reading:
        """The session's, unless it does not listen at all."""
        return super().reading if self.is_listening else Reading(client=False, upstream=False)


class OpenDoors(Doors):
    """A gateway that lets everybody in, unless told otherwise, and overhears what they say."""

    def __init__(self, options: SessionOptions | None, verdict: Verdict | None) -> None:
        super().__init__(options, verdict)
        self.conversations: list[Overheard] = []
        self.subprotocol: str | None = None
        self.breaks_on: type[object] = type(None)

    def admit(self, hello: Hello, now: float) -> Verdict:
        """Let a client in, or not."""
        self.hellos.append(hello)
        if self.verdict is not None:
            return self.verdict
        session = Session(self.options, seed=0)
        session.start(now)
        ticket = Admission(Rules()).admit(Hello(), now)
        assert isinstance(ticket, Ticket)
        conversation = Overheard(session, ticket)
        conversation.breaks_on = self.breaks_on
        self.conversations.append(conversation)
        selected = self.subprotocol or tokens.subprotocol(hello)
        return Welcome(conversation, hello.peer, "alice", selected, selected == tokens.V1)

    def leave(self, conversation: Visit) -> None:
        """Count."""
        assert conversation not in self.left
        self.left.append(conversation)


class Line:
    """One client's connection, and what it has done.

    Args:
        limits: Of the connection.
        options: Of the session.
        verdict: What the gateway says to the client, if it is not to be let in.
        until: What has happened already: nothing (""), "open", "silent": open, and nothing to dial
            Gemini for, or "live", with sound from Gemini.
        now: The clock.
    """

    def __init__(
        self,
        *,
        limits: WireLimits | None = None,
        options: SessionOptions | None = None,
        verdict: Verdict | None = None,
        until: str = "",
        now: float = 1000.0,
    ) -> None:
        if until == "silent":
            options = SessionOptions(grace_s=math.inf)
        self.door = OpenDoors(options, verdict)
        self.now = now
        self.connection = Connection(self.door, SERVICE, limits or WireLimits(), ENDS, self.now)
        self.actions: list[events.Action] = []
        self.given: dict[tuple[Side, int], bytearray] = {}
        """All bytes that were given out."""
        self.untaken: Counter[tuple[Side, int]] = Counter()
        self.takes = {Side.CLIENT: True, Side.UPSTREAM: True}
        """Whether the operating system takes at once what it gets."""
        if until:
            self.client(head())
        if until == "live":
            self.client(text(WITH_SOUND))
            self.open_link()
            self.gemini(gemini(READY))

    # What happens

    def do(self, *happened: events.Event) -> list[events.Action]:
        """Tell what happened; return what the connection did about it."""
        since = len(self.actions)
        for event in happened:
            was_over = self.connection.is_over
            done = self.connection.handle(event, self.now)
            assert not (was_over and done), done
            self._settle(done)
        return self.actions[since:]

    def client(self, data: bytes) -> list[events.Action]:
        """Let the client send bytes."""
        return self.do(events.BytesReceived(Side.CLIENT, CLIENT_LINK, data))

    def gemini(self, data: bytes, link: int = 1) -> list[events.Action]:
        """Let Gemini send bytes."""
        return self.do(events.BytesReceived(Side.UPSTREAM, link, data))

    def end(self, side: Side = Side.CLIENT, link: int = 1) -> list[events.Action]:
        """End a stream from the other side."""
        return self.do(events.StreamEnded(side, link))

    def take(self, size: int | None = None, *, side: Side = Side.CLIENT, link: int = 1) -> None:
        """Let the operating system take some of what waits for it, or all."""
        waits = self.untaken[side, link]
        size = waits if size is None else min(size, waits)
        self.untaken[side, link] -= size
        self.do(events.BytesSent(side, link, size))

    def advance(self, seconds: float) -> list[events.Action]:
        """Let virtual time pass, and return what was done meanwhile."""
        since = len(self.actions)
        until = self.now + seconds
        while (deadline := self.connection.deadline) <= until:
            self.now = max(self.now, deadline)
            self.do(inputs.DeadlineReached())
            assert self.connection.deadline > self.now, "the deadline stands still"
        self.now = until
        return self.actions[since:]

    def fail(self) -> list[events.Action]:
        """Let the driver find a fault of ours."""
        since = len(self.actions)
        self._settle(self.connection.fail(self.now))
        return self.actions[since:]

    def open_link(self, link: int = 1, *answers: bytes) -> None:
        """Connect a link to Gemini, and let Gemini accept it."""
        self.do(inputs.UpstreamOpened(link))
        self.gemini(b"".join((self.accepted(link), *answers)), link)

    def accepted(self, link: int = 1) -> bytes:
        """Return Gemini's acceptance of a link's handshake."""
        server = ServerProtocol()
        server.receive_data(bytes(self.given[Side.UPSTREAM, link]))
        request = server.events_received()[0]
        assert isinstance(request, Request)
        server.send_response(server.accept(request))
        return b"".join(server.data_to_send())

    def _settle(self, done: list[events.Action]) -> None:
        self.actions += done
        for action in done:
            if isinstance(action, events.SendBytes):
                stream = (action.side, action.link)
                self.given.setdefault(stream, bytearray()).extend(action.data)
                self.untaken[stream] += len(action.data)
                if self.takes[action.side]:
                    self.take(side=action.side, link=action.link)

    # What came of it

    @property
    def is_cut(self) -> bool:
        """Whether the client's connection has been ended."""
        aborted = [one for one in self.actions if one == events.Abort(Side.CLIENT, CLIENT_LINK)]
        assert len(aborted) < 2
        return bool(aborted)

    @property
    def answer(self) -> tuple[int, bytes]:
        """The status of the one HTTP answer, and all that follows its head."""
        begun, _, rest = bytes(self.given[Side.CLIENT, CLIENT_LINK]).partition(b"\r\n\r\n")
        return int(begun.split()[1]), rest

    @property
    def frames(self) -> list[Frame]:
        """The frames that the client was given."""
        status, rest = self.answer
        assert status == 101
        return parsed(rest)

    @property
    def told(self) -> list[dict[str, object]]:
        """The messages that the client was given, pings and closes left out."""
        return [json.loads(bytes(one.data)) for one in self.frames if one.opcode is Opcode.TEXT]

    @property
    def close(self) -> Close | None:
        """The close that the client was given."""
        said = [bytes(one.data) for one in self.frames if one.opcode is Opcode.CLOSE]
        assert len(said) < 2
        return Close.parse(said[0]) if said else None

    def sent_to_gemini(self, link: int = 1) -> list[Frame]:
        """Return the frames that Gemini was given."""
        _, _, rest = bytes(self.given[Side.UPSTREAM, link]).partition(b"\r\n\r\n")
        return parsed(rest, from_client=True)

    @property
    def heard(self) -> list[inputs.Input]:
        """All that the one conversation was told."""
        (conversation,) = self.door.conversations
        return conversation.heard

    def heard_of(self, kind: type[inputs.Input]) -> list[inputs.Input]:
        """Return what the conversation was told of one kind."""
        return [one for one in self.heard if isinstance(one, kind)]

    @property
    def logged(self) -> list[commands.Log]:
        """All log lines."""
        return [one for one in self.actions if isinstance(one, commands.Log)]

    @property
    def closed_with(self) -> object:
        """The code in the one log line that ends a session."""
        (last,) = [one for one in self.logged if one.event is commands.Event.SESSION_CLOSED]
        return last.fields["code"]

    @property
    def waits(self) -> int:
        """Bytes in user space that a client has not taken."""
        client = self.connection._client
        assert client is not None
        inboxes = [one.inbox for one in self.connection._links.websockets()]
        queued = sum(len(one.payload) for box in (client._queue, *inboxes) for one in box)
        return queued + self.untaken[Side.CLIENT, CLIENT_LINK]

    def is_done(self) -> bool:
        """Whether nothing is left of it, and nothing will come of it."""
        assert len(self.door.left) == len(self.door.conversations)
        return self.connection.is_over and self.connection.deadline == math.inf
