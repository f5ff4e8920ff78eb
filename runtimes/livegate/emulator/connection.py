"""One WebSocket of the emulator's: what happens to it, and what is done to it."""

import asyncio
import contextlib
import socket
import struct
from collections import deque
from typing import Any, Final, assert_never

import websockets
from websockets.asyncio.server import Server, ServerConnection
from websockets.frames import Frame as WebSocketFrame
from websockets.frames import Opcode
from websockets.protocol import Event as WebSocketEvent
from websockets.server import ServerProtocol

from livegate.protocol.emulator import (
    Abort,
    Close,
    Command,
    DeadlineReached,
    Event,
    Frame,
    Gone,
    Pinged,
    Pong,
    Send,
)

MAX_BYTES: Final = 32 * 1024 * 1024


class _Protocol(ServerProtocol):
    """Leaves pings to be answered by somebody else."""

    def recv_frame(self, frame: WebSocketFrame) -> None:
        """Take a frame."""
        if frame.opcode is Opcode.PING:
            self.events.append(frame)
        else:
            super().recv_frame(frame)


class Connection(ServerConnection):
    """A WebSocket whose pings are answered when the link says so.

    `recv` of websockets' knows nothing of pings, so they are put in line here.
    """

    def __init__(self, protocol: ServerProtocol, server: Server, **options: Any) -> None:
        by_hand = _Protocol(max_size=MAX_BYTES, logger=protocol.logger)
        super().__init__(by_hand, server, **options)
        self._pings: deque[bytes] = deque()
        self._waiting: asyncio.Timeout | None = None

    def process_event(self, event: WebSocketEvent) -> None:
        """Take what the protocol has found."""
        if isinstance(event, WebSocketFrame) and event.opcode is Opcode.PING:
            self._pings.append(bytes(event.data))
            if self._waiting is not None and not self._waiting.expired():
                self._waiting.reschedule(self.loop.time())
        else:
            super().process_event(event)

    async def next_event(self, deadline: float | None) -> Event:
        """Wait for what happens next."""
        if self._pings:
            return Pinged(self._pings.popleft())
        try:
            async with asyncio.timeout_at(deadline) as self._waiting:
                message = await self.recv()
        except TimeoutError:
            return Pinged(self._pings.popleft()) if self._pings else DeadlineReached()
        except websockets.ConnectionClosed as closed:
            return Gone(closed.rcvd.code if closed.rcvd else 1006)
        finally:
            self._waiting = None
        is_text = isinstance(message, str)
        return Frame(message.encode() if isinstance(message, str) else message, is_text)

    async def do(self, command: Command) -> None:
        """Do what the link says, as far as that is possible still."""
        with contextlib.suppress(websockets.ConnectionClosed):
            match command:
                case Send(payload=payload, is_text=is_text):
                    await self.send(payload, text=is_text)
                case Pong(payload=payload):
                    await self.pong(payload)
                case Close(code=code, reason=reason):
                    await self.close(code, reason)
                case Abort():
                    self._reset()
                case _:
                    assert_never(command)

    def _reset(self) -> None:
        """Cut the connection without any goodbye, not even TCP's."""
        raw = self.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()
