"""JSON without a schema."""

import json

import pytest

from livegate.protocol import _json


@pytest.mark.parametrize(
    ("raw", "limit", "expected"),
    [
        ('"a"', 9, 0),
        ("[]", 9, 1),
        ('{"a": 1}', 9, 1),
        ('[1, [], {"a": [2]}]', 9, 3),
        ("[[[[]]]]", 4, 4),
        ("[[[[]]]]", 3, 4),
        ("[[[[]]]]", 2, 3),
        ("[[[[]]]]", 0, 1),
    ],
)
def test_depth(raw: str, limit: int, expected: int) -> None:
    """Each array and object around a value is a level; beyond the limit none is counted."""
    assert _json.depth(json.loads(raw), limit) == expected
