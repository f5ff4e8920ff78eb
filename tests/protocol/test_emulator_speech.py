"""The emulator's voice and ear."""

import math
import random
import wave
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livegate.protocol.emulator import Recording, echo_of, speech, tone_of
from livegate.protocol.emulator.speech import Ear, Speech

ROOT: Final = Path(__file__).parent.parent.parent
SPOKEN: Final = ROOT / "runtimes" / "livegate" / "recordings" / "hello.wav"
LOUD: Final = tone_of("loud", 0.1)
RATES: Final = (8_000, 16_000, 22_050, 48_000)


def recorded() -> bytes:
    """Return somebody's speech at 16 kHz."""
    with wave.open(str(SPOKEN), "rb") as file:
        return file.readframes(file.getnframes())


def resampled(pcm: bytes, from_rate: int, to_rate: int) -> bytes:
    """Return sound at another rate."""
    return speech.pcm(speech.resample(speech.samples(pcm), from_rate, to_rate))


def louder(pcm: bytes, gain: float) -> bytes:
    """Return sound at another loudness, clipped where it has to be."""
    clipped = (max(-32768, min(32767, round(one * gain))) for one in speech.samples(pcm))
    return b"".join(one.to_bytes(2, "little", signed=True) for one in clipped)


def noise(seconds: float, seed: int) -> bytes:
    """Return loud noise at 16 kHz."""
    return random.Random(seed).randbytes(int(seconds * 32_000))  # noqa: S311 - no secret


# Voice


def test_samples() -> None:
    """PCM is 16-bit little-endian, whatever the machine; half a sample is left out."""
    assert list(speech.samples(b"\x01\x00\xff\xff\x00\x80\x07")) == [1, -1, -32768]
    assert speech.pcm(speech.samples(b"\x01\x00\xff\xff")) == b"\x01\x00\xff\xff"


def test_big_endian(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a big-endian machine the bytes are turned around, both ways."""
    native = speech.samples(b"\x01\x02")
    monkeypatch.setattr("sys.byteorder", "little" if native[0] == 0x0102 else "big")
    turned = speech.samples(b"\x01\x02")
    assert turned[0] == 0x0102
    assert speech.pcm(turned) == b"\x01\x02"


@given(st.text(max_size=80), st.text(max_size=80))
def test_tone_of(one: str, other: str) -> None:
    """A text has one tone; another text has another."""
    sound = tone_of(one)
    assert sound == tone_of(one)
    assert 0.4 * 48_000 <= len(sound) <= 3 * 48_000
    assert 4_000 <= max(speech.samples(sound)) < 12_000
    # Pitch and loudness are 180 x 8000 of a checksum, so that two texts may share them.
    if sound[:4800] != tone_of(other)[:4800]:
        assert one != other


def test_tones_differ() -> None:
    """Texts as they are said in tests all sound different."""
    texts = [f"You said: {word}" for word in ("one", "two", "three", "Hello", "Hi")]
    assert len({tone_of(text)[:4800] for text in texts}) == len(texts)


@pytest.mark.parametrize("seconds", [0.1, 0.5, 20.0])
def test_tone_of_a_length(seconds: float) -> None:
    """A tone may be made of any length in tenths of a second."""
    assert len(tone_of("x", seconds)) == seconds * 48_000


@given(st.lists(st.integers(-32768, 32767), max_size=200), st.sampled_from(RATES))
def test_resample(sound: list[int], rate: int) -> None:
    """Resampling keeps the duration, and stays between the samples that it was made from."""
    found = speech.resample(sound, 16_000, rate)
    assert len(found) == len(sound) * rate // 16_000
    assert all(min(sound) <= one <= max(sound) for one in found)


def test_resample_to_the_same() -> None:
    """At its own rate sound stays as it is."""
    assert list(speech.resample([1, 2, 3], 16_000, 16_000)) == [1, 2, 3]


@given(st.binary(max_size=400))
def test_echo_of(pcm: bytes) -> None:
    """An echo lasts as long as what was heard; of sound at 24 kHz it is that sound."""
    assert len(echo_of(pcm)) == len(pcm) // 2 * 24_000 // 16_000 * 2
    assert echo_of(pcm, 24_000) == pcm[: len(pcm) // 2 * 2]


# Ear


def heard_in(pieces: list[bytes], rate: int = 16_000, silence_s: float = 0.1) -> list[object]:
    """Return what an ear says to sound in pieces, and at the stream's end."""
    ear = Ear(silence_s)
    found: list[object] = [one for piece in pieces for one in ear.hear(piece, rate)]
    return [*found, ear.finish()]


def cut(pcm: bytes, points: list[int]) -> list[bytes]:
    """Return sound cut at these points."""
    ends = sorted({min(point, len(pcm)) for point in points} | {len(pcm)})
    return [pcm[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 3000)), max_size=8),
    st.lists(st.integers(0, 50_000), max_size=12),
    st.sampled_from(RATES),
)
def test_split_points(runs: list[tuple[bool, int]], points: list[int], rate: int) -> None:
    """However sound is cut into messages, within samples too, the same is heard."""
    pcm = b"".join((b"\x00\x20" if is_loud else b"\x01\x00") * size for is_loud, size in runs)
    assert heard_in(cut(pcm, points), rate) == heard_in([pcm], rate)


