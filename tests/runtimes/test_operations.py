"""Plain HTTP to a running gateway: its health, its metrics, and what `operations.md` says."""

import asyncio
import base64
import json
import re
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Generator, MutableMapping
from email.message import Message
from typing import Any, Final

import attrs
import pytest
import trio
from websockets.sync.client import connect

import docs
import exposition
import livegate.asyncio
import livegate.trio
import running
from livegate import recordings
from livegate.emulator import Emulator, Options
from livegate.protocol import Session, SessionOptions, __version__, commands, inputs, pages
from livegate.protocol.admission import Rules
from livegate.protocol.tokens import Token, digest
from livegate.shell.asgi import App
from livegate.shell.gateway import Gateway
from livegate.shell.metrics import ROWS
from livegate.shell.settings import settings
from livegate.shell.target import target

RECEIVE_S: Final = 20.0
NOWHERE: Final = target("ws://192.0.2.1", "canary-key")
GATEWAYS: Final = {"asyncio": livegate.asyncio.Gateway, "trio": livegate.trio.Gateway}
PAGE: Final = docs.read(docs.OPERATIONS)


@attrs.frozen
class Got:
    """An HTTP response."""

    status: int
    headers: Message
    body: bytes


def ask(site: str, path: str, method: str = "GET") -> Got:
    """Send one request."""
    request = urllib.request.Request(f"{site}{path}", method=method)  # noqa: S310 - it is http
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - see above
            return Got(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Got(error.code, error.headers, error.read())


@pytest.fixture(params=running.RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> str:
    """Each runtime."""
    return str(request.param)


@pytest.fixture
def site(runtime: str) -> Generator[str, None, None]:
    """The address of a gateway on a runtime, with an emulator that holds nothing back."""
    with (
        Emulator(options=Options(pace=0)) as gemini,
        running.gateway(runtime, settings("canary-key", gemini.url)) as gateway,
    ):
        yield gateway.url.replace("ws:", "http:").removesuffix("/api/gemini/ws")


def test_health(site: str) -> None:
    """Probes, versions and strays are answered by a real server as the table says."""
    for path in ("/livez", "/readyz?full"):
        assert (ask(site, path).status, ask(site, path).body) == (200, b"ok\n")
    version = ask(site, "/version")
    assert json.loads(version.body) == {"livegate": __version__}
    assert version.headers["cache-control"] == "no-store"
    looked = ask(site, "/version", "HEAD")
    assert (looked.body, looked.headers["content-length"]) == (b"", str(len(version.body)))
    upgrade = ask(site, "/api/gemini/ws")
    assert (upgrade.status, upgrade.headers["upgrade"]) == (426, "websocket")
    assert ask(site, "/favicon.ico").status == 404
    assert ask(site, "/", "POST").headers["allow"] == "GET, HEAD"


def test_metrics(site: str, runtime: str) -> None:
    """After a conversation by voice its seconds and its tokens are on the page, exactly."""
    pcm = recordings.hello().pcm
    frames: list[dict[str, Any]] = []
    with connect(site.replace("http:", "ws:") + "/api/gemini/ws", close_timeout=1) as client:
        client.send('{"type":"config","response_modalities":["AUDIO"]}')
        client.send(pcm)
        client.send('{"type":"audio_end"}')
        while not frames or frames[-1]["type"] != "turn_complete":
            frames.append(json.loads(client.recv(RECEIVE_S)))
        got = ask(site, "/metrics")
        assert got.headers["content-type"] == pages.METRICS
        now = exposition.read(got.body)
    spoken = b"".join(base64.b64decode(one["data"]) for one in frames if one["type"] == "audio")
    usage = frames[-1]["usage"]
    told = {
        'audio_seconds_total{direction="in"}': round(len(pcm) / 32_000, 3),
        'audio_seconds_total{direction="out"}': round(len(spoken) / 48_000, 3),
        'tokens_total{type="prompt"}': usage["promptTokenCount"],
        'tokens_total{type="response"}': usage["responseTokenCount"],
    }
    assert {name: now[name] for name in told} == pytest.approx(told, abs=0.001)
    assert now["sessions_active"] == 1
    assert now[f'build_info{{runtime="{runtime}",version="{__version__}"}}'] == 1
    while (then := exposition.read(ask(site, "/metrics").body))["sessions_active"]:
        pass
    assert then['sessions_total{outcome="client_gone"}'] == 1
    # Which code is the server's to tell: hypercorn has 1006 for all.
    assert sum(n for name, n in then.items() if name.startswith("client_close_total")) == 1
    assert {name: then[name] for name in told} == {name: now[name] for name in told}


# The application itself, without a server


def answered(
    runtime: str, app: App, path: str, *, gateway: Gateway | None = None, **more: object
) -> tuple[int, dict[str, str], bytes]:
    """Return what an application answers to a GET; a gateway that is given has been drained."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(event: MutableMapping[str, Any]) -> None:
        sent.append(event)

    async def run() -> None:
        if gateway is not None:
            await gateway.drain()
        await app({"type": "http", "method": "GET", "path": path, **more}, receive, send)

    on: dict[str, Callable[[Callable[[], Awaitable[None]]], object]] = {
        "asyncio": lambda begin: asyncio.run(_awaited(begin())),
        "trio": trio.run,
    }
    on[runtime](run)
    start, body = sent
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], headers, body["body"]


async def _awaited(work: Awaitable[None]) -> None:
    await work


def test_not_ready(runtime: str) -> None:
    """A gateway without a key, or one that drains, takes no sessions, and says so."""
    keyless = GATEWAYS[runtime](NOWHERE, SessionOptions(has_key=False))
    status, headers, body = answered(runtime, App(keyless), "/readyz")
    assert (status, headers["retry-after"], body) == (503, "5", b"no API key\n")
    ending = GATEWAYS[runtime](NOWHERE, SessionOptions())
    assert answered(runtime, App(ending), "/readyz")[0] == 200
    status, _, body = answered(runtime, App(ending), "/readyz", gateway=ending)
    assert (status, body) == (503, b"draining\n")
    assert answered(runtime, App(ending), "/livez")[0] == 200


def test_secret_metrics(runtime: str) -> None:
    """Where clients need tokens, so does who wants to see the metrics."""
    rules = Rules(tokens=(Token("prometheus", digest("t-1")),))
    gateway = GATEWAYS[runtime](NOWHERE, SessionOptions(), rules=rules)
    status, headers, _ = answered(runtime, App(gateway), "/metrics", headers=[])
    assert (status, headers["www-authenticate"]) == (401, "Bearer")
    known = [(b"authorization", b"Bearer t-1")]
    status, _, body = answered(runtime, App(gateway), "/metrics", headers=known)
    assert (status, body) == (200, gateway.metrics.page())
    wrong = [(b"authorization", b"Bearer t-2")]
    assert answered(runtime, App(gateway), "/metrics", headers=wrong)[0] == 401


@pytest.mark.parametrize(("version", "is_named"), [("1.1", True), ("2", False), ("3", False)])
def test_what_belongs_to_a_connection(runtime: str, version: str, *, is_named: bool) -> None:
    """Later HTTP forbids the headers that name an upgrade, and servers fail on them."""
    app = App(GATEWAYS[runtime](NOWHERE, SessionOptions()))
    status, headers, _ = answered(runtime, app, "/api/gemini/ws", http_version=version)
    assert (status, "upgrade" in headers, "connection" in headers) == (426, is_named, is_named)


def test_mounted_paths(runtime: str) -> None:
    """Below a mount the paths are the same, with a slash or without."""
    app = App(GATEWAYS[runtime](NOWHERE, SessionOptions()), page="gemini_live_demo.html")
    for path in ("/voice", "/voice/"):
        status, _, body = answered(runtime, app, path, root_path="/voice")
        assert (status, b"<html" in body) == (200, True)
    assert answered(runtime, app, "/voice/livez", root_path="/voice")[0] == 200
    assert answered(runtime, app, "/voice/nowhere", root_path="/voice")[0] == 404


# The page


def test_what_the_page_asks_for(site: str) -> None:
    """Each path that the page's configurations name is answered."""
    named = {
        path
        for block in PAGE.blocks
        if block.language == "yaml"
        for path in re.findall(r"path: (/\w+)", block.text)
    }
    assert named == {"/livez", "/readyz", "/metrics"}
    assert {ask(site, path).status for path in named} == {200}


def test_what_the_page_counts() -> None:
    """Each metric that the page's text or queries name is one that there is."""
    text = docs.OPERATIONS.read_text("utf-8")
    gateway = GATEWAYS["asyncio"](NOWHERE, SessionOptions())
    there = {name.partition("{")[0] for name in exposition.read(gateway.metrics.page())}
    there |= {row.name for row in ROWS}  # of a histogram there are only its parts
    assert {*re.findall(r"livegate_(\w+)", text)} <= there


def test_the_lines_of_the_page() -> None:
    """The line that the page shows has the fields that a line has."""
    (block,) = (one for one in PAGE.blocks if one.language == "json")
    (text,) = block.text.splitlines()
    line = json.loads(text)
    session = Session(SessionOptions(session_id="9f3c01ab"), seed=1)
    session.start(0.0)
    session.handle(inputs.ClientOpened(1), 0.0)
    *_, closed = session.handle(inputs.ClientGone(1, 1000), 1.0)
    assert isinstance(closed, commands.Log)
    assert [*line] == ["time", "level", "event", *closed.fields]
