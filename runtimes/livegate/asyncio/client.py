"""A client's WebSocket that an asyncio application has accepted, by websockets."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import websockets
from websockets.asyncio.server import ServerConnection

from livegate.protocol import hello
from livegate.protocol.hello import Hello
from livegate.shell import hellos
from livegate.shell.sockets import CLIENT_STALL_S, Closed, Message, guard, peer_name


class Client:
    """A connection of websockets', as a relay needs it.

    It is let go of as soon as it is of no use: a session may go on without it.
    """

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self.hello = hellos.answered(_hello(connection), connection.subprotocol)

    async def receive(self) -> Message | Closed:
        """Wait for the next message, or for the end."""
        try:
            message = await self._connection.recv()
        except websockets.ConnectionClosed as closed:
            end = closed.rcvd or closed.sent
            return Closed() if end is None else Closed(end.code, end.reason)
        if isinstance(message, str):
            return Message(message.encode(), is_text=True)
        return Message(message, is_text=False)

    async def send(self, payload: bytes, *, is_text: bool) -> None:
        """Send one message; into the void, once the client has gone: `receive` tells of it."""
        try:
            with contextlib.suppress(websockets.ConnectionClosed):
                await self._connection.send(payload, text=is_text)
        except asyncio.CancelledError:
            self._connection.transport.abort()
            raise

    async def close(self, code: int, reason: str) -> None:
        """Close it, with its handshake."""
        try:
            await self._connection.close(code, reason)
        finally:
            self._connection.transport.abort()


@contextlib.asynccontextmanager
async def lent(connection: ServerConnection) -> AsyncGenerator[Client, None]:
    """Take a connection for as long as the block runs; nothing of it is left open then."""
    client = Client(connection)
    with contextlib.suppress(OSError):  # it has gone already, or is no TCP connection
        guard(connection.transport.get_extra_info("socket"), CLIENT_STALL_S)
    try:
        yield client
    finally:
        connection.transport.abort()  # a close handshake may wait for ever for one who does not read


def _hello(connection: ServerConnection) -> Hello:
    headers = connection.request.headers.raw_items() if connection.request else ()
    return hello.of_headers(
        headers,
        peer=peer_name(connection.remote_address),
        local=peer_name(connection.local_address),
        is_tls=connection.transport.get_extra_info("ssl_object") is not None,
    )
