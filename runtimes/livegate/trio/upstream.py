"""The link to Gemini on trio, by trio-websocket."""

import contextlib
import logging
from collections.abc import AsyncGenerator
from typing import cast

import h11
import trio_websocket

import trio
from livegate.protocol.gemini import KEY_HEADER
from livegate.protocol.inputs import Fault
from livegate.shell import faults
from livegate.shell.sockets import UPSTREAM_STALL_S, Closed, guard
from livegate.shell.target import MAX_MESSAGE_BYTES, Target
from livegate.trio.websocket import Opening, say_nothing_late

# trio-websocket logs close reasons at DEBUG, and Gemini's may quote the key.
logging.getLogger("trio-websocket").setLevel(logging.WARNING)


class Upstream:
    """An open WebSocket to Gemini."""

    def __init__(self, socket: trio_websocket.WebSocketConnection, target: Target) -> None:
        self._socket = socket
        self._target = target

    async def receive(self) -> bytes | Closed:
        """Wait for the next message, or for the end."""
        try:
            message = await self._socket.get_message()
        except trio_websocket.ConnectionClosed as closed:
            end = closed.reason
            if end is None:
                return Closed()
            return Closed(end.code, self._target.key.redact(end.reason or ""))
        return message.encode() if isinstance(message, str) else message

    async def send(self, payload: bytes) -> None:
        """Send one text message; into the void, once Gemini has gone: `receive` tells of it."""
        with contextlib.suppress(trio_websocket.ConnectionClosed):
            await self._socket.send_message(payload.decode())

    async def close(self, code: int) -> None:
        """Close the WebSocket, with its handshake."""
        await self._socket.aclose(code)


@contextlib.asynccontextmanager
async def dial(target: Target) -> AsyncGenerator[Upstream, None]:
    """Open a link for as long as the block runs.

    Raises:
        DialError: It could not be opened.
    """
    try:
        stream = await _connect(target)
    except (OSError, UnicodeError, trio.BrokenResourceError) as error:
        raise faults.DialError(faults.of_exception(error)) from None
    fault: Fault | None = None
    opening = Opening(stream)
    try:
        async with trio.open_nursery() as nursery:
            socket = await trio_websocket.wrap_client_stream(
                nursery,
                cast("trio.SocketStream", opening),  # any stream will do
                target.host,
                target.resource,
                extra_headers=[(KEY_HEADER.encode(), target.key.value.encode())],
                max_message_size=MAX_MESSAGE_BYTES,
            )
            opening.is_answered = True
            say_nothing_late(socket)
            yield Upstream(socket, target)
            nursery.cancel_scope.cancel()
    # What its reader stumbles over comes out of the nursery, and so in a group.
    # To what is no HTTP it would answer itself, which h11 does not let a client do.
    except* (trio_websocket.HandshakeError, h11.LocalProtocolError) as refused:
        fault = faults.of_exception(refused, Fault.HTTP)
        for cause in faults.behind(refused):
            if isinstance(cause, trio_websocket.ConnectionRejected):
                fault = faults.of_status(cause.status_code)
    except* trio_websocket.ConnectionClosed:
        pass  # of an open socket: `receive` has told, or the block has been cancelled
    finally:
        # trio-websocket leaves the stream open where the other side has ended first.
        await trio.aclose_forcefully(stream)
    if fault is not None:
        raise faults.DialError(fault)


async def _connect(target: Target) -> trio.SocketStream | trio.SSLStream[trio.SocketStream]:
    """Open the connection that the WebSocket goes over, with TLS if the address asks for it."""
    tcp = await trio.open_tcp_stream(target.host, target.port)
    guard(tcp.socket, UPSTREAM_STALL_S)
    if target.ssl_context is None:
        return tcp
    stream = trio.SSLStream(tcp, target.ssl_context, server_hostname=target.host)
    try:
        await stream.do_handshake()
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return stream
