"""What docs/emulator.md shows is what happens."""

import json
from typing import Final

from websockets import ConnectionClosed
from websockets.sync.client import connect

import docs
import terminal
from terminal import LIVEGATE

PATH: Final = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
PAGE: Final = docs.read(docs.ROOT / "docs" / "emulator.md")
SETUP: Final = json.dumps({"setup": {"model": "models/gemini-3.8-live"}})
PATIENCE_S: Final = 20.0


def converse(url: str) -> None:
    """Hold a conversation, with as many links as it takes."""
    try:
        with connect(f"{url}{PATH}?key=abc", proxy=None) as link:
            link.send(SETUP)
            assert json.loads(link.recv(PATIENCE_S)) == {"setupComplete": {}}
            for text in ("My name is Ana", "What did I say?"):
                turns = [{"parts": [{"text": text}]}]
                link.send(json.dumps({"clientContent": {"turns": turns, "turnComplete": True}}))
                while b"turnComplete" not in link.recv(PATIENCE_S, decode=False):
                    pass
    except ConnectionClosed:
        converse(url)


def test_snippet() -> None:
    """The page's test is one that passes."""
    (block,) = PAGE.under("In a test", "python")
    exec(block.text, {"converse": converse})  # noqa: S102 - it is ours


def test_lives() -> None:
    """The page's command plays a Gemini whose links do not live long, as goAway says."""
    (block,) = PAGE.under("Lives", "bash")
    (command,) = docs.commands(block)
    words = [*LIVEGATE, *command.split()[1:], "--link-life", "30", "--port", "0"]
    with terminal.program(*words) as played:
        url = played.expect(r"ws://localhost:\d+")[0]
        with connect(f"{url}{PATH}?key=abc", proxy=None) as link:
            link.send(SETUP)
            assert json.loads(link.recv(PATIENCE_S)) == {"setupComplete": {}}
            assert json.loads(link.recv(PATIENCE_S)) == {"goAway": {"timeLeft": "0.15s"}}
