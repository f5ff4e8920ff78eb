"""A gateway on a thread of its own, on either runtime, with real sockets."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Generator
from typing import Final

import trio

import livegate.asyncio
import livegate.trio
from livegate.shell.settings import Settings
from livegate.shell.sockets import listen

RUNTIMES: Final = ("asyncio", "trio")
_START_S: Final = 10.0


@contextlib.contextmanager
def gateway(runtime: str, settings: Settings) -> Generator[str, None, None]:
    """Serve for as long as the block runs; yields the WebSocket's address."""
    sockets = listen("localhost", 0)
    port = sockets[0].getsockname()[1]
    stops: list[Callable[[], None]] = []
    is_up = threading.Event()

    def on_asyncio() -> None:
        async def main() -> None:
            loop, asked = asyncio.get_running_loop(), asyncio.Event()

            async def until() -> None:
                stops.append(lambda: loop.call_soon_threadsafe(asked.set) and None)
                is_up.set()
                await asked.wait()

            await livegate.asyncio.serve(settings, sockets, until)

        asyncio.run(main())

    def on_trio() -> None:
        async def until() -> None:
            token, asked = trio.lowlevel.current_trio_token(), trio.Event()
            stops.append(lambda: trio.from_thread.run_sync(asked.set, trio_token=token))
            is_up.set()
            await asked.wait()

        trio.run(livegate.trio.serve, settings, sockets, until)

    thread = threading.Thread(target=on_trio if runtime == "trio" else on_asyncio)
    thread.start()
    try:
        assert is_up.wait(_START_S), "the gateway did not start"
        yield f"ws://127.0.0.1:{port}/api/gemini/ws"
    finally:
        for stop in stops:
            stop()
        thread.join(_START_S)
        assert not thread.is_alive(), "the gateway did not end"
