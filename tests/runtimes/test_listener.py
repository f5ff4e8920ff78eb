"""livegate's own listener, on both runtimes: TLS, shared ports, and how it ends."""

import asyncio
import contextlib
import gc
import json
import logging
import re
import signal
import ssl
import sys
import warnings
from collections.abc import Awaitable, Generator, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
import websockets
from websockets.sync.client import connect

import docs
import livegate.asyncio
import running
import terminal
from attacked import IMPATIENT, limits_said
from livegate.emulator import Emulator, Options
from livegate.emulator.tls import Certificate, certificate
from livegate.protocol.limits import WireLimits
from livegate.shell.settings import settings
from livegate.shell.sockets import listen
from livegate.shell.target import SettingsError
from raw_client import RawClient, frame, opening

RECEIVE_S = 20.0
LONG = b'{"type":"text","text":"/long"}'
SOUND = b'{"type":"config","response_modalities":["AUDIO"]}'


@pytest.fixture(params=running.RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> str:
    """Each runtime."""
    return str(request.param)


@pytest.fixture(scope="module")
def gemini() -> Generator[Emulator, None, None]:
    """An emulator that holds nothing back."""
    with Emulator(options=Options(pace=0)) as played:
        yield played


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for localhost."""
    return certificate(tmp_path_factory.mktemp("tls"))


def where(gateway: running.Running) -> str:
    """Return the host and port of a gateway."""
    return gateway.url.removeprefix("ws://").partition("/")[0].replace("127.0.0.1", "localhost")


def talk(url: str, context: ssl.SSLContext | None = None, token: str = "") -> None:
    """Say something, and hear it answered."""
    asyncio.run(_talk(url, context, {"Authorization": f"Bearer {token}"} if token else {}))


async def _talk(url: str, context: ssl.SSLContext | None, headers: dict[str, str]) -> None:
    # Not websockets' synchronous client: its two threads on one TLS connection may hang
    # (python/cpython#151508).
    async with (
        asyncio.timeout(RECEIVE_S),
        websockets.connect(url, ssl=context, additional_headers=headers) as socket,
    ):
        await socket.send('{"type":"text","text":"Hello"}')
        frames = [json.loads(await socket.recv())]
        while frames[-1]["type"] != "turn_complete":
            frames.append(json.loads(await socket.recv()))
    assert "".join(one.get("text", "") for one in frames) == "You said: Hello"


def test_tls(runtime: str, gemini: Emulator, made: Certificate) -> None:
    """With a certificate clients connect by TLS, and nobody else is served."""
    secured = attrs.evolve(settings("any", gemini.url), tls_cert=made.chain_file)
    context = ssl.create_default_context(cafile=made.ca_file)
    with running.gateway(runtime, secured) as gateway:
        talk(f"wss://{where(gateway)}/api/gemini/ws", context)
        with RawClient(gateway.url, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") as plain:
            assert b"HTTP" not in plain.read_to_end()
        talk(f"wss://{where(gateway)}/api/gemini/ws", context)


def test_hypercorn(runtime: str, gemini: Emulator, made: Certificate) -> None:
    """An ASGI server serves in the listener's place, by TLS as well."""
    plain = attrs.evolve(settings("any", gemini.url), server="hypercorn")
    with running.gateway(runtime, plain) as gateway:
        talk(gateway.url)
    secured = attrs.evolve(plain, tls_cert=made.chain_file)
    context = ssl.create_default_context(cafile=made.ca_file)
    with running.gateway(runtime, secured) as gateway:
        talk(f"wss://{where(gateway)}/api/gemini/ws", context)


def test_tls_handshake_takes_too_long(runtime: str, gemini: Emulator, made: Certificate) -> None:
    """Who connects and begins no TLS is cut in time."""
    hasty = attrs.evolve(
        settings("any", gemini.url), tls_cert=made.chain_file, wire=WireLimits(head_s=0.2)
    )
    with running.gateway(runtime, hasty) as gateway, RawClient(gateway.url, b"") as silent:
        assert silent.read_to_end() == b""


def test_bad_certificate(tmp_path: Path) -> None:
    """A file that is no certificate is named, before anything is served."""
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    bad = attrs.evolve(settings("any"), tls_cert=junk)
    with pytest.raises(SettingsError, match=f"cannot use the certificate {junk}"):
        _ = bad.ssl_context
    with pytest.raises(SettingsError, match=f"cannot use the certificate {junk}"):
        settings("any", ca_file=junk)


@pytest.mark.parametrize("server", ["livegate", "hypercorn"])
def test_bad_certificate_of_serve(runtime: str, server: str, tmp_path: Path) -> None:
    """It is told in a line, whatever listens, and nobody hears that it does."""
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    command = (*terminal.LIVEGATE, "serve", "--emulator", "--port", "0", "--runtime", runtime)
    done = terminal.run(*command, "--server", server, "--tls-cert", str(junk))
    assert done.returncode == 1
    assert done.stdout.startswith(f"Error: cannot use the certificate {junk}")
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"server": "apache"}, "the server must be livegate or hypercorn, got 'apache'"),
        ({"server": "livegate", "upstream": "sdk"}, "google-genai needs the server hypercorn"),
        ({"tls_key": Path("key.pem")}, "the key key.pem needs its certificate: add --tls-cert"),
    ],
)
def test_settings_that_make_no_sense(wrong: dict[str, Any], says: str) -> None:
    """What cannot be served as it was asked for is refused, not served otherwise."""
    with pytest.raises(SettingsError, match=says):
        attrs.evolve(settings("any"), **wrong)


