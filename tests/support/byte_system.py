"""The listener's machine as a system under test: a real WebSocket at each end, all in memory."""

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import assert_never

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import OPEN, Protocol
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from livegate.protocol import Session, SessionOptions, commands, inputs, tokens, transcript
from livegate.protocol.admission import Admission, Rules, Ticket, Visit
from livegate.protocol.connection import Connection, Service, events
from livegate.protocol.connection.doorstep import Ends
from livegate.protocol.connection.events import CLIENT_LINK
from livegate.protocol.connection.gate import Verdict, Welcome
from livegate.protocol.hello import Hello
from livegate.protocol.inputs import Side
from livegate.protocol.limits import WireLimits
from livegate.protocol.media.decoder import Decoder
from livegate.protocol.pages import Answer
from livegate.protocol.secret import Secret
from livegate.protocol.testing.systems import decoded
from livegate.protocol.transcript import Observation, Stimulus

PATH = "/api/gemini/ws"
ENDS = Ends(peer="192.0.2.1", local="192.0.2.9", is_tls=False)
SERVICE = Service("wss://gemini.example/ws", Secret("canary-key"))
_OF_CLIENTS = (transcript.ClientGets, transcript.ClientClosed)
_SEEN_AS: Mapping[type[commands.Command], type[Observation]] = MappingProxyType(
    {
        commands.SendClient: transcript.ClientGets,
        commands.CloseClient: transcript.ClientClosed,
        commands.SendUpstream: transcript.GeminiGets,
        commands.OpenUpstream: transcript.GeminiDialled,
        commands.CloseUpstream: transcript.GeminiClosed,
    }
)
Cut = Callable[[bytes], Iterator[bytes]]
"""How the network cuts bytes into pieces."""


def whole(data: bytes) -> Iterator[bytes]:
    """Do not cut."""
    yield data


class _OrderedSession(Session):
    """A session that knows whose turn it was: on the wires each side has an order of its own."""

    def __init__(self, options: SessionOptions, *, seed: int) -> None:
        super().__init__(options, seed=seed)
        self.order: list[type[Observation]] = []

    def handle(self, event: inputs.Input, now: float) -> list[commands.Command]:
        """Take note of what happened and return what to do, in order."""
        given = super().handle(event, now)
        self.order += [kind for one in given if (kind := _SEEN_AS.get(type(one))) is not None]
        return given


class Doors:
    """A gateway that lets everybody in, unless told otherwise."""

    socket_path = PATH

    def __init__(
        self, options: SessionOptions | None = None, verdict: Verdict | None = None
    ) -> None:
        self.options = options or SessionOptions()
        self.verdict = verdict
        self.hellos: list[Hello] = []
        self.sessions: list[_OrderedSession] = []
        self.left: list[Visit] = []

    def answer(self, method: str, target: str, hello: Hello) -> Answer:
        """Say what was asked for."""
        body = f"{method} {target} {hello.host}".encode()
        return Answer(404, body, (("Content-Length", str(len(body))),))

    def admit(self, hello: Hello, now: float) -> Verdict:
        """Let a client in, or not."""
        self.hellos.append(hello)
        if self.verdict is not None:
            return self.verdict
        session = _OrderedSession(self.options, seed=0)
        session.start(now)
        self.sessions.append(session)
        ticket = Admission(Rules()).admit(Hello(), now)
        assert isinstance(ticket, Ticket)
        selected = tokens.subprotocol(hello)
        return Welcome(
            Visit(session, ticket), hello.peer, "alice", selected, selected == tokens.V1
        )

    def leave(self, conversation: Visit) -> None:
        """Count."""
        self.left.append(conversation)


class Peer:
    """The other end of one stream."""

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self.is_cut = False
        self.has_closed = False
        """It has said goodbye itself."""
        self.is_closed = False
        """Its end has been told."""


