"""Every conversation over bytes: the same as in the core, however the network cuts them."""

import random
from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

import transcripts
from byte_system import ByteSystem, Cut, whole
from livegate.protocol.testing.machine import GatewayMachine
from livegate.protocol.testing.play import play
from livegate.protocol.testing.systems import SystemUnderTest
from livegate.protocol.transcript import ClientOpens, Transcript

TALES: Final = [
    told
    for told in transcripts.load()
    if any(isinstance(step.action, ClientOpens) for step in told.steps)
]


def crumbs(data: bytes) -> Iterator[bytes]:
    """Cut bytes into single ones, where there are few."""
    size = 1 if len(data) < 5000 else 997
    for at in range(0, len(data), size):
        yield data[at : at + size]


def at_random(seed: int) -> Cut:
    """Return what cuts anywhere."""
    rng = random.Random(seed)  # noqa: S311 - no secret

    def cut(data: bytes) -> Iterator[bytes]:
        at = 0
        while at < len(data):
            size = rng.choice((1, 2, 7, 60, 500, 9000))
            yield data[at : at + size]
            at += size

    return cut


@pytest.mark.parametrize("cut", [whole, crumbs], ids=["whole", "crumbs"])
@pytest.mark.parametrize("told", TALES, ids=lambda told: told.name)
def test_transcript(told: Transcript, cut: Cut) -> None:
    """Over real WebSockets the same happens as in the core, and nothing else."""
    play(told, ByteSystem(told.options, cut=cut))


class _ByteMachine(GatewayMachine):
    def new_system(self) -> SystemUnderTest:
        return ByteSystem(cut=at_random(0))


@pytest.mark.long
def test_machine() -> None:
    """The machine that is shipped for others finds nothing wrong with it."""
    run_state_machine_as_test(
        _ByteMachine,
        settings=settings(
            max_examples=60,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