def test_the_public_gateway(
    runtime: str, gemini: Emulator, made: Certificate, tmp_path: Path
) -> None:
    """What the documentation shows serves strangers with a token, over TLS, and no others."""
    (command,) = (
        line.split()[1:]
        for block in docs.read(docs.OPERATIONS).under("Listening", "bash")
        for line in docs.commands(block)
        if "--tls-cert" in line
    )
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_bytes(made.chain_file.read_bytes())
    told = terminal.run(*terminal.LIVEGATE, "token", "new", "alice", folder=tmp_path)
    found = re.search(r"lg_[^\s.]+$", told.stdout, re.MULTILINE)
    assert found is not None
    environment = terminal.clean_environment(
        GEMINI_API_KEY="any",
        LIVEGATE_GEMINI_URL=gemini.url,
        LIVEGATE_RUNTIME=runtime,
        LIVEGATE_PORT="0",
    )
    context = ssl.create_default_context(cafile=made.ca_file)
    with terminal.program(
        *terminal.LIVEGATE, *command, environment=environment, folder=tmp_path
    ) as server:
        port = server.expect(r"wss://localhost:(\d+)")[1]
        server.expect("listening")
        url = f"wss://localhost:{port}/api/gemini/ws"
        talk(url, context, token=found[0])
        with pytest.raises(websockets.ConnectionClosed, match="1008"):
            talk(url, context, token="lg_wrong")  # noqa: S106 - it is none


def test_shared_port(runtime: str, gemini: Emulator) -> None:
    """Several processes serve on one port; without asking for it they cannot."""
    with process(runtime, gemini, "--reuse-port") as (_, url):
        port = url.rpartition(":")[2].partition("/")[0]
        with process(runtime, gemini, "--reuse-port", "--port", port) as (_, other):
            assert other == url
            talk(url)
        command = (*terminal.LIVEGATE, "serve", "--emulator", "--port", port)
        assert "try --port" in terminal.run(*command).stdout


