"""Recordings that never end: the pieces of a real one, over and over, as one recorder's."""

import re
import struct
from collections.abc import Callable, Iterator, Mapping
from itertools import count, pairwise
from types import MappingProxyType
from typing import Final

import wav_files
from recorded import BY_NAME

PIECE_S: Final = 0.3
"""What browsers deliver where they were asked for pieces of 250 ms: Opus packets have 60 ms."""
_CLUSTER: Final = b"\x1f\x43\xb6\x75"
_FRAGMENT: Final = re.compile(rb"....moof", re.DOTALL)
_TIME: Final = b"tfdt"
_PER_SECOND: Final = 48_000
"""What Chromium's MP4 counts time in."""
_MP4_S: Final = 3.6
_WAV_RATE: Final = 48_000


def webm_opus() -> Iterator[bytes]:
    """Opus in WebM at 128 kbit/s, as browsers record by default."""
    return _webm("webm-opus-250ms.webm", 1)


def webm_float() -> Iterator[bytes]:
    """Floating-point PCM at 48 kHz in WebM, as the original's page asks for."""
    return _webm("webm-pcm-100ms.webm", 3)


def _webm(name: str, at_once: int) -> Iterator[bytes]:
    """Return pieces of so many of the recorder's; times go back where it begins anew."""
    first, *rest = BY_NAME[name].pieces
    later = [first[first.index(_CLUSTER) :], *rest]
    joined = [b"".join(later[at : at + at_once]) for at in range(0, len(later), at_once)]
    joined[-2:] = [joined[-2] + joined[-1]]  # the last one is short
    yield first[: first.index(_CLUSTER)] + joined[0]
    yield from joined[1:]
    while True:
        yield from joined


def wav() -> Iterator[bytes]:
    """16-bit PCM at 48 kHz in a WAV of unknown length."""
    second = struct.pack(
        f"<{_WAV_RATE}h", *(at * 331 % 20_011 - 10_005 for at in range(_WAV_RATE))
    )
    piece = second[: round(2 * _WAV_RATE * PIECE_S)]
    yield wav_files.wav(wav_files.fmt(rate=_WAV_RATE), wav_files.chunk(b"data", size=0)) + piece
    while True:
        yield piece


def mp4() -> Iterator[bytes]:
    """Opus in fragments of MP4, whose times go on."""
    recording = BY_NAME["mp4-opus-250ms.mp4"].data
    starts = [found.start() for found in _FRAGMENT.finditer(recording)]
    yield recording[: starts[0]]
    for passed in count(0, round(_MP4_S * _PER_SECOND)):
        for start, end in pairwise([*starts, len(recording)]):
            at = recording.index(_TIME, start) + len(_TIME) + 4  # behind version and flags
            time = int.from_bytes(recording[at : at + 8]) + passed
            yield recording[start:at] + time.to_bytes(8) + recording[at + 8 : end]


def pcm() -> Iterator[bytes]:
    """Raw PCM at 16 kHz, which needs no decoder."""
    sound = BY_NAME["webm-opus-250ms.webm"].reference
    size = round(2 * 16_000 * PIECE_S)
    while True:
        yield from (sound[at : at + size] for at in range(0, len(sound) - size + 1, size))


FORMS: Final[Mapping[str, Callable[[], Iterator[bytes]]]] = MappingProxyType(
    {
        "raw PCM": pcm,
        "WebM, Opus": webm_opus,
        "WebM, float PCM": webm_float,
        "WAV": wav,
        "MP4, Opus": mp4,
    }
)
