"""How much of a recording arrived."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

PIECE = 4_800
AROUND = 16_000
LOUD = 1_000

Samples = NDArray[np.float64]


def likeness(spoken: Sequence[int], heard: Sequence[int]) -> list[float]:
    """Return how alike each loud 0.3 s of what was spoken is in what was heard, least first.

    Both are 16 kHz. A busy machine's sound device leaves gaps, so each piece is looked for a
    second around its place, to an eighth of a sample.
    """
    said, got = np.array(spoken, np.float64), np.array(heard, np.float64)
    found: list[float] = []
    for at in range(0, len(said) - PIECE, PIECE):
        piece = said[at : at + PIECE]
        if np.abs(piece).max() > LOUD:
            window = got[max(0, at - AROUND) : at + PIECE + AROUND]
            found.append(max(_best(_delayed(piece, part / 8), window) for part in range(8)))
    return sorted(found)


def _best(piece: Samples, window: Samples) -> float:
    """Return the highest normalised cross-correlation over all places in the window."""
    size = 1 << (len(window) + len(piece)).bit_length()
    spectrum = np.fft.rfft(window, size) * np.conj(np.fft.rfft(piece, size))
    products = np.fft.irfft(spectrum, size)[: len(window) - len(piece) + 1]
    energy = np.concatenate(([0.0], np.cumsum(window**2)))
    energies = energy[len(piece) :] - energy[: -len(piece)]
    scale = np.sqrt(np.maximum(energies, 1.0) * np.sum(piece**2))
    return float(np.max(products / scale))


def _delayed(samples: Samples, part: float) -> Samples:
    """Delay by a part of a sample, in the frequency domain."""
    spectrum = np.fft.rfft(samples)
    turns = np.exp(-2j * np.pi * part * np.arange(len(spectrum)) / len(samples))
    return np.fft.irfft(spectrum * turns, len(samples))
