"""What a relay needs of any WebSocket, and the listening sockets of `serve`."""

import contextlib
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

import attrs


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

    peer: str

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
        """Send one text message; into the void, once Gemini has gone: `receive` tells of it."""

    async def close(self, code: int) -> None:
        """Close it."""


Dial = Callable[[], AbstractAsyncContextManager[UpstreamSocket]]
"""Opens a link to Gemini for as long as a block runs; raises `faults.DialError`."""

_LOCALHOST: Final = ("127.0.0.1", "::1")
# Linux's tcp(7): a peer that vanished is found after 20 s + 4 x 5 s of silence, or when nothing
# sent is acknowledged for a minute.
_OPTIONS: Final = (
    ("TCP_KEEPIDLE", 20),
    ("TCP_KEEPINTVL", 5),
    ("TCP_KEEPCNT", 4),
    ("TCP_USER_TIMEOUT", 60_000),
    ("TCP_NODELAY", 1),
)


def listen(host: str, port: int) -> list[socket.socket]:
    """Return bound TCP sockets; `localhost` means 127.0.0.1 and ::1, on one port.

    Raises:
        OSError: The address cannot be had; the text names it.
    """
    hosts = _LOCALHOST if host == "localhost" else (host,)
    found: list[socket.socket] = []
    for one in hosts:
        try:
            found.append(_bound(one, found[0].getsockname()[1] if found else port))
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


def _bound(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _OPTIONS:
            with contextlib.suppress(AttributeError, OSError):  # not every system has each
                opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        opened.bind(address)
    except BaseException:
        opened.close()
        raise
    return opened
