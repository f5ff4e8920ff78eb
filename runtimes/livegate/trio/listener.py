"""livegate's own listener on trio: streams in, streams out, and nothing decided."""

import contextlib
import math
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from socket import SHUT_WR, socket
from typing import Protocol

import trio
from livegate.protocol import commands, inputs
from livegate.protocol.connection import events
from livegate.protocol.connection.events import CLIENT_LINK
from livegate.protocol.inputs import Side
from livegate.shell import faults
from livegate.shell.driver import Driver
from livegate.shell.listening import BUFFER_BYTES, Door, Listening
from livegate.shell.liveness import Watched, bytes_taken, has_vanished
from livegate.shell.settings import Settings
from livegate.shell.sockets import UPSTREAM_STALL_S, guard
from livegate.trio.decoding import decoded
from livegate.trio.gateway import Gateway
from livegate.trio.relay import Bell
from livegate.trio.signals import signals

_BROKEN = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)


class Stream(Protocol):
    """A byte stream, as a wire needs it. What breaks raises one of `_BROKEN`."""

    @property
    def watched(self) -> Watched:
        """The TCP socket that it goes over."""
        ...

    async def receive(self) -> bytes:
        """Wait for bytes; none are the end."""
        ...

    def send_now(self, data: memoryview) -> int:
        """Send what can leave without waiting; return how many bytes that was."""
        ...

    async def send(self, data: memoryview) -> int:
        """Send some bytes, at least one; return how many."""
        ...

    def end(self) -> None:
        """Send the end of the stream, if this kind has one."""

    def close(self) -> None:
        """Close it at once."""


class Plain:
    """A TCP socket, without what trio's streams add to it: half the cost of a message."""

    def __init__(self, opened: socket) -> None:
        self._socket = self.watched = opened

    async def receive(self) -> bytes:
        """Wait for bytes; none are the end."""
        while True:
            await trio.lowlevel.wait_readable(self._socket)
            try:
                return self._socket.recv(BUFFER_BYTES)
            except BlockingIOError:
                continue

    def send_now(self, data: memoryview) -> int:
        """Send what can leave without waiting."""
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0

    async def send(self, data: memoryview) -> int:
        """Send some bytes."""
        while True:
            await trio.lowlevel.wait_writable(self._socket)
            if sent := self.send_now(data):
                return sent

    def end(self) -> None:
        """Send the end of the stream."""
        self._socket.shutdown(SHUT_WR)

    def close(self) -> None:
        """Close it at once."""
        trio.lowlevel.notify_closing(self._socket)
        self._socket.close()


class Encrypted:
    """A TLS stream, which can only be written to by waiting."""

    def __init__(self, stream: "trio.SSLStream[trio.SocketStream]") -> None:
        self._stream = stream
        self.watched = stream.transport_stream.socket

    async def receive(self) -> bytes:
        """Wait for bytes; none are the end."""
        return bytes(await self._stream.receive_some(BUFFER_BYTES))

    def send_now(self, data: memoryview) -> int:  # noqa: ARG002 - it is all the same
        """Send nothing."""
        return 0

    async def send(self, data: memoryview) -> int:
        """Send some bytes."""
        piece = data[:BUFFER_BYTES]
        await self._stream.send_all(piece)
        return len(piece)

    def end(self) -> None:
        """TLS has no end of one way alone."""

    def close(self) -> None:
        """Close it at once, without TLS's goodbye."""
        self._stream.transport_stream.socket.close()


