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
    AGE = enum.auto()
    """`link_age_s`, `gemini_session_s`: the link is so old that Gemini will end it before long."""
    HANDOVER = enum.auto()
    """`handover_s`: another link has waited long enough for the running answer; `handle_s`: for the
    handle that comes after one; `go_away_margin_s`: it is as late as Gemini allows."""
    AWAY = enum.auto()
    """`resume_s`: the client has lost its WebSocket and has not come back."""
    RETRY = enum.auto()
    """`retry_s` to `retry_max_s`: the pause after Gemini could not be reached."""
    ANSWER = enum.auto()
    """`answer_s`: Gemini was asked and is silent."""
    CALL = enum.auto()
    """`call_s`: the client has not answered a tool call."""
    FLUSH = enum.auto()
    """`flush_after_s`: the speaker's audio has stopped without an `audio_end`."""


class TimerTable:
    """The clock, and at most one instant per timer, in the shell's monotonic seconds."""

    def __init__(self) -> None:
        self._due: dict[Timer, float] = {}
        self.now = 0.0
        """When the input that is being handled happened."""

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

    @property
    def expired(self) -> list[Timer]:
        """The timers that are due now, earliest first."""
        expired = sorted((at, timer.value) for timer, at in self._due.items() if at <= self.now)
        return [Timer(value) for _, value in expired]

    def take(self, timer: Timer) -> bool:
        """Stop `timer` if it is due now; return whether it was."""
        is_due = timer in self.expired
        if is_due:
            self.stop(timer)
        return is_due


def pause(limits: Limits, seed: int, failures: int) -> float:
    """Return how long a session waits after so many failures in a row, in seconds."""
    return backoff(limits.retry_s, limits.retry_max_s, seed, failures)


def backoff(first_s: float, most_s: float, seed: int, failures: int) -> float:
    """Return how long to wait after so many failures in a row, in seconds.

    It doubles each time, up to a maximum, and is cut by up to a half, differently for each seed, so
    that many do not come back together.
    """
    longest = min(first_s * 2.0 ** min(failures - 1, 30), most_s)
    key = (seed % 2**64).to_bytes(8)
    drawn = hashlib.blake2b(failures.to_bytes(8), key=key, digest_size=2).digest()
    return longest * (1 - int.from_bytes(drawn) / 2**17)
