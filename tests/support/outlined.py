"""MP4 boxes made by hand: each test shows the bytes it means."""

import struct


def box(kind: bytes, body: bytes = b"", *, size: int | None = None) -> bytes:
    """Return a box; `size` is what it claims, if not the truth."""
    claimed = 8 + len(body) if size is None else size
    return struct.pack(">I4s", claimed, kind) + body


def large_box(kind: bytes, body: bytes = b"") -> bytes:
    """Return a box whose size takes 64 bits."""
    return struct.pack(">I4sQ", 1, kind, 16 + len(body)) + body
