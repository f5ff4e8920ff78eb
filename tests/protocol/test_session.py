"""Every transcript on the core, and what no transcript can say."""

import pytest

import transcripts
from livegate.protocol import Session, SessionOptions, commands, inputs
from livegate.protocol.commands import Event, Level
from livegate.protocol.testing.play import play
from livegate.protocol.testing.systems import CoreSystem
from livegate.protocol.transcript import Transcript


@pytest.mark.parametrize("told", transcripts.load(), ids=lambda told: told.name)
def test_transcript(told: Transcript) -> None:
    """The core does what the transcript says, and nothing else."""
    play(told, CoreSystem(told.options))


def test_log_says_why() -> None:
    """Each change of phase is logged once with its trigger, and each timer that expired."""
    session = Session(SessionOptions(session_id="s"), seed=0)
    session.start(0.0)
    given = session.handle(inputs.ClientOpened(1), 0.0)
    given += session.handle(inputs.DeadlineReached(), 0.1)
    given += session.handle(inputs.DeadlineReached(), 0.3)
    given += session.handle(
        inputs.ClientFrame(1, b'{"type":"text","text":"Hi"}', is_text=True), 0.4
    )
    told = [one for one in given if isinstance(one, commands.Log) and one.level is Level.DEBUG]
    whose = {"session": "s", "link": 0}
    assert [(one.event, one.fields) for one in told] == [
        (Event.PHASE_CHANGED, {**whose, "trigger": "client_opened", "phase": "unlinked"}),
        (Event.TIMER_EXPIRED, {**whose, "timer": "grace"}),
        (Event.PHASE_CHANGED, {**whose, "trigger": "grace_over", "phase": "dialing"}),
    ]
