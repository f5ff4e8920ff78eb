"""A connection's links to Gemini, each from its dialling to its end."""

from collections.abc import Iterator

from livegate.protocol import commands
from livegate.protocol.connection import events
from livegate.protocol.connection.gate import Service
from livegate.protocol.connection.upstream import Upstream
from livegate.protocol.connection.websocket import Message, WebSocket
from livegate.protocol.inputs import Side
from livegate.protocol.limits import WireLimits


class Links:
    """Those that are dialled or open.

    Args:
        service: Where Gemini is.
        limits: How long things may take, and how large they may be.
    """

    def __init__(self, service: Service, limits: WireLimits) -> None:
        self._service = service
        self._limits = limits
        self._to_dial: list[commands.OpenUpstream] = []
        self._dialled: set[int] = set()
        """The shell is still opening their streams."""
        self._upstreams: dict[int, Upstream] = {}
        self._opened: set[int] = set()
        """The conversation knows that their WebSockets are open."""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._dialled) + len(self._upstreams)

    def items(self) -> tuple[tuple[int, Upstream], ...]:
        """Return those with a stream, by their numbers."""
        return tuple(self._upstreams.items())

    def websocket(self, link: int) -> WebSocket | None:
        """Return the WebSocket of one, if it has a stream."""
        upstream = self._upstreams.get(link)
        return None if upstream is None else upstream.websocket

    def websockets(self) -> Iterator[WebSocket]:
        """Return that of each."""
        return (upstream.websocket for upstream in self._upstreams.values())

    # How one begins

    def dial(self, command: commands.OpenUpstream) -> None:
        """Have one dialled."""
        self._to_dial.append(command)

    def take_dials(self) -> list[commands.OpenUpstream]:
        """Return those to dial now; each once the goodbye of the one before is on its way."""
        due, self._to_dial = self._to_dial, []
        self._dialled.update(one.link for one in due)
        return due

    def stream_opened(self, link: int, now: float) -> bool:
        """The stream of one is open; return whether it is still wanted."""
        is_wanted = self.dial_ended(link)
        if is_wanted:
            self._upstreams[link] = Upstream(self._service, self._limits, now)
        return is_wanted

    def dial_ended(self, link: int) -> bool:
        """The shell dials it no more; return whether it was still wanted."""
        is_wanted = link in self._dialled
        self._dialled.discard(link)
        return is_wanted

    def is_opened(self, link: int) -> bool:
        """Whether the conversation knows that its WebSocket is open."""
        return link in self._opened

    def opened(self, link: int) -> None:
        """Take note that the conversation is about to know."""
        self._opened.add(link)

    # What goes, and how it ends

    def send(self, link: int, payload: bytes) -> None:
        """Send a message on one that is open."""
        self._upstreams[link].websocket.send(Message(payload, is_text=True))

    def close(self, link: int, code: int, now: float) -> Iterator[events.Action]:
        """Say goodbye, where there is anybody to say it to."""
        if link in self._opened:
            self._upstreams[link].websocket.close(code, "", now)
        else:
            yield from self.abort(link)

    def abort(self, link: int) -> Iterator[events.Action]:
        """End one at once, or do not dial it."""
        self._to_dial = [one for one in self._to_dial if one.link != link]
        if link in self._dialled or link in self._upstreams:
            self._dialled.discard(link)
            self._opened.discard(link)
            self._upstreams.pop(link, None)
            yield events.Abort(Side.UPSTREAM, link)

    def abort_all(self) -> Iterator[events.Action]:
        """End all at once, and dial none."""
        self._to_dial = []
        for link in (*self._dialled, *self._upstreams):
            yield from self.abort(link)
