"""A client's sound from its frame to Gemini, with a decoder that takes its time."""

import attrs
import pytest

from livegate.protocol import Limits, SessionOptions, frames
from livegate.protocol.commands import Decode, StopDecoding
from livegate.protocol.config import Delta
from livegate.protocol.errors import ErrorCode, RemoteProtocolError
from livegate.protocol.flow import Flow
from livegate.protocol.frames import ActivityEnd, AudioEnd, Content, Pcm, Piece, Text
from livegate.protocol.hearing import Hearing
from livegate.protocol.inputs import Decoded, DecodeFailed, Side
from livegate.protocol.line import Line
from livegate.protocol.media.kinds import Kind
from livegate.protocol.outbox import Outbox
from livegate.protocol.tally import Tally
from livegate.protocol.terms import Terms
from livegate.protocol.timers import TimerTable

NOW = 5.0
SECOND = bytes(32_000)
PLAN = Terms(SessionOptions()).plan
WEBM = bytes.fromhex("1a45dfa39f4286810142f781 0142f2")


class Ear:
    """What is around a `Hearing`, without a session."""

    def __init__(self) -> None:
        limits = Limits()
        self.flow = Flow(limits)
        self.line = Line(self.flow, least=1)
        self.tally = Tally(self.flow)
        self.timers = TimerTable()
        self.out = Outbox(self.flow, "")
        self.hearing = Hearing(limits, self.timers, self.line, self.out, self.tally)

    def says(self, item: Content) -> None:
        """The client says something."""
        if self.hearing.admits(item, NOW, PLAN):
            self.line.push(item, 1)

    def records(self, data: bytes = WEBM) -> None:
        """The client sends a piece of a recording."""
        sound = self.hearing.take(frames.Audio(data, is_base64=False), NOW)
        assert isinstance(sound, Piece)
        self.says(sound)

    def given(self) -> list[Content]:
        """Return what Gemini gets now, but for pieces; then the decoder has to go on, if any."""
        found: list[Content] = []
        while (item := self.line.head) is not None:
            assert not isinstance(item, Delta)
            if self.hearing.awaits(item):
                break
            self.line.take()
            means_something = self.hearing.given(item, PLAN) and not isinstance(item, Piece)
            found += [item] if means_something else []
        return found

    def steps(self) -> list[tuple[bytes, bool]]:
        """Return what the decoder has to do: data, and whether nothing may be held back."""
        return [(step.data, step.end) for step in self.out.take() if isinstance(step, Decode)]


@pytest.fixture
def ear() -> Ear:
    """Nothing has been said."""
    return Ear()


def test_order(ear: Ear) -> None:
    """What comes of a recording goes out before anything behind it; one step at a time."""
    ear.records()
    ear.says(Text("hi"))
    assert ear.given() == []
    assert ear.steps() == [(WEBM, False)]
    assert (ear.given(), ear.steps()) == ([], [])
    ear.hearing.decoded(Decoded(1, b"\1\0", has_more=True), NOW)
    assert ear.given() == [Pcm("AQA=")]
    assert ear.steps() == [(b"", False)]
    ear.hearing.decoded(Decoded(1, b"\2\0"), NOW)
    assert ear.given() == [Pcm("AgA="), Text("hi")]
    assert ear.tally.audio_s[Side.CLIENT] == 4 / 32_000


def test_end_of_a_whole_recording(ear: Ear) -> None:
    """It is the end of the speech, told once: not again by the client, nor behind its trailer."""
    ear.records()
    ear.records(b"trailer")
    ear.given()
    ear.hearing.decoded(Decoded(1, b"\1\0", end=True), NOW)
    assert ear.given() == [Pcm("AQA="), AudioEnd(is_said=False)]
    ear.hearing.decoded(Decoded(1, end=True), NOW)
    assert ear.given() == []
    assert not ear.hearing.is_speaking
    ear.records()
    ear.says(AudioEnd())
    ear.given()
    ear.hearing.decoded(Decoded(2, b"\1\0", end=True), NOW)
    assert ear.given() == [Pcm("AQA="), AudioEnd()]


def test_empty_recording(ear: Ear) -> None:
    """A recording with no sound ends what was said before it, if anything was."""
    ear.records()
    ear.given()
    ear.hearing.decoded(Decoded(1, end=True), NOW)
    assert ear.given() == []
    ear.says(Pcm("AQA="))
    ear.records()
    assert ear.given() == [Pcm("AQA=")]
    ear.hearing.decoded(Decoded(2, end=True), NOW)
    assert ear.given() == [AudioEnd(is_said=False)]


