"""A client's WebSocket that a trio application has accepted, by trio-websocket."""

import contextlib
from collections.abc import AsyncGenerator

from trio_websocket import ConnectionClosed, WebSocketConnection

import trio
from livegate.shell.sockets import CLIENT_STALL_S, Closed, Message, guard, peer_name


class Client:
    """A connection of trio-websocket's, as a relay needs it."""

    def __init__(self, connection: WebSocketConnection) -> None:
        self._connection = connection
        self.peer = ""

    async def receive(self) -> Message | Closed:
        """Wait for the next message, or for the end."""
        try:
            message = await self._connection.get_message()
        except ConnectionClosed as closed:
            end = closed.reason
            return Closed() if end is None else Closed(end.code, end.reason or "")
        if isinstance(message, str):
            return Message(message.encode(), is_text=True)
        return Message(message, is_text=False)

    async def send(self, payload: bytes, *, is_text: bool) -> None:
        """Send one message; into the void, once the client has gone: `receive` tells of it."""
        with contextlib.suppress(ConnectionClosed):
            await self._connection.send_message(payload.decode() if is_text else payload)

    async def close(self, code: int, reason: str) -> None:
        """Close it, with its handshake."""
        await self._connection.aclose(code, reason)


@contextlib.asynccontextmanager
async def lent(connection: WebSocketConnection) -> AsyncGenerator[Client, None]:
    """Take a connection for as long as the block runs; nothing of it is left open then."""
    # Public methods cannot cut a connection whose closing has begun, and would wait for ever for
    # a client that has sent its close, or a message too long, and reads nothing any more.
    stream = connection._stream  # noqa: SLF001 - see above # pyright: ignore[reportPrivateUsage]
    client = Client(connection)
    with contextlib.suppress(OSError):  # it has gone already, or is no TCP connection
        if (opened := _socket(stream)) is not None:
            client.peer = peer_name(opened.getpeername())
            guard(opened, CLIENT_STALL_S)
    try:
        yield client
    finally:
        await trio.aclose_forcefully(stream)


def _socket(stream: trio.abc.Stream) -> trio.socket.SocketType | None:
    """Return the socket that a stream goes over, with TLS or without."""
    match stream:
        case trio.SocketStream():
            return stream.socket
        case trio.SSLStream(transport_stream=trio.SocketStream() as inner):
            return inner.socket
        case _:
            return None