class ByteSystem:
    """A `Connection` between a client and a Gemini that speak real WebSocket."""

    plays_gemini = True

    def __init__(
        self,
        options: SessionOptions | None = None,
        *,
        cut: Cut = whole,
        limits: WireLimits | None = None,
    ) -> None:
        self.doors = Doors(options)
        self._decoder = Decoder()
        self._now = 1000.0
        self._limits = limits or WireLimits()
        self.connection = Connection(self.doors, SERVICE, self._limits, ENDS, self._now)
        self._cut = cut
        self._clients: dict[int, Peer] = {}
        """By the numbers of their WebSockets: one client, who may come back."""
        self._tokens = 0
        self._links: dict[int, Peer] = {}
        self._dialled = 0
        self._seen: list[Observation] = []
        self._unread: dict[tuple[Side, int], deque[bytes]] = {}

    # The system

    def feed(self, stimulus: Stimulus) -> None:
        """Let a peer do something."""
        match stimulus:
            case transcript.ClientOpens(is_v1=is_v1):
                self._clients[CLIENT_LINK] = _client(is_v1=is_v1)
                self._flush(Side.CLIENT, CLIENT_LINK)
            case transcript.ClientReturns(seq=seq):
                self._return(seq)
            case transcript.ClientSends(payload=payload, is_text=is_text):
                if not stimulus.is_sendable:
                    payload = b"\0"  # as little JSON as what no WebSocket lets through
                link = self.connection.client_link
                send = self._clients[link].protocol
                if send.state is OPEN:
                    (send.send_text if is_text else send.send_binary)(payload)
                self._flush(Side.CLIENT, link)
            case transcript.ClientLeaves(code=code):
                link = self.connection.client_link
                self._leave(Side.CLIENT, link, self._clients[link], code, "")
            case transcript.GeminiOpens():
                self._links[self._dialled] = Peer(ServerProtocol(max_size=None))
                self._handle(inputs.UpstreamOpened(self._dialled))
            case transcript.GeminiUnreachable(fault=fault):
                self._handle(inputs.DialFailed(self._dialled, fault))
            case transcript.GeminiSends(payload=payload):
                gemini = self._links[self._dialled]
                if gemini.protocol.state is OPEN:
                    gemini.protocol.send_binary(payload)
                self._flush(Side.UPSTREAM, self._dialled)
            case transcript.GeminiCloses(code=code, reason=reason):
                if (left := self._links.get(self._dialled)) is not None:
                    self._leave(Side.UPSTREAM, self._dialled, left, code, reason)
            case transcript.ClientDismissed(refusal=refusal):
                self.doors.sessions[0].handle(inputs.ClientDismissed(refusal), self._now)
            case transcript.ShutsDown():
                self._handle(inputs.ShutdownRequested())
            case _:
                assert_never(stimulus)
        self._read()

    def output(self) -> list[Observation]:
        """Return what the gateway has done since the last call, as the core wanted it ordered."""
        of = {
            side: deque(one for one in self._seen if isinstance(one, _OF_CLIENTS) is is_client)
            for side, is_client in ((Side.CLIENT, True), (Side.UPSTREAM, False))
        }
        self._seen = []
        found: list[Observation] = []
        for session in self.doors.sessions:
            for kind in session.order:
                side = of[Side.CLIENT if issubclass(kind, _OF_CLIENTS) else Side.UPSTREAM]
                while any(isinstance(one, kind) for one in side):
                    found.append(side.popleft())
                    if isinstance(found[-1], kind):
                        break
            session.order.clear()
        return [*found, *of[Side.UPSTREAM], *of[Side.CLIENT]]

    def advance(self, seconds: float) -> None:
        """Let virtual time pass."""
        until = self._now + seconds
        while (deadline := self.connection.deadline) <= until:
            self._now = max(self._now, deadline)
            self._handle(inputs.DeadlineReached())
            assert self.connection.deadline != deadline, "the deadline stands still"
            self._read()
        self._now = until

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""

    # The wires

    def _return(self, seq: int) -> None:
        """Let the client connect anew, and say that it is back; what it had stays as it is."""
        other = Connection(self.doors, SERVICE, self._limits, ENDS, self._now)
        client = _client(is_v1=True)
        token = f"token {self._tokens}"
        asked = json.dumps({"type": "resume", "data": {"session": token, "seq": seq}})
        _meet(client, other, self._cut, self._now)
        client.protocol.send_text(asked.encode())
        assert _meet(client, other, self._cut, self._now) == commands.Resume(token, seq)
        websocket, peer, done = other.release(self._now)
        assert [type(one) for one in done] == [commands.Log, commands.Log]
        assert other.is_over
        self._clients[self.connection.client_link + 1] = client
        self._do(self.connection.adopt(websocket, peer, seq, self._now))

    def _peer(self, side: Side, link: int) -> Peer:
        return self._clients[link] if side is Side.CLIENT else self._links[link]

    def _leave(self, side: Side, link: int, peer: Peer, code: int, reason: str) -> None:
        """Say goodbye, or go without a word where the code means that."""
        if code in (1005, 1006, 1015) or peer.protocol.state is not OPEN:
            peer.has_closed = True
            self._handle(events.StreamEnded(side, link))
        else:
            peer.has_closed = True
            peer.protocol.send_close(code, reason)
            self._flush(side, link)

    def _flush(self, side: Side, link: int) -> None:
        """Send what a peer has to say, as far as its connection stands."""
        peer = self._peer(side, link)
        data = b"".join(peer.protocol.data_to_send())
        if data and not peer.is_cut:
            unread = self._unread.setdefault((side, link), deque())
            unread.extend(self._cut(data))

    def _read(self) -> None:
        """Let the connection read what it wants to."""
        has_moved = True
        while has_moved:
            has_moved = False
            for (side, link), unread in tuple(self._unread.items()):
                while unread and self.connection.may_read(side, link):
                    self._handle(events.BytesReceived(side, link, unread.popleft()))
                    has_moved = True

    def _handle(self, event: events.Event) -> None:
        self._do(self.connection.handle(event, self._now))

    def _do(self, actions: list[events.Action]) -> None:
        answers: list[events.Event] = []
        for action in actions:
            match action:
                case events.SendBytes(side=side, link=link, data=data):
                    self._take(side, link, data)
                    self._handle(events.BytesSent(side, link, len(data)))
                case events.Abort(side=Side.UPSTREAM, link=link) if link not in self._links:
                    self._seen.append(transcript.GeminiClosed())
                case events.Abort(side=side, link=link):
                    self._peer(side, link).is_cut = True
                    self._unread.pop((side, link), None)
                    self._ended(side, self._peer(side, link), 1006)
                case commands.OpenUpstream(link=link):
                    self._dialled = link
                    self._seen.append(transcript.GeminiDialled())
                case commands.Decode():
                    answers.append(self._decoder.step(action))
                case commands.StopDecoding(job=job):
                    self._decoder.stop(job)
                case commands.Seal():
                    self._tokens += 1
                    answers.append(inputs.Sealed(f"token {self._tokens}"))
                case commands.Resume():
                    answers.append(inputs.TokenRefused())
                case (
                    events.EndStream()
                    | events.Probe()
                    | events.AskProgress()
                    | events.Count()
                    | commands.Log()
                ):
                    pass
                case _:
                    assert_never(action)
        for answer in answers:
            self._handle(answer)

    def _take(self, side: Side, link: int, data: bytes) -> None:
        peer = self._peer(side, link)
        peer.protocol.receive_data(data)
        for event in peer.protocol.events_received():
            match event:
                case Request():
                    assert isinstance(peer.protocol, ServerProtocol)
                    assert event.headers["x-goog-api-key"] == SERVICE.key.value
                    peer.protocol.send_response(peer.protocol.accept(event))
                case Response():
                    assert event.status_code == 101
                case Frame(opcode=Opcode.CLOSE):
                    said = peer.protocol.close_rcvd
                    self._ended(side, peer, 1006 if said is None else said.code)
                case Frame(opcode=Opcode.PING | Opcode.PONG):
                    pass
                case Frame(opcode=Opcode.BINARY, data=payload) if side is Side.CLIENT:
                    self._seen.append(transcript.ClientGets(bytes(payload)))
                case Frame(data=payload) if side is Side.CLIENT:
                    self._seen.append(transcript.ClientGets(decoded(bytes(payload))))
                case Frame(data=payload):
                    self._seen.append(transcript.GeminiGets(decoded(bytes(payload))))
                case _:
                    raise AssertionError(event)
        self._flush(side, link)

    def _ended(self, side: Side, peer: Peer, code: int) -> None:
        """Tell once that the gateway has ended a connection, unless its peer had done so."""
        if not (peer.has_closed or peer.is_closed):
            peer.is_closed = True
            told = transcript.ClientClosed(code) if side is Side.CLIENT else None
            self._seen.append(told or transcript.GeminiClosed())


def _client(*, is_v1: bool) -> Peer:
    """Return a client that is about to connect."""
    offered = [Subprotocol(tokens.V1)] if is_v1 else None
    uri = parse_uri(f"ws://localhost{PATH}")
    protocol = ClientProtocol(uri, subprotocols=offered, max_size=None)
    protocol.send_request(protocol.connect())
    return Peer(protocol)


def _meet(client: Peer, connection: Connection, cut: Cut, now: float) -> commands.Resume | None:
    """Let a client that comes back say what it has to; return what is asked for last."""
    asked: commands.Resume | None = None
    actions = deque[events.Action]()
    for data in cut(b"".join(client.protocol.data_to_send())):
        actions += connection.handle(events.BytesReceived(Side.CLIENT, CLIENT_LINK, data), now)
    while actions:
        action = actions.popleft()
        if isinstance(action, events.SendBytes):
            client.protocol.receive_data(action.data)
            sent = events.BytesSent(action.side, action.link, len(action.data))
            actions += connection.handle(sent, now)
        elif isinstance(action, commands.Resume):
            asked = action
        else:
            assert isinstance(action, commands.Log)
    return asked
