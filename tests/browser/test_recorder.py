"""What docs/recordings.md tells pages to do, done in a real browser with a real recorder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "recordings.md").read_text("utf-8")  # recordings.md's snippet
SPOKEN_MS = 4_500
"""Longer than what the microphone has to say."""
ANSWER = "You said: Hello Gemini, what is the weather in Lisbon tomorrow?"
TALK = """
async ([url, sliceMs, mimeType, spokenMs]) => {
    const Recorder = MediaRecorder;
    if (mimeType) {
        window.MediaRecorder = function (stream) {
            return new Recorder(stream, {mimeType});
        };
    }
    const socket = new WebSocket(url);
    const frames = [];
    const answered = new Promise((resolve, reject) => {
        socket.onmessage = (event) => {
            const frame = JSON.parse(event.data);
            frames.push(frame);
            if (frame.type === 'error') reject(new Error(frame.data));
            if (frame.type === 'turn_complete') resolve(frames);
        };
    });
    await new Promise((resolve) => { socket.onopen = resolve; });
    const stop = await talk(socket, sliceMs);
    setTimeout(stop, spokenMs);
    return await answered;
}
"""

pytestmark = pytest.mark.browser


class Gateway(Protocol):
    """What these tests need of the `gateway` fixture."""

    port: int
    ws_url: str


@pytest.mark.parametrize(
    ("slice_ms", "mime_type"),
    [(250, ""), (None, ""), (1000, "audio/mp4")],
    ids=["slices", "whole", "MP4"],
)
def test_recorder(
    gateway: Gateway,
    speaking_page: Page,
    serve_html: Callable[[str], str],
    slice_ms: int | None,
    mime_type: str,
) -> None:
    """What somebody says into a recorder is understood, whatever it makes, sliced or whole."""
    (snippet,) = re.findall(r"```javascript\n(.*?)```", PAGE, re.DOTALL)
    speaking_page.goto(serve_html(f"<!doctype html><title>talk</title><script>{snippet}</script>"))
    frames = speaking_page.evaluate(TALK, [gateway.ws_url, slice_ms, mime_type, SPOKEN_MS])
    said = "".join(frame["text"] for frame in frames if frame["type"] == "response")
    assert said == ANSWER
