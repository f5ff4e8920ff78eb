"""A client's host is there or has vanished, as the kernel tells; its program may do what it likes."""

import asyncio
import contextlib
import itertools
import select
import socket
import struct
import sys
import time
from collections.abc import Generator
from typing import Final

import attrs
import pytest
import trio

import netns
from livegate.shell import liveness, sockets

linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
PING: Final = b"\x89\x00"
SPAN_S: Final = 0.5
PATIENCE_S: Final = 20.0
_LISTENING: Final = ("127.0.0.1", 0)


@contextlib.contextmanager
def connected(
    near: contextlib.AbstractContextManager[None] | None = None,
    far: contextlib.AbstractContextManager[None] | None = None,
    host: str = "127.0.0.1",
) -> Generator[tuple[socket.socket, socket.socket], None, None]:
    """Yield our socket, guarded as a client's is, and the client's."""
    with near or contextlib.nullcontext():
        listening = socket.create_server((host, 0))
    with listening:
        liveness.guard(listening)
        with far or contextlib.nullcontext():
            client = socket.create_connection(listening.getsockname(), PATIENCE_S)
        ours, _ = listening.accept()
    with ours, client:
        yield ours, client


def fill(ours: socket.socket) -> None:
    """Send until the client's window is closed and our buffer is full, too."""
    ours.settimeout(0)
    while select.select([], [ours], [], 0.1)[1]:
        with contextlib.suppress(BlockingIOError):
            ours.send(bytes(65536))


def silence_s(ours: socket.socket) -> float:
    """Return how long ago the host last said anything."""
    info = ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 60)
    data_ms, ack_ms = struct.unpack_from("=2I", info, 52)
    return float(min(data_ms, ack_ms)) / 1000


def vanishing_s(ours: socket.socket, span_s: float) -> float:
    """Return how long it takes from now until the host is found to have vanished, as it must."""
    begun = time.monotonic()
    while not liveness.has_vanished(ours, span_s):
        assert time.monotonic() - begun < PATIENCE_S, "not found"
        select.select([], [], [], 0.02)
    return time.monotonic() - begun


@linux
def test_idle_is_there() -> None:
    """A host that acknowledged all is there, however long it has had nothing to say."""
    with connected() as (ours, _):
        ours.send(PING)
        while silence_s(ours) < SPAN_S * 2:
            assert not liveness.has_vanished(ours, SPAN_S)
            select.select([], [], [], 0.05)
        ours.send(PING)
        assert not liveness.has_vanished(ours, SPAN_S)


@linux
def test_closed_window_is_there() -> None:
    """A client that reads nothing is there, between one probe of its window and the next."""
    with connected() as (ours, _):
        fill(ours)
        longest = 0.0
        for _ in range(80):
            longest = max(longest, silence_s(ours))
            assert not liveness.has_vanished(ours, SPAN_S)
            select.select([], [], [], 0.02)
        assert longest > SPAN_S, "the probes came too often to show anything"


@linux
def test_ping_in_flight() -> None:
    """A host that does not acknowledge a ping has vanished; it had not, before."""
    with netns.cable() as cable:
        ends = connected(cable.near.entered(), cable.far.entered(), cable.near.address)
        with ends as (ours, client):
            ours.send(PING)
            assert client.recv(9) == PING
            cable.cut()
            begun = time.monotonic()
            ours.send(PING)
            is_early = liveness.has_vanished(ours, SPAN_S)
            assert not is_early or time.monotonic() - begun > SPAN_S  # or the machine is busy
            assert vanishing_s(ours, SPAN_S) < SPAN_S * 8
            cable.mend()
            assert client.recv(9) == PING
            assert not liveness.has_vanished(ours, SPAN_S)


@linux
def test_closed_window_vanishes() -> None:
    """A host whose program did not read is found, too, when it has vanished."""
    with netns.cable() as cable:
        ends = connected(cable.near.entered(), cable.far.entered(), cable.near.address)
        with ends as (ours, _):
            fill(ours)
            assert not liveness.has_vanished(ours, SPAN_S)
            cable.cut()
            vanishing_s(ours, SPAN_S)


@attrs.frozen
class Told:
    """A socket of which the kernel tells this."""

    info: bytes

    def getsockopt(self, _level: int, _optname: int, buflen: int, /) -> bytes:
        """Answer as the kernel does: no more than there is."""
        return self.info[:buflen]


_HEARD: Final = 17_900
_SILENT: Final = 18_000


