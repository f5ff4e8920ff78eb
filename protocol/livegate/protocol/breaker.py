"""A circuit breaker: sessions that cannot reach Gemini leave it alone together.

`Breaker` is one for all sessions of a gateway (M. Nygard, Release It!, has the pattern and the
names). **Closed**, everybody dials. When the links of so many sessions in a row could not be set up for
a reason that may pass, it **opens**: nobody dials for a while. Then it is **half-open**: the first
session that wants a link tries, for all of them, while the others are still held off. If it gets
through the breaker closes; if not, it opens for twice as long.

Whatever Gemini itself answers is a sign of life, a refusal too: of a setup, of a model, of the key
(HTTP 401 and 403 as well), for want of quota. It concerns one client, or needs the operator: waiting
would not help. What ends a link after its setupComplete is no affair of the breaker's.

`Guarded` is a session that asks the breaker. Whoever drives it notices nothing: a link that must not
be dialled fails before it is asked for.
"""

import enum
from typing import Final

from livegate.protocol.commands import LEVELS, Command, Event, Log, OpenUpstream, Scalar
from livegate.protocol.flow import Reading
from livegate.protocol.inputs import DialFailed, Fault, Input, UpstreamFrame, UpstreamGone
from livegate.protocol.limits import BreakerLimits
from livegate.protocol.session import Session
from livegate.protocol.states import Phase
from livegate.protocol.tally import Tally
from livegate.protocol.timers import backoff

_TRYING: Final = (Phase.DIALING, Phase.SETUP)


class State(enum.Enum):
    """How a breaker stands."""

    CLOSED = enum.auto()
    """Everybody dials."""
    OPEN = enum.auto()
    """Nobody dials; or, when its time is over, nobody has wanted to yet."""
    HALF_OPEN = enum.auto()
    """One tries, and nobody else."""


class Breaker:
    """Decides whether Gemini is dialled. Attempts are numbered by it.

    Args:
        limits: When it opens, and for how long.
        seed: Makes spans differ between processes.
    """

    def __init__(self, limits: BreakerLimits, *, seed: int) -> None:
        self._limits = limits
        self._seed = seed
        self._state = State.CLOSED
        self._attempts = 0
        """The number of the newest."""
        self._forgiven = 0
        """The newest when it last closed: that it fails is old news, and so of all before."""
        self._failed = set[int]()
        """Whose attempts have failed since somebody got through."""
        self._rests = 0
        """How often it has opened since it was last closed."""
        self._opened_at = 0.0
        """When it was last closed no more."""
        self._held_until = 0.0
        """While it is not closed: when the next may try."""
        self._probe = 0
        """While it is half-open: which attempt it depends on."""

    @property
    def state(self) -> State:
        """How it stands."""
        return self._state

    def ask(self, now: float) -> int | None:
        """Return the number of a new attempt, of which to tell what came; None if none may be made.

        Args:
            now: A monotonic clock, in seconds.
        """
        if self._state is not State.CLOSED:
            if now < self._held_until:
                return None
            self._state = State.HALF_OPEN
            self._held_until = now + self._limits.probe_s
            self._probe = self._attempts + 1
        self._attempts += 1
        return self._attempts

    def succeeded(self, now: float) -> list[Log]:
        """Close it: Gemini has answered, whichever attempt. Return what to log."""
        was_closed = self._state is State.CLOSED
        self._state = State.CLOSED
        self._rests = 0
        self._failed.clear()
        if was_closed:
            return []
        self._forgiven = self._attempts
        return [_log(Event.BREAKER_CLOSED, s=round(now - self._opened_at, 3))]

    def failed(self, attempt: int, first: int, now: float) -> list[Log]:
        """Take note that an attempt failed for a reason that may pass.

        Args:
            attempt: Which.
            first: The first that the same session has made; so each is known without a name.
            now: The clock.

        Returns:
            What to log.
        """
        if self._state is State.CLOSED and attempt > self._forgiven:
            self._failed.add(first)
            if (failures := len(self._failed)) < self._limits.failures:
                return []
            self._opened_at = now
            rest_s = self._rest(now)
            return [_log(Event.BREAKER_OPENED, failures=failures, s=round(rest_s, 3))]
        if self._is_probe(attempt):
            self._rest(now)
        return []

    def given_up(self, attempt: int, now: float) -> None:
        """Take note that nobody waits for an attempt any more: it says nothing of Gemini.

        If all depended on it another may try, but not at once: clients that come and go would dial
        as often as they come.
        """
        if self._is_probe(attempt):
            self._state = State.OPEN
            self._held_until = now + self._limits.rest_s

    def _is_probe(self, attempt: int) -> bool:
        return self._state is State.HALF_OPEN and attempt == self._probe

    def _rest(self, now: float) -> float:
        """Open; return for how long."""
        self._state = State.OPEN
        self._rests += 1
        limits = self._limits
        rest_s = backoff(limits.rest_s, limits.rest_max_s, self._seed, self._rests)
        self._held_until = now + rest_s
        return rest_s


def _log(event: Event, **fields: Scalar) -> Log:
    return Log(LEVELS[event], event, fields)


class Guarded:
    """A session that dials when a breaker lets it; to be used in the session's place.

    Args:
        session: Started.
        breaker: That of all sessions.
    """

    def __init__(self, session: Session, breaker: Breaker) -> None:
        self._session = session
        self._breaker = breaker
        self._attempt: int | None = None
        """Of which the breaker waits to hear."""
        self._first = 0
        """Its first, once there was one."""

    def handle(self, event: Input, now: float) -> list[Command]:
        """Take note of what happened and return what to do, in order: see `Session.handle`."""
        failures = self._session.failures
        given = self._session.handle(event, now)
        dial = next((one for one in given if isinstance(one, OpenUpstream)), None)
        attempt = self._attempt
        if attempt is not None and (dial is not None or self._session.phase not in _TRYING):
            self._attempt = None
            given += self._tell(attempt, event, now, has_failed=self._session.failures > failures)
        if dial is not None:
            self._attempt = self._breaker.ask(now)
            self._first = self._first or self._attempt or 0
            if self._attempt is None:
                given.remove(dial)
                given += self._session.handle(DialFailed(dial.link, Fault.RESTING), now)
        return given

    @property
    def is_over(self) -> bool:
        """Whether the session has ended."""
        return self._session.is_over

    @property
    def is_away(self) -> bool:
        """Whether it waits for its client."""
        return self._session.is_away

    @property
    def tally(self) -> Tally:
        """What the session has carried."""
        return self._session.tally

    @property
    def deadline(self) -> float | None:
        """When to handle `DeadlineReached`; may change with each input."""
        return self._session.deadline

    @property
    def reading(self) -> Reading:
        """Which sides the shell may read from now; may change with each input."""
        return self._session.reading

    @property
    def read_since(self) -> float:
        """Since when the client is read, in the shell's monotonic seconds; it may not be, now."""
        return self._session.read_since

    def _tell(self, attempt: int, event: Input, now: float, *, has_failed: bool) -> list[Log]:
        """Tell the breaker what came of the attempt that `event` has ended."""
        if has_failed:
            return self._breaker.failed(attempt, self._first, now)
        if isinstance(event, UpstreamFrame | UpstreamGone | DialFailed):
            return self._breaker.succeeded(now)
        self._breaker.given_up(attempt, now)
        return []
