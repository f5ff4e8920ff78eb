"""Recordings at the head of the line, step by step."""

import pytest

from livegate.protocol import Limits, frames
from livegate.protocol.commands import Decode
from livegate.protocol.decoding import Decoding
from livegate.protocol.errors import ErrorCode, RemoteProtocolError
from livegate.protocol.frames import ActivityEnd, AudioEnd, Pcm, Piece, Text
from livegate.protocol.inputs import Decoded
from livegate.protocol.media.kinds import Kind

SECOND = bytes(32_000)


@pytest.fixture
def decoding() -> Decoding:
    """Nothing has been decoded."""
    return Decoding(Limits())


def piece(job: int = 1, data: bytes = b"piece") -> Piece:
    """Return a piece of a recording."""
    return Piece(job, Kind.OGG, data, is_base64=False, came_at=0.0)


def step(job: int = 1, data: bytes = b"", *, end: bool = False) -> Decode:
    """Return a step of a recording."""
    return Decode(job, Kind.OGG, data, end=end)


def test_nothing(decoding: Decoding) -> None:
    """Nothing is under way, and nothing was decoded."""
    assert (decoding.is_busy, decoding.job) == (False, 0)
    assert (decoding.is_whole, decoding.piece_s) == (False, 0.0)
    assert decoding.next_step(Text("hi")) is None


def test_rate(decoding: Decoding) -> None:
    """Sound keeps the rate that the decoder tells; then no step is under way."""
    decoding.next_step(piece())
    assert decoding.take(Decoded(1, b"\1\0", rate=48_000), 0.0) == Pcm("AQA=", 48_000)
    assert decoding.is_busy is False


def test_piece(decoding: Decoding) -> None:
    """A piece is given once; more of it is asked for until there is no more."""
    head = piece()
    assert decoding.next_step(head) == step(data=b"piece")
    assert (decoding.is_busy, decoding.job) == (True, 1)
    assert decoding.take(Decoded(1, b"\1\0", has_more=True), 0.0) == Pcm("AQA=")
    assert not decoding.is_busy
    assert decoding.next_step(head) == step()
    assert decoding.take(Decoded(1, SECOND), 0.0) is not None
    assert decoding.next_step(head) is None
    assert (decoding.is_busy, decoding.is_whole) == (False, False)
    assert decoding.piece_s == pytest.approx(32_002 / 32_000)
    assert decoding.next_step(piece(data=b"next")) == step(data=b"next")
    assert decoding.piece_s == 0


@pytest.mark.parametrize("ending", [AudioEnd(), ActivityEnd()])
def test_end_of_speech(decoding: Decoding, ending: AudioEnd | ActivityEnd) -> None:
    """Before a speech ends, the decoder gives out what it holds back, once."""
    assert decoding.next_step(ending) is None
    decoding.next_step(piece())
    decoding.take(Decoded(1), 0.0)
    assert decoding.next_step(Text("hi")) is None
    assert decoding.next_step(ending) == step(end=True)
    decoding.take(Decoded(1, SECOND, has_more=True), 0.0)
    assert decoding.next_step(ending) == step()
    decoding.take(Decoded(1, SECOND), 0.0)
    assert decoding.next_step(ending) is None
    assert decoding.next_step(piece(data=b"more")) == step(data=b"more")


def test_another_recording(decoding: Decoding) -> None:
    """Before another recording, the decoder gives out what it holds back of the one before."""
    decoding.next_step(piece())
    decoding.take(Decoded(1), 0.0)
    second = piece(2, b"second")
    assert decoding.next_step(second) == step(end=True)
    decoding.take(Decoded(1, SECOND), 0.0)
    assert decoding.next_step(second) == step(2, b"second")
    assert decoding.job == 2


