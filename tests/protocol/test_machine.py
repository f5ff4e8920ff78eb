"""The machine against the core, and the random walk: any order of anything, from both sides."""

from collections import Counter

import pytest

from emulated import EmulatedSystem
from fuzz import walk
from livegate.protocol import Limits, SessionOptions
from livegate.protocol.states import TRANSITIONS
from livegate.protocol.testing.machine import GatewayMachine
from livegate.protocol.testing.systems import CoreSystem
from world import Cell, counted_cells

pytestmark = pytest.mark.long

TestCore = GatewayMachine.TestCase


class ForgetfulMachine(GatewayMachine):
    """The core, which keeps so little for clients that come back that some of it is gone."""

    def new_system(self) -> CoreSystem:
        """Return a core that keeps a few frames."""
        return CoreSystem(SessionOptions(limits=Limits(missed_bytes=1500)))


TestForgetful = ForgetfulMachine.TestCase


class ClientMachine(GatewayMachine):
    """The client's side alone, as if the gateway were somebody else's."""

    def new_system(self) -> EmulatedSystem:
        """Return the core with the emulator behind it."""
        return EmulatedSystem()


TestClientSide = ClientMachine.TestCase


def test_walks() -> None:
    """Some hundred random sessions keep every promise, reach every cell, and are mostly valid."""
    cells: Counter[Cell] = Counter()
    valid = invalid = 0
    with counted_cells(cells):
        for seed in range(1500):
            world = walk(seed)
            valid += world.valid
            invalid += world.invalid
    assert valid > invalid
    missed = [(p, t) for p, row in TRANSITIONS.items() for t in row if not cells[p, t]]
    assert not missed


@pytest.mark.parametrize("seed", [0, 7, 99])
def test_walks_repeat(seed: int) -> None:
    """The same seed and the same inputs give the same commands."""
    assert walk(seed).history == walk(seed).history
