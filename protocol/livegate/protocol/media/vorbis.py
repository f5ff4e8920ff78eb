"""How much memory Vorbis's headers ask of a decoder (Vorbis I specification, section 3.2.1)."""

from typing import Final

from livegate.protocol.errors import ErrorCode, RemoteProtocolError

MAX_NUMBERS: Final = 1 << 20
"""In all codebooks together; libvorbis's have a quarter of that."""
_SYNC: Final = b"BCV"
_NUMBERS: Final = 5
"""Bytes behind that: 16 bits of dimensions, 24 of entries."""
_MAX_DIMENSIONS: Final = 16
_MAX_ENTRIES: Final = 1 << 16
"""More than these FFmpeg refuses itself."""
_TREE: Final = 4
"""What an entry costs besides, in numbers."""
_MAX_HEADERS: Final = 64 << 10
"""Bytes of all headers; libvorbis's are 4 KiB, without a cover."""


def check(headers: bytes) -> None:
    """Raise if a decoder would fill its memory: a codebook of megabytes is described in 20 bytes.

    Codebooks begin anywhere in a byte, each with a pattern of 24 bits.

    Raises:
        RemoteProtocolError: `audio_too_costly`.
    """
    numbers = 0
    value = int.from_bytes(headers[:_MAX_HEADERS], "little")
    for shift in range(8):
        data = (value >> shift).to_bytes(_MAX_HEADERS, "little")
        at = data.find(_SYNC)
        while at >= 0:
            said = data[at + len(_SYNC) : at + len(_SYNC) + _NUMBERS]
            dimensions, entries = (int.from_bytes(part, "little") for part in (said[:2], said[2:]))
            if dimensions <= _MAX_DIMENSIONS and entries <= _MAX_ENTRIES:
                numbers += entries * (dimensions + _TREE)
            at = data.find(_SYNC, at + 1)
    if numbers > MAX_NUMBERS or len(headers) > _MAX_HEADERS:
        raise RemoteProtocolError(
            ErrorCode.AUDIO_TOO_COSTLY,
            f"Vorbis's headers may hold {_MAX_HEADERS} bytes and codebooks of {MAX_NUMBERS} "
            f"numbers, got {len(headers)} and {numbers}",
        )
