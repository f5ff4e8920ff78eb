"""The clients of the original's document, unchanged, on both runtimes."""

import base64
import sys
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

import docs
import running
import terminal
from livegate.emulator import Emulator, Options
from livegate.recordings import hello
from livegate.shell.settings import settings

PAGE = docs.read(docs.API)
TYPING_S = 0.7
"""How long a person takes for a line, at least."""


@pytest.fixture(scope="module", params=running.RUNTIMES)
def site(request: pytest.FixtureRequest) -> Generator[str, None, None]:
    """The host and port of a gateway of each runtime."""
    with (
        Emulator(options=Options(pace=0)) as gemini,
        running.gateway(request.param, settings("any", gemini.url)) as gateway,
    ):
        yield gateway.url.removeprefix("ws://").partition("/")[0]


@pytest.fixture(scope="session")
def wscat(npm: Callable[[str], Path]) -> str:
    """Install wscat as the document says, but for its place; return its path."""
    return str(npm("wscat") / "bin" / "wscat")


@pytest.mark.parametrize("runtime", running.RUNTIMES)
def test_the_python_client(runtime: str, tmp_path: Path) -> None:
    """The document's Python client talks, although it blocks while it waits for its user."""
    (block,) = PAGE.under("Python Client", "python")
    file = tmp_path / "client.py"
    with Emulator(options=Options(pace=0)) as gemini, ExitStack() as serving:
        gateway = serving.enter_context(running.gateway(runtime, settings("any", gemini.url)))
        port = gateway.url.removeprefix("ws://127.0.0.1:").partition("/")[0]
        assert block.text.count(":8000/") == 1
        file.write_text(block.text.replace(":8000/", f":{port}/"))
        with terminal.program(sys.executable, str(file), on_terminal=True) as client:
            client.expect("Connected to Gemini Live")
            for line in ("Hello, how are you?", "And now?", "quit"):
                client.expect("You: ")
                time.sleep(TYPING_S)
                client.type(line)
            client.expect(r"Received \d+ bytes of audio")
            _until_printed(client, ("how are you?", "And now?"))
            assert "Error" not in client.printed
            serving.close()  # it would wait for ever, as its document wants
            client.status()


def _until_printed(client: terminal.Program, words: tuple[str, ...]) -> None:
    """Wait until an answer holds each of these, however it was cut into pieces."""
    until = time.monotonic() + terminal.PATIENCE_S
    said = ""
    while not all(word in said for word in words):
        client.expect(r"Gemini: .*\n", until - time.monotonic())
        pieces = [line for line in client.printed.splitlines() if "Gemini: " in line]
        said = "".join(line.rpartition("Gemini: ")[2] for line in pieces)


def test_wscat_text(wscat: str, site: str) -> None:
    """A frame typed into wscat is answered, in frames that a person can read."""
    commands = [line for block in PAGE.under("Using wscat (Command Line)", "bash")
                for line in docs.commands(block)]  # fmt: skip
    assert commands[1] == "wscat -c ws://localhost:8000/api/gemini/ws"
    url = commands[1].split()[-1].replace("localhost:8000", site)
    with terminal.program(wscat, "-c", url, on_terminal=True) as client:
        client.expect("Connected")
        client.expect('< {"type":"system","data":"Connected to Gemini Live"}')
        client.type(commands[2])
        client.expect('< {"type":"response","text":"')
        client.expect('< {"type":"turn_complete","turn":1,"reason":"COMPLETE"')
        assert '"error"' not in client.printed


def test_wscat_audio(wscat: str, site: str) -> None:
    """Speech pasted into wscat as a frame of PCM is heard, and answered in sound and text."""
    url = f"ws://{site}/api/gemini/ws"
    speech = hello()
    assert speech.rate == 16_000
    pcm = base64.b64encode(speech.pcm).decode()
    with terminal.program(wscat, "-c", url) as client:
        client.expect("Connected")
        client.type('{"type":"config","response_modalities":["AUDIO"]}')
        client.expect('"type":"config_success"')
        client.type(f'{{"type":"audio","data":"{pcm}"}}')
        client.type('{"type":"audio_end"}')
        client.expect('"type":"audio","data":"')
        client.expect('"type":"turn_complete"')
        assert '"type":"response","text":' in client.printed
        assert '"error"' not in client.printed
