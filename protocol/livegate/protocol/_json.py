"""Strict JSON: one family of errors for whatever a peer sends, and narrowing of `object`."""

from collections.abc import Mapping
from typing import Final, TypeGuard

import msgspec

MALFORMED: Final = (msgspec.DecodeError, UnicodeError, RecursionError)
"""What decoding hostile bytes can raise (ValidationError is a DecodeError)."""


def encode(value: object) -> bytes:
    """Return `value` as compact UTF-8 JSON."""
    return msgspec.json.encode(value)


def is_object(value: object) -> TypeGuard[Mapping[str, object]]:
    """Whether a decoded JSON value is an object (whose keys JSON makes strings)."""
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[list[object]]:
    """Whether a decoded JSON value is an array."""
    return isinstance(value, list)


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a decoded JSON value is a number; to Python, true and false are, to JSON not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def depth(value: object, limit: int) -> int:
    """Return how deep arrays and objects nest in `value`, counting no further than `limit` + 1."""
    if is_object(value):
        children = list(value.values())
    elif is_array(value):
        children = value
    else:
        return 0
    if limit <= 0:
        return 1
    return 1 + max((depth(child, limit - 1) for child in children), default=0)
