# pyright: reportPrivateUsage=false
"""What holds of a session's inside after each input, whatever it was."""

from livegate.protocol import Session
from livegate.protocol.states import CLOCKED, Phase, Turn
from livegate.protocol.timers import Timer

_LINKED = (Phase.LIVE, Phase.HANDOVER)
_LINKING = (Phase.DIALING, Phase.SETUP)
_AT_REST = (Phase.UNLINKED, Phase.REFUSED)


def check_timers(session: Session) -> None:
    """Raise unless just those timers run that something waits for.

    Raises:
        AssertionError: Something is waited for without an end, or for nothing.
    """
    phase, leg, talk = session.phase, session._leg, session._conversation
    running = set(session._timers._due)
    must = {
        Timer.SETUP: phase in _LINKING,
        Timer.AGE: phase in _LINKED and leg._link.ends_at == float("inf"),
        Timer.HANDOVER: phase is Phase.HANDOVER,
        Timer.RETRY: phase is Phase.RETRYING,
        Timer.ANSWER: phase in _LINKED and session.turn in (Turn.USER, Turn.OVERLAP),
        Timer.CALL: phase in _LINKED and talk.turns.has_calls,
    }
    missing = [timer.name for timer, is_due in must.items() if is_due and timer not in running]
    assert not missing, f"waited for without an end: {missing}"
    may = must | {Timer.AGE: phase in _LINKED}
    vain = [timer.name for timer, is_due in may.items() if timer in running and not is_due]
    assert not vain, f"waited for in vain: {vain}"
    wrong = [timer.name for timer in running if phase not in CLOCKED.get(timer, Phase)]
    assert not wrong, f"waited for in {phase.name}: {wrong}"
    is_idle = session.turn is Turn.IDLE and not talk.turns.has_calls
    assert is_idle or phase in _LINKED, "an answer is owed on no link"
    in_trouble = leg._link.failing_since is not None
    assert not (in_trouble and phase in _AT_REST), "trouble that nobody has"
    assert leg._link.is_there == (phase in _LINKING or phase in _LINKED), "is there a link?"
    assert not session._terms.size or phase in (*_LINKING, Phase.RETRYING), "nobody asks Gemini"
