"""A client of `livegate.v1` that comes back, and sees that nothing is lost, doubled or reordered."""

import contextlib
import json
import socket
import struct
from typing import Final, Self

import websockets
from websockets import Subprotocol
from websockets.sync.client import ClientConnection, connect

RECEIVE_S: Final = 20.0
V1: Final = Subprotocol("livegate.v1")
LOST: Final = (OSError, EOFError, websockets.WebSocketException)
"""What a connection ends with that was cut; or that could not be opened, for the same reason."""
_SILENCERS: Final = ("interrupted", "going_away")
_PREFIX: Final = struct.Struct(">II")


class Client:
    """It connects at once.

    Args:
        url: Where to.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        """May be changed before it comes back."""
        self.seq = 0
        """The number of the last frame that came."""
        self.token = ""
        self.frames: list[dict[str, object]] = []
        """All that came, as JSON; `resumed` is not among them."""
        self._sockets = contextlib.ExitStack()
        self.socket = self._connect()

    def _connect(self) -> ClientConnection:
        # A moment for goodbye is enough on this machine. Its thread reads on whatever the test does,
        # and it does not judge the gateway by its pongs.
        opened = connect(
            self.url,
            subprotocols=[V1],
            max_size=None,
            max_queue=None,
            close_timeout=1,
            ping_interval=None,
        )
        return self._sockets.enter_context(opened)

    def __enter__(self) -> Self:
        """Use it in a block; at its end it says goodbye."""
        return self

    def __exit__(self, *_: object) -> None:
        """Say goodbye."""
        self._sockets.close()

    def send(self, **frame: object) -> None:
        """Send one frame."""
        self.socket.send(json.dumps(frame))

    def ask(self, text: str) -> None:
        """Ask Gemini something."""
        self.send(type="text", text=text)

    def config(self, **data: object) -> None:
        """Ask for settings, and for a session that can be resumed; wait for the answer."""
        asked = {"resumable": True, **data}
        self.send(type="config", data=asked)
        self.until("session" if asked["resumable"] else "config_success")

    def cut(self) -> None:
        """Lose the connection without a word."""
        with contextlib.suppress(OSError):
            self.socket.socket.shutdown(socket.SHUT_RDWR)

    def come_back(self) -> dict[str, object]:
        """Connect again, and say so; return the answer."""
        self.return_()
        answer: dict[str, object] = json.loads(self.socket.recv(RECEIVE_S))
        assert answer["type"] == "resumed", answer
        assert answer["seq"] == self.seq
        return answer

    def return_(self) -> None:
        """Connect again, and say so."""
        self.socket = self._connect()
        self.send(type="resume", data={"session": self.token, "seq": self.seq})

    def take(self) -> dict[str, object]:
        """Return the next frame, whose number has to follow on the last one's."""
        frame = _read(self.socket.recv(RECEIVE_S))
        seq = frame["seq"]
        assert isinstance(seq, int)
        # What tells of an answer's end takes its sound back; nothing else may be missing.
        follows = seq > self.seq if frame["type"] in _SILENCERS else seq == self.seq + 1
        assert follows, f"{str(frame)[:200]} after {self.seq}"
        self.seq = seq
        if frame["type"] == "session":
            self.token = str(frame["token"])
        self.frames.append(frame)
        return frame

    def until(self, type_: str) -> dict[str, object]:
        """Take frames up to one of this type."""
        while (frame := self.take())["type"] != type_:
            pass
        return frame

    def converse(self, text: str) -> str:
        """Ask something; return the answer, once the token that knows of it has come, too."""
        before = len(self.frames)
        self.ask(text)
        self.until("turn_complete")
        self.until("session")
        return said(self.frames[before:])

    def closed(self) -> int:
        """Take all that comes, up to the close; return its code."""
        with contextlib.suppress(*LOST):
            while True:
                self.take()
        return self.socket.close_code or 1006


def _read(message: str | bytes) -> dict[str, object]:
    """Return a frame; one of sound in bytes as if it were in JSON."""
    if isinstance(message, str):
        frame: dict[str, object] = json.loads(message)
        return frame
    seq, turn = _PREFIX.unpack_from(message)
    return {"seq": seq, "turn": turn, "type": "audio", "data": message[_PREFIX.size :]}


def said(frames: list[dict[str, object]]) -> str:
    """Return the words of an answer."""
    return "".join(str(one["text"]) for one in frames if one["type"] == "response")


def heard(frames: list[dict[str, object]]) -> bytes:
    """Return the sound of an answer that came in bytes."""
    return b"".join(
        one["data"] for one in frames if one["type"] == "audio" and isinstance(one["data"], bytes)
    )
