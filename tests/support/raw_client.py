"""A WebSocket client that reads no more than it is told to, and may end in any way."""

import base64
import socket
import struct
from typing import Final, Self
from urllib.parse import urlsplit

_BUFFER_BYTES: Final = 4_096
_PIECE_BYTES: Final = 65_536
PATIENCE_S: Final = 20.0


class RawClient:
    """One connection; its frames are not masked by anything but zeros.

    Args:
        url: Where to.
        handshake: What to send in place of one, without waiting for an answer.
    """

    def __init__(self, url: str, handshake: bytes | None = None) -> None:
        where = urlsplit(url)
        self.got = b""
        """All that has been read since the handshake."""
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        self._socket.settimeout(PATIENCE_S)
        self._socket.connect((where.hostname, where.port))
        if handshake is not None:
            self._socket.sendall(handshake)
            return
        key = base64.b64encode(bytes(16)).decode()
        self._socket.sendall(
            f"GET {where.path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
            .encode()
        )  # fmt: skip
        self.read_until(b"\r\n\r\n")
        self.got = self.got.partition(b"\r\n\r\n")[2]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def send(self, opcode: int, payload: bytes) -> None:
        """Send one frame."""
        size = len(payload)
        short = bytes([0x80 | size]) if size < 126 else b"\xff" + size.to_bytes(8)
        self._socket.sendall(bytes([0x80 | opcode]) + short + bytes(4) + payload)

    def read_until(self, ending: bytes) -> None:
        """Read until these bytes have come."""
        while ending not in self.got:
            piece = self._socket.recv(_PIECE_BYTES)
            assert piece, f"the connection ended: {self.got[-80:]!r}"
            self.got += piece

    def read_to_end(self) -> bytes:
        """Read until the connection has ended, in whatever way; return all that came."""
        try:
            while piece := self._socket.recv(_PIECE_BYTES):
                self.got += piece
        except ConnectionResetError:
            pass
        return self.got

    def leave(self) -> None:
        """End the connection, as far as TCP goes."""
        self._socket.close()

    def reset(self) -> None:
        """End the connection without any goodbye, not even TCP's."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()
