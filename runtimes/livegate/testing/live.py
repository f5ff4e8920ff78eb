"""A gateway that is only known by its address, as a system to test."""

import contextlib
from typing import Final

import websockets
from websockets.sync.client import ClientConnection, connect

from livegate.protocol import transcript
from livegate.protocol.testing.systems import decoded
from livegate.protocol.transcript import Observation, Stimulus

_OPEN_S: Final = 10.0
_CLOSE_S: Final = 1.0
_HASTE_S: Final = 0.001
"""How long `output` waits for a first answer; it makes most of them come in time to be looked at."""


class LiveSystem:
    """One client of a server; what is behind the server is its own affair.

    It reads and writes on two threads, so plain ws:// is safer than wss://: Python may hang or
    crash over a TLS connection that two threads share (python/cpython#151508).

    Args:
        url: The WebSocket's address, e.g. ws://localhost:8000/api/gemini/ws.
    """

    plays_gemini = False

    def __init__(self, url: str) -> None:
        self._url = url
        self._stack = contextlib.ExitStack()
        self._socket: ClientConnection | None = None
        self._seen: list[Observation] = []
        self._is_closed = False

    def feed(self, stimulus: Stimulus) -> None:
        """Connect, send a frame, or leave.

        Raises:
            OSError: There is no server, or none of WebSockets.
            ValueError: It is Gemini's affair, or the server's operator's.
        """
        match stimulus:
            case transcript.ClientOpens():
                self._socket = self._connected()
            case transcript.ClientSends(payload=payload, is_text=is_text):
                with contextlib.suppress(websockets.ConnectionClosed):  # `output` tells of it
                    self._connection.send(payload, text=is_text)
            case transcript.ClientLeaves(code=code):
                self._is_closed = True
                self._connection.close(code)
            case _:
                raise ValueError(f"a client cannot do this: {transcript.line_of(stimulus)}")

    def output(self) -> list[Observation]:
        """Return what has come."""
        if not self._seen:
            self._receive(_HASTE_S)
        while self._receive(0):
            pass
        seen, self._seen = self._seen, []
        return seen

    def advance(self, seconds: float) -> None:
        """Wait for something to come, at most so long."""
        self._receive(seconds)

    def close(self) -> None:
        """Leave, unless the client has left."""
        self._stack.close()

    def _connected(self) -> ClientConnection:
        try:
            return self._stack.enter_context(
                connect(
                    self._url,
                    max_size=None,
                    open_timeout=_OPEN_S,
                    close_timeout=_CLOSE_S,
                    proxy=None,
                    compression=None,
                )
            )
        except (websockets.InvalidHandshake, websockets.InvalidURI) as error:
            raise ConnectionError(str(error)) from None

    @property
    def _connection(self) -> ClientConnection:
        if self._socket is None:
            raise ValueError("the client has not connected")
        return self._socket

    def _receive(self, seconds: float) -> bool:
        """Wait for one message or the end; return whether it came."""
        if self._is_closed:
            return False
        try:
            message = self._connection.recv(timeout=seconds)
        except TimeoutError:
            return False
        except websockets.ConnectionClosed as closed:
            self._is_closed = True
            self._seen.append(transcript.ClientClosed(closed.rcvd.code if closed.rcvd else 1006))
            return False
        frame = decoded(message.encode()) if isinstance(message, str) else message
        self._seen.append(transcript.ClientGets(frame))
        return True
