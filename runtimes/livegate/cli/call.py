"""One conversation with a gateway, over as many WebSockets as it takes."""

import asyncio
import contextlib
import json
import random
from collections.abc import Callable, Mapping
from typing import Final

import websockets
from websockets import Subprotocol
from websockets.asyncio.client import ClientConnection, connect

from livegate.protocol.errors import CLOSES, Advice
from livegate.protocol.tokens import V1

_PATIENCE_S: Final = 30.0
"""For so long a gateway may be out of reach: people wait no longer."""
_FIRST_S: Final = 0.25
_LONGEST_S: Final = 4.0
_NONE: Final = 1006
"""RFC 6455: no close code was said."""
_AS_WISHED: Final = 1000


class Call:
    """A connection to a gateway, and another in its place when it breaks.

    Args:
        url: The gateway's.
        headers: For each handshake.
        config: What the client wants.
        lost: Is told of each connection that is to have a successor: its close code, and how many
            seconds the gateway wants to be left alone.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        config: Mapping[str, object],
        lost: Callable[[int, float], object],
    ) -> None:
        self._url = url
        self._headers = headers
        self._config = config
        self._lost = lost
        self._socket: ClientConnection | None = None
        """None while there is none to send on."""
        self._has_socket = asyncio.Event()
        self._token = ""
        self._seq: object = 0
        self._wait_s = 0.0
        """For how long the gateway does not want to see this client."""
        self._is_over = asyncio.Event()
        """The user has had enough."""
        self.code, self.reason = _NONE, ""
        """How the last connection ended."""

    async def run(self, hear: Callable[[dict[str, object]], object]) -> None:
        """Hear what the gateway says, until either side has had enough.

        Raises:
            OSError: The gateway cannot be reached in the first place.
            InvalidURI: Its address is none.
            InvalidHandshake: It is no gateway.
        """
        await self._hear(hear)
        pause_s, waited_s = _FIRST_S, 0.0
        while self._may_return and waited_s < _PATIENCE_S:
            wait_s, self._wait_s = self._wait_s, 0.0
            if not waited_s:
                self._lost(self.code, wait_s)
            pause = wait_s + pause_s * random.uniform(0.5, 1)  # noqa: S311 - not to come all at once
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._is_over.wait(), pause)
                return
            waited_s += pause_s
            try:
                await self._hear(hear)
            except (OSError, websockets.InvalidHandshake):
                pause_s = min(pause_s * 2, _LONGEST_S)
            else:
                pause_s, waited_s = _FIRST_S, 0.0

    @property
    def _may_return(self) -> bool:
        row = CLOSES.get(self.code)
        is_final = self.code == _AS_WISHED or (row is not None and row.advice is Advice.STOP)
        return bool(self._token) and not (self._is_over.is_set() or is_final)

    async def _hear(self, hear: Callable[[dict[str, object]], object]) -> None:
        """Hear what comes by one connection, to its end."""
        async with connect(
            self._url,
            additional_headers=self._headers,
            subprotocols=[Subprotocol(V1)],
            max_size=None,
            compression=None,
        ) as socket:
            try:
                with contextlib.suppress(websockets.ConnectionClosed):
                    await self._begin(socket)  # or what came says why not
                async for message in socket:
                    frame: dict[str, object] = json.loads(message)
                    self._note(frame)
                    if frame.get("recovered") is False:  # the settings may be lost, too
                        await self._configure(socket)
                    hear(frame)
            except websockets.ConnectionClosed:
                pass
            finally:
                self._gone(socket)
        self.code, self.reason = socket.close_code or _NONE, socket.close_reason or ""

    async def _begin(self, socket: ClientConnection) -> None:
        if self._token:
            data = {"session": self._token, "seq": self._seq}
            await socket.send(json.dumps({"type": "resume", "data": data}))
        else:
            await self._configure(socket)
        self._socket = socket
        self._has_socket.set()

    async def _configure(self, socket: ClientConnection) -> None:
        data = dict(self._config)
        if socket.subprotocol == V1:
            data["resumable"] = True
        await socket.send(json.dumps({"type": "config", "data": data}))

    def _note(self, frame: dict[str, object]) -> None:
        """Keep what it takes to come back."""
        self._seq = frame.get("seq", self._seq)
        match frame:
            case {"type": "session", "token": str(token)}:
                self._token = token
            case {"type": "going_away", "retry_after_ms": int(ms)} | {
                "fatal": True,
                "retry_after_ms": int(ms),
            }:
                self._wait_s = ms / 1000
            case _:
                pass

    def _gone(self, socket: ClientConnection) -> None:
        if self._socket is socket:
            self._socket = None
            self._has_socket.clear()

    async def begun(self) -> None:
        """Wait until there is a connection."""
        await self._has_socket.wait()

    async def send(self, **frame: object) -> None:
        """Send a frame; wait with it while there is no connection."""
        while True:
            await self._has_socket.wait()
            if (socket := self._socket) is None:
                continue
            try:
                await socket.send(json.dumps(frame))
            except websockets.ConnectionClosed:
                self._gone(socket)
            else:
                return

    async def close(self) -> None:
        """Have had enough."""
        self._is_over.set()
        if self._socket is not None:
            await self._socket.close()
