"""Strings that nobody may see."""

import json
from urllib.parse import quote

import pytest

from livegate.protocol.secret import Secret, redacted

KEY = "AIza\"'\\/+é"


@pytest.mark.parametrize(
    "text",
    [KEY, quote(KEY, safe=""), json.dumps(KEY, ensure_ascii=False)[1:-1], repr(KEY)[1:-1]],
    ids=["as it is", "in a URL", "in JSON", "in a repr"],
)
def test_redaction(text: str) -> None:
    """A secret is cut out of text, however that has escaped it."""
    assert Secret(KEY).redact(f"<{text}>") == "<[key]>"


def test_no_secret() -> None:
    """An empty secret is nowhere."""
    assert Secret("").redact("text") == "text"
    assert str(Secret("")) == ""


def test_shown() -> None:
    """Neither repr nor str shows it."""
    assert "AIza" not in f"{Secret(KEY)!r} {Secret(KEY)}"
    assert str(Secret(KEY)) == "[key]"


def test_several() -> None:
    """Each of several secrets is cut out, and what stands there says which kind it was."""
    secrets = (Secret(KEY), Secret("canary", "secret"), Secret("", "nothing"))
    assert redacted(f"{KEY}, {KEY!r}, canary", secrets) == "[key], '[key]', [secret]"
    assert redacted("canary", ()) == "canary"
    assert str(secrets[1]) == "[secret]"
