"""Back-pressure, as a table of what is given out and what leaves."""

import math

import pytest

from livegate.protocol import Limits
from livegate.protocol.flow import Flow, Reading
from livegate.protocol.inputs import Side

C, U = Side.CLIENT, Side.UPSTREAM
ALL, NONE, UPSTREAM = Reading(True, True), Reading(False, False), Reading(False, True)  # noqa: FBT003


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([], ALL),
        ([(C, 100)], ALL),
        ([(C, 101)], NONE),
        ([(C, 101), (C, -51)], NONE),
        ([(C, 101), (C, -52)], ALL),
        ([(C, 101), (C, -52), (C, 50)], ALL),
        ([(C, 60), (C, 60), (C, -200), (C, 60)], ALL),
        ([(U, 101)], UPSTREAM),
        ([(U, 101), (U, -51)], UPSTREAM),
        ([(U, 101), (U, -52)], ALL),
        ([(U, 101), (C, 101), (U, -101)], NONE),
        ([(U, 101), (C, 101), (C, -101)], UPSTREAM),
    ],
)
def test_reading(steps: list[tuple[Side, int]], expected: Reading) -> None:
    """A side that is behind stops whoever fills it, until it has caught up well."""
    flow = Flow(Limits(high_water=100, low_water=50))
    for side, size in steps:
        if size > 0:
            flow.add(side, size)
        else:
            flow.sent(side, -size)
    assert flow.reading == expected


def test_forget() -> None:
    """A socket that is gone holds nothing up."""
    flow = Flow(Limits(high_water=100, low_water=50))
    flow.add(U, 500)
    flow.forget(U)
    assert (flow.in_flight(U), flow.reading) == (0, ALL)


def test_read_since() -> None:
    """A client is read since the last time at which one side was still behind."""
    flow = Flow(Limits(high_water=100, low_water=50))
    flow.clock(1.0)
    assert flow.read_since == -math.inf
    flow.add(Side.UPSTREAM, 101)
    flow.clock(2.0)
    flow.clock(3.0)
    flow.sent(Side.UPSTREAM, 101)
    flow.clock(4.0)
    assert flow.read_since == 3.0