def test_two_speeches_in_one_message() -> None:
    """One message may hold several speeches; each keeps 100 ms of what came before it."""
    quiet = bytes(9600)
    found = heard_in([quiet + LOUD + quiet + LOUD + quiet], 24_000)
    expected = Speech(bytes(4800) + LOUD, 24_000)
    assert found == [None, expected, None, expected, None]


def test_prefix_at_the_beginning() -> None:
    """A speech at the very beginning of a stream is heard from its first sample."""
    assert heard_in([LOUD + bytes(9600)], 24_000) == [None, Speech(LOUD, 24_000), None]


def test_stream_ends_in_speech() -> None:
    """At the end of a stream the last samples are heard, too short for a frame as they are."""
    assert heard_in([LOUD + LOUD[:100]], 24_000) == [None, Speech(LOUD + LOUD[:100], 24_000)]


def test_stream_ends_in_silence() -> None:
    """Silence at the end of a stream is no part of the speech before it."""
    assert heard_in([LOUD + bytes(1000)], 24_000) == [None, Speech(LOUD, 24_000)]


def test_stream_begins_anew() -> None:
    """What came before the end of a stream is no part of the next one."""
    ear = Ear(0.1)
    ear.hear(bytes(501), 24_000)
    assert ear.finish() is None
    assert ear.hear(LOUD, 24_000) == [None]
    assert ear.finish() == Speech(LOUD, 24_000)


def test_rate_changes() -> None:
    """A change of rate ends a speech; what follows is another."""
    ear = Ear(0.1)
    assert ear.hear(LOUD, 24_000) == [None]
    assert ear.hear(LOUD, 48_000) == [Speech(LOUD, 24_000), None]
    assert ear.finish() == Speech(LOUD, 48_000)


def test_endless_speech() -> None:
    """A speech that does not end is ended after a minute, so that memory is bounded."""
    found = heard_in([tone_of("x", 61)], 24_000)
    assert found[0] is None
    assert isinstance(found[1], Speech)
    assert found[1].seconds == speech.MAX_SPEECH_S
    assert found[2] is None
    assert isinstance(found[3], Speech)
    assert math.isclose(found[3].seconds, 1.0)


# Recordings

KNOWN: Final = Recording("What was said", recorded())


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("gain", [0.3, 1.0, 2.0])
def test_recording_is_recognised(rate: int, gain: float) -> None:
    """A recording is recognised at another rate, at another loudness, and amid silence."""
    pcm = louder(resampled(KNOWN.pcm, 16_000, rate), gain)
    silence = bytes(rate * 2)
    heard = [one for one in heard_in([silence + pcm + silence], rate, 0.8) if one is not None]
    assert len(heard) == 1
    assert isinstance(heard[0], Speech)
    assert KNOWN.is_heard_in(heard[0])


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_not_recognised(seed: int) -> None:
    """Noise is no recording, however long it lasts."""
    for seconds in (0.5, len(KNOWN.pcm) / 32_000, 5.0):
        assert not KNOWN.is_heard_in(Speech(noise(seconds, seed), 16_000))


@pytest.mark.parametrize(
    "pcm",
    [
        b"",
        bytes(32_000),
        tone_of("x", 3.5),
        KNOWN.pcm[: len(KNOWN.pcm) // 2],
        speech.pcm(speech.samples(KNOWN.pcm)[::-1]),
    ],
    ids=["nothing", "silence", "a tone", "half of it", "backwards"],
)
def test_other_sound_is_not_recognised(pcm: bytes) -> None:
    """Nothing, silence, a tone, half of a recording or its reverse are not the recording."""
    assert not KNOWN.is_heard_in(Speech(pcm, 16_000))


def compressed(pcm: bytes) -> bytes:
    """Return sound as a microphone's gain control makes it: quiet parts louder, loud ones cut."""
    found = (math.copysign(min(12_000, 8 * abs(one) ** 0.8), one) for one in speech.samples(pcm))
    return b"".join(round(one).to_bytes(2, "little", signed=True) for one in found)


def test_gain_control() -> None:
    """A recording is recognised when gain control has flattened it."""
    flat = Speech(compressed(KNOWN.pcm), 16_000)
    assert KNOWN.likeness(flat) < 0.95
    assert KNOWN.is_heard_in(flat)


def test_likest_recording() -> None:
    """Of several recordings that are alike, the likest is what was heard."""
    other = Recording("Something like it", compressed(KNOWN.pcm))
    heard = Speech(KNOWN.pcm, 16_000)
    assert other.is_heard_in(heard)
    for known in ([other, KNOWN], [KNOWN, other]):
        assert speech.transcript_of(heard, known) == "What was said"


@pytest.mark.parametrize("known", [(), (KNOWN,)])
def test_unknown_speech(known: tuple[Recording, ...]) -> None:
    """Speech that is no recording is transcribed as its duration."""
    heard = Speech(noise(1.5, 1), 16_000)
    assert speech.transcript_of(heard, known) == "[speech 1.5 s]"


@pytest.mark.parametrize("pcm", [b"", LOUD[:960], bytes(3200)])
def test_recording_of_nothing(pcm: bytes) -> None:
    """A recording without any rise and fall is never recognised."""
    assert not Recording("x", pcm, 24_000).is_heard_in(Speech(pcm, 24_000))
