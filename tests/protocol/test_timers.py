"""Clocks as values, and the pauses between attempts."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from livegate.protocol import Limits
from livegate.protocol.timers import Timer, TimerTable, pause


def test_table() -> None:
    """Timers expire at their instants, earliest first, and once."""
    table = TimerTable()
    assert table.take_expired(0.0) == []
    table.set(Timer.RETRY, 3.0)
    table.set(Timer.FLUSH, 1.0)
    table.set(Timer.SETUP, 2.0)
    table.set(Timer.SETUP, 4.0)
    assert table.next == 1.0
    assert table.take_expired(0.9) == []
    assert table.take_expired(3.0) == [Timer.FLUSH, Timer.RETRY]
    assert table.take_expired(3.9) == []
    table.stop(Timer.SETUP)
    table.stop(Timer.SETUP)
    assert table.take_expired(9.0) == []
    table.set(Timer.GRACE, 5.0)
    table.clear()
    assert table.take_expired(9.0) == []


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
