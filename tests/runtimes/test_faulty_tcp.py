"""TCP connections that fail as they are told to: each fault does what it says, and no more."""

import asyncio
import contextlib
import json
import math
import socket
import ssl
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path
from subprocess import run
from typing import Final, Self

import psutil
import pytest
import trio
import websockets

from faulty_tcp import PATIENCE_S, Ending, FaultyTcp, Flow, Plan, reset
from livegate.emulator import Emulator

PATH: Final = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
SETUP: Final = json.dumps({"setup": {"model": "models/gemini-3.8-live"}})
MANY: Final = bytes(range(256)) * 4_000


class Ends:
    """A path, and both ends of each connection by it: the client's and the target's."""

    def __init__(self, *plans: Plan, then: Plan | None = None) -> None:
        self._stack = contextlib.ExitStack()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stack.enter_context(self._listener)
        self._listener.settimeout(PATIENCE_S)
        self.path = FaultyTcp(self._listener.getsockname()[:2], *plans, then=then)

    def __enter__(self) -> Self:
        self._stack.enter_context(self.path)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def client(self) -> socket.socket:
        """Connect."""
        made = socket.create_connection(self.path.address, PATIENCE_S)
        return self._stack.enter_context(made)

    def pair(self) -> tuple[socket.socket, socket.socket]:
        """Connect, and return both ends."""
        return self.client(), self.accepted()

    def accepted(self) -> socket.socket:
        """Return the target's end of the next connection."""
        target, _ = self._listener.accept()
        target.settimeout(PATIENCE_S)
        return self._stack.enter_context(target)

    def refused(self) -> bool:
        """Connect, and return whether that ends in a reset, in the midst of it or after."""
        try:
            return read_to_end(self.client()) == (b"", Ending.RST)
        except ConnectionResetError:
            return True

    def stop_listening(self) -> None:
        """Be nowhere to be found."""
        self._listener.close()


def read(one: socket.socket, size: int) -> bytes:
    """Read so many bytes."""
    got = b""
    while len(got) < size:
        piece = one.recv(size - len(got))
        assert piece, f"the end came after {len(got)} bytes"
        got += piece
    return got


def read_to_end(one: socket.socket) -> tuple[bytes, Ending]:
    """Read to the end; return all that came, and how it ended."""
    got = b""
    try:
        while piece := one.recv(65_536):
            got += piece
    except ConnectionResetError:
        return got, Ending.RST
    return got, Ending.FIN


def taken(path: FaultyTcp) -> int:
    """Return how many bytes have come, in both directions."""
    return sum(one.up_taken + one.down_taken for one in path.seen)


def send_in_thread(one: socket.socket, data: bytes) -> threading.Thread:
    """Send more than fits in any buffer; errors are the other end's business."""

    def send() -> None:
        with contextlib.suppress(OSError):
            one.sendall(data)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


# Without a fault


def test_bytes_pass() -> None:
    """Without a plan all bytes pass in both directions, and are counted."""
    with Ends() as ends:
        client, target = ends.pair()
        thread = send_in_thread(client, MANY)
        assert read(target, len(MANY)) == MANY
        thread.join()
        target.sendall(b"answer")
        assert read(client, 6) == b"answer"
        ends.path.wait_until(lambda path: path.up_passed + path.down_passed == len(MANY) + 6)
        (seen,) = ends.path.seen
        assert (seen.up_taken, seen.up_passed) == (len(MANY), len(MANY))
        assert (seen.down_taken, seen.down_passed) == (6, 6)
        assert (ends.path.open_now, ends.path.up_passed) == (1, len(MANY))


@pytest.mark.parametrize("is_client_first", [True, False])
def test_ends_pass(*, is_client_first: bool) -> None:
    """The end of each direction passes by itself; after both, the connection is over."""
    with Ends() as ends:
        client, target = ends.pair()
        first, last = (client, target) if is_client_first else (target, client)
        first.sendall(b"question")
        first.shutdown(socket.SHUT_WR)
        assert read_to_end(last) == (b"question", Ending.FIN)
        last.sendall(b"answer")
        last.close()
        assert read_to_end(first) == (b"answer", Ending.FIN)
        ends.path.wait_until(lambda path: path.open_now == 0)


@pytest.mark.parametrize("is_client_gone", [True, False])
def test_reset_passes(*, is_client_gone: bool) -> None:
    """A reset of one end is a reset for the other."""
    with Ends() as ends:
        client, target = ends.pair()
        gone, left = (client, target) if is_client_gone else (target, client)
        left.sendall(b"x")
        read(gone, 1)
        reset(gone)
        assert read_to_end(left) == (b"", Ending.RST)


