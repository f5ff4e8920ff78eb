"""The circuit breaker itself: when nobody dials, and who tries for all."""

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from breakers import LIMITS, NOW, asked, opened, rest_of, stands
from livegate.protocol.breaker import Breaker, State
from livegate.protocol.commands import LEVELS, Event, Log
from livegate.protocol.limits import BreakerLimits


def test_closed() -> None:
    """At first everybody dials, and each attempt has another number."""
    breaker = Breaker(BreakerLimits(), seed=0)
    assert [breaker.ask(NOW) for _ in range(3)] == [1, 2, 3]
    assert stands(breaker) is State.CLOSED


def test_opens() -> None:
    """After so many sessions have failed in a row it opens, which is logged, once."""
    breaker = Breaker(LIMITS, seed=7)
    numbers = [asked(breaker, NOW) for _ in range(5)]
    assert breaker.failed(numbers[0], 1, NOW) == []
    assert breaker.failed(numbers[1], 2, NOW) == []
    assert stands(breaker) is State.CLOSED
    (line,) = breaker.failed(numbers[2], 3, NOW)
    assert stands(breaker) is State.OPEN
    assert (line.event, line.level) == (Event.BREAKER_OPENED, LEVELS[Event.BREAKER_OPENED])
    assert {**line.fields}.keys() == {"failures", "s"}
    assert line.fields["failures"] == 3
    assert 1.0 < float(line.fields["s"]) <= 2.0
    assert line.fields["s"] == round(float(line.fields["s"]), 3)
    assert breaker.ask(NOW) is None
    # That those behind them fail as well is no news.
    assert breaker.failed(numbers[3], 4, NOW + 0.5) == []
    assert float(line.fields["s"]) == pytest.approx(rest_of(breaker, NOW), abs=1 / 64)
    assert breaker.failed(numbers[4], 5, NOW + 3.0) == []
    assert stands(breaker) is State.HALF_OPEN


def test_success_between() -> None:
    """Only failures in a row count."""
    breaker = Breaker(LIMITS, seed=7)
    for first in range(1, 20):
        breaker.failed(asked(breaker, NOW), first, NOW)
        if first % 2 == 0:
            assert breaker.succeeded(NOW) == []
    assert stands(breaker) is State.CLOSED


def test_one_session_alone() -> None:
    """However often one session fails, the others are not held off."""
    breaker = Breaker(LIMITS, seed=7)
    for _ in range(100):
        assert breaker.failed(asked(breaker, NOW), 1, NOW) == []
    assert stands(breaker) is State.CLOSED
    assert breaker.failed(asked(breaker, NOW), 2, NOW) == []
    assert breaker.failed(asked(breaker, NOW), 3, NOW) != []


def test_closes() -> None:
    """The one that tries closes it, which is logged with how long it was open."""
    breaker = opened()
    assert breaker.ask(NOW + 2.0) == 4
    assert stands(breaker) is State.HALF_OPEN
    assert [breaker.ask(NOW + after) for after in (2.0, 3.0, 11.9)] == [None, None, None]
    (line,) = breaker.succeeded(NOW + 3.5001)
    assert line == Log(LEVELS[Event.BREAKER_CLOSED], Event.BREAKER_CLOSED, {"s": 3.5})
    assert stands(breaker) is State.CLOSED
    assert breaker.ask(NOW + 3.5) == 5
    assert breaker.succeeded(NOW + 3.6) == []


def test_rests_longer() -> None:
    """Each time that the one fails, all rest twice as long, up to a maximum; a success forgets it."""
    breaker, now, probe = opened(), NOW, 4
    for most in (2.0, 4.0, 6.0, 6.0):
        rest = rest_of(breaker, now)
        assert most / 2 < rest <= most
        now += rest
        assert breaker.failed(probe, 99, now) == []
        assert stands(breaker) is State.OPEN
        probe += 1
    now += rest_of(breaker, now)
    breaker.succeeded(now)
    for first in (1, 2, 3):
        breaker.failed(asked(breaker, now), first, now)
    assert rest_of(breaker, now) <= 2.0


def test_rests_differ() -> None:
    """Processes do not come back together."""
    breakers = [Breaker(attrs.evolve(LIMITS, failures=1), seed=seed) for seed in range(20)]
    logged = [one.failed(asked(one, NOW), 1, NOW)[0].fields["s"] for one in breakers]
    assert len({*logged}) > 15


def test_old_failures() -> None:
    """Attempts from before it closed, which fail only now, do not open it again."""
    breaker = Breaker(LIMITS, seed=7)
    old = [asked(breaker, NOW) for _ in range(10)]
    for number in old[:3]:
        breaker.failed(number, number, NOW)
    probe = asked(breaker, NOW + 2.0)
    breaker.succeeded(NOW + 2.5)
    for number in (*old[3:], probe):
        assert breaker.failed(number, number, NOW + 3.0) == []
    assert stands(breaker) is State.CLOSED
    new = [asked(breaker, NOW + 3.0) for _ in range(3)]
    assert [len(breaker.failed(number, number, NOW + 3.0)) for number in new] == [0, 0, 1]


def test_old_success() -> None:
    """An attempt from before it opened, which gets through, shows that Gemini is there."""
    for after in (0.5, 2.5):
        breaker = opened()
        breaker.ask(NOW + after)
        assert len(breaker.succeeded(NOW + after)) == 1
        assert stands(breaker) is State.CLOSED


