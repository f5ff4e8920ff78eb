"""A speaker's clock."""

import pytest

from livegate.protocol import Limits, frames
from livegate.protocol.intake import Intake
from livegate.protocol.media.kinds import Kind
from livegate.protocol.speech import Speech
from livegate.protocol.timers import TimerTable


@pytest.fixture
def timers() -> TimerTable:
    """No timer runs."""
    return TimerTable()


@pytest.fixture
def speech(timers: TimerTable) -> Speech:
    """Nobody speaks."""
    return Speech(Limits(), timers, Intake())


def piece(came_at: float) -> frames.Piece:
    """Return a piece of a recording."""
    return frames.Piece(1, Kind.WEBM, b"piece", is_base64=False, came_at=came_at)


def test_no_clock_without_a_speaker(speech: Speech, timers: TimerTable) -> None:
    """The clock runs from the last sound, and not any more once the speaker has finished."""
    assert speech.admits(frames.Pcm("A" * 64), 5.0, may_pause=False)
    assert (timers.next, speech.is_speaking) == (5.0 + 48 / 32_000 + 1.0, True)
    assert speech.admits(frames.AudioEnd(), 5.5, may_pause=False)
    assert (timers.next, speech.is_speaking) == (None, False)
    assert not speech.admits(frames.AudioEnd(), 5.6, may_pause=False)


def test_clock_of_a_recording(speech: Speech, timers: TimerTable) -> None:
    """How long a piece plays is known when it is decoded: the clock waits for that."""
    first, second = piece(5.0), piece(5.2)
    assert speech.admits(first, 5.0, may_pause=False)
    assert speech.admits(second, 5.2, may_pause=False)
    assert (timers.next, speech.is_speaking) == (None, True)
    speech.decoded(first, 0.25, is_whole=False, may_pause=False)
    assert timers.next is None
    speech.decoded(second, 0.25, is_whole=False, may_pause=False)
    assert timers.next == 5.2 + 0.25 + 1.0


def test_clock_of_a_silent_piece(speech: Speech, timers: TimerTable) -> None:
    """A header is no speech yet; a last piece without sound does not stop the clock."""
    for came_at, seconds, due in [(5.0, 0.0, None), (5.3, 0.25, 6.55), (5.6, 0.0, 6.6)]:
        assert speech.admits(piece(came_at), came_at, may_pause=False)
        speech.decoded(piece(came_at), seconds, is_whole=False, may_pause=False)
        assert timers.next == (due if due is None else pytest.approx(due))


def test_no_clock_by_hand(speech: Speech, timers: TimerTable) -> None:
    """Who takes turns by hand is not ended by silence."""
    assert speech.admits(piece(5.0), 5.0, may_pause=True)
    speech.decoded(piece(5.0), 0.25, is_whole=False, may_pause=True)
    assert speech.admits(frames.Pcm("A" * 64), 5.0, may_pause=True)
    assert (timers.next, speech.is_speaking) == (None, True)
    assert speech.admits(frames.ActivityEnd(), 5.5, may_pause=True)
    assert not speech.is_speaking


def test_whole_recording(speech: Speech, timers: TimerTable) -> None:
    """A recording that is whole ends the speech, unless another has begun behind it."""
    first, second = piece(5.0), piece(5.1)
    speech.admits(first, 5.0, may_pause=False)
    speech.admits(second, 5.1, may_pause=False)
    speech.decoded(first, 3.0, is_whole=True, may_pause=False)
    assert speech.is_speaking
    speech.decoded(second, 1.0, is_whole=True, may_pause=False)
    assert (timers.next, speech.is_speaking) == (None, False)


def test_failure_behind_sound(speech: Speech, timers: TimerTable) -> None:
    """A piece that nothing comes of ends nothing, if there was sound before it; silence does."""
    first, broken = piece(5.0), piece(5.5)
    speech.admits(first, 5.0, may_pause=False)
    speech.admits(broken, 5.5, may_pause=False)
    speech.decoded(first, 0.25, is_whole=False, may_pause=False)
    speech.decoded(broken, 0.0, is_whole=False, may_pause=False, has_failed=True)
    assert (timers.next, speech.is_speaking) == (6.5, True)


def test_sound_behind_a_recording(speech: Speech, timers: TimerTable) -> None:
    """A recording that is whole does not end what was said behind it; silence does."""
    first = piece(5.0)
    speech.admits(first, 5.0, may_pause=False)
    speech.admits(frames.Pcm("A" * 64), 5.5, may_pause=False)
    due = [timers.next]
    speech.decoded(first, 0.25, is_whole=True, may_pause=False)
    assert [*due, timers.next] == [None, 5.5 + 48 / 32_000 + 1.0]
    assert speech.is_speaking


def test_header_behind_sound(speech: Speech, timers: TimerTable) -> None:
    """A header stops the clock of the sound before it only until it is known for one."""
    speech.admits(frames.Pcm("A" * 64), 5.0, may_pause=False)
    speech.admits(piece(5.0), 5.0, may_pause=False)
    assert timers.next is None
    speech.decoded(piece(5.0), 0.0, is_whole=False, may_pause=False)
    assert timers.next == 5.0 + 48 / 32_000 + 1.0


def test_header_after_the_end(speech: Speech, timers: TimerTable) -> None:
    """What has ended gives a header no clock."""
    speech.admits(frames.Pcm("A" * 64), 5.0, may_pause=False)
    speech.admits(frames.AudioEnd(), 5.5, may_pause=False)
    header = piece(6.0)
    speech.admits(header, 6.0, may_pause=False)
    speech.decoded(header, 0.0, is_whole=False, may_pause=False)
    assert (timers.next, speech.is_speaking) == (None, True)


def test_thrown_away(speech: Speech, timers: TimerTable) -> None:
    """What was thrown away is not waited for."""
    speech.admits(piece(5.0), 5.0, may_pause=False)
    speech.drop()
    assert not speech.is_speaking
    speech.admits(piece(9.0), 9.0, may_pause=False)
    speech.decoded(piece(9.0), 1.0, is_whole=False, may_pause=False)
    assert timers.next == 11.0
