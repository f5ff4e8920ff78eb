"""livegate's own listener on asyncio: transports in, transports out, and nothing decided."""

import asyncio
import contextlib
import math
import ssl
from asyncio import FIRST_COMPLETED
from collections.abc import Awaitable, Callable, Sequence
from socket import socket
from typing import cast

from livegate.asyncio.decoding import decoded
from livegate.asyncio.dialling import connected
from livegate.asyncio.gateway import Gateway
from livegate.asyncio.signals import signals
from livegate.protocol import commands, inputs
from livegate.protocol.connection import events
from livegate.protocol.connection.events import CLIENT_LINK
from livegate.protocol.inputs import Side
from livegate.shell import faults
from livegate.shell.driver import Driver
from livegate.shell.listening import BUFFER_BYTES, Door, Listening
from livegate.shell.liveness import bytes_taken, has_vanished
from livegate.shell.settings import Settings
from livegate.shell.sockets import UPSTREAM_STALL_S, guard


class Wire(asyncio.BufferedProtocol):
    """One transport."""

    def __init__(self, driver: Driver, side: Side, link: int, buffer: memoryview) -> None:
        self._home = self._driver = driver
        self._side = side
        self._link = link
        self._buffer = buffer
        """Shared by all wires of a loop: what comes into it is taken out at once."""
        self._transport: asyncio.Transport
        self._waiting = 0
        """Bytes in the transport's own buffer."""
        self._may_read = True
        self._taken = 0
        """What the other side had taken when that was last asked, in bytes."""

    # asyncio tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # it is one for each TCP protocol
        self._transport.set_write_buffer_limits(0)  # `resume_writing` once it is empty
        self._driver.wires[self._side, self._link] = self
        if self._side is Side.UPSTREAM:
            self._driver.feed(inputs.UpstreamOpened(self._link))

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Return where to put what comes."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what came."""
        self._feed(events.BytesReceived(self._side, self._link, bytes(self._buffer[:nbytes])))

    def eof_received(self) -> bool:
        """Nothing more will come."""
        self._feed(events.StreamEnded(self._side, self._link))
        return False

    def resume_writing(self) -> None:
        """All that was written has left."""
        size, self._waiting = self._waiting, 0
        if size:
            self._feed(events.BytesSent(self._side, self._link, size))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """The transport has ended, whoever ended it."""
        self._feed(events.StreamEnded(self._side, self._link))
        if self._driver is not self._home:
            self._home.wire_ended()

    def _feed(self, event: events.Event) -> None:
        if self._driver.wires.get((self._side, self._link)) is self:
            self._driver.feed(event)

    # The driver asks

    def move(self, driver: Driver, link: int) -> None:
        """Tell another driver from now on."""
        self._driver, self._link = driver, link

    def write(self, data: bytes) -> None:
        """Send bytes after all earlier ones."""
        self._transport.write(data)
        if self._transport.get_write_buffer_size():
            self._waiting += len(data)
        else:
            size, self._waiting = len(data) + self._waiting, 0
            self._feed(events.BytesSent(self._side, self._link, size))

    def write_eof(self) -> None:
        """Send the end of the stream; TLS has none."""
        if self._transport.can_write_eof():
            with contextlib.suppress(OSError):  # it has been reset; that is about to be told
                self._transport.write_eof()

    def let_read(self, *, may_read: bool) -> None:
        """Read on, or leave the rest to the operating system."""
        if may_read is not self._may_read:
            self._may_read = may_read
            if may_read:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def abort(self) -> None:
        """End the stream at once."""
        self._transport.abort()

    def has_progressed(self, *, is_first: bool) -> bool:
        """Whether the other side has taken more than when this was last asked."""
        before, self._taken = self._taken, bytes_taken(self._transport.get_extra_info("socket"))
        return not is_first and self._taken > before

    def has_vanished(self, span_s: float) -> bool:
        """Whether the other side's host is gone, as far as the operating system has heard."""
        return has_vanished(self._transport.get_extra_info("socket"), span_s)


