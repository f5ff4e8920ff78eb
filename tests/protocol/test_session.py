"""Every transcript on the core, and what no transcript can say."""

import pytest

import transcript
from core_player import CorePlayer
from transcript import Transcript


@pytest.mark.parametrize("told", transcript.load(), ids=lambda told: told.name)
def test_transcript(told: Transcript) -> None:
    """The core does what the transcript says, and nothing else."""
    CorePlayer(told).play()
