"""Every transcript on both shells: sockets in memory, virtual time, the real gateways."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio
import trio.testing

import livegate.asyncio.relay
import livegate.trio.relay
import transcripts
from livegate.asyncio import Gateway as AsyncioGateway
from livegate.protocol.transcript import Transcript
from livegate.shell.target import target
from livegate.trio import Gateway as TrioGateway
from shell_player import Runtime, ShellPlayer
from virtual_loop import VirtualLoop, raise_unhandled

TRANSCRIPTS = transcripts.load()
NOWHERE = target("ws://192.0.2.1", "canary")


@pytest.mark.parametrize("told", TRANSCRIPTS, ids=lambda told: told.name)
def test_on_asyncio(told: Transcript) -> None:
    """The asyncio shell does what the transcript says, and leaves no task behind."""
    loop = VirtualLoop()
    loop.set_exception_handler(raise_unhandled)

    async def play() -> None:
        async with asyncio.TaskGroup() as group:
            tasks = set[asyncio.Task[None]]()

            def start(run: Callable[[], Awaitable[None]]) -> None:
                async def running() -> None:
                    await run()

                tasks.add(group.create_task(running()))

            player = ShellPlayer(
                told,
                Runtime(
                    new_bell=livegate.asyncio.relay.Bell,
                    sleep=asyncio.sleep,
                    until_idle=loop.until_idle,
                    start=start,
                ),
            )
            await player.play(AsyncioGateway(NOWHERE, told.options, dial=player.dial))
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(play())


@pytest.mark.parametrize("told", TRANSCRIPTS, ids=lambda told: told.name)
def test_on_trio(told: Transcript) -> None:
    """The trio shell does what the transcript says, and leaves no task behind."""

    async def play() -> None:
        async with trio.open_nursery() as nursery:

            def start(run: Callable[[], Awaitable[None]]) -> None:
                nursery.start_soon(run)

            player = ShellPlayer(
                told,
                Runtime(
                    new_bell=livegate.trio.relay.Bell,
                    sleep=trio.sleep,
                    until_idle=partial(trio.testing.wait_all_tasks_blocked, 0.0),
                    start=start,
                ),
            )
            await player.play(TrioGateway(NOWHERE, told.options, dial=player.dial))

    trio.run(play, clock=trio.testing.MockClock(autojump_threshold=0))
