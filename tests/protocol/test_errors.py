"""Values as error messages quote them."""

import pytest

from livegate.protocol.errors import shown


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (7, "7"),
        (None, "None"),
        ("é\n", r"'\xe9\n'"),
        ("x" * 78, f"'{'x' * 78}'"),
        ("x" * 79, f"'{'x' * 76}..."),
    ],
)
def test_shown(value: object, expected: str) -> None:
    """A value is quoted printable, on one line, in at most 80 characters."""
    assert shown(value) == expected
    assert len(expected) <= 80