def test_congestion(ear: Ear) -> None:
    """Nothing is decoded while Gemini has enough to take; its end of speech is no matter."""
    ear.flow.add(Side.UPSTREAM, Limits().high_water + 1)
    ear.records()
    ear.says(AudioEnd())
    assert (ear.given(), ear.steps()) == ([], [])
    ear.flow.sent(Side.UPSTREAM, 1)
    ear.given()
    assert ear.steps() == [(WEBM, False)]
    ear.flow.add(Side.UPSTREAM, 2)
    ear.hearing.decoded(Decoded(1), NOW)
    assert (ear.given(), ear.steps()) == ([], [])
    ear.flow.sent(Side.UPSTREAM, 2)
    ear.given()
    assert ear.steps() == [(b"", True)]


def test_failure(ear: Ear) -> None:
    """A recording that cannot be decoded is told; nothing more of it is tried, or taken."""
    ear.records()
    ear.records(b"more")
    ear.given()
    with pytest.raises(RemoteProtocolError, match="cannot") as caught:
        ear.hearing.decoded(DecodeFailed(1, ErrorCode.AUDIO_BROKEN, "cannot"), NOW)
    assert caught.value.code is ErrorCode.AUDIO_BROKEN
    told = ear.hearing.is_speaking, ear.given(), ear.hearing.is_speaking
    assert told == (True, [], False)
    assert ear.steps() == [(WEBM, False)]
    with pytest.raises(RemoteProtocolError, match="was refused"):
        ear.records(b"more")


def test_too_much(ear: Ear) -> None:
    """A recording that costs too much is stopped, and refused like one that cannot be decoded."""
    ear.records()
    ear.given()
    ear.out.take()
    with pytest.raises(RemoteProtocolError, match="too long"):
        ear.hearing.decoded(Decoded(1, cpu_s=9.0), NOW)
    assert ear.out.take() == [StopDecoding(1)]
    with pytest.raises(RemoteProtocolError, match="was refused"):
        ear.records(b"more")


def test_age(ear: Ear) -> None:
    """How much sound may come depends on how long the session has lasted."""
    ear.tally.began_at = NOW
    for job in (1, 2):
        ear.records()
        ear.given()
        ear.hearing.decoded(Decoded(job, SECOND * 330, end=True), NOW)
        ear.given()
    ear.records()
    ear.given()
    with pytest.raises(RemoteProtocolError, match="than 0 s can have held"):
        ear.hearing.decoded(Decoded(3, SECOND, end=True), NOW)


def test_drop(ear: Ear) -> None:
    """What was thrown away is not heard, and nobody speaks."""
    ear.records()
    ear.given()
    ear.line.drop_content()
    ear.hearing.drop()
    assert not ear.hearing.is_speaking
    ear.hearing.decoded(Decoded(1, SECOND), NOW)
    assert ear.given() == []
    assert ear.tally.audio_s[Side.CLIENT] == 0


def test_by_hand(ear: Ear) -> None:
    """Who takes turns by hand is not ended by silence, and ends a recording with the activity."""
    plan = attrs.evolve(PLAN, detects_activity=False)
    ear.records()
    ear.given()
    ear.hearing.decoded(Decoded(1, b"\1\0"), NOW)
    while (item := ear.line.head) is not None and not isinstance(item, Delta):
        ear.line.take()
        ear.hearing.given(item, plan)
    assert ear.timers.next is None
    assert ear.hearing.admits(ActivityEnd(), NOW, plan)
    sound = ear.hearing.take(frames.Audio(b"\1\0", is_base64=False), NOW)
    assert sound == Pcm("AQA=")


def test_stop(ear: Ear) -> None:
    """With the session ends what is being decoded, if anything is."""
    ear.hearing.stop()
    assert ear.out.take() == []
    ear.records()
    ear.given()
    ear.out.take()
    ear.hearing.stop()
    assert ear.out.take() == [StopDecoding(1)]


@pytest.mark.parametrize(
    ("late_s", "read_after_s", "by_hand", "is_pause"),
    [
        (2.1, 0.0, False, True),
        (2.0, 0.0, False, False),
        (2.1, 0.0, True, False),
        (2.1, 1.2, False, False),
        (2.3, 1.2, False, True),
    ],
)
def test_pause_between_pieces(
    ear: Ear, late_s: float, read_after_s: float, *, by_hand: bool, is_pause: bool
) -> None:
    """A pause that shows only once a piece is decoded is an end, unless clients say theirs."""
    plan = attrs.evolve(PLAN, detects_activity=not by_hand)
    first = Piece(1, Kind.WEBM, WEBM, is_base64=False, came_at=NOW)
    second = attrs.evolve(first, came_at=NOW + late_s, read_since=NOW + read_after_s)
    for piece in (first, second):
        assert ear.hearing.admits(piece, NOW, plan)
    ear.line.push(second, 1)
    assert ear.hearing.awaits(first)
    ear.hearing.decoded(Decoded(1, SECOND), NOW)
    ear.line.take()
    assert ear.hearing.given(first, plan)
    assert ear.line.head == (AudioEnd(is_said=False) if is_pause else second)
