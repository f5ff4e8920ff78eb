"""What a session has carried, in numbers: for its limits, its log and the metrics."""

from collections.abc import Mapping

from livegate.protocol.flow import Flow
from livegate.protocol.gemini import TOKENS
from livegate.protocol.inputs import Side


class Tally:
    """Counts all that came, whether or not it was understood.

    Args:
        flow: What is in flight.
    """

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self.frames = {Side.CLIENT: 0, Side.UPSTREAM: 0}
        self.bytes = {Side.CLIENT: 0, Side.UPSTREAM: 0}
        self.audio_s = {Side.CLIENT: 0.0, Side.UPSTREAM: 0.0}
        """Seconds of sound, as it plays."""
        self.tokens = dict.fromkeys(TOKENS, 0)
        """What Gemini says that it has counted, by kind."""
        self.began_at = 0.0
        self._asked_at: float | None = None

    def came(self, side: Side, size: int) -> None:
        """Count a frame that came from `side`."""
        self.frames[side] += 1
        self.bytes[side] += size

    def heard(self, seconds: float) -> None:
        """Count sound of the client's."""
        self.audio_s[Side.CLIENT] += seconds

    def asked(self, now: float) -> None:
        """Take note that an answer is due."""
        self._asked_at = now

    def spoke(self, seconds: float, now: float) -> float | None:
        """Count sound of Gemini's; return how long the client waited, if it begins an answer."""
        self.audio_s[Side.UPSTREAM] += seconds
        asked_at, self._asked_at = self._asked_at, None
        return None if asked_at is None else now - asked_at

    def spent(self, tokens: Mapping[str, int]) -> None:
        """Count what Gemini has counted; it does so anew each time."""
        for kind, count in tokens.items():
            self.tokens[kind] += count

    @property
    def queued_bytes(self) -> int:
        """Bytes given out for the client that have not left."""
        return self._flow.in_flight(Side.CLIENT)

    def totals(self, now: float) -> dict[str, float]:
        """All of it, by the names that the log has for it."""
        return {
            "s": round(now - self.began_at, 3),
            **{
                f"{side.value}_{what}": round(counts[side], 3)
                for side in Side
                for what, counts in (
                    ("frames", self.frames),
                    ("bytes", self.bytes),
                    ("audio_s", self.audio_s),
                )
            },
            **{f"{kind}_tokens": count for kind, count in self.tokens.items()},
        }
