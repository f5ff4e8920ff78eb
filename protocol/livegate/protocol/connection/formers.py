"""The WebSockets that a client had before its newest."""

from collections.abc import Iterator
from typing import Final

from livegate.protocol.connection import events
from livegate.protocol.connection.websocket import WebSocket
from livegate.protocol.errors import CLOSES
from livegate.protocol.inputs import Side

_REPLACED: Final = 4202


class Formers:
    """Those of them on which goodbye is being said; what still comes on them means nothing."""

    def __init__(self) -> None:
        self._websockets: dict[int, WebSocket] = {}

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._websockets)

    def __iter__(self) -> Iterator[WebSocket]:
        """Return each."""
        return iter(self._websockets.values())

    def get(self, link: int) -> WebSocket | None:
        """Return the one of this number, if it has not ended."""
        return self._websockets.get(link)

    def add(self, link: int, websocket: WebSocket, now: float) -> None:
        """Say goodbye on one, unless that has been said: another has taken its place."""
        websocket.close(_REPLACED, CLOSES[_REPLACED].meaning, now)
        self._websockets[link] = websocket

    def write(self, now: float) -> Iterator[events.Action]:
        """Give out what there is to say, and forget those that are over."""
        for link, websocket in tuple(self._websockets.items()):
            websocket.pump()
            if data := websocket.take(now):
                yield events.SendBytes(Side.CLIENT, link, data)
            if websocket.take_stream_end():
                yield events.EndStream(Side.CLIENT, link)
            if websocket.is_over:
                del self._websockets[link]
                yield events.Abort(Side.CLIENT, link)
