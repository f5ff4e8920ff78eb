"""Every transcript on both shells: sockets in memory, virtual time, the real gateways."""

import pytest

import transcripts
from livegate.asyncio import Gateway as AsyncioGateway
from livegate.protocol.transcript import Transcript
from livegate.shell.target import target
from livegate.trio import Gateway as TrioGateway
from shell_player import Runtime, ShellPlayer
from virtual import on_asyncio, on_trio

TRANSCRIPTS = transcripts.load()
NOWHERE = target("ws://192.0.2.1", "canary")


@pytest.mark.parametrize("told", TRANSCRIPTS, ids=lambda told: told.name)
def test_on_asyncio(told: Transcript) -> None:
    """The asyncio shell does what the transcript says, and leaves no task behind."""

    async def play(runtime: Runtime) -> None:
        player = ShellPlayer(told, runtime)
        await player.play(AsyncioGateway(NOWHERE, told.options, dial=player.dial))

    on_asyncio(play)


@pytest.mark.parametrize("told", TRANSCRIPTS, ids=lambda told: told.name)
def test_on_trio(told: Transcript) -> None:
    """The trio shell does what the transcript says, and leaves no task behind."""

    async def play(runtime: Runtime) -> None:
        player = ShellPlayer(told, runtime)
        await player.play(TrioGateway(NOWHERE, told.options, dial=player.dial))

    on_trio(play)
