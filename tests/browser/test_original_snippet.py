"""The original document's own browser client, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.browser


class Gateway(Protocol):
    """What these tests need of the `gateway` fixture."""

    port: int


def original_snippet() -> str:
    """Return the JavaScript client of the protocol's original document, verbatim."""
    document = ROOT / "docs" / "api.md"
    block = r"### JavaScript/Browser Client\s+```javascript\n(.*?)```"
    if document.exists() and (match := re.search(block, document.read_text("utf-8"), re.DOTALL)):
        return match[1]
    return (Path(__file__).parent / "original_snippet.js").read_text("utf-8")


@pytest.mark.parametrize(
    ("modalities", "expected"),
    [
        ("['TEXT']", ["Gemini says:"]),
        ("['TEXT', 'AUDIO']", ["Gemini says:", "Received audio data"]),
    ],
    ids=["text", "text and audio"],
)
def test_the_original_snippet_runs(
    page: Page,
    gateway: Gateway,
    serve_html: Callable[[str], str],
    modalities: str,
    expected: list[str],
) -> None:
    """The original client, from a page of another local server, gets what its document says."""
    snippet = original_snippet()
    for old, new in [
        ("ws://localhost:8000/", f"ws://localhost:{gateway.port}/"),
        ("response_modalities: ['TEXT']", f"response_modalities: {modalities}"),
    ]:
        assert old in snippet
        snippet = snippet.replace(old, new)
    markup = f'<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script>{snippet}</script>'
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(serve_html(markup))
    page.wait_for_function("ws.readyState === WebSocket.OPEN")
    page.evaluate("sendMessage('Hello, how are you?')")
    for start in expected:
        if not any(line.startswith(start) for line in said):
            page.wait_for_event(
                "console", lambda message, start=start: message.text.startswith(start)
            )
    assert any(line.startswith("System: Connected to Gemini Live") for line in said)
    assert not any(line.startswith("Error:") for line in said)
