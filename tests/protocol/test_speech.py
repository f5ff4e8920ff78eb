"""A speaker's clock."""

from livegate.protocol import Limits, frames
from livegate.protocol.speech import Speech
from livegate.protocol.timers import TimerTable


def test_no_clock_without_a_speaker() -> None:
    """The clock runs from the last sound, and not any more once the speaker has finished."""
    timers = TimerTable()
    speech = Speech(Limits(), timers)
    assert speech.admits(frames.Audio("A" * 64), 5.0, may_pause=False)
    assert (timers.next, speech.is_speaking) == (5.0 + 48 / 32_000 + 1.0, True)
    assert speech.admits(frames.AudioEnd(), 5.5, may_pause=False)
    assert (timers.next, speech.is_speaking) == (None, False)