def test_no_target() -> None:
    """Where the target cannot be reached the client is reset."""
    with Ends() as ends:
        ends.stop_listening()
        assert ends.refused()
        assert len(ends.path.seen) == 1


# Cuts


@pytest.mark.parametrize("by", Ending)
@pytest.mark.parametrize("at", [1, 1_000, 200_000])
@pytest.mark.parametrize("is_up", [True, False])
def test_cut_at(at: int, by: Ending, *, is_up: bool) -> None:
    """A connection is cut when so many bytes have passed in one direction; a new one is not."""
    flow = Flow(cut_at=at, cut_by=by)
    with Ends(Plan(up=flow) if is_up else Plan(down=flow)) as ends:
        client, target = ends.pair()
        source, sink = (client, target) if is_up else (target, client)
        thread = send_in_thread(source, MANY)
        got, ended_by = read_to_end(sink)
        # A reset overtakes what the kernel has not delivered yet: that of a small cut it has.
        assert got == MANY[: len(got) if by is Ending.RST and at > 1_000 else at]
        assert ended_by is by
        sink.close()
        assert read_to_end(source)[0] == b""
        source.close()
        thread.join()
        ends.path.wait_until(lambda path: path.open_now == 0)
        assert ends.path.up_passed + ends.path.down_passed == at
        client, target = ends.pair()
        target.sendall(MANY[:5_000])
        assert read(client, 5_000) == MANY[:5_000]


def test_cut_at_once() -> None:
    """Cut before its first byte, a connection is seen by the target, and is of no use."""
    with Ends(Plan(up=Flow(cut_at=0)), Plan(down=Flow(cut_at=0, cut_by=Ending.FIN))) as ends:
        assert ends.refused()
        assert read_to_end(ends.accepted()) == (b"", Ending.RST)
        client, target = ends.pair()
        assert read_to_end(client) == (b"", Ending.FIN)
        assert read_to_end(target) == (b"", Ending.FIN)


@pytest.mark.parametrize("by", Ending)
def test_cut_all(by: Ending) -> None:
    """All connections are cut when the test says so, and none that comes later."""
    with Ends() as ends:
        pairs = [ends.pair() for _ in range(3)]
        for client, target in pairs:
            client.sendall(b"x")
            read(target, 1)
        ends.path.cut_all(by)
        for client, target in pairs:
            assert read_to_end(client) == (b"", by)
            assert read_to_end(target) == (b"", by)
        ends.pair()
        assert len(ends.path.seen) == 4


def test_cut_twice() -> None:
    """A connection that has had its end, and waits for those of others, can be reset."""
    with Ends() as ends:
        client, target = ends.pair()
        ends.path.cut_all(Ending.FIN)
        assert read_to_end(target) == (b"", Ending.FIN)
        client.sendall(b"nobody listens")
        ends.path.wait_until(lambda path: taken(path) == 14)
        assert ends.path.open_now == 1
        ends.path.cut_all()
        ends.path.cut_all()
        assert ends.path.open_now == 0


# Holes


@pytest.mark.parametrize("at", [0, 1, 70_000])
@pytest.mark.parametrize("is_up", [True, False])
def test_hole(at: int, *, is_up: bool) -> None:
    """From its byte on all is taken and nothing arrives, nor does anything come back."""
    flow = Flow(hole_at=at)
    with Ends(Plan(up=flow) if is_up else Plan(down=flow)) as ends:
        client, target = ends.pair()
        source, sink = (client, target) if is_up else (target, client)
        source.sendall(MANY)
        sink.sendall(b"nothing comes back" if at == 0 else b"")
        assert read(sink, at) == MANY[:at]
        ends.path.wait_until(lambda path: taken(path) >= len(MANY))
        assert ends.path.seen[0].is_in_hole
        sink.sendall(b"nor now")
        source.shutdown(socket.SHUT_WR)
        expected = len(MANY) + 7 + (18 if at == 0 else 0)
        ends.path.wait_until(lambda path: taken(path) == expected)
        assert ends.path.up_passed + ends.path.down_passed == at
        for one in (source, sink):
            one.settimeout(0.0)
            with pytest.raises(BlockingIOError):
                one.recv(1)