@linux
@pytest.mark.parametrize(
    ("retransmits", "probes", "rto_ms", "data_ms", "ack_ms", "expected"),
    [
        pytest.param(0, 0, 204, 90_000, 90_000, False, id="idle, or sent just now"),
        pytest.param(6, 0, 13_056, 40_000, 40_000, True, id="a ping in flight"),
        pytest.param(6, 0, 13_056, 40_000, _HEARD, False, id="an acknowledgement"),
        pytest.param(6, 0, 13_056, _HEARD, 40_000, False, id="data"),
        pytest.param(6, 0, 13_056, _SILENT, _SILENT, True, id="silent just long enough"),
        pytest.param(2, 0, 816, 40_000, 40_000, False, id="lost just now"),
        pytest.param(4, 0, 4_266, 40_000, 40_000, False, id="sent 3.999 s ago"),
        pytest.param(4, 0, 4_267, 40_000, 40_000, True, id="sent 4 s ago"),
        pytest.param(1, 0, 8_000, 40_000, 40_000, True, id="a slow line"),
        pytest.param(9, 0, 5_000, 40_000, 40_000, True, id="as often as asked for"),
        pytest.param(0, 1, 208, 90_000, 90_000, False, id="a probe on its way"),
        pytest.param(0, 2, 208, 90_000, 90_000, True, id="probes of a closed window"),
        pytest.param(0, 2, 208, _HEARD, 90_000, False, id="data beside probes"),
    ],
)
def test_told(  # noqa: PLR0913 - as many as has_vanished looks at
    retransmits: int, probes: int, rto_ms: int, data_ms: int, ack_ms: int, *, expected: bool
) -> None:
    """It takes a silence, and something repeated in vain."""
    info = bytearray(104)
    info[2], info[3] = retransmits, probes
    struct.pack_into("=I", info, 8, rto_ms * 1000)
    struct.pack_into("=2I", info, 52, data_ms, ack_ms)
    assert liveness.has_vanished(Told(bytes(info)), 20) == expected


def test_longer_spans() -> None:
    """A span is asked for in silence, but not in repetitions, which are not known to last so long."""
    info = bytearray(104)
    info[2] = 9
    struct.pack_into("=I", info, 8, 5_000_000)
    struct.pack_into("=2I", info, 52, 60_000, 60_000)
    assert liveness.has_vanished(Told(bytes(info)), 60) == (sys.platform == "linux")


def test_not_told() -> None:
    """What no kernel tells of has not vanished."""
    assert not liveness.has_vanished(Told(b""), 0)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert not liveness.has_vanished(ours, 0)
    assert not liveness.has_vanished(ours, 0)


def test_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system is another, no host has vanished, and no option of Linux's is set."""
    monkeypatch.setattr(sys, "platform", "darwin")
    info = bytearray(itertools.repeat(0xFF, 104))
    assert not liveness.has_vanished(Told(bytes(info)), 1)
    with connected() as (ours, _), contextlib.suppress(OSError):
        assert ours.getsockopt(socket.IPPROTO_TCP, 44) != 5_000


def test_wrapped() -> None:
    """Sockets may be in the wrappings of either runtime."""

    async def wrapped(client: socket.socket) -> None:
        _, writer = await asyncio.open_connection(sock=client)
        try:
            found = writer.get_extra_info("socket")
            liveness.guard(found)
            assert not liveness.has_vanished(found, SPAN_S)
        finally:
            writer.close()
            await writer.wait_closed()

    with connected() as (ours, client):
        found = trio.socket.from_stdlib_socket(ours)
        liveness.guard(found)
        assert not liveness.has_vanished(found, SPAN_S)
        asyncio.run(wrapped(client))


@linux
def test_guard() -> None:
    """An accepted socket has the listening one's options, and no limit for what is in flight."""
    with socket.create_server(_LISTENING) as listening:
        sockets.guard(listening, sockets.CLIENT_STALL_S)
        liveness.guard(listening)
        with socket.create_connection(listening.getsockname()), listening.accept()[0] as ours:
            found = [
                ours.getsockopt(socket.IPPROTO_TCP, option)
                for option in (
                    socket.TCP_NODELAY,
                    socket.TCP_KEEPIDLE,
                    socket.TCP_KEEPINTVL,
                    socket.TCP_KEEPCNT,
                    socket.TCP_USER_TIMEOUT,
                )
            ]
            assert found == [1, 20, 5, 4, 0]
            assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            with contextlib.suppress(OSError):  # before Linux 6.15
                assert ours.getsockopt(socket.IPPROTO_TCP, 44) == 5_000


@linux
def test_what_was_taken() -> None:
    """What a client's host has acknowledged is counted, whether or not its program reads."""
    with connected() as (ours, client):
        before = liveness.bytes_taken(ours)
        ours.sendall(bytes(1000))
        until = time.monotonic() + PATIENCE_S
        while liveness.bytes_taken(ours) < before + 1000:
            assert time.monotonic() < until
        assert len(client.recv(1000, socket.MSG_WAITALL)) == 1000
    assert liveness.bytes_taken(ours) == 0  # it is closed
