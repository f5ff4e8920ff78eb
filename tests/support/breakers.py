"""Circuit breakers to test with, and how they stand."""

from typing import Final

from livegate.protocol.breaker import Breaker, State
from livegate.protocol.limits import BreakerLimits

LIMITS: Final = BreakerLimits(failures=3, rest_s=2.0, rest_max_s=6.0, probe_s=10.0)
NOW: Final = 1000.0


def asked(breaker: Breaker, now: float) -> int:
    """Return the number of an attempt that may be made."""
    number = breaker.ask(now)
    assert number is not None
    return number


def opened(limits: BreakerLimits = LIMITS, now: float = NOW) -> Breaker:
    """Return a breaker that has just opened."""
    breaker = Breaker(limits, seed=7)
    for _ in range(limits.failures):
        number = asked(breaker, now)
        breaker.failed(number, number, now)
    assert breaker.state is State.OPEN
    return breaker


def stands(breaker: Breaker) -> State:
    """Return how it stands, which type checkers think is for ever."""
    return breaker.state


def rest_of(breaker: Breaker, now: float) -> float:
    """Return how long nobody may try from now on; somebody tries then."""
    spans = (step / 64 for step in range(64 * 64))
    return next(span for span in spans if breaker.ask(now + span) is not None)
