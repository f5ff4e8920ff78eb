"""EBML, the grammar of Matroska: elements of an id, a size and a body (RFC 8794)."""

import struct
from collections.abc import Iterator
from typing import Final

import attrs

from livegate.protocol.errors import ProtocolError

ID_BYTES: Final = 4
"""The longest id (RFC 8794 section 11.2.4, EBMLMaxIDLength)."""
SIZE_BYTES: Final = 8
"""The longest size (RFC 8794 section 11.2.5, EBMLMaxSizeLength)."""
MAX_CHILDREN: Final = 1000
"""Elements in one that is read as a whole: Matroska's largest, a track, knows 60."""
_FLOATS: Final = {4: ">f", 8: ">d"}


class DamageError(ProtocolError):
    """What stands here cannot be what it should be; its reader decides what becomes of that."""


@attrs.frozen
class Head:
    """What an element begins with."""

    id: int
    """With its length marker, as tables of ids have it."""
    size: int | None
    """Of the body; None if it ends where something stands that cannot be in it."""
    length: int
    """Of the head itself."""


def head(data: bytes | bytearray, at: int) -> Head | None:
    """Return the head that begins at `at`, or None while it is not whole.

    Raises:
        DamageError: No element begins so.
    """
    if at >= len(data):
        return None
    id_length = _vint_length(data[at], ID_BYTES)
    size_at = at + id_length
    if size_at >= len(data):
        return None
    size_length = _vint_length(data[size_at], SIZE_BYTES)
    end = size_at + size_length
    if end > len(data):
        return None
    all_ones = (1 << 7 * size_length) - 1
    size = int.from_bytes(data[size_at:end]) & all_ones
    return Head(int.from_bytes(data[at:size_at]), None if size == all_ones else size, end - at)


def vint(data: bytes | bytearray, at: int) -> tuple[int, int]:
    """Return the number of variable length at `at`, and its length (RFC 8794 section 4).

    Raises:
        DamageError: There is none, or not all of it.
    """
    length = _vint_length(data[at], SIZE_BYTES) if at < len(data) else 1
    if at + length > len(data):
        raise DamageError("a number is cut off")
    return int.from_bytes(data[at : at + length]) & ((1 << 7 * length) - 1), length


def written(number: int) -> bytes:
    """Return a number as `vint` reads it, as short as can be."""
    length = 1
    while number >= (1 << 7 * length) - 1:  # all ones means unknown
        length += 1
    return (number | 1 << 7 * length).to_bytes(length)


def children(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the id and the body of each element in the body of another.

    Raises:
        DamageError: They do not fill it exactly, or are too many.
    """
    at = count = 0
    while at < len(body):
        count += 1
        if count > MAX_CHILDREN:
            raise DamageError(f"an element with more than {MAX_CHILDREN} others in it")
        child = head(body, at)
        if child is None or child.size is None:
            raise DamageError("an element in a header has no end")
        start = at + child.length
        at = start + child.size
        if at > len(body):
            raise DamageError(f"element 0x{child.id:x} is longer than what it is in")
        yield child.id, body[start:at]


def unsigned(body: bytes) -> int:
    """Return an unsigned integer (RFC 8794 section 7.2)."""
    return int.from_bytes(_checked(body))


def signed(body: bytes) -> int:
    """Return a signed integer (RFC 8794 section 7.1)."""
    return int.from_bytes(_checked(body), signed=True)


def real(body: bytes) -> float:
    """Return a floating-point number (RFC 8794 section 7.3)."""
    if not body:
        return 0.0
    if len(body) not in _FLOATS:
        raise DamageError(f"a floating-point number of {len(body)} bytes")
    number: float = struct.unpack(_FLOATS[len(body)], body)[0]
    return number


def text(body: bytes) -> str:
    """Return a string, which zeros may fill up (RFC 8794 section 7.4)."""
    return body.partition(b"\0")[0].decode("utf-8", "replace")


def _checked(body: bytes) -> bytes:
    """Return what is short enough for an integer."""
    if len(body) > SIZE_BYTES:
        raise DamageError(f"an integer of {len(body)} bytes")
    return body


def _vint_length(first: int, longest: int) -> int:
    """Return how long a number is by its first byte: one more than that has leading zeros."""
    length = 9 - first.bit_length()
    if length > longest:
        raise DamageError(f"no id or size begins with 0x{first:02x}")
    return length
