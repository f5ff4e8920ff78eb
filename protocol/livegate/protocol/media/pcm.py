"""PCM of any kind as what Gemini takes, for gateways without FFmpeg. The rate stays.

What lies in Python's loops costs fifty times as much as what lies in its strings and integers.
So integers are narrowed by slicing, G.711 by tables, and channels are mixed in one long integer
that holds all samples side by side. Floats alone are taken one by one.
"""

import math
import struct
from typing import Final

from livegate.protocol.errors import LocalProtocolError
from livegate.protocol.media.tracks import SIZES, Samples

_PLACES: Final = {
    Samples.S16: (0, 1),
    Samples.S24: (1, 2),
    Samples.S32: (2, 3),
    Samples.S16_BIG: (1, 0),
    Samples.S24_BIG: (1, 0),
    Samples.S32_BIG: (1, 0),
}
"""Where in a sample its two upper bytes are, the lower of them first."""
_FLOATS: Final = {Samples.F32: "f", Samples.F64: "d"}

WEIGHTS: Final = {
    2: (128, 128),
    3: (128, 128, 0),
    4: (62, 62, 88, 44),
    5: (53, 53, 76, 37, 37),
    6: (53, 53, 76, 0, 37, 37),
    7: (46, 46, 65, 0, 33, 33, 33),
    8: (41, 41, 58, 0, 29, 29, 29, 29),
}
"""How loud each channel is in the mix, of 256, by their number.

FFmpeg's for the layouts that it takes so many channels for: 2.1, 4.0, 5.0, 5.1, 6.1 and 7.1. What
is in front in the middle is speech, what is behind is its echo, and low effects are nothing.
"""

_FLIPPED: Final = bytes(byte ^ 0x80 for byte in range(256))
"""Between signed and offset binary."""

# A double of this size counts in steps of 2**-15, so adding it to a sample rounds that to 16
# bits, halves to even, and leaves them at the lower end of the mantissa; the 1.0 makes them
# offset binary, 0 to 65535, so that all other bytes stay as they are here.
_ROUNDER: Final = 1.5 * 2.0**37 + 1.0
_UNTOUCHED: Final = struct.pack("<d", _ROUNDER)
_LOUDEST: Final = 1.0 - 2.0**-15


def to_mono(data: bytes, samples: Samples, channels: int) -> bytes:
    """Return sound as 16-bit little-endian mono.

    Integers lose their lower bits, as in FFmpeg without dither; floats are rounded and clipped,
    and what is no number is silence. Channels are mixed by `WEIGHTS`; halves go up.

    Args:
        data: A packet: whole samples of all channels. Floats take ten times their size.
        samples: How they are written.
        channels: 1 to 8.

    Raises:
        LocalProtocolError: There is a part of a block.
    """
    block = SIZES[samples] * channels
    if len(data) % block:
        raise LocalProtocolError(f"to_mono() takes blocks of {block} bytes, got {len(data)} bytes")
    narrow = _narrow(data, samples)
    return narrow if channels == 1 else _mixed(narrow, channels)


def _narrow(data: bytes, samples: Samples) -> bytes:
    """Return samples as 16-bit little-endian ones."""
    match samples:
        case Samples.S16:
            return data
        case Samples.U8:
            return _joined(bytes(len(data)), data.translate(_FLIPPED))
        case Samples.S8:
            return _joined(bytes(len(data)), data)
        case Samples.MU_LAW | Samples.A_LAW:
            low, high = _LAWS[samples]
            return _joined(data.translate(low), data.translate(high))
        case Samples.F32 | Samples.F64:
            return _rounded(data, samples)
        case _:
            (low_at, high_at), size = _PLACES[samples], SIZES[samples]
            return _joined(data[low_at::size], data[high_at::size])


def _joined(low: bytes, high: bytes) -> bytes:
    out = bytearray(2 * len(low))
    out[0::2] = low
    out[1::2] = high
    return bytes(out)


def _rounded(data: bytes, samples: Samples) -> bytes:
    count = len(data) // SIZES[samples]
    values: tuple[float, ...] = struct.unpack(f"<{count}{_FLOATS[samples]}", data)
    sums = struct.pack(f"<{count}d", *[value + _ROUNDER for value in values])
    if any(sums[at::8] != _UNTOUCHED[at : at + 1] * count for at in range(2, 8)):
        clipped = [
            (value if -1.0 <= value <= _LOUDEST else _clipped(value)) + _ROUNDER
            for value in values
        ]
        sums = struct.pack(f"<{count}d", *clipped)
    return _joined(sums[0::8], sums[1::8].translate(_FLIPPED))


def _clipped(value: float) -> float:
    return 0.0 if math.isnan(value) else max(-1.0, min(value, _LOUDEST))


def _mixed(pcm: bytes, channels: int) -> bytes:
    """Return 16-bit samples as one channel.

    A block is a lane of a long integer, as wide as all its samples, so that their sum does not
    overflow into the next lane. It stands one byte further up, which divides it by 256.
    """
    size = 2 * channels
    ones = int.from_bytes((b"\x01" + bytes(size - 1)) * (len(pcm) // size), "little")
    signs = int.from_bytes(b"\x00\x80" * (len(pcm) // 2), "little")
    lanes = int.from_bytes(pcm, "little") ^ signs
    total = ones * 128
    for channel, weight in enumerate(WEIGHTS[channels]):
        total += ((lanes >> (16 * channel)) & (ones * 0xFFFF)) * weight
    mono = total.to_bytes(len(pcm), "little")
    return _joined(mono[1::size], mono[2::size].translate(_FLIPPED))


def _mu_law(code: int) -> int:
    # ITU-T G.711, table 2a: all bits inverted; a sign, three bits of segment, four of interval.
    code = ~code
    magnitude = ((((code << 3) & 0x78) + 0x84) << ((code >> 4) & 7)) - 0x84
    return -magnitude if code & 0x80 else magnitude


def _a_law(code: int) -> int:
    # ITU-T G.711, table 1a: even bits inverted; the sign is set for what is above zero.
    code ^= 0x55
    segment = (code >> 4) & 7
    interval = (code << 4) & 0xF0
    magnitude = (interval + 0x108) << (segment - 1) if segment else interval + 8
    return magnitude if code & 0x80 else -magnitude


def _tables(values: list[int]) -> tuple[bytes, bytes]:
    return bytes(value & 0xFF for value in values), bytes((value >> 8) & 0xFF for value in values)


_LAWS: Final = {
    Samples.MU_LAW: _tables([_mu_law(code) for code in range(256)]),
    Samples.A_LAW: _tables([_a_law(code) for code in range(256)]),
}
"""For each code, the two bytes of its sample (to 16 bits, as usual: 14 and 13 stand on the left)."""
