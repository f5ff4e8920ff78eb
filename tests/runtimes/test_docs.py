"""What the pages say is what happens: headings, frames, snippets, commands, tables."""

import hashlib
import importlib.metadata
import json
import re
import shlex
import signal
import sys
import urllib.request
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from websockets import Subprotocol
from websockets.sync.client import ClientConnection, connect

import docs
import running
import terminal
from docs import Block
from livegate.emulator import Emulator, Options
from livegate.protocol import __version__, _json, tokens
from livegate.shell.asgi import App
from livegate.shell.settings import settings
from terminal import LIVEGATE, clean_environment

PAGES = {path: docs.read(path) for path in docs.PAGES}
API, WIRE, README = (PAGES[path] for path in (docs.API, docs.WIRE, docs.README))
JOURNAL = PAGES[docs.JOURNAL]
RECEIVE_S = 20.0

ORIGINAL_HEADINGS = """
# Gemini Live WebSocket API Documentation
## Overview
## Quick Start
### 1. Environment Setup
### 2. Start the Server
### 3. Test with the HTML Demo
## WebSocket Message Formats
### Client to Server Messages
#### Configuration Message (Optional)
#### Text Message
#### Audio Message
### Server to Client Messages
#### Text Response
#### Audio Response (When audio modality is enabled)
#### System Messages
#### Error Messages
#### Configuration Acknowledgment
## Client Connection Examples
### JavaScript/Browser Client
### Python Client
## Server Implementation
## Testing with WebSocket Clients
### Using wscat (Command Line)
### Using Postman
### Using the Debug Test Page
## Important Notes
### Audio Support
### Connection Lifecycle
### Error Handling
## Troubleshooting
### Common Issues
## Examples Repository
## Version History
## Support
"""  # the original's, but for its "(Not fully implemented)" behind Audio Message

ORIGINAL_SNIPPETS = {
    "JavaScript/Browser Client": "1841c7c8e242286c87695a5f57a19078e6140abaa2b81f0a0422196bf1f49905",
    "Python Client": "439ea1b12102032efd00d847da02197871401b0e9fbab9402b5c1ea17b278220",
}
"""SHA-256 of the original document's two clients."""


def test_headings() -> None:
    """The page has all headings of the original document, in its order."""
    ours = iter(API.headings)
    missing = [one for one in ORIGINAL_HEADINGS.strip().splitlines() if one not in ours]
    assert missing == []


@pytest.mark.parametrize("heading", ORIGINAL_SNIPPETS)
def test_snippets_are_the_originals(heading: str) -> None:
    """The two clients are the original's, to the byte: that they work is the point."""
    (block,) = (one for one in API.blocks if heading in one.headings)
    assert hashlib.sha256(block.text.encode()).hexdigest() == ORIGINAL_SNIPPETS[heading]


def test_the_browsers_copy() -> None:
    """The browser's tests run the snippet that the page shows."""
    copy = docs.ROOT / "tests" / "browser" / "original_snippet.js"
    (block,) = API.under("JavaScript/Browser Client", "javascript")
    assert copy.read_text("utf-8") == block.text


def test_tables() -> None:
    """The tables say what the code says."""
    made = terminal.run(sys.executable, str(docs.ROOT / "docs" / "make.py"), "--check")
    assert made.returncode == 0, made.stdout


def test_readme_is_short() -> None:
    """The README can be read at once."""
    assert len(docs.README.read_text("utf-8").splitlines()) <= 120


def test_readme_leads_to_all() -> None:
    """The README links each page of the documentation."""
    pages = {f"docs/{path.name}" for path in docs.PAGES if path.parent == docs.API.parent}
    assert pages - {link.partition("#")[0] for link in README.links} == set()


