"""Every transcript on the core, and what no transcript can say."""

import pytest

import transcripts
from livegate.protocol.testing.play import play
from livegate.protocol.testing.systems import CoreSystem
from livegate.protocol.transcript import Transcript


@pytest.mark.parametrize("told", transcripts.load(), ids=lambda told: told.name)
def test_transcript(told: Transcript) -> None:
    """The core does what the transcript says, and nothing else."""
    play(told, CoreSystem(told.options))
