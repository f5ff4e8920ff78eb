"""One session on trio: five loops that do the core's I/O, and decide nothing."""

import trio
from livegate.protocol import commands, inputs, replies
from livegate.protocol.admission import Ticket
from livegate.protocol.errors import CLOSES, Refusal
from livegate.protocol.inputs import Side
from livegate.shell import faults
from livegate.shell.faults import DialError
from livegate.shell.pump import Pump
from livegate.shell.sessions import Sessions
from livegate.shell.sockets import ClientSocket, Closed, Dial, UpstreamSocket
from livegate.shell.target import CLOSE_GRACE_S, FAREWELL_S
from livegate.trio.decoding import decoded


class Bell:
    """Wakes the loops that wait for it; rung early, it is remembered."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def ring(self) -> None:
        """Wake the loops."""
        self._event.set()

    async def heard(self) -> None:
        """Wait until it has rung since it was last heard."""
        event = self._event
        await event.wait()
        if self._event is event:
            self._event = trio.Event()


class Relay:
    """A client's socket, a session, and its links to Gemini."""

    def __init__(
        self, client: ClientSocket, ticket: Ticket, dial: Dial, sessions: Sessions
    ) -> None:
        self._client = client
        self._ticket = ticket
        self._dial = dial
        self._sessions = sessions
        self._visit = sessions.new(ticket, trio.current_time())
        self._pump = Pump(self._visit, self, trio.current_time, Bell, sessions.shared)
        self._seat = self._pump.seat(self)
        self._client_scope = trio.CancelScope()
        self._link_scopes: dict[int, trio.CancelScope] = {}
        self._open_links: set[int] = set()
        self._has_left = Bell()
        """Rings when the client's socket has ended."""
        self._is_sending = False
        """Cut short now, the stream ends in the middle of a message."""

    async def run(self) -> None:
        """Serve the client until it has gone or the session has closed it."""
        try:
            async with trio.open_nursery() as self._links:
                clock = trio.CancelScope()
                self._links.start_soon(self._keep_time, clock)
                await self._run_client()
                while not self._pump.is_over:  # it waits for its client
                    await self._pump.over.heard()
                clock.cancel()
                if self._pump.fault is not None:
                    raise self._pump.fault
        finally:
            self._pump.fail()  # no news, unless all else has failed
            self._pump.decoder.close()
            self._sessions.end(self._visit)
            self._sessions.forget(self._pump)

    async def fail(self, code: int) -> None:
        """Close the client's socket after `run` has failed, if it still takes a message."""
        if not self._is_sending:
            with trio.move_on_after(FAREWELL_S):
                await self._client.close(code, "")

    async def _run_client(self) -> None:
        try:
            async with trio.open_nursery() as loops:
                self._sessions.add(self._seat, self._ticket)
                loops.start_soon(self._read_client)
                with self._client_scope:
                    await self._write_client()
                loops.cancel_scope.cancel()
        finally:
            self._seat.pump.feed(inputs.ClientGone(self._seat.link))

    # What the pump needs done at once

    def open_link(self, link: int) -> None:
        """Begin to dial Gemini."""
        self._link_scopes[link] = trio.CancelScope()
        self._links.start_soon(self._run_link, link)

    def hang_up(self, link: int) -> None:
        """Give a link the grace to send what it has and close; or give up dialling it."""
        grace_s = CLOSE_GRACE_S if link in self._open_links else 0
        self._link_scopes[link].deadline = trio.current_time() + grace_s

    def decode(self, command: commands.Decode) -> None:
        """Begin to do one step of a recording."""
        self._links.start_soon(self._decode, command)

    def end_client(self, grace_s: float) -> None:
        """Give the client's socket so long to send what it has and close."""
        self._client_scope.deadline = trio.current_time() + grace_s

    def move_client(self, pump: Pump, seq: int) -> None:
        """Have the client's socket feed another pump."""
        before, self._seat = self._seat, pump.seat(self)
        before.pump.leave(before)
        self._sessions.end(self._visit)
        pump.feed(inputs.ClientReturned(self._seat.link, seq, self._ticket.peer))

    # The loops

    async def _read_client(self) -> None:
        while True:
            while not self._seat.pump.may_read_client:
                await self._seat.pump.may_read.heard()
            message = await self._client.receive()
            seat = self._seat
            if isinstance(message, Closed):
                self._has_left.ring()
                seat.pump.feed(inputs.ClientGone(seat.link, message.code, message.reason))
                return
            seat.pump.feed(inputs.ClientFrame(seat.link, message.payload, message.is_text))

    async def _write_client(self) -> None:
        while not self._seat.is_gone:
            seat = self._seat
            if not seat.outbox.items:
                await seat.outbox.bell.heard()
                continue
            item = seat.outbox.items.popleft()
            if isinstance(item, commands.CloseClient):
                await self._client.close(item.code, item.reason)
                await self._has_left.heard()  # cut while it still talks, it might not read why
                return
            self._is_sending = True
            await self._client.send(item.payload, is_text=item.is_text)
            self._is_sending = False
            seat.pump.feed(inputs.Sent(Side.CLIENT, seat.link, len(item.payload)))

    async def _keep_time(self, until: trio.CancelScope) -> None:
        with until:
            while True:
                self._pump.alarm_at = self._pump.deadline
                with trio.CancelScope(deadline=self._pump.alarm_at):
                    await self._pump.alarm.heard()
                    continue
                self._pump.feed(inputs.DeadlineReached())

    async def _decode(self, command: commands.Decode) -> None:
        self._pump.feed(await decoded(self._pump.decoder, command))

    async def _run_link(self, link: int) -> None:
        """Dial Gemini, and carry messages both ways until one side ends the link."""
        with self._link_scopes[link]:
            await trio.lowlevel.checkpoint()  # the link before says its goodbye first
            try:
                async with self._dial() as upstream, trio.open_nursery() as loops:
                    self._open_links.add(link)
                    self._pump.feed(inputs.UpstreamOpened(link))
                    loops.start_soon(self._read_upstream, link, upstream)
                    await self._write_upstream(link, upstream)
                    loops.cancel_scope.cancel()
            except* DialError as failed:
                # Alone, or out of a loop: some links are dialled by their setup.
                self._pump.feed(inputs.DialFailed(link, faults.of_dial(failed)))
        self._pump.feed(inputs.UpstreamGone(link))  # no news, unless all else has failed
        del self._link_scopes[link], self._pump.links[link]
        self._open_links.discard(link)

    async def _read_upstream(self, link: int, upstream: UpstreamSocket) -> None:
        while True:
            while not self._pump.may_read_upstream:
                await self._pump.may_read.heard()
            message = await upstream.receive()
            if isinstance(message, Closed):
                self._pump.feed(inputs.UpstreamGone(link, message.code, message.reason))
                return
            self._pump.feed(inputs.UpstreamFrame(link, message))

    async def _write_upstream(self, link: int, upstream: UpstreamSocket) -> None:
        outbox = self._pump.links[link]
        while True:
            if not outbox.items:
                await outbox.bell.heard()
                continue
            item = outbox.items.popleft()
            if isinstance(item, commands.CloseUpstream):
                await upstream.close(item.code)
                return
            await upstream.send(item.payload)
            self._pump.feed(inputs.Sent(Side.UPSTREAM, link, len(item.payload)))


async def refuse(client: ClientSocket, refusal: Refusal) -> None:
    """Tell a client why it may not begin, and close."""
    with trio.move_on_after(FAREWELL_S):
        await client.send(replies.refused(refusal).payload, is_text=True)
        await _part(client, refusal.close, CLOSES[refusal.close].meaning)


async def _part(client: ClientSocket, code: int, reason: str) -> None:
    """Close, and wait until the client has left, whatever it still says."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.close, code, reason)
        while not isinstance(await client.receive(), Closed):
            pass