@pytest.mark.parametrize("path", docs.PAGES, ids=lambda path: path.name)
def test_links(path: Path) -> None:
    """Each link into the project leads to a file, and each anchor to a heading of it."""
    astray: list[str] = []
    for link in PAGES[path].links:
        name, _, anchor = link.partition("#")
        target = path.parent.joinpath(name).resolve() if name else path
        if not re.match(r"\w+:", link) and not (
            target.exists() and (not anchor or anchor in PAGES[target].anchors)
        ):
            astray.append(link)
    assert astray == []


@pytest.mark.parametrize("path", docs.PAGES, ids=lambda path: path.name)
def test_files_that_are_named_exist(path: Path) -> None:
    """Each path of the project that is named leads somewhere."""
    text = path.read_text("utf-8")
    paths = re.findall(r"`((?:examples|runtimes|protocol|docs|tests)/[\w./-]+)`", text)
    assert [name for name in paths if not (docs.ROOT / name).exists()] == []


# Frames


@pytest.fixture(scope="module", params=running.RUNTIMES)
def url(request: pytest.FixtureRequest) -> Generator[str, None, None]:
    """A gateway of each runtime, with an emulator that holds nothing back."""
    with (
        Emulator(options=Options(pace=0)) as gemini,
        running.gateway(request.param, settings("any", gemini.url)) as gateway,
    ):
        yield gateway.url


def _until(client: ClientConnection, type_: str) -> list[dict[str, Any]]:
    """Return the frames up to one of a type."""
    frames: list[dict[str, Any]] = []
    while not frames or frames[-1]["type"] != type_:
        frames.append(json.loads(client.recv(RECEIVE_S)))
    return frames


TOOLS = '{"type":"config","tools":[{"function_declarations":[{"name":"get_weather"}]}]}'
MANUAL = '{"type":"config","vad":{"disabled":true}}'
BEFORE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "activity_start": (MANUAL,),
        "activity_end": (MANUAL, '{"type":"activity_start"}'),
        "tool_response": (TOOLS, '{"type":"text","text":"/tool"}'),
    }
)
"""What the pages say has to come before a frame."""


def _client_frames() -> list[Any]:
    """Return each client frame that a page shows, as a test's parameter."""
    blocks = API.under("Client to Server Messages", "json")
    told = [pytest.param(block.text, id=f"api-{block.name}") for block in blocks]
    for block in WIRE.under("What a client sends", "json"):
        for at, line in enumerate(block.text.splitlines(), block.line + 1):
            told.append(pytest.param(line, id=f"wire-{at}"))
    return told


@pytest.mark.parametrize("text", _client_frames())
def test_client_frames(text: str, url: str) -> None:
    """What the pages tell clients to send is taken without an error."""
    type_ = json.loads(text)["type"]
    offered = [Subprotocol(tokens.V1)] if type_ == "resume" else None
    with connect(url, subprotocols=offered, close_timeout=1) as client:
        for frame in BEFORE.get(type_, ()):
            client.send(frame)
        if type_ == "tool_response":
            call = _until(client, "tool_call")[-1]
            text = text.replace('"call-1"', json.dumps(call["id"]))
        client.send(text)
        if type_ == "activity_start":
            client.send('{"type":"activity_end"}')
        client.send('{"type":"text","text":"Is all well?"}')
        client.send('{"type":"ping","data":"sent"}')
        frames = _until(client, "pong")
        while "well?" not in "".join(frame.get("text", "") for frame in frames):
            frames += _until(client, "turn_complete")
    assert [frame for frame in frames if frame["type"] == "error"] == []


def _collected(url: str) -> list[dict[str, Any]]:
    """Return frames of all the types that the page shows."""
    frames: list[dict[str, Any]] = []
    with connect(url, close_timeout=1, max_size=None) as client:
        (config,) = API.under("Configuration Message (Optional)", "json")
        client.send(config.text)
        client.send('{"type":"text","text":"Hello"}')
        frames += _until(client, "turn_complete")
        client.send('{"type":"text","text":"/long"}')
        frames += _until(client, "audio")
        client.send('{"type":"interrupt"}')
        frames += _until(client, "interrupted")
        client.send('{"type":"text","text":""}')
        frames += _until(client, "error")
    return frames


