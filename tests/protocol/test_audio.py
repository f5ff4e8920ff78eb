"""Audio by its base64 text alone."""

import base64

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from livegate.protocol import audio
from livegate.protocol.errors import RemoteProtocolError


@given(st.binary(min_size=1, max_size=100))
def test_base64_accepts(data: bytes) -> None:
    """What the standard library encodes is accepted, and its size is known without decoding."""
    text = audio.encode(data)
    assert base64.b64decode(text, validate=True) == data
    audio.check_base64("audio.data", text.encode())
    assert audio.decoded_size(text) == len(data)


@given(st.binary(min_size=1, max_size=12) | st.text("AZaz09+/=-_ \n", min_size=1).map(str.encode))
@example(b"AXX=")
def test_base64_refuses(text: bytes) -> None:
    """What is accepted can be decoded strictly; what is refused cannot, or lacks its padding."""
    try:
        audio.check_base64("audio.data", text)
    except RemoteProtocolError:
        # What is only padding the standard library takes for nothing, or forgives at the end.
        if text.rstrip(b"=") and len(text) % 4 == 0:
            with pytest.raises(ValueError, match=r"."):
                base64.b64decode(text, validate=True)
    else:
        assert audio.decoded_size(text.decode()) == len(base64.b64decode(text, validate=True))


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01", "WebM"),
        (b"RIFF\x24\x00\x00\x00WAVE", "WAV"),
        (b"OggS\x00\x02\x00\x00", "Ogg"),
        (b"fLaC\x00\x00\x00\x22", "FLAC"),
        (b"ID3\x04\x00\x00\x00\x00", "MP3"),
        (b"\x00\x00\x00\x1cftypisom\x00\x00", "MP4"),
        (b"\x00\x00\x00\x1cmoov", None),
        (b"\x00\x00\x00\x00", None),
        (bytes(40), None),
        (b"\x01\x00\x02\x00", None),
    ],
)
def test_container_of(head: bytes, expected: str | None) -> None:
    """A container is known by its first bytes; samples are not taken for one."""
    assert audio.container_of(audio.encode(head)) == expected


@pytest.mark.parametrize(
    ("mime_type", "said", "sample_rate", "expected"),
    [
        (None, None, None, 16000),
        ("audio/pcm", None, None, 16000),
        ("audio/pcm;rate=24000", None, None, 24000),
        ("AUDIO/L16; rate=8000;channels=1", None, None, 8000),
        ("audio/pcm;rate=24000", "pcm16", 48000, 48000),
        (None, "linear16", 192000, 192000),
        *((None, said, None, 16000) for said in ("pcm", "PCM16", "pcm_s16le", "s16le", "l16")),
    ],
)
def test_declared_rate(
    mime_type: str | None, said: str | None, sample_rate: int | None, expected: int
) -> None:
    """The most explicit declaration of a rate counts."""
    assert audio.declared_rate(mime_type, said, sample_rate) == expected


@pytest.mark.parametrize(
    ("mime_type", "said", "sample_rate"),
    [
        ("audio/ogg", None, None),
        (None, "opus", None),
        ("audio/pcm;rate=7999", None, None),
        (None, None, 192001),
        (None, None, 0),
        (None, None, -16000),
    ],
)
def test_declared_rate_refuses(
    mime_type: str | None, said: str | None, sample_rate: int | None
) -> None:
    """What is no PCM, or no rate of sound, is refused."""
    with pytest.raises(RemoteProtocolError):
        audio.declared_rate(mime_type, said, sample_rate)


def test_silence() -> None:
    """Silence is as long as asked, in zero samples."""
    assert base64.b64decode(audio.silence(0.5)) == bytes(16000)


@pytest.mark.parametrize(
    ("mime_type", "expected"),
    [("audio/pcm;rate=16000", 16000), ("audio/pcm", 24000), ("audio/pcm;rate=x", 24000)],
)
def test_output_rate(mime_type: str, expected: int) -> None:
    """Gemini's sound has the rate that it declares, or the documented one."""
    assert audio.output_rate(mime_type) == expected
