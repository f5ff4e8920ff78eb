"""Which pages a gateway on this machine lets in, as a real browser asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Playwright

pytestmark = pytest.mark.browser

EVIL = "evil.example"
TALK = """
(url) => new Promise((done) => {
  const heard = [];
  const socket = new WebSocket(url);
  socket.onopen = () => socket.send('{"type":"ping","data":1}');
  socket.onmessage = (event) => {
    const frame = JSON.parse(event.data);
    heard.push(frame.type === "error" ? frame.code : frame.type);
    if (frame.type === "pong") socket.close();
  };
  socket.onclose = (event) => done([heard, event.code]);
})
"""


class Gateway(Protocol):
    """What these tests need of the `gateway` fixture."""

    port: int


@pytest.fixture(scope="module")
def rebinding(playwright: Playwright, chromium: str) -> Iterator[Browser]:
    """A browser whose name service says that somebody else's name is this machine."""
    rules = f"--host-resolver-rules=MAP {EVIL} 127.0.0.1"
    launched = playwright.chromium.launch(executable_path=chromium, args=[rules])
    yield launched
    launched.close()


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (("localhost", "localhost"), (["pong"], 1005)),
        (("127.0.0.1", "localhost"), (["pong"], 1005)),
        ((EVIL, "localhost"), (["origin_refused"], 1008)),
        ((EVIL, EVIL), (["origin_refused"], 1008)),
    ],
    ids=["development server", "by its address", "somebody else's page", "rebound name"],
)
def test_pages(
    rebinding: Browser,
    gateway: Gateway,
    serve_html: Callable[[str], str],
    hosts: tuple[str, str],
    expected: tuple[list[str], int],
) -> None:
    """A page of this machine talks, from whatever port; another is told why it may not."""
    there = urlsplit(serve_html('<!doctype html><link rel="icon" href="data:,">'))
    page = rebinding.new_page()
    page.goto(f"http://{hosts[0]}:{there.port}{there.path}")
    url = f"ws://{hosts[1]}:{gateway.port}/api/gemini/ws"
    heard, code = page.evaluate(TALK, url)
    page.close()
    assert ([one for one in heard if one != "system"], code) == expected


def test_a_rebound_page(rebinding: Browser, gateway: Gateway) -> None:
    """Under somebody else's name the gateway shows no page of its own either."""
    page = rebinding.new_page()
    answer = page.goto(f"http://{EVIL}:{gateway.port}/")
    assert answer is not None
    assert answer.status == 421
    page.close()
