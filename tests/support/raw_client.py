"""A WebSocket client that reads no more than it is told to, and may end in any way."""

import base64
import contextlib
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Final, Self
from urllib.parse import urlsplit

_BUFFER_BYTES: Final = 4_096
_PIECE_BYTES: Final = 65_536
PATIENCE_S: Final = 20.0
_STUCK_S: Final = 0.3
CLOSE: Final = 8


def opening(path: str = "/api/gemini/ws", *headers: str) -> bytes:
    """Return a valid opening handshake, with more headers."""
    key = base64.b64encode(bytes(16)).decode()
    lines = (
        f"GET {path} HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
        *headers,
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def header(opcode: int, size: int, *, fin: bool = True, rsv: int = 0) -> bytes:
    """Return a frame's head; it is masked by zeros."""
    first = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if size < 126:
        length = bytes([0x80 | size])
    else:
        length = b"\xfe" + size.to_bytes(2) if size < 65_536 else b"\xff" + size.to_bytes(8)
    return first + length + bytes(4)


def frame(opcode: int, payload: bytes, *, fin: bool = True, rsv: int = 0) -> bytes:
    """Return a frame, masked by zeros."""
    return header(opcode, len(payload), fin=fin, rsv=rsv) + payload


class RawClient:
    """One connection; its frames are not masked by anything but zeros.

    Args:
        url: Where to.
        handshake: What to send in place of one, without waiting for an answer.
        source: The address to come from.
        segment_bytes: The largest TCP segment, where it matters that the loopback's are larger
            than what is read at once.
        wrap: Puts something around the socket, such as TLS.
    """

    def __init__(
        self,
        url: str,
        handshake: bytes | None = None,
        *,
        source: str = "127.0.0.1",
        segment_bytes: int | None = None,
        wrap: Callable[[socket.socket], socket.socket] | None = None,
    ) -> None:
        where = urlsplit(url)
        self.got = b""
        """All that has been read since the handshake."""
        self.response = b""
        """The head of the answer to the handshake."""
        plain = socket.socket()
        try:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
            plain.settimeout(PATIENCE_S)
            if segment_bytes is not None:
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment_bytes)
            plain.bind((source, 0))
            plain.connect((where.hostname, where.port))
            self._socket = wrap(plain) if wrap else plain
        except BaseException:
            plain.close()
            raise
        if handshake is not None:
            self._socket.sendall(handshake)
            return
        self._socket.sendall(opening(where.path))
        self.read_response()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def fileno(self) -> int:
        """Return the socket's descriptor, to wait for it."""
        return self._socket.fileno()

    def send(self, opcode: int, payload: bytes) -> None:
        """Send one frame."""
        self._socket.sendall(frame(opcode, payload))

    def push(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._socket.sendall(data)

    def throw(self, data: bytes) -> None:
        """Send bytes, whether anybody still takes them or not."""
        with contextlib.suppress(ConnectionError):
            self._socket.sendall(data)

    def push_until_stuck(self, data: bytes, at_most: int) -> int:
        """Send the same bytes again and again, until they are not taken; return how many were."""
        pushed, view = 0, memoryview(data)
        self._socket.settimeout(_STUCK_S)
        with contextlib.suppress(TimeoutError):
            while pushed < at_most:
                pushed += self._socket.send(view[pushed % len(data) :])
        self._socket.settimeout(PATIENCE_S)
        return pushed

    def read_response(self) -> None:
        """Read the head of the answer to the handshake, and take it out of `got`."""
        self.read_until(b"\r\n\r\n")
        self.response, _, self.got = self.got.partition(b"\r\n\r\n")

    def read_some(self, most: int = _PIECE_BYTES) -> bytes:
        """Read what is there, or wait for it; nothing is the end."""
        piece = self._socket.recv(most)
        self.got += piece
        return piece

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

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """Return the whole frames in `got`: the opcode and payload of each."""
        at = 0
        while at + 2 <= len(self.got):
            opcode, size, start = self.got[at] & 15, self.got[at + 1], at + 2
            if size > 125:
                start += 2 if size == 126 else 8
                size = int.from_bytes(self.got[at + 2 : start])
            at = start + size
            if at <= len(self.got):
                yield opcode, self.got[start:at]

    @property
    def close_code(self) -> int | None:
        """The code of the close frame that came, if one did."""
        for opcode, payload in self.frames():
            if opcode == CLOSE:
                return int.from_bytes(payload[:2])
        return None

    def end(self) -> None:
        """Send the end of the stream, and go on reading."""
        with contextlib.suppress(OSError):  # it may have been cut already
            self._socket.shutdown(socket.SHUT_WR)

    def leave(self) -> None:
        """End the connection, as far as TCP goes."""
        self._socket.close()

    def reset(self) -> None:
        """End the connection without any goodbye, not even TCP's."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()
