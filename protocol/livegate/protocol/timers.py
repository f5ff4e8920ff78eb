"""The session's clocks, as values: what is due, and when."""

import enum
import hashlib

from livegate.protocol.limits import Limits


class Timer(enum.Enum):
    """Every span that a session waits for."""

    GRACE = enum.auto()
    """`grace_s`: the client says nothing after connecting; dial Gemini with the defaults."""
    SETUP = enum.auto()
    """`setup_s`: dialling and setting up a link takes too long."""
    HANDOVER = enum.auto()
    """`handover_s`: a changed config has waited long enough for the running answer; `handle_s`: for
    the handle that comes after one."""
    RETRY = enum.auto()
    """`retry_s` to `retry_max_s`: the pause after Gemini could not be reached."""
    FLUSH = enum.auto()
    """`flush_after_s`: the speaker's audio has stopped without an `audio_end`."""


class TimerTable:
    """At most one instant per timer, in the shell's monotonic seconds."""

    def __init__(self) -> None:
        self._due: dict[Timer, float] = {}

    def set(self, timer: Timer, at: float) -> None:
        """Start `timer`, or move it, so that it is due `at`."""
        self._due[timer] = at

    def stop(self, timer: Timer) -> None:
        """Forget `timer`, whether it runs or not."""
        self._due.pop(timer, None)

    def clear(self) -> None:
        """Forget all timers."""
        self._due.clear()

    @property
    def next(self) -> float | None:
        """The earliest instant that is due, or None if no timer runs."""
        return min(self._due.values(), default=None)

    def take_expired(self, now: float) -> list[Timer]:
        """Stop and return the timers that are due at `now`, earliest first."""
        expired = sorted((at, timer.value) for timer, at in self._due.items() if at <= now)
        timers = [Timer(value) for _, value in expired]
        for timer in timers:
            self.stop(timer)
        return timers


def pause(limits: Limits, seed: int, failures: int) -> float:
    """Return how long to wait after so many failures in a row, in seconds.

    It doubles each time and is cut by up to a half, differently in each session, so that many
    sessions do not come back together.
    """
    longest = min(limits.retry_s * 2.0 ** min(failures - 1, 30), limits.retry_max_s)
    key = (seed % 2**64).to_bytes(8)
    drawn = hashlib.blake2b(failures.to_bytes(8), key=key, digest_size=2).digest()
    return longest * (1 - int.from_bytes(drawn) / 2**17)