def test_whole(decoding: Decoding) -> None:
    """Behind a recording that is whole, nothing is held back."""
    whole = piece()
    decoding.next_step(whole)
    decoding.take(Decoded(1, SECOND, end=True), 0.0)
    assert (decoding.is_whole, decoding.job) == (True, 0)
    assert decoding.next_step(whole) is None
    assert decoding.next_step(AudioEnd()) is None
    assert decoding.next_step(piece(2, b"second")) == step(2, b"second")
    assert not decoding.is_whole


def test_failed(decoding: Decoding) -> None:
    """Of a recording that failed, no further piece is decoded."""
    decoding.next_step(piece())
    decoding.fail(1)
    assert (decoding.is_busy, decoding.job) == (False, 0)
    assert decoding.next_step(piece(data=b"next")) is None
    assert decoding.next_step(AudioEnd()) is None
    assert decoding.next_step(piece(2, b"second")) == step(2, b"second")


def test_unwanted(decoding: Decoding) -> None:
    """What comes of something that was thrown away is not wanted, but the recording goes on."""
    decoding.drop()
    decoding.next_step(piece())
    decoding.drop()
    assert decoding.take(Decoded(1, SECOND), 0.0) is None
    assert decoding.next_step(piece(data=b"next")) == step(data=b"next")
    assert decoding.take(Decoded(1, SECOND), 0.0) is not None


def test_rest_is_unwanted(decoding: Decoding) -> None:
    """Nor is the rest of it, that the decoder has still."""
    decoding.next_step(piece())
    decoding.take(Decoded(1, SECOND, has_more=True), 0.0)
    decoding.drop()
    for has_more in (True, False):
        assert decoding.next_step(Text("hi")) == step()
        assert decoding.take(Decoded(1, SECOND, has_more=has_more), 0.0) is None
    assert decoding.next_step(Text("hi")) is None
    decoding.next_step(piece(data=b"next"))
    assert decoding.take(Decoded(1, SECOND), 0.0) is not None


@pytest.mark.parametrize(
    ("seconds", "cpu_s", "age_s", "code"),
    [
        ([601], 0.0, 1e6, ErrorCode.AUDIO_TOO_LONG),
        ([300, 300, 61], 0.0, 0.0, ErrorCode.AUDIO_TOO_FAST),
        ([300, 300, 300, 300, 300, 361], 0.0, 1000.0, ErrorCode.AUDIO_TOO_FAST),
        ([0], 1.1, 0.0, ErrorCode.AUDIO_TOO_COSTLY),
        ([10, 10], 2.6, 0.0, ErrorCode.AUDIO_TOO_COSTLY),
    ],
)
def test_too_much(
    decoding: Decoding, seconds: list[int], cpu_s: float, age_s: float, code: ErrorCode
) -> None:
    """Sound has to be worth its while, and no more than can have been spoken."""
    *before, last = seconds
    for one in before:
        decoding.next_step(piece(data=b"%d" % one))
        decoding.take(Decoded(1, SECOND * one, cpu_s=cpu_s), age_s)
    decoding.next_step(piece(data=b"last"))
    with pytest.raises(RemoteProtocolError) as caught:
        decoding.take(Decoded(1, SECOND * last, cpu_s=cpu_s), age_s)
    assert caught.value.code is code
    assert caught.value.message.startswith(("one frame may hold 600 s", "more sound", "decoding"))


def test_just_enough(decoding: Decoding) -> None:
    """Ten minutes in one piece are not too long, and an hour in an hour is not too fast."""
    decoding.next_step(piece())
    decoding.take(Decoded(1, SECOND * 600, cpu_s=121.0), 0.0)
    for second in range(60, 3600, 60):
        decoding.next_step(piece(data=b"%d" % second))
        decoding.take(Decoded(1, SECOND * 60), second)


def test_limits_of_each_recording(decoding: Decoding) -> None:
    """What one recording has cost is not held against the next."""
    for job in range(1, 9):
        decoding.next_step(piece(job))
        decoding.take(Decoded(job, cpu_s=0.9, end=True), 0.0)
    assert decoding.next_step(frames.AudioEnd()) is None