class Line:
    """One client's connection: its wires, its clock, and the tasks that dial."""

    def __init__(
        self, listening: Listening, client: socket, door: Door, buffer: memoryview
    ) -> None:
        self._listening = listening
        self._client = client
        self._door = door
        self._buffer = buffer
        self._loop = asyncio.get_running_loop()
        self._driver = listening.new_driver(client, door, self, self._loop.time)
        self._over = asyncio.Event()
        self._dials: dict[int, asyncio.Task[None]] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = math.inf

    async def run(self) -> None:
        """Serve the client until nothing is left of its connection."""
        try:
            async with asyncio.TaskGroup() as self._links:
                await self._open_client()
                await self._over.wait()
        finally:
            if self._alarm is not None:
                self._alarm.cancel()
            for wire in self._driver.wires.values():
                wire.abort()
            self._driver.wires.clear()
            self._driver.decoder.close()
            self._listening.forget(self._driver, self._door)

    async def _open_client(self) -> None:
        try:
            await self._loop.connect_accepted_socket(
                lambda: Wire(self._driver, Side.CLIENT, CLIENT_LINK, self._buffer),
                self._client,
                ssl=self._listening.ssl_context,
                ssl_handshake_timeout=self._listening.limits.head_s
                if self._listening.ssl_context
                else None,
            )
        except (OSError, ssl.SSLError):
            self._driver.feed(events.StreamEnded(Side.CLIENT, CLIENT_LINK))
        self.wake_at(self._driver.deadline)

    # What the driver needs done

    def open_link(self, link: int) -> None:
        """Begin to dial Gemini."""
        self._dials[link] = self._links.create_task(self._dial(link))

    def give_up(self, link: int) -> None:
        """Stop dialling it."""
        if link in self._dials:
            self._dials[link].cancel()

    def decode(self, command: commands.Decode) -> None:
        """Begin to do one step of a recording."""
        self._links.create_task(self._decode(command))

    def wake_at(self, deadline: float) -> None:
        """Feed `DeadlineReached` then."""
        if deadline < self._alarm_at:
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm_at = deadline
            self._alarm = self._loop.call_at(deadline, self._ring)

    def changed(self) -> None:
        """Look whether the connection is over."""
        if self._driver.is_over:
            self._over.set()

    def _ring(self) -> None:
        self._alarm, self._alarm_at = None, math.inf
        self._driver.feed(inputs.DeadlineReached())

    async def _decode(self, command: commands.Decode) -> None:
        try:
            self._driver.feed(await decoded(self._driver.decoder, command))
        except Exception:  # noqa: BLE001 - the last resort
            self._driver.fail()

    async def _dial(self, link: int) -> None:
        target = self._listening.target
        try:
            transport, _ = await self._loop.create_connection(
                lambda: Wire(self._driver, Side.UPSTREAM, link, self._buffer),
                sock=await connected(target.host, target.port),
                ssl=target.ssl_context,
                server_hostname=target.host if target.ssl_context else None,
            )
            guard(transport.get_extra_info("socket"), UPSTREAM_STALL_S)
        except (OSError, UnicodeError) as error:
            self._driver.feed(inputs.DialFailed(link, faults.of_exception(error)))
        except Exception:  # noqa: BLE001 - the last resort
            self._driver.fail()
        finally:
            del self._dials[link]


async def serve(
    gateway: Gateway,
    settings: Settings,
    sockets: Sequence[socket],
    until: Callable[[], Awaitable[object]] | None,
    ready: Callable[[], object],
) -> bool:
    """Serve until asked to end, then drain; return whether that was done in time."""
    with contextlib.ExitStack() as stack:
        for one in sockets:
            stack.enter_context(one)
        listening = Listening(gateway, settings, sockets)
        asked = until or stack.enter_context(signals())
        ready()
        async with asyncio.TaskGroup() as group:
            accepting = group.create_task(listen(listening, sockets))
            await asked()
            drain = group.create_task(gateway.drain())
            ends = {drain} if until else {drain, group.create_task(_awaited(asked))}
            await asyncio.wait(ends, timeout=settings.drain_s, return_when=FIRST_COMPLETED)
            is_told = drain.done()
            for task in (*ends, accepting):
                task.cancel()
    return is_told


async def _awaited(asked: Callable[[], Awaitable[object]]) -> None:
    await asked()


async def listen(listening: Listening, opened: Sequence[socket]) -> None:
    """Serve whoever connects to bound sockets, until cancelled."""
    buffer = memoryview(bytearray(BUFFER_BYTES))
    async with asyncio.TaskGroup() as lines:
        for one in opened:
            one.settimeout(0)
            lines.create_task(_accept(listening, one, buffer, lines))


async def _accept(
    listening: Listening, opened: socket, buffer: memoryview, lines: asyncio.TaskGroup
) -> None:
    loop = asyncio.get_running_loop()
    while True:
        try:
            client, _ = await loop.sock_accept(opened)
        except OSError as error:
            await asyncio.sleep(listening.pause_after(error))
            continue
        if (door := listening.door(client)) is not None:
            lines.create_task(_serve(listening, client, door, buffer))
        await asyncio.sleep(0)  # `sock_accept` goes on without, as long as somebody is waiting


async def _serve(listening: Listening, client: socket, door: Door, buffer: memoryview) -> None:
    with listening.faults_logged(), client:  # which a transport may have closed already
        await Line(listening, client, door, buffer).run()
