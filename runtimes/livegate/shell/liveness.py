"""Whether a client's host is still there, however busy its program is.

Each client is pinged, but a missing pong proves little: a program may be blocked for minutes (the
original's client waits in `input()`), read nothing and answer nothing. Its host's kernel still
acknowledges what arrives until its buffer is full, and from then on each probe of its closed
window. So it is the host that is judged, by what our kernel has heard of it; see `has_vanished`.

`TCP_USER_TIMEOUT` cannot tell the two apart. It limits, says tcp(7), how long "transmitted data
may remain unacknowledged, or buffered data may remain untransmitted (due to zero window size)":
however well a busy host answers the probes, its connection is cut. Nor can keepalive: Linux
probes only a connection on which nothing waits, and a ping always does.
"""

import contextlib
import socket
import struct
import sys
from typing import Final, Protocol

from livegate.shell import sockets

_UNTIMED: Final = 0
"""tcp(7), TCP_USER_TIMEOUT: "If the option value is specified as 0, TCP will use the system
default.", which is none while probes are answered, and a quarter of an hour for what is in flight."""
_RTO_MAX_MS: Final = 44
"""TCP_RTO_MAX_MS of linux/tcp.h, "max rto time in ms", since Linux 6.15; Python has no name yet."""
_REPEATED_MS: Final = 5_000
"""How often at least what is not answered is repeated; by default the pause grows to 120 s."""
_OF_MACOS: Final = (("TCP_KEEPALIVE", 20),)
"""Its name for TCP_KEEPIDLE, which `sockets.guard` sets elsewhere."""

_TCP_INFO: Final = struct.Struct("=2xBB4xI40xII")
"""Of struct tcp_info in linux/tcp.h: tcpi_retransmits, tcpi_probes, tcpi_rto (in microseconds),
tcpi_last_data_recv, tcpi_last_ack_recv (in milliseconds, how long ago)."""
_BYTES_ACKED: Final = struct.Struct("=120xQ")
_PROBES: Final = 2
"""One may be on its way."""
_REPEATING_US: Final = 4_000_000
"""Below `_REPEATED_MS`, where tcpi_rto ends."""


class Watched(Protocol):
    """A TCP socket, whoever wraps it; under TLS, the socket below."""

    def getsockopt(self, level: int, optname: int, buflen: int, /) -> bytes:
        """Get an option."""
        ...


def guard(opened: sockets.Options) -> None:
    """Have a client's socket probed while it is idle, but never cut while its host answers.

    What was sent is not held back (TCP_NODELAY); after 20 s of silence an idle connection is
    probed four times in 20 s; what is in flight, or waits for a closed window, is repeated every
    5 s. There is no TCP_USER_TIMEOUT, and one that a listening socket has handed down is taken
    back. Accepted sockets inherit all this from a listening one, too.
    """
    sockets.guard(opened, _UNTIMED)
    for name, value in _OF_MACOS:
        with contextlib.suppress(AttributeError, OSError):
            opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # before Linux 6.15
            opened.setsockopt(socket.IPPROTO_TCP, _RTO_MAX_MS, _REPEATED_MS)


def has_vanished(opened: Watched, span_s: float) -> bool:
    """Return whether nothing answers any more where a client's host was.

    Ask before each ping, when the last one was sent `span_s` ago. Then a host that has vanished is
    found one span after the first ping that it did not acknowledge: two spans after it was last
    there, at most.

    Nothing may have been heard of it for nine tenths of a span, neither data nor acknowledgements
    (tcpi_last_data_recv, tcpi_last_ack_recv); and our kernel must have repeated itself in vain:

    - What is in flight was sent again: tcpi_retransmits, "Number of unrecovered [RTO] timeouts",
      each of which doubled tcpi_rto. So it was sent `rto - rto / 2**retransmits` ago or earlier; a
      fifth of a span is asked for, lest something sent just now be taken for something lost.
    - Nothing is in flight, for the window is closed or all was acknowledged: tcpi_probes,
      "unanswered 0 window probes", which counts keepalive's, too, and from 0 after each answer.

    So a client that reads nothing is there for as long as its host answers. If the host goes then,
    it is found as soon if the kernel probes as often as `guard` asks; before Linux 6.15 the pause
    between probes has grown to as much as two minutes, and two of them take up to five.

    False where the system does not tell, or the socket has been closed. On macOS and Windows
    keepalive remains, for connections on which nothing waits, and the system's own patience.

    Args:
        opened: The client's socket, after `guard`.
        span_s: How long ago the last ping was sent.
    """
    if sys.platform != "linux":
        return False
    try:
        info = opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    except OSError:
        return False  # closed, or no TCP socket
    if len(info) < _TCP_INFO.size:
        return False
    told: tuple[int, int, int, int, int] = _TCP_INFO.unpack(info)
    retransmits, probes, rto_us, data_ms, ack_ms = told
    if min(data_ms, ack_ms) < span_s * 900:
        return False
    repeating_us = rto_us - (rto_us >> retransmits)
    return probes >= _PROBES or repeating_us >= min(span_s * 200_000, _REPEATING_US)


def bytes_taken(opened: Watched) -> int:
    """Return how many bytes the other side's host has acknowledged, of all that was ever sent.

    Of struct tcp_info in linux/tcp.h: tcpi_bytes_acked (RFC 4898, tcpEStatsAppHCThruOctetsAcked).
    Much may be on its way or wait in our kernel, which takes nothing more from us until half of that
    has gone: so this tells who reads slowly from who does not read. 0 where the system does not tell.
    """
    if sys.platform != "linux":
        return 0
    try:
        info = opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED.size)
    except OSError:
        return 0
    if len(info) < _BYTES_ACKED.size:
        return 0
    acked: int = _BYTES_ACKED.unpack(info)[0]
    return acked
