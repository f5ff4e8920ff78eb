"""A link to Gemini that is dialled by the libraries, and what answers is not what should."""

import asyncio
import base64
import contextlib
import hashlib
import re
import socket
import struct
import sys
import threading
from collections.abc import Callable, Generator
from typing import Any, Final

import pytest
import trio
from websockets.sync.client import connect

import livegate.asyncio.upstream
import livegate.trio.upstream
import running
import terminal
from livegate.emulator import Emulator, Options
from livegate.protocol.inputs import Fault
from livegate.shell.faults import DialError
from livegate.shell.settings import settings
from livegate.shell.target import Target, target

PATIENCE_S: Final = 5.0
"""Less than Gemini is given for its setup, when the session would give up by itself."""
Act = Callable[[socket.socket, bytes], None]


@pytest.fixture(params=running.RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> str:
    """Each runtime."""
    return str(request.param)


@contextlib.contextmanager
def serving(act: Act) -> Generator[Target, None, None]:
    """Do something with one connection, and the head that came on it; then end it."""

    def serve() -> None:
        one, _ = listening.accept()
        with one:
            one.settimeout(PATIENCE_S)
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += one.recv(4_096)
            act(one, head)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield target(f"ws://127.0.0.1:{listening.getsockname()[1]}", "canary")
        thread.join()


def talk(runtime: str, there: Target) -> Fault | None:
    """Dial, and close if it is open; return why it could not be opened."""

    async def on_asyncio() -> None:
        async with asyncio.timeout(PATIENCE_S), livegate.asyncio.upstream.dial(there) as link:
            await link.close(1000)

    async def on_trio() -> None:
        with trio.fail_after(PATIENCE_S):
            async with livegate.trio.upstream.dial(there) as link:
                await link.close(1000)

    try:
        if runtime == "trio":
            trio.run(on_trio)
        else:
            asyncio.run(on_asyncio())
    except DialError as failed:
        return failed.fault
    return None


def saying(*lines: str) -> Act:
    """Answer with a head, and the beginning of a body."""
    return lambda one, _: one.sendall("\r\n".join([*lines, "", "sorry"]).encode())


def ending(_: socket.socket, __: bytes) -> None:
    """End without a word."""


def resetting(one: socket.socket, _: bytes) -> None:
    """End more rudely."""
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def accept(head: bytes) -> bytes:
    """Return the answer to a handshake (RFC 6455 section 4.2.2)."""
    key = re.findall(rb"(?i)sec-websocket-key: *(\S+)", head)[0]
    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()  # noqa: S324 - it says so
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )


def answering_another(one: socket.socket, head: bytes) -> None:
    """Answer what was not asked."""
    one.sendall(accept(head).replace(b"Accept: ", b"Accept: x"))


@pytest.mark.parametrize(
    ("act", "fault"),
    [
        pytest.param(ending, Fault.HTTP, id="the end"),
        pytest.param(resetting, Fault.HTTP, id="a reset"),
        pytest.param(saying("SSH-2.0-OpenSSH_9.2"), Fault.HTTP, id="no HTTP"),
        pytest.param(saying("HTTP/1.1 503 Busy"), Fault.HTTP, id="503"),
        pytest.param(saying("HTTP/1.1 403 No"), Fault.FORBIDDEN, id="403"),
        pytest.param(saying("HTTP/1.1 503 Busy", "Content-Length: 9"), Fault.HTTP, id="a part"),
        pytest.param(answering_another, Fault.HTTP, id="another's key"),
    ],
)
def test_no_answer(runtime: str, act: Act, fault: Fault) -> None:
    """Whatever is no answer to the handshake is a failed dial, at once."""
    with serving(act) as there:
        assert talk(runtime, there) is fault


def test_ping(runtime: str) -> None:
    """A ping that comes behind our close does no harm; the close is waited for."""

    def act(one: socket.socket, head: bytes) -> None:
        one.sendall(accept(head))
        said.append(one.recv(100))
        one.sendall(b"\x89\x02hi" + b"\x88\x02\x03\xe8")
        while one.recv(100):
            pass  # websockets sends a pong

    said: list[bytes] = []
    with serving(act) as there:
        assert talk(runtime, there) is None
    assert [close[0] for close in said] == [0x88]


@contextlib.contextmanager
def deaf(port: int) -> Generator[str, None, None]:
    """Yield an address of this machine where nothing answers, not even by a refusal."""
    with contextlib.ExitStack() as stack:
        hole = stack.enter_context(socket.socket())
        hole.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        hole.bind(("127.0.0.77", port))
        hole.listen(0)
        for _ in range(4):  # who waits there, until nobody else can
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)  # noqa: FBT003 - the standard library's
            waiting.connect_ex(("127.0.0.77", port))
        yield "127.0.0.77"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse where a queue is full")
@pytest.mark.parametrize("mounted", [True, False], ids=["mounted", "listener"])
def test_a_silent_address(runtime: str, monkeypatch: pytest.MonkeyPatch, *, mounted: bool) -> None:
    """Where one of Gemini's addresses is silent the next is tried, long before the setup is late."""
    look_up = socket.getaddrinfo

    def both(host: bytes | str, port: int, *more: Any, **others: Any) -> Any:
        if host not in {"gemini.test", b"gemini.test"}:
            return look_up(host, port, *more, **others)
        how = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(*how, (address, int(port))) for address in (silent, "127.0.0.1")]

    with Emulator(options=Options(pace=0), host="127.0.0.1") as gemini:
        port = int(gemini.url.rpartition(":")[2])
        with deaf(port) as silent:
            monkeypatch.setattr(socket, "getaddrinfo", both)
            url = f"ws://gemini.test:{port}"
            if mounted:
                assert talk(runtime, target(url, "canary")) is None
                return
            with (
                running.gateway(runtime, settings("canary", url)) as gateway,
                connect(gateway.url) as client,
            ):
                client.send('{"type":"text","text":"hi"}')
                assert "Connected" in str(client.recv(PATIENCE_S))


def test_refused_by_all(runtime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every address of a name refuses it is a refusal."""

    def both(_host: object, port: int, *_: Any, **__: Any) -> Any:
        how = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(*how, (address, int(port))) for address in ("127.0.0.78", "127.0.0.79")]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with terminal.own_port() as port:
        assert talk(runtime, target(f"ws://gemini.test:{port}", "canary")) is Fault.REFUSED
