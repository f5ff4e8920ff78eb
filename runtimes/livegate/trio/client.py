"""A client's WebSocket that a trio application has accepted, by trio-websocket."""

import contextlib
from collections.abc import AsyncGenerator
from operator import attrgetter
from typing import Final

from trio_websocket import ConnectionClosed, WebSocketConnection
from wsproto.events import Request

import trio
from livegate.protocol import hello
from livegate.protocol.hello import Hello
from livegate.shell import hellos
from livegate.shell.sockets import CLIENT_STALL_S, Closed, Message, guard, peer_name
from livegate.shell.target import FAREWELL_S
from livegate.trio.websocket import read_out, say_nothing_late

_TOO_BIG: Final = 1009


class Client:
    """A connection of trio-websocket's, as a relay needs it.

    It is let go of as soon as it is of no use: a session may go on without it.

    Args:
        connection: Accepted.
        stream: What it goes over.
    """

    def __init__(self, connection: WebSocketConnection, stream: trio.abc.Stream) -> None:
        self._connection = connection
        self._stream = stream
        self._closing: trio.Event | None = None
        self.hello = hellos.answered(_hello(connection, stream), connection.subprotocol)

    async def receive(self) -> Message | Closed:
        """Wait for the next message, or for the end."""
        try:
            message = await self._connection.get_message()
        except ConnectionClosed as closed:
            end = closed.reason
            if self._closing is not None:
                await self._closing.wait()  # our close has been sent: the client's is yet to come
            else:
                if end is not None and end.code == _TOO_BIG:  # said by the library, in mid-message
                    with trio.move_on_after(FAREWELL_S):
                        await read_out(self._stream)
                await trio.aclose_forcefully(self._stream)
            return Closed() if end is None else Closed(end.code, end.reason or "")
        if isinstance(message, str):
            return Message(message.encode(), is_text=True)
        return Message(message, is_text=False)

    async def send(self, payload: bytes, *, is_text: bool) -> None:
        """Send one message; into the void, once the client has gone: `receive` tells of it."""
        try:
            with contextlib.suppress(ConnectionClosed):
                await self._connection.send_message(payload.decode() if is_text else payload)
        except trio.Cancelled:
            await trio.aclose_forcefully(self._stream)
            raise

    async def close(self, code: int, reason: str) -> None:
        """Close it, with its handshake."""
        self._closing = trio.Event()
        try:
            await self._connection.aclose(code, reason)
        finally:
            self._closing.set()
            await trio.aclose_forcefully(self._stream)


@contextlib.asynccontextmanager
async def lent(connection: WebSocketConnection) -> AsyncGenerator[Client, None]:
    """Take a connection for as long as the block runs; nothing of it is left open then."""
    # Public methods cannot cut a connection whose closing has begun, and would wait for ever for
    # a client that has sent its close, or a message too long, and reads nothing any more.
    stream = connection._stream  # noqa: SLF001 - see above # pyright: ignore[reportPrivateUsage]
    client = Client(connection, stream)
    say_nothing_late(connection)
    with contextlib.suppress(OSError):  # it has gone already, or is no TCP connection
        if (opened := _socket(stream)) is not None:
            guard(opened, CLIENT_STALL_S)
    try:
        yield client
    finally:
        await trio.aclose_forcefully(stream)


def _hello(connection: WebSocketConnection, stream: trio.abc.Stream) -> Hello:
    peer = local = ""
    with contextlib.suppress(OSError):  # it has gone already
        if (opened := _socket(stream)) is not None:
            peer, local = peer_name(opened.getpeername()), peer_name(opened.getsockname())
    request = _request(connection)
    if request is None:
        return Hello(peer=peer, local=local, origin="")  # no page's: nobody comes in unseen
    return hello.of_headers(
        [("host", request.host), *hellos.decoded(request.extra_headers)],
        peer=peer,
        local=local,
        is_tls=isinstance(stream, trio.SSLStream),
        subprotocols=request.subprotocols,
    )


def _request(connection: WebSocketConnection) -> Request | None:
    """Return the handshake, of which a connection tells nothing once it is accepted."""
    try:
        found: object = attrgetter("_wsproto.handshake._initiating_request")(connection)
    except AttributeError:
        return None
    return found if isinstance(found, Request) else None


def _socket(stream: trio.abc.Stream) -> trio.socket.SocketType | None:
    """Return the socket that a stream goes over, with TLS or without."""
    match stream:
        case trio.SocketStream():
            return stream.socket
        case trio.SSLStream(transport_stream=trio.SocketStream() as inner):
            return inner.socket
        case _:
            return None
