"""Audio by its base64 text alone."""

import base64

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from livegate.protocol import audio
from livegate.protocol.errors import RemoteProtocolError
from livegate.protocol.media.kinds import Kind


@given(st.binary(min_size=1, max_size=100))
def test_base64_accepts(data: bytes) -> None:
    """What the standard library encodes is accepted, and its size is known without decoding."""
    text = audio.encode(data)
    assert base64.b64decode(text, validate=True) == data
    audio.check_base64("audio.data", text.encode())
    assert audio.decoded_size(text) == len(data)
    assert isinstance(audio.decoded_size(text), int)


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
    ("mime_type", "said", "sample_rate", "expected"),
    [
        (None, None, None, 16000),
        ("audio/pcm", None, None, 16000),
        ("audio/pcm;rate=24000", None, None, 24000),
        ("AUDIO/L16; rate=8000;channels=1", None, None, 8000),
        ("audio/pcm;rate=24000", "pcm16", 48000, 48000),
        (None, "linear16", 192000, 192000),
        (None, None, 8000, 8000),
        *((None, said, None, 16000) for said in ("pcm", "PCM16", "pcm_s16le", "s16le", "l16")),
    ],
)
def test_declared_pcm(
    mime_type: str | None, said: str | None, sample_rate: int | None, expected: int
) -> None:
    """The most explicit declaration of a rate counts."""
    declared = audio.declared(mime_type, said, sample_rate)
    assert declared.pcm_rate == expected
    assert declared.is_pcm is ((mime_type, said, sample_rate) != (None, None, None))
    assert declared.kind is None


@pytest.mark.parametrize(
    ("mime_type", "said", "sample_rate", "why"),
    [
        (
            *("audio/ogg", None, None),
            "begins like WebM, WAV, Ogg, MP4, MP3, FLAC; this is said to be 'ogg'",
        ),
        (None, "opus", None, "this is said to be 'opus'"),
        ("audio/pcm", "pcm_f32le", 16000, "this is said to be 'pcm_f32le'"),
        ("audio/pcm;rate=7999", None, None, "must be 8000 to 192000 Hz, got 7999"),
        (None, None, 192001, "must be 8000 to 192000 Hz, got 192001"),
        (None, None, 0, "got 0"),
        (None, None, -16000, "got -16000"),
    ],
)
def test_declared_refuses(
    mime_type: str | None, said: str | None, sample_rate: int | None, why: str
) -> None:
    """What is no PCM, or no rate of sound, is refused as such."""
    declared = audio.declared(mime_type, said, sample_rate)
    with pytest.raises(RemoteProtocolError, match=why):
        _ = declared.pcm_rate


@pytest.mark.parametrize(
    ("mime_type", "said", "kind"),
    [
        ("audio/webm;codecs=opus", None, Kind.WEBM),
        ("video/webm;codecs=vp8,opus", None, Kind.WEBM),
        ("audio/x-m4a", None, Kind.MP4),
        ("application/octet-stream", "flac", Kind.FLAC),
        (None, "MP3", Kind.MP3),
        ("audio/x-unheard-of", None, None),
    ],
)
def test_declared_recording(mime_type: str | None, said: str | None, kind: Kind | None) -> None:
    """The kinds of recording are known by the names that browsers and people have for them."""
    declared = audio.declared(mime_type, said, 48000)
    assert (declared.is_pcm, declared.kind) == (False, kind)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("AAEC", b"\0\1\2"),
        ("AAE=", b"\0\1"),
        ("AA==", b"\0"),
        ("", b""),
        ("AAE", b""),
        ("A", b""),
        ("AA@A", b""),
        ("AA=A", b""),
        ("AAEC\n", b""),
        ("AA-_", b""),
        ("AA\u00e9A", b""),
    ],
)
def test_decode(text: str, expected: bytes) -> None:
    """What is no base64 becomes no sound, rather than noise."""
    assert audio.decode(text) == expected


def test_silence() -> None:
    """Silence is as long as asked, in zero samples."""
    assert base64.b64decode(audio.silence(0.5)) == bytes(16000)


@pytest.mark.parametrize(
    ("mime_type", "expected"),
    [
        ("audio/pcm;rate=16000", 16000),
        ("audio/pcm", 24000),
        ("audio/pcm;rate=x", 24000),
        ("audio/pcm;rate=0", 24000),
    ],
)
def test_output_rate(mime_type: str, expected: int) -> None:
    """Gemini's sound has the rate that it declares, or the documented one."""
    assert audio.output_rate(mime_type) == expected
