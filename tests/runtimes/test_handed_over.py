"""Sockets of other people's servers: what a session gets of them, and how they end."""

import asyncio
import contextlib
import json
import queue
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from functools import partial
from operator import attrgetter
from socket import socket
from typing import Any

import pytest
import trio_websocket
import websockets
from websockets.asyncio.server import ServerConnection
from websockets.sync.client import connect

import livegate.asyncio.client
import livegate.asyncio.relay
import livegate.trio.client
import livegate.trio.relay
import running
import terminal
from livegate import recordings
from livegate.emulator import Emulator, Options
from livegate.protocol import SessionOptions
from livegate.shell import pump
from livegate.shell.asgi import AsgiSocket
from livegate.shell.settings import settings
from livegate.shell.sockets import ClientSocket, Closed, Message
from livegate.shell.target import target
from raw_client import RawClient
from running import Running, Until
from shell_player import MemoryUpstream

TEXT, CLOSE = 1, 8
CLOSED = b"\x88\x00"
"""A close frame without a code, from a server."""
MIB = 1024 * 1024
PATIENCE_S = 20.0
NOWHERE = target("ws://192.0.2.1", "canary")

Act = Callable[[ClientSocket], Awaitable[None]]


@pytest.fixture(params=running.RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> str:
    """Each runtime."""
    return str(request.param)


@pytest.fixture(params=running.HANDED)
def way(request: pytest.FixtureRequest) -> str:
    """A gateway with handed-over sockets, on each runtime."""
    return str(request.param)


def lending(
    runtime: str, act: Act, *, max_size: int = running.MAX_MESSAGE
) -> contextlib.AbstractContextManager[Running]:
    """Run a server that lends each connection to somebody, as a gateway does."""

    async def on_trio(connection: trio_websocket.WebSocketConnection) -> None:
        async with livegate.trio.client.lent(connection) as client:
            await act(client)

    async def on_asyncio(connection: ServerConnection) -> None:
        async with livegate.asyncio.client.lent(connection) as client:
            await act(client)

    async def serve(sockets: Sequence[socket], until: Until) -> None:
        if runtime == "trio":
            await running.trio_server(on_trio, sockets, until, max_size=max_size)
        else:
            await running.asyncio_server(on_asyncio, sockets, until, max_size=max_size)

    return running.server(runtime, serve)


class Hearer:
    """Takes note of all that comes from a client."""

    def __init__(self) -> None:
        self.heard = queue.SimpleQueue[Message | Closed]()

    async def __call__(self, client: ClientSocket) -> None:
        """Listen until the client has left."""
        while True:
            event = await client.receive()
            self.heard.put(event)
            if isinstance(event, Closed):
                return

    def next(self) -> Message | Closed:
        """Return what came next."""
        return self.heard.get(timeout=PATIENCE_S)


def test_messages(runtime: str) -> None:
    """Messages come whole, as text or as bytes, and the close with its code and reason."""
    hearer = Hearer()
    with lending(runtime, hearer) as server, connect(server.url, close_timeout=1) as client:
        client.send("caf\u00e9")
        client.send([b"\x00", b"\xff"])  # in fragments
        client.close(4321, "enough")
        assert hearer.next() == Message("caf\u00e9".encode(), is_text=True)
        assert hearer.next() == Message(b"\x00\xff", is_text=False)
        assert hearer.next() == Closed(4321, "enough")


@pytest.mark.parametrize("way_to_leave", ["no code", "end of TCP", "reset"])
def test_leaving(runtime: str, way_to_leave: str) -> None:
    """A client that leaves without a code has left all the same."""
    hearer = Hearer()
    with lending(runtime, hearer) as server, RawClient(server.url) as client:
        if way_to_leave == "no code":
            client.send(CLOSE, b"")
            client.read_until(CLOSED)
        if way_to_leave == "reset":
            client.reset()
        else:
            client.leave()
        assert hearer.next() == Closed(1005 if way_to_leave == "no code" else 1006)


@pytest.mark.parametrize("payload", [b"\xff", "\ud800".encode("utf-8", "surrogatepass")])
def test_no_utf_8(runtime: str, payload: bytes) -> None:
    """A text that is none ends the connection: websockets says 1007, trio-websocket nothing."""
    hearer = Hearer()
    with lending(runtime, hearer) as server, RawClient(server.url) as client:
        client.send(TEXT, payload)
        if runtime == "asyncio":
            client.read_until((1007).to_bytes(2))
            client.leave()
        else:
            assert client.read_to_end() == b""
        end = hearer.next()
        assert isinstance(end, Closed)
        assert end.code == 1007


def test_default_limit(runtime: str) -> None:
    """Both libraries close with 1009 above 1 MiB, unless they are told another limit."""
    hearer = Hearer()
    with (
        lending(runtime, hearer, max_size=MIB) as server,
        connect(server.url, close_timeout=1) as client,
    ):
        client.send(bytes(MIB))
        assert hearer.next() == Message(bytes(MIB), is_text=False)
        with contextlib.suppress(websockets.ConnectionClosed):
            client.send(bytes(MIB + 1))
        end = hearer.next()
        assert isinstance(end, Closed)
        assert end.code == 1009
        assert terminal.closed(client) == 1009


def test_far_above_the_limit(runtime: str) -> None:
    """Who is in the middle of a message that is far too long hears 1009, too."""
    hearer = Hearer()
    with lending(runtime, hearer, max_size=MIB) as server:
        for _ in range(5):
            with connect(server.url, compression=None, close_timeout=1) as client:
                with contextlib.suppress(websockets.ConnectionClosed):
                    client.send(bytes(8 * MIB))
                assert terminal.closed(client) == 1009


def test_long_recording(way: str) -> None:
    """With the limit that the page names, a recording of ten minutes is taken."""
    pcm = recordings.hello().pcm
    recording = pcm + bytes(12 * MIB - len(pcm))
    with (
        Emulator(options=Options(pace=0)) as gemini,
        running.gateway(way, settings("any", gemini.url)) as gateway,
        connect(gateway.url, max_size=None, close_timeout=1) as client,
    ):
        client.send(recording)
        client.send('{"type":"ping"}')
        while json.loads(client.recv(PATIENCE_S))["type"] != "pong":
            pass
        gemini.wait_until(lambda _: len(gemini.service.received[-1].audio) >= len(recording), 20)


def test_leaving_in_mid_send(runtime: str) -> None:
    """A send to a client that leaves meanwhile comes to an end, and so does the next one."""
    done = queue.SimpleQueue[Message | Closed]()

    async def act(client: ClientSocket) -> None:
        await client.send(b"A" * 16 * MIB, is_text=True)
        await client.send(b"B", is_text=True)
        await client.close(1000, "")
        done.put(await client.receive())

    with lending(runtime, act) as server, RawClient(server.url) as client:
        client.read_until(b"AAAA")
        client.reset()
        assert isinstance(done.get(timeout=PATIENCE_S), Closed)


@contextlib.contextmanager
def flooding(runtime: str, served: queue.SimpleQueue[None]) -> Generator[Running, None, None]:
    """A gateway with handed-over sockets, whose Gemini says more than any buffer holds.

    `served` tells of each that it has done with.
    """
    is_trio = runtime == "trio"
    new_bell = livegate.trio.relay.Bell if is_trio else livegate.asyncio.relay.Bell
    part = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": "AAAA" * 4 * MIB}}

    @contextlib.asynccontextmanager
    async def dial() -> AsyncGenerator[MemoryUpstream, None]:
        upstream = MemoryUpstream(new_bell())
        upstream.put(b'{"setupComplete":{}}')
        upstream.put(json.dumps({"serverContent": {"modelTurn": {"parts": [part]}}}).encode())
        yield upstream

    async def serve(sockets: Sequence[socket], until: Until) -> None:
        face = livegate.trio if is_trio else livegate.asyncio
        gateway = face.Gateway(NOWHERE, SessionOptions(), dial=dial)

        async def take(connection: Any) -> None:
            await gateway.serve(connection)
            served.put(None)

        async def until_drained() -> None:
            async with gateway:
                await until()

        listen = running.trio_server if is_trio else running.asyncio_server
        await listen(take, sockets, until_drained)

    with running.server(runtime, serve) as server:
        yield server


SOUND = b'{"type":"config","response_modalities":["AUDIO"]}'


def test_drain_without_reader(runtime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that does not read holds up no end; what it then reads ends in mid-message."""
    monkeypatch.setattr(pump, "FAREWELL_S", 0.3)
    with contextlib.ExitStack() as stack:
        with flooding(runtime, queue.SimpleQueue()) as gateway:
            client = stack.enter_context(RawClient(gateway.url))
            client.send(TEXT, SOUND)
            client.read_until(b"AAAA")
            gateway.stop()
        assert client.read_to_end().endswith(b"AAAA")


@pytest.mark.parametrize("leaves", [False, True])
def test_no_reader(runtime: str, leaves: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001 - pytest gives it
    """A client that takes nothing in is cut by the kernel, even if it has sent its close."""
    for face in (livegate.trio.client, livegate.asyncio.client):
        monkeypatch.setattr(face, "CLIENT_STALL_S", 1)
    served = queue.SimpleQueue[None]()
    with flooding(runtime, served) as gateway, RawClient(gateway.url) as client:
        client.send(TEXT, SOUND)
        client.read_until(b"AAAA")
        if leaves:
            client.send(CLOSE, (1000).to_bytes(2))
        served.get(timeout=PATIENCE_S)
        assert client.read_to_end().endswith(b"AAAA")


def test_drained(way: str, caplog: pytest.LogCaptureFixture) -> None:
    """At the end of its block a gateway closes its sessions with 1012; the log has addresses."""
    caplog.set_level("INFO", "livegate")
    with (
        Emulator() as gemini,
        running.gateway(way, settings("any", gemini.url)) as gateway,
        connect(gateway.url, close_timeout=1) as client,
    ):
        client.recv(PATIENCE_S)
        gateway.stop()
        assert terminal.closed(client) == 1012
    assert "peer='127.0.0.1'" in caplog.text
    assert "code=1012" in caplog.text


class DisconnectedError(Exception):
    """What a framework makes of a server's OSError."""


async def _no_more() -> dict[str, object]:
    raise AssertionError


async def _gone(_event: object) -> None:
    try:
        raise ConnectionResetError
    except OSError:
        raise DisconnectedError  # noqa: B904 - so do frameworks


async def _broken(_event: object) -> None:
    raise DisconnectedError


def test_framework_of_a_client_that_has_gone() -> None:
    """A framework's own exception for a client that has gone is no fault; any other is."""

    async def send() -> None:
        gone = AsgiSocket({}, _no_more, _gone)
        await gone.send(b"{}", is_text=True)
        await gone.close(1000, "")
        with pytest.raises(DisconnectedError):
            await AsgiSocket({}, _no_more, _broken).send(b"{}", is_text=True)

    asyncio.run(send())


def test_handshake_out_of_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should trio-websocket keep its handshakes to itself one day, nobody comes in unseen."""
    monkeypatch.setattr(livegate.trio.client, "attrgetter", partial(attrgetter, "_nothing"))
    with (
        running.gateway("trio, handed over", settings("any", "ws://127.0.0.1:9")) as gateway,
        connect(gateway.url, close_timeout=1) as client,
    ):
        assert json.loads(client.recv(PATIENCE_S))["code"] == "origin_refused"
        assert terminal.closed(client) == 1008