@pytest.fixture(scope="module")
def collected(url: str) -> list[dict[str, Any]]:
    """Frames of a gateway, of many types."""
    return _collected(url)


LITERAL = ("system", "error", "config_success")
"""Types whose example is word for word what the gateway sends."""


@pytest.mark.parametrize(
    "block", API.under("Server to Client Messages", "json"), ids=lambda block: block.name
)
def test_server_frames(block: Block, collected: list[dict[str, Any]]) -> None:
    """What the page says a gateway sends is what one sends: its keys and types, or each word."""
    said = json.loads(block.text)
    sent = [frame for frame in collected if frame["type"] == said["type"]]
    assert sent, f"no {said['type']} came: {sorted({frame['type'] for frame in collected})}"
    if said["type"] in LITERAL:
        assert said in sent
    assert any(_has_shape(frame, said) for frame in sent), f"{said} is like none of {sent[:3]}"


def _has_shape(got: object, said: object) -> bool:
    """Whether a value has at least the keys of another, with values of the same types."""
    if _json.is_object(said) and _json.is_object(got):
        return all(key in got and _has_shape(got[key], said[key]) for key in said)
    return type(got) is type(said)


# Snippets and commands


def test_the_mount_runs(tmp_path: Path) -> None:
    """The page's application runs as it stands, and ends as the page says."""
    (block,) = API.under("Server Implementation", "python")
    with terminal.own_port() as port:
        file = tmp_path / "application.py"
        file.write_text(block.text.replace("8000", str(port)))
        with terminal.program(sys.executable, str(file)) as server:
            with terminal.arrive(f"ws://127.0.0.1:{port}/voice/api/gemini/ws") as client:
                client.send('{"type":"text","text":"Hello"}')
                _until(client, "turn_complete")
                server.signal(signal.SIGTERM)
                assert terminal.closed(client) == 1012
            assert server.status() == 0, server.printed


def test_the_readmes_snippets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The README's Python makes an application, with a key and with the emulator."""
    monkeypatch.setenv("GEMINI_API_KEY", "any")
    names: dict[str, object] = {}
    for block in README.blocks:
        if block.language == "python":
            exec(block.text, names)  # noqa: S102 - it is ours
            assert isinstance(names.pop("application"), App)


def test_the_journal(tmp_path: Path) -> None:
    """The page's journal replays as the page shows."""
    (lines,) = JOURNAL.under("Format", "json")
    (screen,) = JOURNAL.under("Format", "console")
    name = screen.text.partition(":")[0]
    (tmp_path / name).write_text(lines.text, "utf-8")
    shown = terminal.run(*LIVEGATE, "replay", name, folder=tmp_path)
    assert shown.stdout.endswith(screen.text)  # behind a warning, once the version is another
    assert shown.returncode == 0


def _installed() -> None:
    """Stand in for installing: what is tested here is installed."""
    assert importlib.metadata.version("livegate") == __version__


def _installed_with_all() -> None:
    _installed()
    assert "all" in (importlib.metadata.metadata("livegate").get_all("Provides-Extra") or [])


def _exported() -> None:
    """Export a key as the page says, and see that it is found."""
    lines = [line for block in API.under("1. Environment Setup", "bash")
             for line in docs.commands(block)]  # fmt: skip
    export = lines[-1]
    assert export.startswith("export ")
    check = shlex.join([*LIVEGATE, "check", "--gemini-url", "ws://127.0.0.1:1"])
    checked = terminal.run("sh", "-c", f"{export}; {check}")
    assert "ok      key        from GEMINI_API_KEY\n" in checked.stdout


