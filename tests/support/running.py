"""A gateway on a thread of its own, in each of the ways to run one, with real sockets."""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from functools import partial
from socket import socket
from types import MappingProxyType, ModuleType
from typing import Final

import attrs
import trio
import websockets
import websockets.sync.server
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from trio_websocket import WebSocketConnection, WebSocketRequest, WebSocketServer
from websockets import Subprotocol
from websockets.asyncio.server import ServerConnection
from websockets.sync.connection import Connection

import livegate.asyncio
import livegate.trio
from fronting import over_tls
from livegate.protocol import Limits, tokens
from livegate.shell.asgi import App
from livegate.shell.settings import Settings, settings
from livegate.shell.sockets import listen
from livegate.shell.target import PATH

RUNTIMES: Final = ("asyncio", "trio")
HANDED: Final = ("asyncio, handed over", "trio, handed over")
"""Gateways that get their sockets from somebody else's server."""
THREADS: Final = "threads"
"""The third shell, `examples/own_shell.py`."""
PATIENCE_S: Final = 20.0
"""How long a client waits for what must come."""
SDK: Final = "asyncio, sdk"
"""asyncio, with the links of google-genai."""
VARIANTS: Final = (*RUNTIMES, *HANDED, SDK)
"""Each runtime with sockets and links of its own, and with those of others."""
_START_S: Final = 20.0
MAX_MESSAGE: Final = 64 * 1024 * 1024
"""Above livegate's own limit, which tells the client."""

Select = Callable[[Sequence[str]], str | None]
Until = Callable[[], Awaitable[None]]
Serve = Callable[[Sequence[socket], Until], Awaitable[object]]


@attrs.frozen
class Handles:
    """What another thread needs of a running gateway."""

    stop: Callable[[], object]
    count_tasks: Callable[[], int]


@attrs.frozen
class Running:
    """A gateway that runs."""

    url: str
    """The WebSocket's address."""
    count_tasks: Callable[[], int]
    """How many tasks its runtime has."""
    stop: Callable[[], object]
    """Ask it to end, as a signal would."""


async def asyncio_server(
    take: Callable[[ServerConnection], Awaitable[None]],
    sockets: Sequence[socket],
    until: Until,
    *,
    max_size: int = MAX_MESSAGE,
    select: Select = tokens.selected,
) -> None:
    """Give each connection of websockets' to somebody."""

    def selected(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        found = select(offered)
        return None if found is None else Subprotocol(found)

    async def taken(connection: ServerConnection) -> None:
        await take(connection)

    async with contextlib.AsyncExitStack() as stack:
        for one in sockets:
            await stack.enter_async_context(
                websockets.serve(
                    taken,
                    sock=one,
                    max_size=max_size,
                    compression=None,
                    select_subprotocol=selected,
                )
            )
        await until()


async def trio_server(
    take: Callable[[WebSocketConnection], Awaitable[None]],
    sockets: Sequence[socket],
    until: Until,
    *,
    max_size: int = MAX_MESSAGE,
    select: Select = tokens.selected,
) -> None:
    """Give each connection of trio-websocket's to somebody."""

    async def taken(request: WebSocketRequest) -> None:
        selected = select(request.proposed_subprotocols)
        await take(await request.accept(subprotocol=selected))

    listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(one)) for one in sockets]
    server = WebSocketServer(taken, listeners, max_message_size=max_size)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        await until()
        nursery.cancel_scope.cancel()


async def handed_on_asyncio(settings: Settings, sockets: Sequence[socket], until: Until) -> None:
    """Serve the connections of websockets' server."""
    gateway = livegate.asyncio.Gateway.of(settings)

    async def until_drained() -> None:
        async with gateway:
            await until()

    await asyncio_server(gateway.serve, sockets, until_drained)


async def handed_on_trio(settings: Settings, sockets: Sequence[socket], until: Until) -> None:
    """Serve the connections of trio-websocket's server."""
    gateway = livegate.trio.Gateway.of(settings)

    async def until_drained() -> None:
        async with gateway:
            await until()

    await trio_server(gateway.serve, sockets, until_drained)


async def routed(
    face: ModuleType, settings: Settings, sockets: Sequence[socket], until: Until
) -> None:
    """Serve the WebSockets that a route of Starlette's has accepted."""
    gateway = face.Gateway.of(settings)

    async def take(websocket: WebSocket) -> None:
        await websocket.accept(subprotocol=tokens.selected(websocket.scope["subprotocols"]))
        await gateway.serve(face.AsgiSocket(websocket.scope, websocket.receive, websocket.send))

    async def until_drained() -> None:
        async with gateway:
            await until()

    def site(_: App) -> Starlette:
        return Starlette(routes=[WebSocketRoute("/api/gemini/ws", take)])

    await face.serve(settings, sockets, until_drained, wrap=site)


