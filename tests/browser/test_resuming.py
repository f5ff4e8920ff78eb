"""The JavaScript client of docs/resuming.md, in a real browser, on connections that are cut."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

import docs
from faulty_tcp import FaultyTcp, Flow, Plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

CLIENT, USE = docs.read(Path(docs.RESUMING)).under("In JavaScript", "javascript")
URL = "ws://localhost:8000/api/gemini/ws"
CUTS = 3
QUESTIONS = 2
SCRIPT = """
const frames = [];
let asked = 0;
const config = { response_modalities: ["AUDIO"] };
const one = new Conversation(LINK, config, (frame) => {
  frames.push(frame);
  if (frame.type === "session" && asked < QUESTIONS) {
    asked += 1;
    one.send({ type: "text", text: `this is question ${asked}` });
  }
});
"""


class Gateway(Protocol):
    """What these tests need of the `gateway` fixture."""

    ws_url: str


def test_client(page: Page, gateway: Gateway, serve_html: Callable[[str], str]) -> None:
    """It loses nothing where it is cut in mid-answer; the page's own use of it shows an answer."""
    cuts = [Plan(down=Flow(cut_at=20_000))] * CUTS
    with FaultyTcp(gateway.ws_url, *cuts) as path:
        script = SCRIPT.replace("LINK", f"'{path.url}'").replace("QUESTIONS", str(QUESTIONS))
        assert USE.text.count(URL) == 1
        use = USE.text.replace(URL, gateway.ws_url)
        page.goto(
            serve_html(
                '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">'
                f"<body><script>{CLIENT.text}{script}{use}</script>"
            )
        )
        page.wait_for_function(
            f"frames.filter((one) => one.type === 'turn_complete').length === {QUESTIONS}"
        )
        frames = page.evaluate("frames")
        assert len(path.seen) == CUTS + 1
    resumed = [one for one in frames if one["type"] == "resumed"]
    assert [one["recovered"] for one in resumed] == [True] * CUTS
    numbers = [one["seq"] for one in frames if one["type"] != "resumed"]
    assert numbers == list(range(1, len(numbers) + 1))
    said = "".join(one["text"] for one in frames if one["type"] == "response")
    assert said == "".join(f"You said: this is question {n}" for n in range(1, QUESTIONS + 1))
    page.evaluate("talk.send({type: 'text', text: 'Hello!'})")
    page.wait_for_function("document.body.innerText.includes('You said: Hello!')")
