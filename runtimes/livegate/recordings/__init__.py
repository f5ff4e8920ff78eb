"""One spoken question, for checks and for the emulator, which knows what it says."""

import importlib.resources
import io
import wave
from typing import Final

import attrs

HELLO_TEXT: Final = "Hello Gemini, what is the weather in Lisbon tomorrow?"
_SAMPLE_BYTES: Final = 2


@attrs.frozen
class Speech:
    """PCM, 16-bit little-endian mono."""

    pcm: bytes
    rate: int
    """Hz."""


def read(data: bytes) -> Speech:
    """Return what a WAV file holds.

    Raises:
        ValueError: It is no WAV file, or not 16-bit mono; the text says how to convert it.
    """
    try:
        with wave.open(io.BytesIO(data)) as file:
            shape = (file.getnchannels(), file.getsampwidth())
            speech = Speech(file.readframes(file.getnframes()), file.getframerate())
    except (wave.Error, EOFError) as error:
        raise ValueError(f"not a PCM WAV file: {error}") from None
    if shape != (1, _SAMPLE_BYTES):
        raise ValueError(
            f"{shape[0]} channels of {8 * shape[1]} bits; it must be 16-bit mono, "
            "for instance by: ffmpeg -i IN -ac 1 -c:a pcm_s16le OUT.wav"
        )
    return speech


def wav(pcm: bytes, rate: int) -> bytes:
    """Return 16-bit mono PCM as a WAV file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(_SAMPLE_BYTES)
        file.setframerate(rate)
        file.writeframes(pcm)
    return out.getvalue()


def hello() -> Speech:
    """Return the recording of `HELLO_TEXT`."""
    return read(importlib.resources.files(__name__).joinpath("hello.wav").read_bytes())