def test_stalled_client(runtime: str, gemini: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    """A client that takes nothing in is cut when its time is over."""
    caplog.set_level(logging.INFO)
    strict = attrs.evolve(settings("any", gemini.url), wire=WireLimits(stall_s=0.3))
    before = gemini.service.links_total
    with running.gateway(runtime, strict) as gateway:
        with RawClient(gateway.url) as deaf:
            deaf.send(1, SOUND)
            for _ in range(8):
                deaf.send(1, LONG)
            gemini.wait_until(
                lambda service: service.links_total > before and service.links_open == 0
            )
        talk(gateway.url)
    assert "code=4001" in caplog.text


async def _leave_after_each_step(gemini: Emulator) -> None:
    """Serve clients that ask and leave, each one turn of the event loop later than the last."""
    (listening,) = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    over = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        there = settings("any", gemini.url)
        group.create_task(_served(livegate.asyncio.serve(there, [listening], over.wait)))
        for steps in range(100):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(opening() + frame(1, b'{"type":"text","text":"Hello"}'))
            await reader.readuntil(b"\r\n\r\n")
            for _ in range(steps):
                await asyncio.sleep(0)
            writer.transport.abort()
        over.set()


async def _served(serving: Awaitable[bool]) -> None:
    await serving


def test_client_leaves_while_gemini_is_dialled(gemini: Emulator) -> None:
    """Whenever a client leaves, asyncio closes the socket that was being opened for it."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        asyncio.run(_leave_after_each_step(gemini))
        gc.collect()
    assert not [str(one.message) for one in seen if one.category is ResourceWarning]


@contextlib.contextmanager
def process(
    runtime: str, gemini: Emulator, *more: str, program: Sequence[str] = terminal.LIVEGATE
) -> Generator[tuple[terminal.Program, str], None, None]:
    """Run `livegate serve` as people do; yield it and the WebSocket's address."""
    command = (*program, "serve", "--port", "0", "--runtime", runtime, *more)
    environment = terminal.clean_environment(GEMINI_API_KEY="any", LIVEGATE_GEMINI_URL=gemini.url)
    with terminal.program(*command, environment=environment) as server:
        port = server.expect(r"ws://localhost:(\d+)")[1]
        server.expect("listening")
        yield server, f"ws://127.0.0.1:{port}/api/gemini/ws"


def deafen(deaf: RawClient) -> None:
    """Make sure that more waits for a client than its sockets take."""
    deaf.send(1, SOUND)
    for _ in range(8):
        deaf.send(1, LONG)
    deaf.read_until(b'"audio"')


def come_again(url: str) -> None:
    """Connect and leave until it fails."""
    while True:
        connect(url, close_timeout=0).close()


def test_new_clients_while_it_ends(runtime: str, gemini: Emulator) -> None:
    """Meanwhile others are told when to come back, and it ends although nobody answers."""
    with process(runtime, gemini) as (server, url), RawClient(url) as deaf:
        deafen(deaf)
        server.signal(signal.SIGTERM)
        with pytest.raises(websockets.InvalidStatus) as refused:
            come_again(url)
        assert refused.value.response.status_code == 503
        assert int(refused.value.response.headers["Retry-After"]) > 0
        assert server.status() == 0
        assert "ended: every client was told" in server.printed


def test_time_to_end(runtime: str, gemini: Emulator) -> None:
    """It ends in the time that it was given, though a client alone would have a minute."""
    slow = (sys.executable, "-c", IMPATIENT, limits_said(WireLimits(close_s=60.0)))
    started = process(runtime, gemini, "--drain-timeout", "0.5", program=slow)
    with started as (server, url), RawClient(url) as deaf:
        deafen(deaf)
        server.signal(signal.SIGTERM)
        server.expect("ended: some were cut")
        assert server.status() == 0


def test_second_signal(runtime: str, gemini: Emulator) -> None:
    """Asked a second time, it ends at once."""
    started = process(runtime, gemini, "--drain-timeout", "60")
    with started as (server, url), RawClient(url) as deaf:
        deafen(deaf)
        server.signal(signal.SIGINT)
        server.expect("session.closed")
        server.signal(signal.SIGINT)
        server.expect("ended: some were cut")
        assert server.status() == 0
