"""The examples, run as they stand, and what a mounted gateway does for a real client."""

import json
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from websockets.sync.client import ClientConnection, connect

import docs
import exposition
import terminal

EXAMPLES = docs.ROOT / "examples"
MOUNTS = sorted(path.name for path in EXAMPLES.glob("mount_*.py"))
RECEIVE_S = 20.0


@pytest.mark.parametrize("name", MOUNTS)
def test_mounted(name: str) -> None:
    """A client of a mounted gateway gets its answer, and is told to come back at the end."""
    command = (sys.executable, str(EXAMPLES / name), "--emulator")
    environment = terminal.clean_environment(PORT="0")
    with terminal.program(*command, environment=environment) as server:
        where = server.expect(r"//[a-z0-9.]+:(\d+)")
        site = f"127.0.0.1:{where[1]}"
        with terminal.arrive(f"ws://{site}/voice/api/gemini/ws") as socket:
            _talk(socket)
            _visit(site, has_hello="/hello" in (EXAMPLES / name).read_text("utf-8"))
            server.signal(signal.SIGTERM)
            assert terminal.closed(socket) == 1012
        assert server.status() == 0, server.printed
    assert "Traceback" not in server.printed


HANDED = {
    "handed_fastapi.py": "/rooms/kitchen",
    "handed_trio_websocket.py": "/",
    "handed_websockets.py": "/",
}
"""Examples that hand a socket over, and where a client finds each."""


@pytest.mark.parametrize("name", HANDED)
def test_handed_over(name: str) -> None:
    """A client of somebody else's server gets its answer, and is told to come back at the end."""
    command = (sys.executable, str(EXAMPLES / name), "--emulator")
    environment = terminal.clean_environment(PORT="0")
    with terminal.program(*command, environment=environment) as server:
        port = server.expect(r"//[a-z0-9.]+:(\d+)")[1]
        with terminal.arrive(f"ws://127.0.0.1:{port}{HANDED[name]}") as socket:
            _talk(socket)
            server.signal(signal.SIGTERM)
            assert terminal.closed(socket) == 1012
        assert server.status() == 0, server.printed
    assert "Traceback" not in server.printed


def test_own_shell() -> None:
    """The third shell runs as it stands."""
    command = (sys.executable, str(EXAMPLES / "own_shell.py"), "--emulator")
    environment = terminal.clean_environment(PORT="0")
    with terminal.program(*command, environment=environment) as server:
        port = server.expect(r"ws://localhost:(\d+)")[1]
        with terminal.arrive(f"ws://127.0.0.1:{port}") as socket:
            _talk(socket)
        server.expect("session.closed")
        server.signal(signal.SIGINT)
        assert server.status() == 0, server.printed
    assert "Traceback" not in server.printed


def test_own_shell_at_once() -> None:
    """Ctrl+C ends the third shell as soon as it has said where it listens."""
    command = (sys.executable, str(EXAMPLES / "own_shell.py"), "--emulator")
    environment = terminal.clean_environment(PORT="0")
    with terminal.program(*command, environment=environment) as server:
        server.expect(r"ws://localhost:\d+")
        server.signal(signal.SIGINT)
        assert server.status() == 0, server.printed
    assert "Traceback" not in server.printed


def _talk(socket: ClientConnection) -> None:
    """Say something, and hear it answered."""
    socket.send('{"type":"text","text":"Hello from a test"}')
    frames = [json.loads(socket.recv(RECEIVE_S))]
    while frames[-1]["type"] != "turn_complete":
        frames.append(json.loads(socket.recv(RECEIVE_S)))
    said = "".join(frame.get("text", "") for frame in frames)
    assert said.strip() == "You said: Hello from a test"


def _visit(site: str, *, has_hello: bool) -> None:
    """Look at the pages, as a browser would."""
    with urllib.request.urlopen(f"http://{site}/voice/") as page:
        assert b"<html" in page.read()
    where = b"livegate: connect a WebSocket to /voice/api/gemini/ws\n"
    assert _refused(f"http://{site}/voice/other") == (404, where)
    assert _refused(f"http://{site}/voice/api/gemini/ws") == (426, where)
    # The body that nobody wanted holds nothing up.
    assert _refused(f"http://{site}/voice/", bytes(300_000)) == (405, b"send GET or HEAD\n")
    with urllib.request.urlopen(f"http://{site}/voice/readyz") as health:
        assert health.read() == b"ok\n"
    with urllib.request.urlopen(f"http://{site}/voice/metrics") as metrics:
        assert exposition.read(metrics.read())["sessions_active"] == 1
    if has_hello:
        with urllib.request.urlopen(f"http://{site}/hello") as page:
            assert b"This is " in page.read()


def _refused(url: str, data: bytes | None = None) -> tuple[int, bytes]:
    """Return the status and the body of a request that is not granted."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url, data)  # noqa: S310 - it is http
    with refused.value as answer:
        return answer.code, answer.read()


def test_the_debug_server() -> None:
    """The original's debug server runs under its own name, with the arguments of `debug`."""
    script = str(EXAMPLES / "debug_gemini_ws.py")
    helped = terminal.run(sys.executable, script, "--help")
    assert "default: 8001" in helped.stdout
    with terminal.program(sys.executable, script, "--emulator", "--port", "0") as server:
        where = server.expect(r"ws://localhost:(\d+)/api/gemini/ws")
        server.expect("listening")
        with connect(f"ws://127.0.0.1:{where[1]}/api/gemini/ws", close_timeout=1) as socket:
            socket.send('{"type":"ping","data":7}')
            server.expect(r'client 1 > {"type": "ping", "data": 7}')
            server.expect(r'client 1 < {"type": "pong", "data": 7}')
        server.signal(signal.SIGINT)
        assert server.status() == 0, server.printed


@pytest.mark.parametrize("name", ["gemini_live_demo.html", "debug_test.html"])
def test_pages_are_served_as_they_stand(name: str) -> None:
    """What the gateway serves is the file in the examples."""
    served = docs.ROOT / "runtimes" / "livegate" / "pages" / name
    assert served.read_bytes() == (EXAMPLES / name).read_bytes()


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_examples_are_short(path: Path) -> None:
    """An example fits on a screen; a whole shell takes a few."""
    limit = 174 if path.name == "own_shell.py" else 42
    assert len(path.read_text("utf-8").splitlines()) <= limit
