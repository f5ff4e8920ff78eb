"""TCP connections that fail as they are told to, between a client and a server.

It stands before a gateway or before the emulator, and knows nothing of what passes; TLS is bytes:

    plans = Plan(down=Flow(cut_at=5_000)), Plan(is_refused=True)
    with Emulator() as gemini, FaultyTcp(gemini.url, *plans) as path:
        ...  # a gateway on path.url: its first link is cut, its second is refused
        path.wait_until(lambda path: len(path.seen) == 3)
        path.hole_all()  # nothing passes any more
        path.heal()

It runs on a thread of its own, so it serves tests on trio, on asyncio and of other processes. What
falls into a hole is still acknowledged by the kernel; `netns.cable` cuts below it.
"""

import contextlib
import math
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, Self
from urllib.parse import urlsplit

import attrs

from faulty_pipe import PIECE_BYTES, Ending, Flow, Pipe, Plan

__all__ = ["PATIENCE_S", "Ending", "FaultyTcp", "Flow", "Plan", "Seen", "reset"]

PATIENCE_S: Final = 20.0
_PORTS: Final = {"ws": 80, "wss": 443, "http": 80, "https": 443}


@attrs.define
class Seen:
    """What has become of one connection."""

    plan: Plan
    up_taken: int = 0
    """Bytes that came from the client."""
    up_passed: int = 0
    """Bytes that the target was given."""
    down_taken: int = 0
    down_passed: int = 0
    is_in_hole: bool = False
    is_open: bool = True
    """Until both sockets are closed."""


def reset(one: socket.socket) -> None:
    """Close a socket without any goodbye, not even TCP's."""
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()


class _Connection:
    """A client's socket and one to the target, with a pipe in each direction."""

    def __init__(
        self, path: "FaultyTcp", client: socket.socket, target: socket.socket | None, seen: Seen
    ) -> None:
        self.seen = seen
        self._path = path
        self._client = client
        self._target = target
        self._is_connecting = target is not None
        self._is_cut = False
        """By FIN: what still comes goes nowhere, until both ends have ended."""
        self._up = Pipe(seen.plan.up)
        self._down = Pipe(seen.plan.down)
        if target is None or self._up.is_in_hole or self._down.is_in_hole:
            self.seen.is_in_hole = True

    @property
    def due(self) -> float:
        """When to come back, if nothing happens before."""
        if self._is_connecting or self._is_cut:
            return math.inf
        return min(self._up.due, self._down.due)

    def fall(self) -> None:
        """Fall into a hole."""
        self.seen.is_in_hole = True
        self._up.drop()
        self._down.drop()

    def cut(self, by: Ending) -> None:
        """End both ways."""
        if not self.seen.is_open:
            return
        if by is Ending.RST or self._target is None or not self._is_connected(self._target):
            self.close(reset)
            return
        self._is_cut = True
        for one in (self._client, self._target):
            with contextlib.suppress(OSError):  # it may be gone already
                one.shutdown(socket.SHUT_WR)

    def close(self, how: Callable[[socket.socket], object] = socket.socket.close) -> None:
        """Close both sockets."""
        for one in (self._client, self._target):
            if one is not None:
                self._path.watch(one, 0, self)
                how(one)
        self.seen.is_open = False

    def happened(self, one: socket.socket, events: int, now: float) -> None:
        """Do what a socket is ready for."""
        if not self.seen.is_open:
            return
        try:
            if one is self._target and self._is_connecting:
                self._connected(one)
            elif events & selectors.EVENT_READ:
                self._read(one, now)
        except OSError:
            self._lost(one)

    @staticmethod
    def _is_connected(target: socket.socket) -> bool:
        """Whether the target has accepted, even if nobody has looked yet."""
        with contextlib.suppress(OSError):
            return bool(target.getpeername())
        return False

    def _connected(self, target: socket.socket) -> None:
        number = target.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            raise OSError(number, "the target cannot be reached")
        self._is_connecting = False

    def _lost(self, one: socket.socket) -> None:
        """Reset the other end too, since this one is gone; out of a hole nothing is told."""
        if not self.seen.is_in_hole:
            self.close(reset)
            return
        (self._up if one is self._client else self._down).has_ended = True
        self.fall()

    def _read(self, one: socket.socket, now: float) -> None:
        pipe = self._up if one is self._client else self._down
        data = one.recv(PIECE_BYTES)
        pipe.has_ended = not data
        if not (self._is_cut or self.seen.is_in_hole):
            pipe.take(data, now)
        pipe.taken += len(data)

    def step(self, now: float) -> None:
        """Pass on what is due, and say what to wait for."""
        if self.seen.is_open and not (self._is_connecting or self._is_cut):
            self._pass_on(now)
        seen = self.seen
        seen.up_taken, seen.up_passed = self._up.taken, self._up.passed
        seen.down_taken, seen.down_passed = self._down.taken, self._down.passed
        if not seen.is_open:
            return
        has_passed = self._up.is_over and self._down.is_over
        has_ended = self._up.has_ended and self._down.has_ended
        if has_passed or (self._is_cut and has_ended):
            self.close()
        else:
            self._watch()

    def _pass_on(self, now: float) -> None:
        """Pass on what is due in both directions; see whether one of them ends it all."""
        for pipe, other, sink in (
            (self._up, self._down, self._target),
            (self._down, self._up, self._client),
        ):
            if sink is None:
                return
            try:
                pipe.pass_on(sink, now)
            except OSError:
                self._lost(sink)
            if pipe.is_cut:
                self.cut(pipe.flow.cut_by)
            if self._is_cut or not self.seen.is_open:
                return
            if pipe.is_in_hole:
                self.seen.is_in_hole = True
                other.drop()

    def _watch(self) -> None:
        for one, outgoing, incoming in (
            (self._client, self._up, self._down),
            (self._target, self._down, self._up),
        ):
            if one is None:
                continue
            events = 0
            if one is self._target and self._is_connecting:
                events = selectors.EVENT_WRITE
            else:
                if not outgoing.has_ended and outgoing.has_room:
                    events |= selectors.EVENT_READ
                if incoming.is_stuck and not self._is_cut:
                    events |= selectors.EVENT_WRITE
            self._path.watch(one, events, self)


