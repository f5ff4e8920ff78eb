"""Back-pressure as a value: bytes in flight per side, and who may be read meanwhile."""

from math import inf

import attrs

from livegate.protocol.inputs import Side
from livegate.protocol.limits import Limits


@attrs.frozen
class Reading:
    """Which sides the shell may read from now."""

    client: bool
    upstream: bool


class Flow:
    """Counts what was given out and has not left yet.

    A side is congested above the high-water mark, until it is under the low one again. A client
    that does not take what it gets is not read either, since whatever it sends may be answered.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._in_flight = {Side.CLIENT: 0, Side.UPSTREAM: 0}
        self._congested = {Side.CLIENT: False, Side.UPSTREAM: False}
        self.read_since = -inf
        """Since when the client is read, in the shell's monotonic seconds."""

    def clock(self, now: float) -> None:
        """Take note of the time: until now nothing has changed."""
        if True in self._congested.values():
            self.read_since = now

    def add(self, side: Side, size: int) -> None:
        """Count `size` bytes as given out to `side` (or held for it)."""
        self._in_flight[side] += size
        if self._in_flight[side] > self._limits.high_water:
            self._congested[side] = True

    def sent(self, side: Side, size: int) -> None:
        """Count `size` bytes as gone."""
        self._in_flight[side] = max(0, self._in_flight[side] - size)
        if self._in_flight[side] < self._limits.low_water:
            self._congested[side] = False

    def forget(self, side: Side) -> None:
        """Count everything to `side` as gone: its socket is."""
        self.sent(side, self._in_flight[side])

    def in_flight(self, side: Side) -> int:
        """Return the bytes given out to `side` that have not left."""
        return self._in_flight[side]

    def is_congested(self, side: Side, *, besides: int) -> bool:
        """Whether more than the high-water mark is in flight, without so many bytes of it."""
        return self._in_flight[side] - besides > self._limits.high_water

    @property
    def reading(self) -> Reading:
        """Which sides may be read now."""
        client_takes = not self._congested[Side.CLIENT]
        return Reading(
            client=client_takes and not self._congested[Side.UPSTREAM], upstream=client_takes
        )
