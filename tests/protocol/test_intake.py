"""What audio frames are, by what came before them."""

import base64

import pytest

from livegate.protocol import audio, frames
from livegate.protocol.errors import ErrorCode, RemoteProtocolError
from livegate.protocol.frames import Pcm, Piece
from livegate.protocol.intake import Intake
from livegate.protocol.media.kinds import Kind

WEBM = bytes.fromhex("1a45dfa39f4286810142f781 0142f2")
CLUSTER = bytes.fromhex("1f43b67501ffffffffffffff e78100")
MP3 = bytes.fromhex("fffb9064 0000000000000000 0000")
SPEECH = bytes.fromhex("0100 0200 0300 0400 0500 0600 0700")
NOW = 7.0


@pytest.fixture
def intake() -> Intake:
    """Nothing has come."""
    return Intake()


def said(data: bytes, *names: str, rate: int | None = None) -> frames.Audio:
    """Return a binary frame, of which something may be said all the same."""
    return frames.Audio(data, is_base64=False, declared=audio.Declared(names, rate))


def encoded(data: bytes) -> frames.Audio:
    """Return a text frame."""
    return frames.Audio(base64.b64encode(data), is_base64=True)


def pcm(data: bytes, rate: int = 16_000) -> Pcm:
    """Return sound as it goes to Gemini."""
    return Pcm(base64.b64encode(data).decode(), rate)


def piece(job: int, kind: Kind, data: bytes) -> Piece:
    """Return a piece of a recording."""
    return Piece(job, kind, data, is_base64=False, came_at=NOW)


def refused(intake: Intake, frame: frames.Audio, code: ErrorCode, words: str) -> None:
    """Check that a frame is refused."""
    with pytest.raises(RemoteProtocolError, match=words) as caught:
        intake.take(frame, NOW)
    assert caught.value.code is code


@pytest.mark.parametrize("frame", [said(SPEECH), encoded(SPEECH), said(SPEECH, "pcm")])
def test_pcm(intake: Intake, frame: frames.Audio) -> None:
    """What looks like nothing else is PCM; base64 goes as it came."""
    assert intake.take(frame, NOW) == pcm(SPEECH)


def test_rate(intake: Intake) -> None:
    """Gemini is told the rate that the client declares."""
    assert intake.take(said(SPEECH, "l16", rate=48_000), NOW) == pcm(SPEECH, 48_000)
    refused(intake, said(SPEECH, rate=1), ErrorCode.AUDIO_FORMAT, "got 1$")


def test_whole_samples(intake: Intake) -> None:
    """Half a sample waits for its other half, whichever form that comes in."""
    got = [
        intake.take(frame, NOW)
        for frame in (said(SPEECH[:3]), encoded(SPEECH[3:4]), encoded(SPEECH[4:9]), said(b"\1"))
    ]
    assert got == [pcm(SPEECH[:2]), pcm(SPEECH[2:4]), pcm(SPEECH[4:8]), pcm(SPEECH[8:9] + b"\1")]
    assert intake.take(said(b"\2"), NOW) is None
    intake.pause(is_said=False)
    assert intake.take(said(SPEECH), NOW) == pcm(SPEECH)


def test_recording(intake: Intake) -> None:
    """What follows a recording's beginning belongs to it, empty pieces and all."""
    assert intake.take(said(WEBM, "pcm"), NOW) == piece(1, Kind.WEBM, WEBM)
    assert intake.take(said(SPEECH), NOW) == piece(1, Kind.WEBM, SPEECH)
    assert intake.take(said(b""), NOW) is None
    assert intake.take(encoded(SPEECH), NOW) == Piece(
        1, Kind.WEBM, base64.b64encode(SPEECH), is_base64=True, came_at=NOW
    )
    assert intake.take(said(WEBM), NOW) == piece(2, Kind.WEBM, WEBM)


def test_recording_amid_pcm(intake: Intake) -> None:
    """A recording may begin where PCM has not ended; but bare MP3 may be PCM by chance."""
    assert intake.take(said(SPEECH), NOW) == pcm(SPEECH)
    assert intake.take(said(MP3), NOW) == pcm(MP3)
    assert intake.take(said(CLUSTER), NOW) == pcm(CLUSTER[:-1])
    intake.pause(is_said=False)
    assert intake.take(said(MP3, rate=16_000), NOW) == pcm(MP3)
    intake.pause(is_said=False)
    assert intake.take(said(MP3), NOW) == piece(1, Kind.MP3, MP3)
    assert intake.take(said(MP3), NOW) == piece(1, Kind.MP3, MP3)
    assert intake.take(said(WEBM), NOW) == piece(2, Kind.WEBM, WEBM)


def test_cut_beginning(intake: Intake) -> None:
    """Too few bytes to tell are kept until there are more."""
    assert intake.take(said(WEBM[:3]), NOW) is None
    assert intake.take(encoded(WEBM[3:]), NOW) == piece(1, Kind.WEBM, WEBM)
    intake.ended(1, has_failed=False)
    assert intake.take(said(b"Og"), NOW) is None
    assert intake.take(said(SPEECH), NOW) == pcm(b"Og" + SPEECH)
    assert intake.take(said(b"Og"), NOW) == pcm(b"Og")


def test_longest_cut_beginning(intake: Intake) -> None:
    """One byte less than tells a recording is too few."""
    head = b"RIFF\0\0\0\0WAVE"
    assert intake.take(said(head[:-1]), NOW) is None
    assert intake.take(said(head[-1:]), NOW) == piece(1, Kind.WAV, head)


