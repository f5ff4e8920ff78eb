"""One client's connection and its links to Gemini, as a pure state machine over bytes.

A listener tells a `Connection` what happened to its byte streams and does what it answers. The
connection reads the request head; if the gateway lets the client in, it carries messages between
the client's WebSocket, the session, and the WebSockets to Gemini.
"""

import math
from collections.abc import Iterator
from typing import Final, assert_never

from livegate.protocol import commands, inputs, replies
from livegate.protocol.admission import Visit
from livegate.protocol.connection import events, gate
from livegate.protocol.connection.doorstep import Asked, Doorstep, Ends, opening
from livegate.protocol.connection.events import CLIENT_LINK
from livegate.protocol.connection.formers import Formers
from livegate.protocol.connection.heartbeat import Heartbeat
from livegate.protocol.connection.links import Links
from livegate.protocol.connection.upstream import Upstream
from livegate.protocol.connection.websocket import End, Message, WebSocket, accepted
from livegate.protocol.errors import CLOSES, LocalProtocolError
from livegate.protocol.inputs import Side
from livegate.protocol.limits import WireLimits
from livegate.protocol.pages import Answer

_FAULT_OF_OURS: Final = 1011


class Connection:
    """One client's connection.

    Args:
        door: The gateway that it belongs to.
        service: Where Gemini is.
        limits: How long things may take, and how large they may be.
        ends: What the shell knows of the client's stream.
        now: The shell's monotonic clock, in seconds.
    """

    def __init__(
        self,
        door: gate.Gate,
        service: gate.Service,
        limits: WireLimits,
        ends: Ends,
        now: float,
    ) -> None:
        self._door = door
        self._service = service
        self._limits = limits
        self._ends = ends
        self._now = now
        self._doorstep: Doorstep | None = Doorstep(limits, now)
        """For as long as the client has no WebSocket."""
        self._client: WebSocket | None = None
        self._heartbeat: Heartbeat | None = None
        self.client_link = CLIENT_LINK
        """Which of the client's WebSockets that is."""
        self._gone_link = 0
        """Which of them is the last that the conversation knows to have ended."""
        self._formers = Formers()
        self._peer = ""
        self._conversation: Visit | None = None
        self._links = Links(service, limits)
        self._budget = math.inf
        """Bytes that are still taken from the client before it is cut."""
        self._actions: list[events.Action] = []
        self._resumes: list[commands.Resume] = []

    # What a shell uses

    def handle(self, event: events.Event, now: float) -> list[events.Action]:
        """Take note of what happened and return what to do, in order. No bytes raise anything."""
        self._now = now
        self._note(event)
        return self._carry()

    def fail(self, now: float) -> list[events.Action]:
        """End everything after `handle` has raised: a fault of ours, of which the client hears."""
        self._now = now
        self._leave()
        self._actions += self._links.abort_all()
        if self._client is None:
            self._end_client()
        else:
            self._client.close(_FAULT_OF_OURS, CLOSES[_FAULT_OF_OURS].meaning, now)
        self._pass_on()
        return self._take()

    def release(self, now: float) -> tuple[WebSocket, str, list[events.Action]]:
        """Let go of the client, which goes on with another connection's conversation.

        Returns:
            Its WebSocket, its address, and what to do.

        Raises:
            LocalProtocolError: There is no client.
        """
        self._now = now
        client, self._client = self._client, None
        if client is None:
            raise LocalProtocolError("there is no client to let go of")
        self._heartbeat = None
        self._feed(inputs.ClientMoved())
        return client, self._peer, self._carry()

    def adopt(self, client: WebSocket, peer: str, seq: int, now: float) -> list[events.Action]:
        """Go on with a client that has another WebSocket now; say goodbye on the one before.

        Args:
            client: The WebSocket; its number is `client_link` from now on.
            peer: Its address.
            seq: The number of the last frame that the client has.
            now: The shell's clock.
        """
        self._now = now
        if self._client is not None:
            self._formers.add(self.client_link, self._client, now)
        self.client_link += 1
        self._client, self._peer = client, peer
        self._heartbeat = Heartbeat(self._limits, is_v1=True, now=now)
        self._feed(inputs.ClientReturned(self.client_link, seq, peer))
        return self._carry()

    def may_read(self, side: Side, link: int) -> bool:
        """Whether more bytes are welcome on this stream now; may change with each event."""
        websocket = self._websocket(side, link)
        if websocket is None or websocket.end is not None:
            return True
        if self._conversation is None or not websocket.is_open:
            return websocket.may_read
        reading = self._conversation.reading
        wanted = reading.client if side is Side.CLIENT else reading.upstream
        return wanted and websocket.may_read

    @property
    def deadline(self) -> float:
        """When to handle `DeadlineReached`; infinity if never. May change with each event."""
        parts = (self._doorstep, self._heartbeat, self._conversation, *self._websockets())
        dues = (part.deadline for part in parts if part is not None)
        return min((at for at in dues if at is not None), default=math.inf)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left of it."""
        return not (
            self._has_client or self._formers or self._links or self._conversation is not None
        )

    @property
    def _has_client(self) -> bool:
        """Whether the client's stream is open."""
        return self._doorstep is not None or self._client is not None

    @property
    def has_conversation(self) -> bool:
        """Whether the client has been let in and not yet gone, or is waited for."""
        return self._conversation is not None

    @property
    def conversation(self) -> Visit | None:
        """What the client has been let in for, until it ends; it may wait for its client."""
        return self._conversation

    def _take(self) -> list[events.Action]:
        """Return what was collected.

        A link is dialled, or a client given away, once all else is on its way.
        """
        actions = [*self._actions, *self._links.take_dials(), *self._resumes]
        self._actions, self._resumes = [], []
        return actions

    # Events

    def _note(self, event: events.Event) -> None:
        match event:
            case events.BytesReceived(side=Side.CLIENT, link=self.client_link, data=data):
                self._client_bytes(data)
            case events.BytesReceived(side=side, link=link, data=data):
                if (websocket := self._websocket(side, link)) is not None:
                    websocket.receive(data, self._now)
            case events.BytesSent(side=side, link=link, size=size):
                if (websocket := self._websocket(side, link)) is not None:
                    websocket.sent(size, self._now)
                elif side is Side.CLIENT and self._doorstep is not None:
                    self._doorstep.sent(size, self._now)
            case events.StreamEnded(side=side, link=link):
                if (websocket := self._websocket(side, link)) is not None:
                    websocket.stream_ended()
                elif side is Side.CLIENT and link == self.client_link:
                    self._end_client()
            case inputs.UpstreamOpened(link=link):
                if not self._links.stream_opened(link, self._now):  # it was given up meanwhile
                    self._actions.append(events.Abort(Side.UPSTREAM, link))
            case inputs.DialFailed(link=link):
                if self._links.dial_ended(link):
                    self._feed(event)
            case inputs.DeadlineReached():
                self._expire()
            case inputs.Decoded() | inputs.DecodeFailed() | inputs.ShutdownRequested():
                self._feed(event)
            case inputs.Sealed() | inputs.TokenOpened() | inputs.TokenRefused():
                self._feed(event)
            case _:
                assert_never(event)

    def _websocket(self, side: Side, link: int) -> WebSocket | None:
        if side is Side.CLIENT:
            return self._client if link == self.client_link else self._formers.get(link)
        return self._links.websocket(link)

    def _websockets(self) -> Iterator[WebSocket]:
        if self._client is not None:
            yield self._client
        yield from self._formers
        yield from self._links.websockets()

    def _client_bytes(self, data: bytes) -> None:
        self._budget -= len(data)
        if self._budget < 0:
            self._end_client()
        elif self._client is not None:
            self._client.receive(data, self._now)
        elif self._doorstep is not None:
            asked = self._doorstep.receive(data)
            if isinstance(asked, Answer):
                self._answer(self._doorstep, asked)
            elif asked is not None:
                self._asked(self._doorstep, asked)

    def _expire(self) -> None:
        if self._doorstep is not None and self._doorstep.deadline <= self._now:
            self._end_client()
        if self._client is not None:
            number = self._client.expire(self._now)
            if number is not None:
                ask = events.AskProgress(Side.CLIENT, self.client_link, is_first=number == 1)
                self._actions.append(ask)
            if self._heartbeat is not None:
                self._keep_alive(self._client, self._heartbeat)
        for websocket in (*self._formers, *self._links.websockets()):
            websocket.expire(self._now)
        if self._conversation is not None:
            at = self._conversation.deadline
            if at is not None and at <= self._now:
                self._feed(inputs.DeadlineReached())

    def _keep_alive(self, client: WebSocket, heartbeat: Heartbeat) -> None:
        """Ping the client, and have its host judged if nothing was heard since the last time."""
        if heartbeat.deadline > self._now:
            return
        if self._conversation is not None:
            is_read = self._conversation.reading.client
            heartbeat.excuse(self._conversation.read_since if is_read else self._now)
        if heartbeat.is_silent(client, self._now):
            self._actions.append(events.Probe(Side.CLIENT, self.client_link, self._limits.ping_s))
        if heartbeat.is_lost(client, self._now):
            self._close_client(client, heartbeat.code)
        heartbeat.beat(client, self._now)

    def _close_client(self, client: WebSocket, code: int) -> None:
        """Close for what the conversation knows nothing of."""
        client.close(code, CLOSES[code].meaning, self._now)
        self._client_gone(code, CLOSES[code].meaning)

    # The request head

    def _asked(self, doorstep: Doorstep, asked: Asked) -> None:
        """Let a client in, or answer it."""
        hello = asked.hello(self._ends)
        if not asked.is_upgrade or asked.path != self._door.socket_path:
            self._answer(doorstep, self._door.answer(asked.method, asked.target, hello))
            return
        upgrade = opening(asked)
        if isinstance(upgrade, Answer):
            self._answer(doorstep, upgrade)
            return
        verdict = self._door.admit(hello, self._now)
        if isinstance(verdict, Answer):
            self._answer(doorstep, verdict)
            return
        self._doorstep = None
        client = self._client = accepted(self._limits, self._now)
        client.greet(upgrade.write(verdict.subprotocol))
        if isinstance(verdict, gate.Refused):
            self._refuse(client, verdict)
        else:
            self._conversation, self._peer = verdict.conversation, verdict.peer
            is_v1 = verdict.is_v1
            self._heartbeat = Heartbeat(self._limits, is_v1=is_v1, now=self._now)
            self._feed(inputs.ClientOpened(CLIENT_LINK, verdict.peer, verdict.client, is_v1))
        client.receive(doorstep.rest, self._now)

    def _answer(self, doorstep: Doorstep, answer: Answer) -> None:
        """Answer in HTTP; once that is taken, wait a moment for the client to close."""
        self._actions += [
            events.SendBytes(Side.CLIENT, CLIENT_LINK, doorstep.write(answer, self._now)),
            events.EndStream(Side.CLIENT, CLIENT_LINK),
        ]

    def _refuse(self, client: WebSocket, refused: gate.Refused) -> None:
        """Tell a client in a frame why it may not begin."""
        reply = replies.refused(refused.refusal)
        client.send(Message(reply.payload, is_text=True))
        code = refused.refusal.close
        client.close(code, CLOSES[code].meaning, self._now)
        self._budget = self._limits.refused_bytes

    # Carrying messages

    def _carry(self) -> list[events.Action]:
        """Carry all that can be carried, and return what to do."""
        while self._pass_on():
            pass
        return self._take()

    def _pass_on(self) -> bool:
        """Carry what can be carried now; return whether that may have made room for more."""
        has_moved = self._client is not None and self._read_client(self._client)
        for link, upstream in self._links.items():
            has_moved |= self._read_upstream(link, upstream)
        if self._client is not None:
            has_moved |= self._write(Side.CLIENT, self.client_link, self._client)
            if self._client.is_over:
                self._end_client()
        self._actions += self._formers.write(self._now)
        for link, upstream in self._links.items():
            has_moved |= self._write(Side.UPSTREAM, link, upstream.websocket)
        return has_moved

    def _read_client(self, client: WebSocket) -> bool:
        conversation = self._conversation
        if conversation is None:
            client.inbox.clear()
            return False
        has_moved = False
        while client.inbox and conversation.reading.client:
            message = client.inbox.popleft()
            self._feed(inputs.ClientFrame(self.client_link, message.payload, message.is_text))
            has_moved = True
        if client.end is not None and not client.inbox:
            self._client_gone(client.end.code, client.end.reason)
        return has_moved

    def _read_upstream(self, link: int, upstream: Upstream) -> bool:
        websocket = upstream.websocket
        if not self._links.is_opened(link):
            if (fault := upstream.fault) is not None:
                self._actions += self._links.abort(link)
                self._feed(inputs.DialFailed(link, fault))
                return True
            if not upstream.is_open:
                return False
            self._links.opened(link)
            self._feed(inputs.UpstreamOpened(link))
        conversation = self._conversation
        if conversation is None:
            websocket.inbox.clear()
        has_moved = False
        while websocket.inbox and conversation is not None and conversation.reading.upstream:
            message = websocket.inbox.popleft()
            self._feed(inputs.UpstreamFrame(link, message.payload))
            has_moved = True
        if websocket.is_over and not websocket.inbox:
            end = websocket.end or End()
            self._actions += self._links.abort(link)
            reason = self._service.key.redact(end.reason)
            self._feed(inputs.UpstreamGone(link, end.code, reason))
            has_moved = True
        return has_moved

    def _write(self, side: Side, link: int, websocket: WebSocket) -> bool:
        """Give out what the window has room for; return whether a message left, or the end came."""
        was_over = websocket.is_over
        size = websocket.pump()
        if size:
            self._feed(inputs.Sent(side, link, size))
        if data := websocket.take(self._now):
            self._actions.append(events.SendBytes(side, link, data))
        if websocket.take_stream_end():
            self._actions.append(events.EndStream(side, link))
        return size > 0 or websocket.is_over is not was_over

    def _feed(self, event: inputs.Input) -> None:
        """Tell the conversation, and do what it answers."""
        conversation = self._conversation
        if conversation is None:
            return
        for command in conversation.handle(event, self._now):
            match command:
                case commands.SendClient(payload=payload, is_text=is_text, turn=turn):
                    if self._client is not None:
                        self._client.send(Message(payload, is_text, turn))
                case commands.SendUpstream(link=link, payload=payload):
                    self._links.send(link, payload)
                case commands.CloseClient(link=link, code=code, reason=reason):
                    if self._client is not None and link == self.client_link:
                        self._client.close(code, reason, self._now)
                case commands.DropSound(link=link, turn=turn):
                    self._drop_sound(link, turn)
                case commands.OpenUpstream():
                    self._links.dial(command)
                case commands.CloseUpstream(link=link, code=code):
                    self._actions += self._links.close(link, code, self._now)
                case commands.Decode() | commands.StopDecoding() | commands.Log():
                    self._actions.append(command)
                case commands.Seal():
                    self._actions.append(command)
                case commands.Resume():
                    self._resumes.append(command)
                case _:
                    assert_never(command)
        if conversation.is_over and self._client is None:
            self._leave()

    def _drop_sound(self, link: int, turn: int) -> None:
        """Take back what has not been made a frame yet."""
        dropped = [] if self._client is None else self._client.drop_sound(turn)
        if dropped:
            self._actions.append(events.Count(events.Matter.FRAMES_DROPPED, len(dropped)))
            size = sum(len(one.payload) for one in dropped)
            self._feed(inputs.Sent(Side.CLIENT, link, size))

    # Ends

    def _client_gone(self, code: int, reason: str) -> None:
        """Tell the conversation, once, that its client has gone; it may wait for it."""
        if self._gone_link != self.client_link:
            self._gone_link = self.client_link
            self._feed(inputs.ClientGone(self.client_link, code, reason))
        if self._conversation is not None and self._conversation.is_over:
            self._leave()

    def _leave(self) -> None:
        conversation, self._conversation = self._conversation, None
        if conversation is not None:
            self._door.leave(conversation)

    def _end_client(self) -> None:
        """Cut the client's connection; it has been told, or cannot be."""
        if self._has_client:
            self._actions.append(events.Abort(Side.CLIENT, self.client_link))
            client, self._client = self._client, None
            self._doorstep = self._heartbeat = None
            end = (client and client.end) or End()
            if client is not None and client.is_deaf:
                self._actions.append(events.Count(events.Matter.CLIENT_DEAF))
            self._client_gone(end.code, end.reason)
