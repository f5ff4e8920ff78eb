"""The line in which content and config wait for a link, in the order they came."""

from collections import deque

import attrs

from livegate.protocol import frames
from livegate.protocol.config import Delta


@attrs.frozen
class Held:
    """One frame in line."""

    item: frames.Content | Delta
    size: int
    """Bytes of the client's frame."""


class Line:
    """First come, first served; `size` is what it holds, in bytes."""

    def __init__(self) -> None:
        self._held: deque[Held] = deque()
        self.size = 0

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
        return any(isinstance(held.item, frames.Audio) for held in self._held)

    def push(self, item: frames.Content | Delta, size: int) -> None:
        """Add what a frame of `size` bytes said."""
        self._held.append(Held(item, size))
        self.size += size

    def pop(self) -> Held:
        """Take out what is next."""
        held = self._held.popleft()
        self.size -= held.size
        return held

    def drop_content(self) -> int:
        """Throw away all but configs; return how many bytes that were."""
        configs = deque(held for held in self._held if isinstance(held.item, Delta))
        before, self._held = self.size, configs
        self.size = sum(held.size for held in configs)
        return before - self.size
