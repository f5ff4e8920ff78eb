"""Hypothesis against the session: any order of anything, from both sides."""

from collections import Counter
from typing import Final

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fuzz import walk
from livegate.protocol.inputs import Fault, Side
from livegate.protocol.states import TRANSITIONS, Phase
from strategies import (
    BAD_CONFIGS,
    CLOSES,
    CONFIGS,
    FAULTS,
    FRAMES,
    GEMINI,
    client_junk,
    gemini_junk,
)
from world import Cell, World, counted_cells

_SPANS: Final = st.sampled_from([0.01, 0.3, 1.0, 2.0, 8.0, 11.0, 61.0])


speaking: Final = precondition(lambda self: self.world.may_speak)
hearing: Final = precondition(lambda self: self.world.may_hear)
dialling: Final = precondition(lambda self: self.world.link_state == "dialling")
linked: Final = precondition(lambda self: self.world.link_state in ("open", "ready"))


class SessionMachine(RuleBasedStateMachine):
    """Both peers, a jumping clock and sockets of any speed; `World` checks each step."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @initialize()
    def join(self) -> None:
        """A client connects."""
        self.world.join()

    @speaking
    @rule()
    def text(self) -> None:
        """The client asks."""
        self.world.text()

    @speaking
    @rule(data=st.sampled_from(CONFIGS))
    def config(self, data: dict[str, object]) -> None:
        """The client changes its mind."""
        self.world.config(data, is_good=True)

    @speaking
    @rule(data=st.sampled_from(BAD_CONFIGS))
    def bad_config(self, data: dict[str, object]) -> None:
        """The client asks for what cannot be."""
        self.world.config(data, is_good=False)

    @speaking
    @rule(frame=st.sampled_from(FRAMES))
    def frame(self, frame: tuple[bytes, bool]) -> None:
        """The client sends something else."""
        self.world.frame(frame[0], is_text=frame[1])

    @speaking
    @rule(frame=client_junk)
    def junk(self, frame: tuple[bytes, bool]) -> None:
        """The client sends nonsense."""
        self.world.junk(frame[0], is_text=frame[1])

    @hearing
    @rule(payload=st.sampled_from(GEMINI))
    def gemini(self, payload: bytes) -> None:
        """Gemini answers."""
        self.world.hear(payload)

    @hearing
    @rule(payload=gemini_junk)
    def gemini_nonsense(self, payload: bytes) -> None:
        """Gemini sends nonsense."""
        self.world.hear_junk(payload)

    @hearing
    @precondition(lambda self: self.world.link_state == "open")
    @rule()
    def accept(self) -> None:
        """Gemini accepts the setup."""
        self.world.accept_setup()

    @dialling
    @rule()
    def open_link(self) -> None:
        """The dial succeeds."""
        self.world.open_link()

    @dialling
    @rule(fault=st.sampled_from(FAULTS))
    def fail_dial(self, fault: Fault) -> None:
        """The dial fails."""
        self.world.fail_dial(fault)

    @linked
    @rule(close=st.sampled_from(CLOSES))
    def lose_link(self, close: tuple[int, str]) -> None:
        """Gemini ends the link."""
        self.world.lose_link(*close)

    @precondition(lambda self: self.world.link > 0)
    @rule()
    def replay(self) -> None:
        """News of an old link come late."""
        self.world.replay_old_link()

    @rule(side=st.sampled_from(Side), most=st.sampled_from([1, 100, 10_000, 10**9]))
    def sent(self, side: Side, most: int) -> None:
        """A socket gets rid of some bytes."""
        self.world.send(side, most)

    @rule(seconds=_SPANS)
    def wait(self, seconds: float) -> None:
        """The clock jumps."""
        self.world.pass_time(seconds)

    @rule()
    def wake_early(self) -> None:
        """The shell wakes up for nothing."""
        self.world.wake_early()

    @precondition(lambda self: self.world.link > 2)
    @rule(is_deploy=st.booleans())
    def end(self, *, is_deploy: bool) -> None:
        """The client leaves, or the process ends."""
        (self.world.shut_down if is_deploy else self.world.leave)()

    @invariant()
    def is_timed(self) -> None:
        """Whoever waits for Gemini has a deadline."""
        is_waiting = self.world.session.phase in (Phase.DIALING, Phase.SETUP, Phase.HANDOVER)
        assert not is_waiting or self.world.session.deadline is not None

    def teardown(self) -> None:
        """In the end nothing is owed."""
        self.world.settle()


TestSession = SessionMachine.TestCase


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
