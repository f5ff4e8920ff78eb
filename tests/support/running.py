"""A gateway on a thread of its own, on either runtime, with real sockets."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Generator
from typing import Final

import attrs
import trio

import livegate.asyncio
import livegate.trio
from fronting import over_tls
from livegate.shell.settings import Settings, settings
from livegate.shell.sockets import listen

RUNTIMES: Final = ("asyncio", "trio")
VARIANTS: Final = (*RUNTIMES, "sdk")
"""Each runtime with links of its own, and asyncio with google-genai's."""
_START_S: Final = 10.0


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


@contextlib.contextmanager
def variant(name: str, key: str, gemini_url: str) -> Generator[Running, None, None]:
    """Serve a variant for as long as the block runs; the SDK gets Gemini behind TLS."""
    with contextlib.ExitStack() as stack:
        if name == "sdk":
            ca_file = None
            if gemini_url.startswith("ws:"):
                gemini_url, ca_file = stack.enter_context(over_tls(gemini_url))
            asked = settings(key, gemini_url, upstream="sdk", ca_file=ca_file)
            yield stack.enter_context(gateway("asyncio", asked))
        else:
            yield stack.enter_context(gateway(name, settings(key, gemini_url)))


@contextlib.contextmanager
def gateway(runtime: str, settings: Settings) -> Generator[Running, None, None]:
    """Serve for as long as the block runs."""
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
            trio.run(livegate.trio.serve, settings, sockets, until_on_trio)
        else:
            asyncio.run(livegate.asyncio.serve(settings, sockets, until_on_asyncio))

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
