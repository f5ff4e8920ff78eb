"""WebM made by hand: each test shows the bytes it means."""

import struct
from typing import Final

UNKNOWN: Final = b"\x01\xff\xff\xff\xff\xff\xff\xff"
"""The size of what has none."""

SEGMENT: Final = 0x18538067
TRACKS: Final = 0x1654AE6B
CLUSTER: Final = 0x1F43B675
VOID: Final = 0xEC


def number(value: int) -> bytes:
    """Return an unsigned integer's bytes."""
    return value.to_bytes((value.bit_length() + 7) // 8)


def vint(value: int, length: int | None = None) -> bytes:
    """Return a size, or a block's track, in so many bytes or as few as can be."""
    if length is None:
        length = next(n for n in range(1, 9) if value < (1 << 7 * n) - 1)
    return (value | 1 << 7 * length).to_bytes(length)


def head(id_: int, size: bytes = UNKNOWN) -> bytes:
    """Return what an element begins with."""
    return number(id_) + size


def element(id_: int, *parts: bytes) -> bytes:
    """Return an element around its parts."""
    body = b"".join(parts)
    return head(id_, vint(len(body))) + body


def header(kind: bytes = b"webm", *more: bytes) -> bytes:
    """Return an EBML header."""
    return element(0x1A45DFA3, element(0x4282, kind), *more)


def sampled(rate: float = 48_000.0, channels: int = 1, bits: int | None = None) -> bytes:
    """Return a track's Audio."""
    parts = [element(0xB5, struct.pack(">f", rate)), element(0x9F, number(channels))]
    if bits is not None:
        parts.append(element(0x6264, number(bits)))
    return element(0xE1, *parts)


def track(codec: bytes = b"A_OPUS", *more: bytes, track_number: int = 1, kind: int = 2) -> bytes:
    """Return a TrackEntry; `more` holds its Audio."""
    mandatory = element(0xD7, number(track_number)), element(0x83, number(kind))
    return element(0xAE, *mandatory, element(0x86, codec), *more)


def tracks(*entries: bytes) -> bytes:
    """Return Tracks; without entries, one of mono Opus."""
    return element(TRACKS, *(entries or (track(b"A_OPUS", sampled()),)))


def start(*entries: bytes) -> bytes:
    """Return how a streamed recording begins, up to its first block."""
    return header() + head(SEGMENT) + tracks(*entries) + cluster()


def cluster(size: bytes = UNKNOWN) -> bytes:
    """Return the beginning of a Cluster."""
    return head(CLUSTER, size) + element(0xE7, b"\x00")


def in_block(sound: bytes, track_number: int = 1, flags: int = 0x80) -> bytes:
    """Return a block's body."""
    return vint(track_number) + b"\x00\x00" + bytes([flags]) + sound


def block(sound: bytes, track_number: int = 1, flags: int = 0x80) -> bytes:
    """Return a SimpleBlock."""
    return element(0xA3, in_block(sound, track_number, flags))


def group(*parts: bytes) -> bytes:
    """Return a BlockGroup."""
    return element(0xA0, *parts)


def grouped(sound: bytes, track_number: int = 1, flags: int = 0) -> bytes:
    """Return the Block of a BlockGroup."""
    return element(0xA1, in_block(sound, track_number, flags))


def padding(nanoseconds: int) -> bytes:
    """Return DiscardPadding."""
    return element(0x75A2, nanoseconds.to_bytes(8, signed=True))