def test_hole_keeps_ends_apart() -> None:
    """Neither end hears that the other is gone: by a reset no more than by an end."""
    with Ends(Plan(up=Flow(hole_at=0))) as ends:
        client, target = ends.pair()
        reset(client)
        target.sendall(b"hello?")
        ends.path.wait_until(lambda path: taken(path) == 6)
        assert ends.path.open_now == 1
        ends.path.cut_all()
        assert read_to_end(target) == (b"", Ending.RST)


def test_hole_all_and_heal() -> None:
    """In the hole nothing passes, for new connections neither; healed, new ones pass again."""
    with Ends() as ends:
        client, target = ends.pair()
        client.sendall(b"before")
        assert read(target, 6) == b"before"
        ends.path.hole_all()
        client.sendall(b"after")
        lost = ends.client()
        lost.sendall(b"lost")
        ends.path.wait_until(lambda path: taken(path) == 15)
        ends.path.heal()
        client.sendall(b"too late")
        ends.path.wait_until(lambda path: taken(path) == 23)
        again, seen_again = ends.pair()
        again.sendall(b"healed")
        assert read(seen_again, 6) == b"healed"
        ends.path.wait_until(lambda path: path.up_passed == 12)
        assert [one.is_in_hole for one in ends.path.seen] == [True, True, False]
        ends.path.cut_all(Ending.FIN)
        assert read_to_end(lost)[1] is Ending.RST
        assert read_to_end(target) == (b"", Ending.FIN)


# Refusals


def test_refused() -> None:
    """A connection that is refused is reset, and the target never sees it."""
    with Ends(Plan(is_refused=True)) as ends:
        assert ends.refused()
        client, target = ends.pair()
        client.sendall(b"x")
        assert read(target, 1) == b"x"
        assert [one.is_open for one in ends.path.seen] == [False, True]


def test_refuse_all_and_heal() -> None:
    """All new connections are refused until the path is healed; those that are open go on."""
    with Ends() as ends:
        client, target = ends.pair()
        ends.path.refuse_all()
        for _ in range(3):
            assert ends.refused()
        client.sendall(b"x")
        assert read(target, 1) == b"x"
        ends.path.heal()
        ends.pair()


def test_plans_in_order() -> None:
    """Each connection has the next plan, and those after the last the one for all others."""
    cut = Plan(up=Flow(cut_at=0, cut_by=Ending.FIN))
    with Ends(cut, then=Plan(is_refused=True)) as ends:
        client, _ = ends.pair()
        read_to_end(client)
        assert ends.refused()
        ends.path.plan(Plan(), then=cut)
        client, target = ends.pair()
        client.sendall(b"x")
        assert read(target, 1) == b"x"
        client, _ = ends.pair()
        read_to_end(client)
        ends.path.plan()
        plans = [cut, Plan(is_refused=True), Plan(), cut]
        assert [one.plan for one in ends.path.seen] == plans


# Slowness: nothing comes too early; how late it is, is the machine's affair


def test_delay() -> None:
    """Bytes and ends are so long on their way, in each direction by itself."""
    with Ends(Plan(up=Flow(delay_s=0.2), down=Flow(delay_s=0.1))) as ends:
        client, target = ends.pair()
        for source, sink, seconds in ((client, target, 0.2), (target, client, 0.1)):
            begun = time.monotonic()
            source.sendall(MANY[:10_000])
            assert read(sink, 10_000) == MANY[:10_000]
            assert time.monotonic() - begun >= seconds
            begun = time.monotonic()
            source.shutdown(socket.SHUT_WR)
            assert read_to_end(sink) == (b"", Ending.FIN)
            assert time.monotonic() - begun >= seconds


def test_throttle() -> None:
    """A throttled direction passes so many bytes a second; the other is as fast as ever."""
    with Ends(Plan(down=Flow(bytes_per_s=100_000))) as ends:
        client, target = ends.pair()
        begun = time.monotonic()
        target.sendall(MANY[:40_000])
        assert read(client, 40_000) == MANY[:40_000]
        assert time.monotonic() - begun >= 0.35
        thread = send_in_thread(client, MANY)
        assert read(target, len(MANY)) == MANY
        thread.join()


def test_back_pressure() -> None:
    """Of a source that is faster than its direction no more than a few megabytes are taken."""
    with Ends(Plan(up=Flow(delay_s=3_600.0))) as ends:
        client, _ = ends.pair()
        thread = send_in_thread(client, MANY * 20)
        ends.path.wait_until(lambda path: taken(path) > 4_000_000)
        for _ in range(100):
            ends.path.plan()  # a turn of its thread
        assert ends.path.seen[0].up_taken < 4_500_000
        assert ends.path.up_passed == 0
        ends.path.cut_all()
        thread.join()


