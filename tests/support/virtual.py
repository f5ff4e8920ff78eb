"""Both runtimes on virtual time, with what each lends to those who play on it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

import trio
import trio.testing

import livegate.asyncio.relay
import livegate.trio.relay
from shell_player import Runtime
from virtual_loop import VirtualLoop, raise_unhandled

Play = Callable[[Runtime], Awaitable[None]]


def on_asyncio(play: Play) -> None:
    """Play on asyncio to the end, which leaves no task behind."""
    loop = VirtualLoop()
    loop.set_exception_handler(raise_unhandled)

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            tasks = set[asyncio.Task[None]]()

            def start(begin: Callable[[], Awaitable[None]]) -> None:
                async def running() -> None:
                    await begin()

                tasks.add(group.create_task(running()))

            await play(
                Runtime(
                    new_bell=livegate.asyncio.relay.Bell,
                    sleep=asyncio.sleep,
                    until_idle=loop.until_idle,
                    start=start,
                )
            )
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(run())


def on_trio(play: Play) -> None:
    """Play on trio to the end, which leaves no task behind."""

    async def run() -> None:
        async with trio.open_nursery() as nursery:

            def start(begin: Callable[[], Awaitable[None]]) -> None:
                nursery.start_soon(begin)

            await play(
                Runtime(
                    new_bell=livegate.trio.relay.Bell,
                    sleep=trio.sleep,
                    until_idle=partial(trio.testing.wait_all_tasks_blocked, 0.0),
                    start=start,
                )
            )

    trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0))


ON: Final[Mapping[str, Callable[[Play], None]]] = {"asyncio": on_asyncio, "trio": on_trio}