def test_odd_base64(intake: Intake) -> None:
    """Of base64 that ends amid a sample, the whole ones go."""
    assert intake.take(encoded(SPEECH[:3]), NOW) == pcm(SPEECH[:2])


def test_nothing_pauses(intake: Intake) -> None:
    """Where no recording was, none goes on."""
    intake.pause(is_said=True)
    refused(intake, said(CLUSTER), ErrorCode.AUDIO_BROKEN, "whose beginning is missing")


def test_cut_beginning_is_declared(intake: Intake) -> None:
    """What a client says of it makes too few bytes no better, and no worse."""
    for name in ("webm", "basic"):
        assert intake.take(said(WEBM[:3], name), NOW) is None
        assert intake.take(said(WEBM[3:], name), NOW) is not None
        intake.pause(is_said=True)


def test_half_sample_before_recording(intake: Intake) -> None:
    """Half a sample belongs to no recording."""
    intake.take(said(SPEECH[:1]), NOW)
    assert intake.take(said(WEBM), NOW) == piece(1, Kind.WEBM, WEBM)
    assert intake.take(said(SPEECH), NOW) == piece(1, Kind.WEBM, SPEECH)


def test_pause(intake: Intake) -> None:
    """A recorder may go on after silence; after audio_end, if it looks like that."""
    intake.take(said(WEBM), NOW)
    intake.pause(is_said=False)
    assert intake.take(said(SPEECH), NOW) == piece(1, Kind.WEBM, SPEECH)
    intake.pause(is_said=True)
    assert intake.take(said(b""), NOW) is None
    assert intake.take(said(CLUSTER), NOW) == piece(1, Kind.WEBM, CLUSTER)
    intake.pause(is_said=True)
    intake.pause(is_said=True)
    assert intake.take(said(SPEECH, "webm"), NOW) == piece(1, Kind.WEBM, SPEECH)
    intake.pause(is_said=True)
    assert intake.take(said(SPEECH), NOW) == pcm(SPEECH)


def test_said_to_be_pcm(intake: Intake) -> None:
    """PCM that is declared ends a recording."""
    intake.take(said(WEBM), NOW)
    assert intake.take(said(SPEECH, rate=8000), NOW) == pcm(SPEECH, 8000)
    assert intake.take(said(SPEECH), NOW) == pcm(SPEECH)


def test_failed_after_its_end(intake: Intake) -> None:
    """What fails only when its speaker has finished is nobody's beginning any more."""
    intake.take(said(WEBM), NOW)
    intake.pause(is_said=True)
    intake.ended(1, has_failed=True)
    assert intake.take(said(SPEECH), NOW) == pcm(SPEECH)


def test_whole(intake: Intake) -> None:
    """Behind a recording that is whole begins something new."""
    intake.take(said(WEBM), NOW)
    intake.take(said(WEBM), NOW)
    intake.ended(1, has_failed=False)
    assert intake.take(said(SPEECH), NOW) == piece(2, Kind.WEBM, SPEECH)
    intake.ended(2, has_failed=False)
    assert intake.take(said(SPEECH), NOW) == pcm(SPEECH)
    intake.ended(2, has_failed=True)
    assert intake.take(said(SPEECH), NOW) == pcm(SPEECH)


def test_failed(intake: Intake) -> None:
    """What follows a recording that failed is refused, until something new begins."""
    for job, end in enumerate((lambda: intake.pause(is_said=True), intake.forgive), 1):
        intake.take(said(WEBM), NOW)
        intake.ended(job, has_failed=True)
        intake.pause(is_said=False)
        refused(intake, said(SPEECH), ErrorCode.AUDIO_BROKEN, "belongs to a recording that was")
        end()
        assert intake.take(said(SPEECH), NOW) == pcm(SPEECH)
    intake.take(said(WEBM), NOW)
    intake.ended(3, has_failed=True)
    assert intake.take(said(WEBM), NOW) == piece(4, Kind.WEBM, WEBM)
    intake.forgive()
    assert intake.take(said(SPEECH), NOW) == piece(4, Kind.WEBM, SPEECH)


@pytest.mark.parametrize(
    ("frame", "code", "words"),
    [
        (said(CLUSTER), ErrorCode.AUDIO_BROKEN, "a piece of WebM whose beginning is missing"),
        (said(SPEECH, "ogg"), ErrorCode.AUDIO_BROKEN, "said to be Ogg, and does not begin like"),
        (said(SPEECH, "basic"), ErrorCode.AUDIO_FORMAT, "is said to be 'basic'"),
        (said(b""), ErrorCode.AUDIO_FORMAT, "holds no audio"),
    ],
)
def test_refused(intake: Intake, frame: frames.Audio, code: ErrorCode, words: str) -> None:
    """What can be nothing that is known is refused, and changes nothing."""
    refused(intake, frame, code, words)
    assert intake.take(said(SPEECH), NOW) == pcm(SPEECH)


def test_refused_amid_others(intake: Intake) -> None:
    """A frame that is refused ends no recording, and costs no half sample."""
    intake.take(said(WEBM), NOW)
    refused(intake, said(SPEECH, rate=1), ErrorCode.AUDIO_FORMAT, "got 1$")
    assert intake.take(said(SPEECH), NOW) == piece(1, Kind.WEBM, SPEECH)
    intake.pause(is_said=True)
    assert intake.take(said(SPEECH[:3]), NOW) == pcm(SPEECH[:2])
    refused(intake, said(SPEECH, "basic"), ErrorCode.AUDIO_FORMAT, "is said to be 'basic'")
    assert intake.take(said(SPEECH[3:4]), NOW) == pcm(SPEECH[2:4])