WAYS: Final[
    Mapping[str, tuple[str, Callable[[Settings, Sequence[socket], Until], Awaitable[object]]]]
] = MappingProxyType(
    {
        "asyncio": ("asyncio", livegate.asyncio.serve),
        "trio": ("trio", livegate.trio.serve),
        "asyncio, handed over": ("asyncio", handed_on_asyncio),
        "trio, handed over": ("trio", handed_on_trio),
        "asyncio, routed": ("asyncio", partial(routed, livegate.asyncio)),
        "trio, routed": ("trio", partial(routed, livegate.trio)),
    }
)
"""Name -> runtime, and what serves a gateway on it."""


def gateway(way: str, settings: Settings) -> contextlib.AbstractContextManager[Running]:
    """Serve for as long as the block runs, in one of `WAYS`, or by `THREADS`."""
    if way == THREADS:
        return threads(settings)
    runtime, serve = WAYS[way]
    return server(runtime, partial(serve, settings))


@contextlib.contextmanager
def variant(
    name: str,
    key: str,
    gemini_url: str,
    limits: Limits | None = None,
    changed: Callable[[Settings], Settings] = lambda usual: usual,
) -> Generator[Running, None, None]:
    """Serve a variant for as long as the block runs; the SDK gets Gemini behind TLS."""

    def limited(asked: Settings) -> Settings:
        session = attrs.evolve(asked.session, limits=limits or Limits())
        return changed(attrs.evolve(asked, session=session))

    with contextlib.ExitStack() as stack:
        if name == SDK:
            ca_file = None
            if gemini_url.startswith("ws:"):
                gemini_url, ca_file = stack.enter_context(over_tls(gemini_url))
            asked = settings(key, gemini_url, upstream="sdk", ca_file=ca_file)
            yield stack.enter_context(gateway("asyncio", limited(asked)))
        else:
            yield stack.enter_context(gateway(name, limited(settings(key, gemini_url))))


@contextlib.contextmanager
def threads(settings: Settings) -> Generator[Running, None, None]:
    """Serve by the third shell; it leaves no thread behind."""
    import own_shell  # noqa: PLC0415 - the examples are on the path of tests alone

    gemini = settings.target.url.removesuffix(PATH)

    def converse(client: Connection) -> None:
        own_shell.Shell(client, gemini, settings.target.key.value).run()

    before = set(threading.enumerate())
    with websockets.sync.server.serve(
        converse,
        "127.0.0.1",
        0,
        compression=None,
        max_size=MAX_MESSAGE,
        max_queue=1,
        close_timeout=1,
    ) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        try:
            url = f"ws://127.0.0.1:{listening.socket.getsockname()[1]}/api/gemini/ws"
            yield Running(url, threading.active_count, listening.shutdown)
        finally:
            listening.shutdown()
            thread.join(_START_S)
    for one in set(threading.enumerate()) - before:
        one.join(_START_S)
        assert not one.is_alive(), f"{one} was left behind"


@contextlib.contextmanager
def server(runtime: str, serve: Serve) -> Generator[Running, None, None]:
    """Run a server of either runtime for as long as the block runs."""
    sockets = listen("localhost", 0)
    port = sockets[0].getsockname()[1]
    found: list[Handles] = []
    is_up = threading.Event()

    async def until_on_asyncio() -> None:
        loop, asked = asyncio.get_running_loop(), asyncio.Event()
        found.append(
            Handles(
                stop=lambda: loop.call_soon_threadsafe(asked.set),
                count_tasks=lambda: len(asyncio.all_tasks(loop)),
            )
        )
        is_up.set()
        await asked.wait()

    async def until_on_trio() -> None:
        token, asked = trio.lowlevel.current_trio_token(), trio.Event()
        found.append(
            Handles(
                stop=lambda: trio.from_thread.run_sync(asked.set, trio_token=token),
                count_tasks=lambda: trio.from_thread.run_sync(
                    lambda: trio.lowlevel.current_statistics().tasks_living, trio_token=token
                ),
            )
        )
        is_up.set()
        await asked.wait()

    def stop() -> None:
        # Both runtimes raise RuntimeError where the test has ended the gateway itself.
        with contextlib.suppress(RuntimeError):
            for handles in found:
                handles.stop()

    def run() -> None:
        if runtime == "trio":
            trio.run(serve, sockets, until_on_trio)
        else:
            asyncio.run(_awaited(serve(sockets, until_on_asyncio)))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert is_up.wait(_START_S), "the gateway did not start"
        url = f"ws://127.0.0.1:{port}/api/gemini/ws"
        yield Running(url, found[0].count_tasks, stop)
    finally:
        stop()
        thread.join(_START_S)
        assert not thread.is_alive(), "the gateway did not end"


async def _awaited(work: Awaitable[object]) -> None:
    await work
