"""What a packet of Opus says of itself in its first bytes (RFC 6716 section 3)."""

from typing import Final

RATE: Final = 48_000
"""Hz, whatever was recorded."""
_SPANS: Final = (*((10, 20, 40, 60) * 3), *((10, 20) * 2), *((2.5, 5, 10, 20) * 4))
"""Milliseconds of a frame, by its configuration."""
_MAX_SAMPLES: Final = RATE * 120 // 1000
"""Of a packet (section 3.2.5, R5)."""
_COUNTED: Final = 3
"""A packet of as many frames as its second byte says; else there are one or two."""


def samples(packet: bytes) -> int:
    """Return how long a packet plays, in samples at 48 kHz."""
    code = packet[0] & _COUNTED
    frames = int.from_bytes(packet[1:2]) & 63 if code == _COUNTED else min(code, 1) + 1
    return round(_SPANS[packet[0] >> 3] * frames * RATE / 1000)


def is_pause(packet: bytes) -> bool:
    """Whether all frames of a packet are empty: nobody spoke, and nothing was sent (section 2.1.9).

    A packet that claims none of them, or more than there may be, is damaged.
    """
    if not 0 < samples(packet) <= _MAX_SAMPLES:
        return False
    code = packet[0] & _COUNTED
    heads = 1 if code < _COUNTED - 1 else 2
    return len(packet) <= heads and (code != _COUNTED - 1 or packet[1:] in (b"", b"\0"))