class FaultyTcp:
    """A path to a server, for as long as a `with` block runs; at its end all is cut.

    Args:
        target: The server's URL, which `url` is by this path; or its host and port.
        plans: What becomes of the first connections, in the order in which they come.
        then: What becomes of all that come after these.
    """

    _listener: socket.socket
    _bell: socket.socket
    _hearing: socket.socket
    _selector: selectors.BaseSelector

    def __init__(
        self, target: str | tuple[str, int], *plans: Plan, then: Plan | None = None
    ) -> None:
        self.seen: list[Seen] = []
        """All connections that came, refused ones too, in order."""
        self._named = target
        self._target = ("", 0)
        self._plans = deque(plans)
        self._then = then or Plan()
        self._connections: list[_Connection] = []
        self._is_hole = False
        self._is_refusing = False
        self._is_ending = False
        self._changed = threading.Condition()
        self._tasks: deque[tuple[Callable[[], object], Future[None]]] = deque()
        self._thread = threading.Thread(target=self._run, name="faulty TCP")

    def __enter__(self) -> Self:
        """Start listening, on a free port of 127.0.0.1.

        Raises:
            OSError: The target's name is unknown.
        """
        self._target = self._resolved()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._hearing, self._bell = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        for one in (self._listener, self._hearing):
            one.settimeout(0.0)
            self._selector.register(one, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Cut all connections and stop listening."""

        def end() -> None:
            self._is_ending = True

        with self._bell:
            self._do(end)
            self._thread.join(PATIENCE_S)

    def _resolved(self) -> tuple[str, int]:
        """Return the target's address; that of IPv4, where it has one."""
        if isinstance(self._named, str):
            where = urlsplit(self._named)
            host, port = where.hostname or "", where.port or _PORTS[where.scheme]
        else:
            host, port = self._named
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        found.sort(key=lambda one: one[0] != socket.AF_INET)
        return str(found[0][4][0]), port

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._listener.getsockname()
        return host, port

    @property
    def url(self) -> str:
        """The target's URL, by this path."""
        assert isinstance(self._named, str), "the target was not given as a URL"
        host, port = self.address
        return urlsplit(self._named)._replace(netloc=f"{host}:{port}").geturl()

    @property
    def open_now(self) -> int:
        """How many connections are open."""
        return sum(one.is_open for one in self.seen)

    @property
    def up_passed(self) -> int:
        """How many bytes the target was given, by all connections."""
        return sum(one.up_passed for one in self.seen)

    @property
    def down_passed(self) -> int:
        """How many bytes the clients were given, by all connections."""
        return sum(one.down_passed for one in self.seen)

    def wait_until(
        self, holds: Callable[["FaultyTcp"], object], timeout_s: float = PATIENCE_S
    ) -> None:
        """Block this thread until the path is as expected.

        Raises:
            TimeoutError: It never was.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: holds(self), timeout_s):
                raise TimeoutError(f"waited {timeout_s:g} s in vain: {self.seen}")

    # What a test may do while it runs: it has been done when the call returns

    def plan(self, *plans: Plan, then: Plan | None = None) -> None:
        """Add plans for the next connections; `then` is for all after these."""

        def add() -> None:
            self._plans.extend(plans)
            self._then = then or self._then

        self._do(add)

    def cut_all(self, by: Ending = Ending.RST) -> None:
        """Cut all connections that are open, in a hole or not."""

        def cut() -> None:
            for one in self._connections:
                one.cut(by)

        self._do(cut)

    def hole_all(self) -> None:
        """Let nothing pass from now on, on the connections that are open and on those to come.

        What is sent is taken, and goes nowhere; the target sees no new connections.
        """

        def fall() -> None:
            self._is_hole = True
            for one in self._connections:
                one.fall()

        self._do(fall)

    def refuse_all(self) -> None:
        """Refuse all connections to come."""

        def refuse() -> None:
            self._is_refusing = True

        self._do(refuse)

    def heal(self) -> None:
        """Let connections to come go by their plans again.

        Those that are in a hole stay there: of what was sent, some is gone.
        """

        def heal() -> None:
            self._is_hole = self._is_refusing = False

        self._do(heal)

    def _do(self, task: Callable[[], object]) -> None:
        """Have the thread do something, and wait until it has."""
        done: Future[None] = Future()
        self._tasks.append((task, done))
        with contextlib.suppress(BrokenPipeError):  # it saw the task, and ended by it
            self._bell.send(b"!")
        done.result(PATIENCE_S)

    # The thread

    def watch(self, one: socket.socket, events: int, connection: _Connection) -> None:
        """Wait for events of a socket, or for none."""
        known = self._selector.get_map().get(one)
        if known is None and events:
            self._selector.register(one, events, connection)
        elif known is not None and not events:
            self._selector.unregister(one)
        elif known is not None and known.events != events:
            self._selector.modify(one, events, connection)

    def _run(self) -> None:
        with self._hearing, self._listener, self._selector:
            try:
                while not self._is_ending:
                    self._turn()
            finally:
                for one in self._connections:
                    one.cut(Ending.RST)
                for _, future in self._tasks:  # nobody waits for a thread that has failed
                    future.cancel()

    def _turn(self) -> None:
        """Wait for something to do, and do it."""
        due = min((one.due for one in self._connections), default=math.inf)
        wait = None if due == math.inf else max(0.0, due - time.monotonic())
        ready = self._selector.select(wait)
        now = time.monotonic()
        for key, events in ready:
            if key.fileobj is self._listener:
                self._accept()
            elif key.fileobj is self._hearing:
                self._hearing.recv(PIECE_BYTES)
            elif isinstance(key.data, _Connection) and isinstance(key.fileobj, socket.socket):
                key.data.happened(key.fileobj, events, now)
        done: list[Future[None]] = []
        while self._tasks:
            task, future = self._tasks.popleft()
            task()
            done.append(future)
        for one in self._connections:
            one.step(now)
        self._connections = [one for one in self._connections if one.seen.is_open]
        with self._changed:
            self._changed.notify_all()
        for future in done:
            future.set_result(None)

    def _accept(self) -> None:
        """Take all that have come, so that none that is connected escapes what is done next."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._take(self._listener.accept()[0])

    def _take(self, client: socket.socket) -> None:
        if self._is_refusing:
            plan = Plan(is_refused=True)
        else:
            plan = self._plans.popleft() if self._plans else self._then
        seen = Seen(plan, is_open=not plan.is_refused)
        self.seen.append(seen)  # before either end can know how it goes on
        if plan.is_refused:
            reset(client)
            return
        client.settimeout(0.0)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        target = None if self._is_hole else self._dial()
        self._connections.append(_Connection(self, client, target, seen))

    def _dial(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._target[0] else socket.AF_INET
        target = socket.socket(family)
        target.settimeout(0.0)
        target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        target.connect_ex(self._target)  # how it went is known when it may be written to
        return target