def test_sink_that_does_not_read() -> None:
    """What a sink does not take waits, and all of it arrives in the end."""
    with Ends() as ends:
        client, target = ends.pair()
        thread = send_in_thread(client, MANY * 20)
        ends.path.wait_until(lambda path: taken(path) > 4_000_000)
        assert read(target, len(MANY) * 20) == MANY * 20
        thread.join()


# The path itself


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: Flow(cut_at=-1), "cut_at must be 0 or more, got -1"),
        (lambda: Flow(hole_at=-1), "hole_at must be 0 or more, got -1"),
        (lambda: Flow(delay_s=math.nan), "delay_s must be 0 or more, got nan"),
        (lambda: Flow(bytes_per_s=0), "bytes_per_s must be more than 0, got 0"),
    ],
)
def test_bad_plan(made: object, said: str) -> None:
    """A plan that makes no sense is refused."""
    assert callable(made)
    with pytest.raises(ValueError, match=said):
        made()


def test_wait_in_vain() -> None:
    """Waiting gives up, and says what was seen."""
    with Ends() as ends, pytest.raises(TimeoutError, match=r"waited 0\.05 s in vain: \[\]"):
        ends.path.wait_until(lambda path: path.seen, timeout_s=0.05)


def test_nothing_is_left() -> None:
    """The end comes at once, whatever is going on, and no thread or descriptor stays."""
    process = psutil.Process()
    before, threads = process.num_fds(), set(threading.enumerate())
    plans = (
        Plan(up=Flow(hole_at=0)),
        Plan(up=Flow(delay_s=3_600.0)),
        Plan(down=Flow(bytes_per_s=1.0)),
        Plan(),
    )
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        with FaultyTcp(listener.getsockname()[:2], *plans) as path:
            ends: list[socket.socket] = []
            for _ in plans:
                ends.append(socket.create_connection(path.address, PATIENCE_S))
                ends.append(listener.accept()[0])
            for one in ends:
                stack.enter_context(one).sendall(MANY[:1_000])
        assert path.open_now == 0
        assert set(threading.enumerate()) <= threads
        assert {read_to_end(one)[1] for one in ends} == {Ending.RST}
    assert process.num_fds() <= before


# Who is at its ends


@contextlib.contextmanager
def path_to_emulator(*plans: Plan, tls: bool) -> Generator[tuple[FaultyTcp, Path | None]]:
    """Return a path to the emulator, and the certificate to trust."""
    with Emulator(tls=tls) as gemini, FaultyTcp(f"{gemini.url}{PATH}?key=abc", *plans) as path:
        yield path, gemini.ca_file


@pytest.mark.parametrize("tls", [False, True])
def test_asyncio(*, tls: bool) -> None:
    """A WebSocket on asyncio passes, with TLS or without, until it is cut."""

    async def talk(path: FaultyTcp, ca_file: Path | None) -> None:
        trusted = ssl.create_default_context(cafile=str(ca_file)) if ca_file else None
        async with websockets.connect(path.url, ssl=trusted, proxy=None) as link:
            await link.send(SETUP)
            assert json.loads(await link.recv()) == {"setupComplete": {}}
            path.cut_all()
            with pytest.raises(websockets.ConnectionClosedError):
                await link.recv()

    with path_to_emulator(tls=tls) as (path, ca_file):
        assert path.url.startswith(f"{'wss' if tls else 'ws'}://127.0.0.1:")
        asyncio.run(talk(path, ca_file))


@pytest.mark.trio
async def test_trio() -> None:
    """A stream on trio is cut after the byte that was planned."""
    with path_to_emulator(Plan(down=Flow(cut_at=12, cut_by=Ending.FIN)), tls=False) as (path, _):
        async with await trio.open_tcp_stream(*path.address) as stream:
            await stream.send_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            got = b"".join([piece async for piece in stream])
        assert got == b"HTTP/1.1 404"


def test_subprocess() -> None:
    """A program elsewhere finds a hole where it expects an answer."""
    with Ends() as ends:
        ends.path.hole_all()
        program = (
            "import socket\n"
            f"one = socket.create_connection({ends.path.address}, 0.2)\n"
            "one.sendall(b'hello')\n"
            "try: one.recv(1)\n"
            "except TimeoutError: print('nothing')\n"
        )
        done = run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603 - our own interpreter
        assert done.stdout == "nothing\n"
        ends.path.wait_until(lambda path: taken(path) == 5)
