"""One direction of a TCP connection that fails as it is told to: see `faulty_tcp`."""

import enum
import math
import socket
from collections import deque
from typing import Final

import attrs

PIECE_BYTES: Final = 65_536
_QUEUE_BYTES: Final = 4 * 1024 * 1024
"""What waits in one direction, before its source is read no further."""
_STEP_S: Final = 0.02
"""A throttled direction passes so much at a time."""


class Ending(enum.Enum):
    """How a connection is cut."""

    FIN = "FIN"
    """The end of the stream, in both directions; what has been passed on arrives."""
    RST = "RST"
    """Without any goodbye: both ends have an error in place of an end. Of what the kernel had not
    delivered yet, some may be lost."""


@attrs.frozen(kw_only=True)
class Flow:
    """What becomes of one direction of a connection."""

    cut_at: int | None = None
    """The connection is cut when so many bytes have been passed on; 0: at once."""
    cut_by: Ending = Ending.RST
    hole_at: int | None = None
    """When so many bytes have been taken, the connection falls into a hole: all that is sent
    is taken and goes nowhere, in both directions, and neither end hears of the other's end."""
    delay_s: float = 0.0
    """How long each byte is on its way, and the end of the stream too."""
    bytes_per_s: float = math.inf

    def __attrs_post_init__(self) -> None:
        for name in ("cut_at", "hole_at", "delay_s"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ValueError(f"{name} must be 0 or more, got {value}")
        if not self.bytes_per_s > 0:
            raise ValueError(f"bytes_per_s must be more than 0, got {self.bytes_per_s}")


@attrs.frozen(kw_only=True)
class Plan:
    """What becomes of one connection."""

    up: Flow = Flow()
    """From the client to the target."""
    down: Flow = Flow()
    is_refused: bool = False
    """Reset as soon as it has been accepted; the target never sees it."""


class Pipe:
    """What has been taken in one direction, and waits to be passed on."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.taken = 0
        self.passed = 0
        self.has_ended = False
        """The source has sent its end, or is gone."""
        self.is_over = False
        """The sink has been told."""
        self.is_stuck = False
        """The sink takes no more just now."""
        self._queue: deque[tuple[float, bytes | None]] = deque()
        """When each piece is due; None is the end of the stream."""
        self._queued = 0
        self._free_at = -math.inf

    @property
    def has_room(self) -> bool:
        """Whether more may be taken."""
        return self._queued < _QUEUE_BYTES

    @property
    def is_in_hole(self) -> bool:
        """Whether what comes now goes nowhere."""
        return self.flow.hole_at is not None and self.taken >= self.flow.hole_at

    @property
    def is_cut(self) -> bool:
        """Whether all has been passed on that ever may be."""
        return self.flow.cut_at is not None and self.passed >= self.flow.cut_at

    @property
    def due(self) -> float:
        """When there is something to pass on."""
        if not self._queue or self.is_stuck:
            return math.inf
        return max(self._queue[0][0], self._free_at)

    def take(self, data: bytes, now: float) -> None:
        """Take bytes; no bytes are the end of the stream."""
        if not data:
            self._queue.append((now + self.flow.delay_s, None))
            return
        if self.flow.hole_at is not None:
            data = data[: max(0, self.flow.hole_at - self.taken)]
        if data:
            self._queue.append((now + self.flow.delay_s, data))
            self._queued += len(data)

    def drop(self) -> None:
        """Forget what waits."""
        self._queue.clear()
        self._queued = 0

    def pass_on(self, sink: socket.socket, now: float) -> None:
        """Give the sink what is due.

        Raises:
            OSError: The sink is gone.
        """
        self.is_stuck = False
        while self.due <= now and not self.is_cut:
            due, data = self._queue.popleft()
            if data is None:
                self.is_over = True
                sink.shutdown(socket.SHUT_WR)
                return
            try:
                sent = sink.send(data[: self._most()])
            except BlockingIOError:
                self.is_stuck = True
                sent = 0
            if data[sent:]:
                self._queue.appendleft((due, data[sent:]))
            self.passed += sent
            self._queued -= sent
            self._free_at = max(now, self._free_at) + sent / self.flow.bytes_per_s

    def _most(self) -> int:
        """How much may be passed on at once."""
        most = PIECE_BYTES
        if self.flow.bytes_per_s < math.inf:
            most = max(1, int(self.flow.bytes_per_s * _STEP_S))
        if self.flow.cut_at is not None:
            most = min(most, self.flow.cut_at - self.passed)
        return most
