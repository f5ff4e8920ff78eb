"""The original document's own browser client, in a real browser."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
from websockets.sync.client import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.browser


class Gateway(Protocol):
    """What these tests need of the `gateway` fixture."""

    port: int
    ws_url: str


QUESTION = "Hello, how are you?"
TAPPED = """
const played = [];
window.Audio = class extends Audio {
  constructor(source) {
    super(source);
    const one = { element: this, begins: 0, ends: 0, spans: [] };
    this.addEventListener("playing", () => { one.begins = performance.now(); });
    this.addEventListener("ended", () => {
      for (let at = 0; at < this.played.length; at++) one.spans.push(this.played.end(at));
      one.ends = performance.now();
    });
    played.push(one);
  }
};
"""
"""Keeps what is played, when, and how much of it; the page's own script is left as it is."""


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


def sound_of(gateway: Gateway) -> bytes:
    """Return the PCM of the answer, as another client gets it piece by piece."""
    found = b""
    with connect(gateway.ws_url) as socket:
        socket.send('{"type":"config","data":{"response_modalities":["AUDIO"]}}')
        socket.send(json.dumps({"type": "text", "text": QUESTION}))
        while (frame := json.loads(socket.recv(20)))["type"] != "turn_complete":
            found += base64.b64decode(frame["data"]) if frame["type"] == "audio" else b""
    return found


def test_the_original_line_plays_an_answer(
    page: Page, gateway: Gateway, serve_html: Callable[[str], str]
) -> None:
    """With files asked for, the original client's own line plays each answer, whole and once."""
    snippet = original_snippet()
    line = "new Audio('data:audio/wav;base64,' + data.data).play()"
    for old, new in [
        ("ws://localhost:8000/", f"ws://localhost:{gateway.port}/"),
        ("response_modalities: ['TEXT']", "response_modalities: ['AUDIO']"),
        (
            "data: {\n            model",
            "data: {\n            audio: {format: 'wav'},\n            model",
        ),
        (f"// Play audio: {line}", line),
    ]:
        assert snippet.count(old) == 1
        snippet = snippet.replace(old, new)
    page.goto(
        serve_html(
            '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">'
            f"<button>Begin</button><script>{TAPPED}{snippet}</script>"
        )
    )
    page.get_by_role("button").click()  # browsers play nothing on a page that nobody has touched
    page.wait_for_function("ws.readyState === WebSocket.OPEN")
    seconds = len(sound_of(gateway)) / 2 / 24_000
    assert seconds > 0.5
    for turn in (1, 2):
        page.evaluate("text => sendMessage(text)", QUESTION)
        page.wait_for_function(f"played.length === {turn} && played[{turn - 1}].ends > 0")
    found = page.evaluate("played.map(({element, ...one}) => ({...one, s: element.duration}))")
    assert [one["s"] for one in found] == [pytest.approx(seconds, abs=0.001)] * 2
    for one in found:
        assert one["spans"] == [pytest.approx(seconds, abs=0.05)]
    assert found[0]["ends"] < found[1]["begins"]
