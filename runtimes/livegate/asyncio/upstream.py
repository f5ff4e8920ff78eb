"""The link to Gemini on asyncio, by websockets."""

import contextlib
from collections.abc import AsyncGenerator, Generator, Mapping
from types import MappingProxyType
from typing import Any, Final

import websockets
from websockets.asyncio.client import ClientConnection, connect

from livegate.asyncio.dialling import connected
from livegate.protocol.connection.websocket import QUIET
from livegate.protocol.gemini import KEY_HEADER
from livegate.protocol.inputs import Fault
from livegate.protocol.secret import Secret
from livegate.shell import faults
from livegate.shell.sockets import UPSTREAM_STALL_S, Closed, guard
from livegate.shell.target import CLOSE_GRACE_S, MAX_MESSAGE_BYTES, Target

OPTIONS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "compression": None,
        "proxy": None,
        "open_timeout": None,
        "ping_interval": None,
        "close_timeout": CLOSE_GRACE_S,
        "max_size": MAX_MESSAGE_BYTES,
        "max_queue": 1,  # of messages that nobody has counted yet
        "logger": QUIET,
    }
)
"""How websockets connects to Gemini, whoever asks it to; the core has the clock."""


class Upstream:
    """An open WebSocket to Gemini."""

    def __init__(self, socket: ClientConnection, target: Target) -> None:
        self._socket = socket
        self._target = target

    async def receive(self) -> bytes | Closed:
        """Wait for the next message, or for the end."""
        try:
            return await self._socket.recv(decode=False)
        except websockets.ConnectionClosed as closed:
            return end_of(closed, self._target.key)

    async def send(self, payload: bytes) -> None:
        """Send one text message; into the void, once Gemini has gone: `receive` tells of it."""
        with contextlib.suppress(websockets.ConnectionClosed):
            await self._socket.send(payload, text=True)

    async def close(self, code: int) -> None:
        """Close the WebSocket, with its handshake."""
        await self._socket.close(code)


def end_of(closed: websockets.ConnectionClosed, key: Secret) -> Closed:
    """Return what the other side said when it closed."""
    end = closed.rcvd
    return Closed() if end is None else Closed(end.code, key.redact(end.reason))


class _Connect(connect):
    """Follows no redirect: the header with the key would go along to wherever it leads."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Take a redirect for the refusal that it is."""
        return exc


@contextlib.asynccontextmanager
async def dial(target: Target) -> AsyncGenerator[Upstream, None]:
    """Open a link for as long as the block runs.

    Raises:
        DialError: It could not be opened.
    """
    with faults_told():
        socket = await _Connect(
            target.url,
            sock=await connected(target.host, target.port),
            ssl=target.ssl_context,
            server_hostname=target.host if target.ssl_context else None,
            additional_headers={KEY_HEADER: target.key.value},
            **OPTIONS,
        )
    try:
        guard(socket.transport.get_extra_info("socket"), UPSTREAM_STALL_S)
        yield Upstream(socket, target)
    finally:
        socket.transport.abort()  # a close handshake may wait for ever for one who does not read


@contextlib.contextmanager
def faults_told() -> Generator[None, None, None]:
    """Turn what websockets raises, when it cannot connect, into a `DialError`."""
    try:
        yield
    except websockets.InvalidStatus as rejected:
        raise faults.DialError(faults.of_status(rejected.response.status_code)) from None
    except websockets.InvalidHandshake as error:
        raise faults.DialError(faults.of_exception(error, Fault.HTTP)) from None
    except (OSError, UnicodeError) as error:
        raise faults.DialError(faults.of_exception(error)) from None
