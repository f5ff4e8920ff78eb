"""Every transcript on the core, and what no transcript can say."""

import pytest

import transcripts
from core_player import CorePlayer
from livegate.protocol import Session, SessionOptions, commands, inputs
from livegate.protocol.transcript import Transcript


@pytest.mark.parametrize("told", transcripts.load(), ids=lambda told: told.name)
def test_transcript(told: Transcript) -> None:
    """The core does what the transcript says, and nothing else."""
    CorePlayer(told).play()


@pytest.mark.parametrize(
    ("has_key", "event", "code", "reason"),
    [
        (True, inputs.ShutdownRequested(), 1012, "the gateway restarts"),
        (True, inputs.DialFailed(1, inputs.Fault.FORBIDDEN), 4201, "Gemini refused the API key"),
        (False, None, 4200, "no API key"),
    ],
)
def test_close(*, has_key: bool, event: inputs.Input | None, code: int, reason: str) -> None:
    """A client's socket is closed with a code and its meaning."""
    session = Session(SessionOptions(has_key=has_key), seed=0)
    session.start(0.0)
    done = session.handle(inputs.ClientOpened(7), 0.0)
    if event is not None:
        text = b'{"type":"text","text":"hi"}'
        session.handle(inputs.ClientFrame(7, text, is_text=True), 0.0)
        done = session.handle(event, 0.0)
    assert commands.CloseClient(7, code, reason) in done
