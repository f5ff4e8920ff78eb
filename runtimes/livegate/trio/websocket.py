"""What trio-websocket leaves to whoever uses it."""

import contextlib
import re
from collections.abc import Awaitable, Callable
from typing import Final

from trio_websocket import ConnectionRejected, HandshakeError, WebSocketConnection
from wsproto.events import Event
from wsproto.utilities import LocalProtocolError

import trio

_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
_STATUS_BYTES: Final = 13
_PIECE_BYTES: Final = 65_536
_LOOK_S: Final = 0.01


def say_nothing_late(connection: WebSocketConnection) -> None:
    """Let a connection not answer what comes when it has said its close.

    Its reader answers a ping with a pong all the same, and fails: with it fails the nursery that it
    is in, which is that of a whole server.
    """
    send: Callable[[Event], Awaitable[None]] = connection._send  # noqa: SLF001 - see above # pyright: ignore[reportPrivateUsage]

    async def sent(event: Event) -> None:
        with contextlib.suppress(LocalProtocolError):  # before anything of it is sent
            await send(event)

    connection._send = sent  # type: ignore[method-assign] # noqa: SLF001 - likewise # pyright: ignore[reportPrivateUsage]


async def read_out(stream: trio.abc.Stream) -> None:
    """Take what still comes, until the other side has ended it: cut now, it might not read why."""
    with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        if isinstance(stream, trio.SocketStream):
            await stream.send_eof()
        while True:
            try:
                if not await stream.receive_some(_PIECE_BYTES):
                    return
            except trio.BusyResourceError:
                await trio.sleep(_LOOK_S)  # the library's reader waits for its last piece


class Opening(trio.abc.Stream):
    """A stream on which a handshake is answered.

    Should it end before that, trio-websocket would wait for ever.

    Args:
        stream: To the server.
    """

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._began = b""
        self.is_answered = False
        """The handshake is."""

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Wait for the next bytes.

        Raises:
            HandshakeError: There are none, and the handshake has not been answered.
        """
        if self.is_answered:
            return await self._stream.receive_some(max_bytes)
        try:
            data = await self._stream.receive_some(max_bytes)
        except trio.BrokenResourceError:
            data = b""
        self._began += data[: _STATUS_BYTES - len(self._began)]
        if not data and not self.is_answered:
            if status := _STATUS.match(self._began):  # with a body of whatever length
                raise ConnectionRejected(int(status[1]), (), None)
            raise HandshakeError
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of it."""
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until something may be sent."""
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close it."""
        await self._stream.aclose()
