"""Every transcript on the core, and what no transcript can say."""

import pytest

import transcripts
from core_player import CorePlayer
from livegate.protocol.transcript import Transcript


@pytest.mark.parametrize("told", transcripts.load(), ids=lambda told: told.name)
def test_transcript(told: Transcript) -> None:
    """The core does what the transcript says, and nothing else."""
    CorePlayer(told).play()
