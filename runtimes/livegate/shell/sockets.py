"""What a relay needs of any WebSocket, and the listening sockets of `serve`."""

import contextlib
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol, cast

import attrs

from livegate.protocol.hello import Hello


@attrs.frozen
class Message:
    """A whole WebSocket message."""

    payload: bytes
    is_text: bool


@attrs.frozen
class Closed:
    """The end of a WebSocket; 1006 stands for none that was said (RFC 6455 section 7.4.1)."""

    code: int = 1006
    reason: str = ""


class ClientSocket(Protocol):
    """A client's WebSocket, already accepted, whoever serves it."""

    hello: Hello

    async def receive(self) -> Message | Closed:
        """Wait for the next message, or for the end."""
        ...

    async def send(self, payload: bytes, *, is_text: bool) -> None:
        """Send one message; wait while the client does not read."""

    async def close(self, code: int, reason: str) -> None:
        """Close it."""


class UpstreamSocket(Protocol):
    """An open WebSocket to Gemini."""

    async def receive(self) -> bytes | Closed:
        """Wait for the next message, or for the end."""
        ...

    async def send(self, payload: bytes) -> None:
        """Send one text message; into the void, once Gemini has gone: `receive` tells of it.

        Raises:
            DialError: It was the setup, and dialled only now.
        """

    async def close(self, code: int) -> None:
        """Close it."""


Dial = Callable[[], AbstractAsyncContextManager[UpstreamSocket]]
"""Opens a link to Gemini for as long as a block runs; raises `faults.DialError`."""

_BACKLOG: Final = 512
_LOCALHOST: Final = ("127.0.0.1", "::1")
CLIENT_STALL_S: Final = 60
"""How long a client may take nothing in; people's programs pause longer than servers."""
UPSTREAM_STALL_S: Final = 10
_PROBES: Final = (("TCP_KEEPIDLE", 20), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 4))
_UNSENT_BYTES: Final = 128 * 1024
"""What our kernel takes of us that it cannot send yet: as much as `Limits.low_water`. By default it
takes megabytes, a minute of sound, which is lost with the connection and cannot be taken back."""


class Options(Protocol):
    """A TCP socket, whoever wraps it."""

    def setsockopt(self, level: int, optname: int, value: int, /) -> None:
        """Set an option."""


def guard(opened: Options, stall_s: int) -> None:
    """Have the kernel end a connection whose other side has vanished, or takes nothing in.

    Linux, tcp(7): it is probed after 20 s of silence, four times in 20 s; and it is cut when
    nothing that was sent has been acknowledged for `stall_s` seconds, or has been held up by a
    closed window for as long; 0 leaves that to the system. With any other an idle connection, too, is
    cut only then: it overrides the count of probes. What is not on its way yet stays with us.
    """
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    limits = (("TCP_USER_TIMEOUT", stall_s * 1000), ("TCP_NOTSENT_LOWAT", _UNSENT_BYTES))
    for name, value in (*_PROBES, *limits):
        with contextlib.suppress(AttributeError, OSError):  # not every system has each
            opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def peer_name(address: object) -> str:
    """Return the host in a socket's address; nothing, if it is no TCP socket's."""
    if not isinstance(address, tuple):
        return ""
    return str(cast("tuple[object, ...]", address)[0])  # isinstance tells no members


def listen(host: str, port: int, *, reuse_port: bool = False) -> list[socket.socket]:
    """Return listening TCP sockets; `localhost` means 127.0.0.1 and ::1, on one port.

    Args:
        host: A name or an address.
        port: 0 takes a free one.
        reuse_port: Other processes may listen there, too (Linux: the kernel spreads clients).

    Raises:
        OSError: The address cannot be had; the text names it.
    """
    hosts = _LOCALHOST if host == "localhost" else (host,)
    found: list[socket.socket] = []
    for one in hosts:
        try:
            at = found[0].getsockname()[1] if found else port
            found.append(_bound(one, at, reuse_port=reuse_port))
        except OSError as error:
            if one == "::1" and found:
                continue  # a machine without IPv6
            for opened in found:
                opened.close()
            cause = error.strerror or str(error)
            raise OSError(
                error.errno, f"cannot listen on {one} port {port}: {cause}; try --port"
            ) from None
    return found


def _bound(host: str, port: int, *, reuse_port: bool) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        guard(opened, CLIENT_STALL_S)
        opened.bind(address)
        opened.listen(_BACKLOG)
    except BaseException:
        opened.close()
        raise
    return opened
