"""Whether a client is still there: pings, and what it means that nothing is heard of it."""

import math
from typing import Final

from livegate.protocol.connection.websocket import WebSocket
from livegate.protocol.limits import WireLimits

_UNHEARD: Final = 4000
_IDLE: Final = 4102


class Heartbeat:
    """The pings of one WebSocket of a client.

    A missing pong alone proves nothing: a program may be busy for minutes, or wait for its user in
    a blocking call. Only clients of `livegate.v1`, which can come back, have to answer: unless they
    cannot be asked, since they take nothing in, or could not be heard, since we did not read.

    Args:
        limits: How often, and for how long.
        is_v1: Whether the client speaks the dialect `livegate.v1`.
        now: The shell's clock.
    """

    def __init__(self, limits: WireLimits, *, is_v1: bool, now: float) -> None:
        self._pause_s = limits.ping_s
        self._patience_s = limits.pong_s if is_v1 else limits.idle_s
        self.code = _UNHEARD if is_v1 else _IDLE
        """With which a client that is given up is closed."""
        self.deadline = now + self._pause_s
        """When the next ping is due."""
        self._excused_at = -math.inf
        """Until when nothing could be heard of the client."""

    def excuse(self, until: float) -> None:
        """Take note that nothing could be heard of the client until then."""
        self._excused_at = max(self._excused_at, until)

    def is_silent(self, client: WebSocket, now: float) -> bool:
        """Whether nothing was heard since the last ping."""
        return now - client.heard_at >= self._pause_s

    def is_lost(self, client: WebSocket, now: float) -> bool:
        """Whether nothing was heard for so long that the client is given up."""
        return now - max(client.heard_at, self._excused_at) >= self._patience_s

    def beat(self, client: WebSocket, now: float) -> None:
        """Send a ping, if the client takes in what it gets."""
        if not client.ping():
            self.excuse(now)
        self.deadline = now + self._pause_s
