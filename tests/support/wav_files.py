"""Recordings in WAV, built by hand: right ones, and wrong ones too."""

import struct


def chunk(name: bytes, body: bytes = b"", *, size: int | None = None) -> bytes:
    """Return a padded chunk; `size` is what it claims, if not the truth."""
    claimed = len(body) if size is None else size
    return struct.pack("<4sI", name, claimed) + body + bytes(len(body) % 2)


def fmt(  # noqa: PLR0913 - each is a field
    tag: int = 1,
    channels: int = 1,
    rate: int = 16_000,
    bits: int = 16,
    *,
    align: int | None = None,
    more: bytes = b"",
) -> bytes:
    """Return a `fmt ` chunk; `more` follows the 16 bytes that all have."""
    block = channels * bits // 8 if align is None else align
    numbers = (tag, channels, rate, rate * block & 0xFFFFFFFF, block, bits)
    return chunk(b"fmt ", struct.pack("<HHIIHH", *numbers) + more)


def extension(
    tag: int, valid: int, tail: bytes = bytes.fromhex("000000001000800000aa00389b71")
) -> bytes:
    """Return what follows in a `fmt ` chunk of WAVE_FORMAT_EXTENSIBLE."""
    return struct.pack("<HHIH", 22, valid, 0, tag) + tail


def ds64(size: int, more: bytes = bytes(4)) -> bytes:
    """Return RF64's chunk with the real size of the sound."""
    return chunk(b"ds64", struct.pack("<QQQ", 0, size, 0) + more)


def wav(*chunks: bytes, form: bytes = b"RIFF", kind: bytes = b"WAVE", size: int = 0) -> bytes:
    """Return a recording; nobody reads the size of the whole."""
    return struct.pack("<4sI4s", form, size, kind) + b"".join(chunks)