def _checks() -> None:
    """Check all steps, with an emulator that holds nothing back."""
    with Emulator(options=Options(pace=0)) as gemini:
        environment = clean_environment(GEMINI_API_KEY="any", LIVEGATE_GEMINI_URL=gemini.url)
        checked = terminal.run(*LIVEGATE, "check", environment=environment)
    assert checked.returncode == 0, checked.stdout


def _serves() -> None:
    """Serve on a free port with the emulator, look at the page, and chat."""
    with terminal.program(*LIVEGATE, "serve", "--emulator", "--port", "0") as server:
        page = server.expect(r"http://localhost:\d+/")[0]
        url = server.expect(r"ws://localhost:\d+/api/gemini/ws")[0]
        server.expect("listening")
        with urllib.request.urlopen(page) as answer:  # noqa: S310 - it is http
            assert b"<html" in answer.read()
        chatted = terminal.run(*LIVEGATE, "chat", url, "--text", typed="Hello\n")
        assert chatted.returncode == 0, chatted.stdout
        assert "Gemini: You said: Hello" in chatted.stdout


def _sessions(*names: str) -> Callable[[], None]:
    """Return a check that the noxfile has sessions; what they run is run by other tests."""

    def check() -> None:
        noxfile = (docs.ROOT / "noxfile.py").read_text("utf-8")
        for name in names:
            assert re.search(rf"@nox\.session.*\ndef {name}\(", noxfile)

    return check


def _elsewhere(test: str) -> Callable[[], None]:
    """Return a check that another file has the test that runs this command."""

    def check() -> None:
        file, _, name = test.partition("::")
        assert f"def {name}(" in (docs.ROOT / "tests" / "runtimes" / file).read_text("utf-8")

    return check


MOUNTED = ("fastapi", "starlette", "quart", "trio")
HANDED = ("websockets", "trio_websocket", "fastapi")
NOX = "python3 -m venv .venv && .venv/bin/pip install -q nox"
VENV = f"{NOX} && .venv/bin/nox -s"
ACCESS = _elsewhere("test_access.py::test_from_token_to_chat")
CHAT = _elsewhere("test_cli.py::test_chat_on_pipes")
FUZZ = _elsewhere("test_testing.py::test_command")
WSCAT = _elsewhere("test_original_clients.py::test_wscat_text")
RECORDED = _elsewhere("test_replay.py::test_serve_records")
COMMANDS: Mapping[str, Callable[[], None]] = MappingProxyType(
    {
        "pip install .": _installed,
        "pip install '.[all]'": _installed_with_all,
        'export GEMINI_API_KEY="your-gemini-api-key"': _exported,
        "export GEMINI_API_KEY=...": _exported,
        "export LIVEGATE_SECRET=...": _elsewhere("test_resume_processes.py::test_another_process"),
        "livegate check": _checks,
        "livegate serve": _serves,
        "livegate chat": CHAT,
        "livegate chat ws://localhost:8000/api/gemini/ws": CHAT,
        "livegate fuzz ws://localhost:8000/api/gemini/ws --minutes 1": FUZZ,
        "npm install -g wscat": _elsewhere("test_original_clients.py::wscat"),
        "wscat -c ws://localhost:8000/api/gemini/ws": WSCAT,
        '{"type":"message","data":{"text":"Hello Gemini!"}}': WSCAT,
        "python examples/debug_gemini_ws.py": _elsewhere("test_mounts.py::test_the_debug_server"),
        "python examples/own_shell.py --emulator": _elsewhere("test_mounts.py::test_own_shell"),
        **dict.fromkeys(
            [f"python examples/mount_{name}.py --emulator" for name in MOUNTED],
            _elsewhere("test_mounts.py::test_mounted"),
        ),
        **dict.fromkeys(
            [f"python examples/handed_{name}.py --emulator" for name in HANDED],
            _elsewhere("test_mounts.py::test_handed_over"),
        ),
        "livegate token new alice --sessions 2 --session-age 3600": ACCESS,
        "livegate token list": ACCESS,
        "livegate serve --host 0.0.0.0 --client-tokens client-tokens.toml": ACCESS,
        "livegate chat --token lg_...": ACCESS,
        "livegate serve --host 0.0.0.0 --client-tokens client-tokens.toml --tls-cert cert.pem "
        "--tls-key key.pem": _elsewhere("test_listener.py::test_the_public_gateway"),
        "livegate serve --reuse-port": _elsewhere("test_listener.py::test_shared_port"),
        **dict.fromkeys(
            [
                (
                    "livegate serve --max-sessions 100 --max-session-age 3600 "
                    "--max-messages-per-minute 60000 --max-audio-seconds-per-minute 6000"
                ),
                (
                    "livegate serve --allow-origin https://app.example.org "
                    "--allowed-host voice.example.org"
                ),
                ("livegate serve --allowed-host voice.example.org --trusted-proxy 127.0.0.1/32"),
            ],
            _elsewhere("test_access.py::test_documented_options"),
        ),
        "livegate emulator --session-life 3480 --age-scale 0.01": _elsewhere(
            "test_emulator_docs.py::test_lives"
        ),
        "livegate --help": _elsewhere("test_cli.py::test_main_help_is_whole"),
        "livegate replay FILE": RECORDED,
        "livegate serve --journal journals": RECORDED,
        "livegate replay journals/*.jsonl": RECORDED,
        f"{VENV} demo": _sessions("demo"),
        f"{VENV} tests": _sessions("tests"),
        NOX: _sessions(),
        ".venv/bin/nox -s tests": _sessions("tests"),
        ".venv/bin/nox -s lint types": _sessions("lint", "types"),
    }
)
"""Each command of the pages, and what runs it, or the nearest to it that a test may do.

A command that is not here fails `test_no_command_is_new`: decide what runs it.
"""