class Wire:
    """One stream."""

    def __init__(self, driver: Driver, side: Side, link: int, stream: Stream) -> None:
        self._home = self._driver = driver
        self._side = side
        self._link = link
        self._stream = stream
        self._left: deque[memoryview] = deque()
        self._ends = False
        self._has_more = Bell()
        self._may_read = True
        self._taken = 0
        """What the other side had taken when that was last asked, in bytes."""
        self._reads_again = Bell()
        self._scope = trio.CancelScope()
        driver.wires[side, link] = self

    async def run(self) -> None:
        """Carry bytes both ways until the stream is aborted or has ended."""
        try:
            with self._scope:
                async with trio.open_nursery() as ways:
                    ways.start_soon(self._read)
                    await self._write_left()
        finally:
            self._stream.close()
            if self._driver is not self._home:
                self._home.wire_ended()

    async def _read(self) -> None:
        try:
            while True:
                while not self._may_read:
                    await self._reads_again.heard()
                data = await self._stream.receive()
                if not data:
                    break
                self._feed(events.BytesReceived(self._side, self._link, data))
        except _BROKEN:
            pass
        self._feed(events.StreamEnded(self._side, self._link))

    async def _write_left(self) -> None:
        try:
            while True:
                while not self._left:
                    await self._has_more.heard()
                while self._left:
                    sent = await self._stream.send(self._left[0])
                    self._take(sent)
                    self._feed(events.BytesSent(self._side, self._link, sent))
                self._end_if_due()
        except _BROKEN:
            self._feed(events.StreamEnded(self._side, self._link))

    def _take(self, sent: int) -> None:
        rest = self._left.popleft()[sent:]
        if rest:
            self._left.appendleft(rest)

    def _feed(self, event: events.Event) -> None:
        if self._driver.wires.get((self._side, self._link)) is self:
            self._driver.feed(event)

    # The driver asks

    def move(self, driver: Driver, link: int) -> None:
        """Tell another driver from now on."""
        self._driver, self._link = driver, link

    def write(self, data: bytes) -> None:
        """Send bytes after all earlier ones."""
        sent = 0
        if not self._left:
            try:
                sent = self._stream.send_now(memoryview(data))
            except OSError:
                self._feed(events.StreamEnded(self._side, self._link))
                return
        if sent:
            self._feed(events.BytesSent(self._side, self._link, sent))
        if sent < len(data):
            self._left.append(memoryview(data)[sent:])
            self._has_more.ring()

    def write_eof(self) -> None:
        """Send the end of the stream after all that was written."""
        self._ends = True
        if not self._left:
            self._end_if_due()

    def _end_if_due(self) -> None:
        if self._ends:
            with contextlib.suppress(OSError):
                self._stream.end()

    def let_read(self, *, may_read: bool) -> None:
        """Read on, or leave the rest to the operating system."""
        if may_read is not self._may_read:
            self._may_read = may_read
            self._reads_again.ring()

    def abort(self) -> None:
        """End the stream at once."""
        self._scope.cancel()

    def has_progressed(self, *, is_first: bool) -> bool:
        """Whether the other side has taken more than when this was last asked."""
        before, self._taken = self._taken, bytes_taken(self._stream.watched)
        return not is_first and self._taken > before

    def has_vanished(self, span_s: float) -> bool:
        """Whether the other side's host is gone, as far as the operating system has heard."""
        return has_vanished(self._stream.watched, span_s)