def test_probe_without_outcome() -> None:
    """If nothing is heard of the one that tries, another does; of the first only success counts."""
    breaker = opened()
    lost = asked(breaker, NOW + 2.0)
    assert breaker.ask(NOW + 11.9) is None
    assert breaker.ask(NOW + 12.0) == lost + 1
    assert breaker.ask(NOW + 12.0) is None
    breaker.failed(lost, lost, NOW + 12.5)
    breaker.given_up(lost, NOW + 12.5)
    assert stands(breaker) is State.HALF_OPEN
    assert len(breaker.succeeded(NOW + 13.0)) == 1


def test_probe_given_up() -> None:
    """If the client of the one that tries leaves, another may after the shortest rest."""
    breaker = opened()
    for turn in range(5):
        now = NOW + 2.0 + 2.0 * turn
        breaker.given_up(asked(breaker, now), now)
        assert stands(breaker) is State.OPEN
        assert breaker.ask(now + 1.9) is None


def test_probe_overtaken() -> None:
    """If another gets through, it does not matter any more what comes of the one that tries."""
    for has_failed in (True, False):
        breaker = Breaker(attrs.evolve(LIMITS, failures=1), seed=7)
        asked(breaker, NOW)
        breaker.failed(asked(breaker, NOW), 2, NOW)
        probe = asked(breaker, NOW + 2.0)
        breaker.succeeded(NOW + 2.1)  # the very first
        if has_failed:
            assert breaker.failed(probe, probe, NOW + 2.2) == []
        else:
            breaker.given_up(probe, NOW + 2.2)
        assert stands(breaker) is State.CLOSED


def test_given_up_while_closed() -> None:
    """Clients that do not wait say nothing of Gemini."""
    breaker = Breaker(LIMITS, seed=7)
    for first in range(1, 20):
        number = asked(breaker, NOW)
        breaker.failed(number, first % 2, NOW)
        breaker.given_up(number, NOW)
    assert stands(breaker) is State.CLOSED


class BreakerMachine(RuleBasedStateMachine):
    """Many sessions, a jumping clock, and a model that knows spans only by their bounds."""

    attempts: st.SearchStrategy[int] = st.integers(0, 1000)

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(LIMITS, seed=11)
        self.now = NOW
        self.made: list[int] = []
        """Attempts of which nothing was heard."""
        self.is_closed = True
        self.recent: set[int] = set()
        """Attempts that were made since it closed."""
        self.failed: set[int] = set()
        self.probe: int | None = None
        self.most = 0.0
        """How long the rest is at most, that is or will be next; at least half of it."""
        self.earliest = self.latest = 0.0
        """When somebody may try, since it is not closed."""

    @rule()
    def ask(self) -> None:
        """A session wants to dial."""
        number = self.breaker.ask(self.now)
        if self.is_closed:
            assert number is not None
        elif number is None:
            assert self.now < self.latest
        else:
            assert self.now >= self.earliest
            self.probe, self.earliest = number, self.now + LIMITS.probe_s
            self.latest = self.earliest
        if number is not None:
            assert number not in self.recent
            self.recent.add(number)
            self.made.append(number)

    @precondition(lambda self: self.made)
    @rule(which=attempts, session=st.integers(1, 4))
    def fails(self, which: int, session: int) -> None:
        """An attempt of a session fails."""
        number = self.made.pop(which % len(self.made))
        logged = self.breaker.failed(number, session, self.now)
        if self.is_closed and number in self.recent:
            self.failed.add(session)
            if len(self.failed) == LIMITS.failures:
                self.is_closed, self.most = False, LIMITS.rest_s
                self._rests()
                assert [one.event for one in logged] == [Event.BREAKER_OPENED]
                return
        elif number == self.probe:
            self.most = min(2 * self.most, LIMITS.rest_max_s)
            self._rests()
        assert logged == []

    @precondition(lambda self: self.made)
    @rule(which=attempts)
    def succeeds(self, which: int) -> None:
        """An attempt gets through."""
        self.made.pop(which % len(self.made))
        logged = self.breaker.succeeded(self.now)
        assert [one.event for one in logged] == [Event.BREAKER_CLOSED] * (not self.is_closed)
        if not self.is_closed:
            self.recent.clear()
        self.is_closed, self.probe = True, None
        self.failed.clear()

    @precondition(lambda self: self.made)
    @rule(which=attempts)
    def is_given_up(self, which: int) -> None:
        """The client of an attempt leaves."""
        number = self.made.pop(which % len(self.made))
        self.breaker.given_up(number, self.now)
        if number == self.probe:
            self.probe = None
            self.earliest = self.latest = self.now + LIMITS.rest_s

    @rule(seconds=st.sampled_from([0.0, 0.25, 1.0, 2.0, 3.0, 6.0, 10.0, 100.0]))
    def time_passes(self, seconds: float) -> None:
        """The clock jumps."""
        self.now += seconds

    @invariant()
    def state(self) -> None:
        """It is closed, half-open while one tries, or open."""
        found = State.HALF_OPEN if self.probe is not None else State.OPEN
        assert self.breaker.state is (State.CLOSED if self.is_closed else found)

    def _rests(self) -> None:
        self.failed.clear()
        self.probe = None
        self.earliest, self.latest = self.now + self.most / 2, self.now + self.most


TestBreaker = BreakerMachine.TestCase