COMMAND_BLOCKS = [
    block
    for page in PAGES.values()
    for block in page.blocks
    if block.language == "bash" and not block.mark
]


def test_no_command_is_new() -> None:
    """Each command of the pages has somebody who runs it, and no other is kept."""
    commands = {line for block in COMMAND_BLOCKS for line in docs.commands(block)}
    assert commands == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands(command: str) -> None:
    """A documented command does what its page says."""
    COMMANDS[command]()


CHECKED = {
    *COMMAND_BLOCKS,
    *API.under("Client to Server Messages", "json"),
    *API.under("Server to Client Messages", "json"),
    *API.under("Python Client", "python"),
    *API.under("Server Implementation", "python"),
    *(block for block in WIRE.blocks if block.language == "json"),
    *(block for block in JOURNAL.blocks if block.language == "json"),  # made by docs/make.py
    *(block for page in PAGES.values() for block in page.blocks if block.language == "transcript"),
    *(
        block
        for path in (docs.README, docs.EMBEDDING, docs.MOUNTING)
        for block in PAGES[path].blocks
        if block.language == "python"
    ),
}
"""What this file checks, `test_embedding_docs.py`, and `tests/protocol/test_wire.py`."""
MARK = re.compile(r"<!-- (?:run by (?P<test>tests/\S+\.py)|not run: .+) -->")


@pytest.mark.parametrize("path", docs.PAGES, ids=lambda path: path.name)
def test_no_block_is_unchecked(path: Path) -> None:
    """Each block of code is checked, or a comment above it says who runs it or why nobody does.

    `<!-- run by tests/...py -->`, which then names the page, or `<!-- not run: why -->`.
    """
    for block in PAGES[path].blocks:
        if block.language in ("bash", "python", "json", "transcript") and block not in CHECKED:
            mark = MARK.fullmatch(block.mark)
            assert mark is not None, f"{path.name}:{block.line} is run by no test"
            if mark["test"] is not None:
                assert path.name in (docs.ROOT / mark["test"]).read_text("utf-8")
