"""How sessions are ended when a process is about to."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livegate.protocol.drain import STEP_S, WAVE, waves


@pytest.mark.parametrize(("sessions", "count"), [(0, 0), (1, 1), (WAVE, 1), (WAVE + 1, 2)])
def test_few(sessions: int, count: int) -> None:
    """A few sessions are told at once; none take no time."""
    assert len(waves(sessions, 10.0, 0)) == count


@given(st.integers(1, 100_000), st.floats(0.1, 60.0), st.integers(0, 2**64))
def test_waves(sessions: int, within_s: float, seed: int) -> None:
    """There is room for all, the first wave goes at once, the last in time, each after the other."""
    told = waves(sessions, within_s, seed)
    assert len(told) * WAVE >= sessions
    assert told[0] == 0
    assert told == sorted(told)
    assert told[-1] < within_s
    assert all(after - before <= 1.5 * STEP_S for before, after in pairwise(told))


def test_processes_differ() -> None:
    """Two processes that end together do not send their clients away together."""
    assert waves(1000, 10.0, 1) != waves(1000, 10.0, 2)
