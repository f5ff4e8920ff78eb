"""Every transcript on the core, and what no transcript can say."""

import pytest

import transcripts
from livegate.protocol import Limits, Session, SessionOptions, commands, inputs
from livegate.protocol.commands import Event, Level
from livegate.protocol.states import Turn
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


def test_late_clock() -> None:
    """Where a clock is late, and the first of what was due ends the session, nothing else is."""
    limits = Limits(setup_s=0.5, retrying_s=0.0)
    session = Session(SessionOptions(limits=limits), seed=0)
    session.start(0.0)
    session.handle(inputs.ClientOpened(1), 0.0)
    session.handle(inputs.ClientFrame(1, bytes(320), is_text=False), 0.0)
    assert session.deadline == 0.5
    given = session.handle(inputs.DeadlineReached(), 60.0)
    assert commands.CloseClient(1, 4101, "Gemini could not be reached") in given
    expired = [one.fields["timer"] for one in logged(given, Event.TIMER_EXPIRED)]
    assert expired == ["setup"]
    assert [session.deadline] == [None]


def test_unheard_answer() -> None:
    """While the client does not take what it gets, Gemini is not read, and so not silent."""
    session = Session(SessionOptions(limits=Limits(high_water=10, low_water=5)), seed=0)
    session.start(0.0)
    session.handle(inputs.ClientOpened(1), 0.0)
    session.handle(inputs.ClientFrame(1, b'{"type":"text","text":"Hi"}', is_text=True), 0.0)
    session.handle(inputs.UpstreamOpened(1), 0.0)
    given = session.handle(inputs.UpstreamFrame(1, b'{"setupComplete":{}}'), 0.0)
    [told] = [one for one in given if isinstance(one, commands.SendClient)]
    asked_at = session.deadline
    assert asked_at == 30.0
    given = session.handle(inputs.DeadlineReached(), 30.0)
    assert not [one for one in given if isinstance(one, commands.SendClient)]
    assert [session.deadline, session.turn] == [60.0, Turn.USER]
    session.handle(inputs.Sent(inputs.Side.CLIENT, 1, len(told.payload)), 31.0)
    given = session.handle(inputs.DeadlineReached(), 60.0)
    codes = [b"no_answer" in one.payload for one in given if isinstance(one, commands.SendClient)]
    assert codes == [True, False]


def logged(given: list[commands.Command], event: Event) -> list[commands.Log]:
    """Return the lines that tell of an event."""
    return [one for one in given if isinstance(one, commands.Log) and one.event is event]


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
