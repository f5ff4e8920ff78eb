"""The pages for those who embed: what they quote stands in an example, the rest is run."""

import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from socket import socket
from typing import Any

import pytest
import trio
import trio_websocket
from websockets.sync.client import connect

import docs
import livegate.trio
import running
import terminal
from docs import Block
from livegate.emulator import Emulator, Options
from livegate.protocol import SessionOptions
from livegate.shell.settings import settings
from raw_client import RawClient
from running import Until

EMBEDDING, MOUNTING = docs.read(docs.EMBEDDING), docs.read(docs.MOUNTING)
EXAMPLES = sorted((docs.ROOT / "examples").glob("*.py"))
(RUN,) = (block for block in EMBEDDING.blocks if block.text.startswith("async def take"))
QUOTED = [
    block
    for block in (*EMBEDDING.blocks, *MOUNTING.blocks)
    if block.language == "python" and block != RUN
]


@pytest.mark.parametrize("block", QUOTED, ids=lambda block: block.name)
def test_quotes(block: Block) -> None:
    """What a page shows is what an example has, line for line."""
    assert any(block.text in path.read_text("utf-8") for path in EXAMPLES)


def test_the_shell_is_quoted_in_full() -> None:
    """The steps leave no method of the third shell out."""
    source = (docs.ROOT / "examples" / "own_shell.py").read_text("utf-8")
    quoted = [block.text for block in QUOTED if block.text in source]
    for method in re.split(r"\n    def ", source.partition("class Shell")[2])[1:]:
        name = method.partition("(")[0]
        assert name == "dial" or any(text in f"    def {method}" for text in quoted), name


def test_settings() -> None:
    """The table of settings says what the code says."""
    rows = re.findall(r"\| `([\w.]+)` \| (\S+) \|", docs.EMBEDDING.read_text("utf-8"))
    assert len(rows) > 10
    options = SessionOptions()
    for name, value in rows:
        owner = options.limits if name.startswith("limits.") else options
        assert str(getattr(owner, name.removeprefix("limits."))) == value


def test_every_input_and_command_is_named() -> None:
    """The contract's tables are complete."""
    text = docs.EMBEDDING.read_text("utf-8")
    for module in ("inputs", "commands"):
        source = (docs.ROOT / f"protocol/livegate/protocol/{module}.py").read_text("utf-8")
        for name in re.findall(r"@attrs\.frozen\nclass (\w+)", source):
            assert f"`{name}`" in text


def test_strangers_on_trio() -> None:
    """The page's way to accept streams survives broken handshakes, and serves the others."""

    async def serve(sockets: Sequence[socket], until: Until) -> None:
        names = {"trio": trio, "trio_websocket": trio_websocket}
        gateway = livegate.trio.Gateway.of(there)
        scope: dict[str, Any] = {**names, "gateway": gateway}
        exec(RUN.text, scope)  # noqa: S102 - it is ours
        listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(one)) for one in sockets]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, scope["take"], listeners)
            async with gateway:
                await until()
            nursery.cancel_scope.cancel()

    with Emulator(options=Options(pace=0)) as gemini:
        there = settings("any", gemini.url)
        with running.server("trio", serve) as server:
            for _ in range(10):
                RawClient(server.url, b"NONSENSE\r\n\r\n").reset()
            with connect(server.url, close_timeout=1) as client:
                client.send('{"type":"text","text":"hi"}')
                assert "Connected" in str(client.recv(running.PATIENCE_S))
                server.stop()
                assert terminal.closed(client) == 1012


def test_quart_on_trio(tmp_path: Path) -> None:
    """The Quart example, with the lines changed that the page changes, runs on trio."""
    (changes,) = (block for block in MOUNTING.blocks if block.language == "diff")
    source = (docs.ROOT / "examples" / "mount_quart.py").read_text("utf-8")
    lines = changes.text.splitlines()
    for before, after in zip(lines[::2], lines[1::2], strict=True):
        assert before.startswith("-"), before
        assert after.startswith("+"), after
        assert source.count(f"{before[1:]}\n") == 1
        source = source.replace(before[1:], after[1:])
    file = tmp_path / "mount_quart_trio.py"
    file.write_text(source)
    environment = terminal.clean_environment(PORT="0")
    with terminal.program(
        sys.executable, str(file), "--emulator", environment=environment
    ) as server:
        port = server.expect(r"//[a-z0-9.]+:(\d+)")[1]
        with terminal.arrive(f"ws://127.0.0.1:{port}/voice/api/gemini/ws") as client:
            assert "Connected" in str(client.recv(running.PATIENCE_S))
            server.signal(signal.SIGTERM)
            assert terminal.closed(client) == 1012
        assert server.status() == 0, server.printed