class Line:
    """One client's connection: its wires, its clock, and the tasks that dial."""

    def __init__(self, listening: Listening, client: socket, door: Door) -> None:
        self._listening = listening
        self._client = client
        self._door = door
        self._driver = listening.new_driver(client, door, self, trio.current_time)
        self._over = trio.Event()
        self._dials: dict[int, trio.CancelScope] = {}
        self._alarm = Bell()
        self._alarm_at = math.inf

    async def run(self) -> None:
        """Serve the client until nothing is left of its connection."""
        try:
            async with trio.open_nursery() as self._tasks:
                self._tasks.start_soon(self._keep_time)
                self._tasks.start_soon(self._run_client)
                await self._over.wait()
                self._tasks.cancel_scope.cancel()
        finally:
            for wire in self._driver.wires.values():
                wire.abort()  # one that was lent is not in this nursery
            self._driver.wires.clear()
            self._driver.decoder.close()
            self._listening.forget(self._driver, self._door)

    async def _run_client(self) -> None:
        try:
            stream = await _opened(self._client, self._listening.ssl_context)
        except (*_BROKEN, ssl.SSLError):
            self._driver.feed(events.StreamEnded(Side.CLIENT, CLIENT_LINK))
            return
        await Wire(self._driver, Side.CLIENT, CLIENT_LINK, stream).run()

    async def _keep_time(self) -> None:
        while True:
            self._alarm_at = self._driver.deadline
            with trio.CancelScope(deadline=self._alarm_at):
                await self._alarm.heard()
                continue
            self._driver.feed(inputs.DeadlineReached())

    # What the driver needs done

    def open_link(self, link: int) -> None:
        """Begin to dial Gemini."""
        self._dials[link] = trio.CancelScope()
        self._tasks.start_soon(self._run_link, link)

    def give_up(self, link: int) -> None:
        """Stop dialling it."""
        if link in self._dials:
            self._dials[link].cancel()

    def decode(self, command: commands.Decode) -> None:
        """Begin to do one step of a recording."""
        self._tasks.start_soon(self._decode, command)

    def wake_at(self, deadline: float) -> None:
        """Feed `DeadlineReached` then."""
        if deadline < self._alarm_at:
            self._alarm.ring()

    def changed(self) -> None:
        """Look whether the connection is over."""
        if self._driver.is_over:
            self._over.set()

    async def _decode(self, command: commands.Decode) -> None:
        try:
            self._driver.feed(await decoded(self._driver.decoder, command))
        except Exception:  # noqa: BLE001 - the last resort
            self._driver.fail()

    async def _run_link(self, link: int) -> None:
        stream: Stream | None = None
        with self._dials[link]:
            try:
                stream = await self._dial()
            except (*_BROKEN, UnicodeError) as error:
                self._driver.feed(inputs.DialFailed(link, faults.of_exception(error)))
            except Exception:  # noqa: BLE001 - the last resort
                self._driver.fail()
        del self._dials[link]
        if stream is not None:
            wire = Wire(self._driver, Side.UPSTREAM, link, stream)
            self._driver.feed(inputs.UpstreamOpened(link))
            await wire.run()

    async def _dial(self) -> Stream:
        target = self._listening.target
        tcp = await trio.open_tcp_stream(target.host, target.port)
        guard(tcp.socket, UPSTREAM_STALL_S)
        if target.ssl_context is None:
            opened = socket(fileno=tcp.socket.detach())
            opened.settimeout(0)
            return Plain(opened)
        return await _encrypted(
            trio.SSLStream(tcp, target.ssl_context, server_hostname=target.host)
        )


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
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen, listening, sockets)
            await asked()
            with trio.move_on_after(settings.drain_s) as drain:
                if until is None:
                    nursery.start_soon(_cut_short, asked, drain)
                await gateway.drain()
            nursery.cancel_scope.cancel()
    return not drain.cancelled_caught


async def _cut_short(asked: Callable[[], Awaitable[object]], drain: trio.CancelScope) -> None:
    await asked()
    drain.cancel()


async def listen(listening: Listening, opened: Sequence[socket]) -> None:
    """Serve whoever connects to bound sockets, until cancelled."""
    async with trio.open_nursery() as lines:
        for one in opened:
            one.settimeout(0)
            lines.start_soon(_accept, listening, one, lines)


async def _accept(listening: Listening, opened: socket, lines: trio.Nursery) -> None:
    while True:
        await trio.lowlevel.wait_readable(opened)
        try:
            client, _ = opened.accept()
        except BlockingIOError:
            continue
        except OSError as error:
            await trio.sleep(listening.pause_after(error))
            continue
        client.settimeout(0)
        if (door := listening.door(client)) is not None:
            lines.start_soon(_serve, listening, client, door)


async def _serve(listening: Listening, client: socket, door: Door) -> None:
    with listening.faults_logged(), client:  # which a wire may have closed already
        await Line(listening, client, door).run()


async def _opened(client: socket, ssl_context: ssl.SSLContext | None) -> Stream:
    """Return the stream over a client's socket."""
    if ssl_context is None:
        return Plain(client)
    tcp = trio.SocketStream(trio.socket.from_stdlib_socket(client))
    return await _encrypted(trio.SSLStream(tcp, ssl_context, server_side=True))


async def _encrypted(stream: "trio.SSLStream[trio.SocketStream]") -> Stream:
    """Return a TLS stream behind its handshake."""
    try:
        await stream.do_handshake()
    except BaseException:
        stream.transport_stream.socket.close()
        raise
    return Encrypted(stream)
