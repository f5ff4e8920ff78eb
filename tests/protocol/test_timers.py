"""Clocks as values, and the pauses between attempts."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from livegate.protocol import Limits
from livegate.protocol.timers import Timer, TimerTable, pause


def taken(table: TimerTable, now: float) -> list[Timer]:
    """Return the timers that expire by then."""
    table.now = now
    return [timer for timer in table.expired if table.take(timer)]


def test_table() -> None:
    """Timers expire at their instants, earliest first, and once."""
    table = TimerTable()
    assert table.now == 0.0
    assert taken(table, 0.0) == []
    table.set(Timer.RETRY, 3.0)
    table.set(Timer.FLUSH, 1.0)
    table.set(Timer.SETUP, 2.0)
    table.set(Timer.SETUP, 4.0)
    assert table.next == 1.0
    assert taken(table, 0.9) == []
    assert taken(table, 3.0) == [Timer.FLUSH, Timer.RETRY]
    assert taken(table, 3.9) == []
    table.stop(Timer.SETUP)
    table.stop(Timer.SETUP)
    assert taken(table, 9.0) == []
    table.set(Timer.GRACE, 5.0)
    table.clear()
    assert taken(table, 9.0) == []
    assert table.next is None


def test_at_the_same_instant() -> None:
    """Of timers that expire at once, one that another has stopped or moved does not."""
    table = TimerTable()
    for timer in (Timer.CALL, Timer.ANSWER, Timer.HANDOVER):
        table.set(timer, 2.0)
    table.now = 2.0
    assert table.expired == [Timer.HANDOVER, Timer.ANSWER, Timer.CALL]
    assert table.take(Timer.HANDOVER)
    table.stop(Timer.ANSWER)
    table.set(Timer.CALL, 2.5)
    assert [table.take(timer) for timer in (Timer.HANDOVER, Timer.ANSWER, Timer.CALL)] == [
        False
    ] * 3
    assert table.next == 2.5


@given(st.integers(), st.integers(1, 10_000))
def test_pause_is_bounded(seed: int, failures: int) -> None:
    """A pause is never longer than allowed, nor shorter than half of the first one."""
    assert 0.25 <= pause(Limits(), seed, failures) <= 8.0


@given(st.integers())
def test_pause_grows(seed: int) -> None:
    """Pauses grow to the longest, whatever the seed."""
    limits = Limits(retry_s=1.0, retry_max_s=64.0)
    longest = [min(2.0**n, 64.0) for n in range(12)]
    found = [pause(limits, seed, n + 1) for n in range(12)]
    assert all(most / 2 < got <= most for got, most in zip(found, longest, strict=True))
    assert all(later >= earlier for earlier, later in pairwise(found[:7]))


def test_pause_differs() -> None:
    """Sessions do not come back together, nor twice alike; one session repeats itself."""
    pauses = {pause(Limits(), seed, 3) for seed in range(100)}
    assert len(pauses) > 90
    assert 1.0 < min(pauses) < 1.1
    assert 1.9 < max(pauses) < 2.0
    assert pause(Limits(), 5, 3) != 2 * pause(Limits(), 5, 2)
    assert pause(Limits(), 5, 3) == pause(Limits(), 5, 3)
