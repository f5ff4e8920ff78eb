"""The line in which content and config wait for a link, in the order they came."""

from collections import deque

import attrs

from livegate.protocol import frames
from livegate.protocol.config import Delta
from livegate.protocol.flow import Flow
from livegate.protocol.inputs import Side


@attrs.frozen
class Held:
    """One frame in line."""

    item: frames.Content | Delta
    size: int
    """Bytes of the client's frame."""


class Line:
    """First come, first served. What is in it counts as in flight to Gemini.

    Args:
        flow: Counts it.
        least: What each item counts at least, in bytes, however short its frame.
    """

    def __init__(self, flow: Flow, least: int) -> None:
        self._flow = flow
        self._least = least
        self._held: deque[Held] = deque()
        self.size = 0
        """What it holds, in bytes."""

    def __bool__(self) -> bool:
        return bool(self._held)

    @property
    def head(self) -> frames.Content | Delta | None:
        """What is next, or None."""
        return self._held[0].item if self._held else None

    @property
    def has_config(self) -> bool:
        """Whether a config waits."""
        return any(isinstance(held.item, Delta) for held in self._held)

    @property
    def has_sound(self) -> bool:
        """Whether speech waits, whose end is still to come."""
        return any(isinstance(held.item, frames.Pcm | frames.Piece) for held in self._held)

    @property
    def has_much_before(self) -> bool:
        """Whether what has left the line towards Gemini is enough for now."""
        return self._flow.is_congested(Side.UPSTREAM, besides=self.size)

    @property
    def read_since(self) -> float:
        """Since when the client is read."""
        return self._flow.read_since

    def push(self, item: frames.Content | Delta, size: int) -> None:
        """Add what a frame of `size` bytes said."""
        self._held.append(self._counted(item, size))

    def push_first(self, item: frames.Content, size: int) -> None:
        """Put in front what the head of the line came to, so far."""
        self._held.appendleft(self._counted(item, size))

    def _counted(self, item: frames.Content | Delta, size: int) -> Held:
        held = Held(item, max(size, self._least))
        self.size += held.size
        self._flow.add(Side.UPSTREAM, held.size)
        return held

    def take(self) -> None:
        """Take out what is next; it counts no more."""
        self._flow.sent(Side.UPSTREAM, self.pop())

    def pop(self) -> int:
        """Take out what is next; return its size, which counts still."""
        held = self._held.popleft()
        self.size -= held.size
        return held.size

    def drop_content(self) -> bool:
        """Throw away all but configs; return whether there was anything."""
        configs = deque(held for held in self._held if isinstance(held.item, Delta))
        had_content = len(configs) < len(self._held)
        before, self._held = self.size, configs
        self.size = sum(held.size for held in configs)
        self._flow.sent(Side.UPSTREAM, before - self.size)
        return had_content
