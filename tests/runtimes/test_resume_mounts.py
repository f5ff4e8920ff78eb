"""Where a session is while its client is away: in an ASGI application, and under others' servers."""

import contextlib
import sys
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from socket import socket
from types import ModuleType
from typing import Final

import attrs
import hypercorn.asyncio
import hypercorn.trio
import pytest
from hypercorn.config import Config
from starlette.applications import Starlette
from starlette.routing import Mount
from websockets.sync.client import connect

import livegate.asyncio
import livegate.trio
import running
import terminal
from attacked import wait_until
from livegate.emulator import Emulator, Options
from livegate.protocol.limits import Limits
from livegate.shell.asgi import App, Application, Receive, Scope, Send
from livegate.shell.settings import Settings, settings
from resuming import RECEIVE_S, V1, Client
from running import Running, Until

FACES: Final[dict[str, tuple[ModuleType, Callable[..., Awaitable[None]]]]] = {
    "asyncio": (livegate.asyncio, hypercorn.asyncio.serve),  # pyright: ignore[reportUnknownMemberType]
    "trio": (livegate.trio, hypercorn.trio.serve),  # pyright: ignore[reportUnknownMemberType]
}


@attrs.define
class Counted:
    """An application, and how many WebSockets it has been called for and has not returned of."""

    inner: Application
    running: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count while it runs."""
        if scope["type"] != "websocket":
            await self.inner(scope, receive, send)
            return
        self.running += 1
        try:
            await self.inner(scope, receive, send)
        finally:
            self.running -= 1


@attrs.frozen
class Site:
    """A site with the gateway below /voice."""

    url: str
    counted: list[Counted]
    gateway: Running

    @property
    def calls(self) -> int:
        """How many calls for a WebSocket there are."""
        return self.counted[0].running


@pytest.fixture
def gemini() -> Generator[Emulator, None, None]:
    """An emulator that holds nothing back."""
    with Emulator(options=Options(pace=0)) as emulator:
        yield emulator


def mounted(app: Application) -> tuple[Starlette, Counted]:
    """Return a site of Starlette's with an application below /voice."""
    counted = Counted(app)
    return Starlette(routes=[Mount("/voice", counted)]), counted


@contextlib.contextmanager
def site(runtime: str, asked: Settings) -> Generator[Site, None, None]:
    """Serve a site by `serve`, for as long as the block runs."""
    face, _ = FACES[runtime]
    counted: list[Counted] = []

    def wrap(app: App) -> Starlette:
        made, one = mounted(app)
        counted.append(one)
        return made

    async def serve(sockets: Sequence[socket], until: Until) -> None:
        await face.serve(asked, sockets, until, wrap=wrap)

    with running.server(runtime, serve) as gateway:
        yield Site(gateway.url.replace("/api", "/voice/api"), counted, gateway)


@contextlib.contextmanager
def own_server(
    runtime: str, asked: Settings, grace_s: float, *, drains: bool
) -> Generator[Site, None, None]:
    """Serve a site by hypercorn as it is, drained before its end or not."""
    face, hypercorn_serve = FACES[runtime]
    counted: list[Counted] = []

    async def serve(sockets: Sequence[socket], until: Until) -> None:
        app, config = face.app(asked), Config()
        made, one = mounted(app)
        counted.append(one)
        config.bind = [f"fd://{one.detach()}" for one in sockets]
        config.graceful_timeout = grace_s

        async def ended() -> None:
            await until()
            if drains:
                await app.drain()

        await hypercorn_serve(made, config, shutdown_trigger=ended)

    with running.server(runtime, serve) as gateway:
        yield Site(gateway.url.replace("/api", "/voice/api"), counted, gateway)


@pytest.mark.parametrize("runtime", running.RUNTIMES)
def test_the_call_stays(runtime: str, gemini: Emulator) -> None:
    """The call that a session began in lasts as long as the session, whoever's socket it has."""
    with site(runtime, settings("any", gemini.url)) as there:
        with Client(there.url) as client:
            client.config()
            client.converse("my name is Ada")
            assert there.calls == 1
            client.cut()
            assert client.come_back()["recovered"] is True
            assert there.calls == 2
            assert client.come_back()["recovered"] is True
            wait_until(lambda: there.calls == 2, what="the one between them returns")
            assert "Ada" in client.converse("/recall")
            # hypercorn tells an application 1006, however a client closes.
            client.config(resumable=False)
        wait_until(lambda: there.calls == 0, what="all return at the session's end")
    assert gemini.service.links_total == 1


@pytest.mark.parametrize("runtime", running.RUNTIMES)
def test_the_call_ends(runtime: str, gemini: Emulator) -> None:
    """It returns when the client has not come back in time."""
    asked = settings("any", gemini.url)
    short = attrs.evolve(asked.session, limits=Limits(resume_s=0.2))
    with site(runtime, attrs.evolve(asked, session=short)) as there, Client(there.url) as client:
        client.config()
        client.cut()
        wait_until(lambda: there.calls == 0)
        gemini.wait_until(lambda service: service.links_open == 0)


@pytest.mark.parametrize("runtime", running.RUNTIMES)
def test_shutdown(runtime: str, gemini: Emulator) -> None:
    """`serve` waits for nobody who is away."""
    with site(runtime, settings("any", gemini.url)) as there, Client(there.url) as client:
        client.config()
        client.cut()
        began = time.monotonic()
        there.gateway.stop()
        wait_until(lambda: there.calls == 0)
    assert time.monotonic() - began < terminal.AT_ONCE_S
    gemini.wait_until(lambda service: service.links_open == 0)


@pytest.mark.parametrize("drains", [True, False], ids=["drained", "not drained"])
@pytest.mark.parametrize("runtime", running.RUNTIMES)
def test_shutdown_of_ones_own(runtime: str, gemini: Emulator, *, drains: bool) -> None:
    """A server of one's own waits for its grace, and cancels; not if it drains the gateway."""
    if (runtime, drains) == ("asyncio", False) and sys.version_info >= (3, 12, 1):
        pytest.skip("there hypercorn waits for the call, whatever its grace")
    grace_s = 60.0 if drains else 0.5
    asked = settings("any", gemini.url)
    with (
        own_server(runtime, asked, grace_s, drains=drains) as there,
        Client(there.url) as client,
    ):
        client.config()
        client.cut()
        began = time.monotonic()
        there.gateway.stop()
        wait_until(lambda: there.calls == 0)
        took_s = time.monotonic() - began
    assert took_s < terminal.AT_ONCE_S
    assert drains or took_s >= grace_s
    gemini.wait_until(lambda service: service.links_open == 0)


# A dialect that was offered, and not selected


def _none(_: Sequence[str]) -> None:
    """Select nothing."""


@pytest.mark.parametrize("runtime", running.RUNTIMES)
def test_not_selected(runtime: str, gemini: Emulator) -> None:
    """Where the application selects no dialect the client hears none: it could not know."""
    asked = settings("any", gemini.url)

    async def serve(sockets: Sequence[socket], until: Until) -> None:
        if runtime == "trio":
            trio_gateway = livegate.trio.Gateway(asked.target, asked.session)
            await running.trio_server(trio_gateway.serve, sockets, until, select=_none)
        else:
            gateway = livegate.asyncio.Gateway(asked.target, asked.session)
            await running.asyncio_server(gateway.serve, sockets, until, select=_none)

    with (
        running.server(runtime, serve) as gateway,
        connect(gateway.url, subprotocols=[V1], close_timeout=1) as client,
    ):
        assert client.subprotocol is None
        client.send('{"type":"ping"}')
        assert '"seq"' not in str(client.recv(RECEIVE_S))
