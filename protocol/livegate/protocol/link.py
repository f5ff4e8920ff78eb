"""How the newest link to Gemini has fared."""

from math import inf

import attrs


@attrs.define
class Link:
    """The newest of a session's links."""

    is_there: bool = False
    """It is open or being opened."""
    is_used: bool = False
    """Something was said on it, by either side."""
    is_proven: bool = False
    """Gemini has said something on it, or it has lasted."""
    is_changing: bool = False
    """A changed config waits for the next one."""
    ends_at: float = inf
    """When another has to take its place at the latest, in the shell's monotonic seconds."""
    dialled_at: float = 0.0
    ready_at: float = 0.0
    """When Gemini accepted its setup."""
    failures: int = 0
    """Links in a row that were never proven."""
    refusals: int = 0
    """Links in a row that Gemini ended when it was to resume the conversation."""
    failing_since: float | None = None
    """When `failures` began, without the time in which one of them was there."""
    is_told: bool = False
    """The client knows of it."""

    def dial(self, now: float) -> None:
        """Begin anew."""
        self.is_there, self.is_used, self.is_proven = True, False, False
        self.is_changing = False
        self.ends_at, self.dialled_at = inf, now

    def fail(self, now: float, *, is_broken: bool) -> float:
        """Take note that it came to nothing; return since when none has done better.

        Args:
            now: The shell's clock.
            is_broken: It was there first.
        """
        self.failures += 1
        if self.failing_since is None:
            self.failing_since = now if is_broken else self.dialled_at
        elif is_broken:
            self.failing_since += now - self.ready_at
        return self.failing_since

    def prove(self) -> None:
        """Take note that it works."""
        self.is_proven = True
        self.forgive()

    def forgive(self) -> None:
        """Forget what failed before."""
        self.failures, self.failing_since, self.is_told = 0, None, False
