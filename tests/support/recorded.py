"""Recordings of real recorders, cut as they were, and how alike two sounds are."""

import json
from pathlib import Path
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

FOLDER: Final = Path(__file__).parent.parent / "data" / "recordings"
RATE: Final = 16_000
_MAX_SHIFT: Final = RATE // 2


@attrs.frozen
class Recorded:
    """One recording."""

    name: str
    data: bytes = attrs.field(repr=False)
    sizes: tuple[int, ...] = attrs.field(repr=False)
    """Of the pieces in which it came."""
    times_s: tuple[float, ...] = attrs.field(repr=False)
    """When they came."""
    reference: bytes = attrs.field(repr=False)
    """Its sound, as another program decodes it: 16-bit mono PCM at 16 kHz."""

    @property
    def pieces(self) -> list[bytes]:
        """What the recorder delivered, piece by piece; the last may be empty."""
        found: list[bytes] = []
        at = 0
        for size in self.sizes:
            found.append(self.data[at : at + size])
            at += size
        return found


def _read() -> list[Recorded]:
    manifest = json.loads((FOLDER / "manifest.json").read_text())
    return [
        Recorded(
            name=name,
            data=(FOLDER / name).read_bytes(),
            sizes=tuple(row["chunks"]),
            times_s=tuple(ms / 1000 for ms in row["times_ms"]),
            reference=(FOLDER / name).with_suffix(".pcm").read_bytes(),
        )
        for name, row in manifest.items()
    ]


ALL: Final = _read()
BY_NAME: Final = {one.name: one for one in ALL}


@attrs.frozen
class Likeness:
    """How much one sound is like another."""

    correlation: float
    """1 for the same shape, at the best shift of up to half a second."""
    longer_s: float
    """How much longer it is."""
    louder: float
    """How much louder, as a factor."""


def likeness(reference: bytes, pcm: bytes) -> Likeness:
    """Compare 16-bit mono PCM at 16 kHz."""
    wanted, got = _samples(reference), _samples(pcm)
    size = 1 << (len(wanted) + len(got)).bit_length()
    both = np.fft.irfft(np.conj(np.fft.rfft(wanted, size)) * np.fft.rfft(got, size), size)
    shifts = np.r_[both[: _MAX_SHIFT + 1], both[-_MAX_SHIFT:]]
    energy = float(np.sqrt((wanted @ wanted) * (got @ got)))
    loudness = float(np.sqrt((got @ got) / max(1.0, float(wanted @ wanted))))
    return Likeness(
        correlation=float(shifts.max()) / energy if energy else 0.0,
        longer_s=(len(got) - len(wanted)) / RATE,
        louder=loudness,
    )


def _samples(pcm: bytes) -> npt.NDArray[np.float64]:
    return np.frombuffer(pcm, "<i2").astype(np.float64)


def resampled(pcm: bytes, rate: int) -> bytes:
    """Return 16-bit mono PCM of any rate at 16 kHz, by its spectrum."""
    samples = _samples(pcm)
    seconds = -(-len(samples) // rate)  # of which both rates make whole samples
    spectrum = np.fft.rfft(samples, seconds * rate)
    count = seconds * RATE
    spectrum = np.pad(spectrum, (0, max(0, count // 2 + 1 - len(spectrum))))[: count // 2 + 1]
    again = np.fft.irfft(spectrum, count)[: round(len(samples) * RATE / rate)] * (RATE / rate)
    return again.round().clip(-32768, 32767).astype("<i2").tobytes()
