"""`livegate chat` on connections that break."""

import asyncio
import secrets
from collections.abc import Generator, Sequence
from functools import partial
from pathlib import Path
from socket import socket

import pytest
from websockets import Subprotocol
from websockets.asyncio.server import ServerConnection, serve

import livegate.asyncio
import running
import terminal
from faulty_tcp import FaultyTcp, Flow, Plan
from livegate.cli.call import Call
from livegate.cli.chat import Listener
from livegate.emulator import Emulator, Options
from livegate.protocol.tokens import V1
from livegate.shell.settings import settings
from running import Until
from terminal import LIVEGATE, clean_environment

SECRET = secrets.token_urlsafe(32)


@pytest.fixture
def gemini() -> Generator[Emulator, None, None]:
    """An emulator that holds nothing back."""
    with Emulator(options=Options(pace=0)) as emulator:
        yield emulator


def test_comes_back(gemini: Emulator, tmp_path: Path) -> None:
    """It comes back by itself, says so in a line, and has missed nothing."""
    with (
        running.gateway("asyncio", settings("any", gemini.url)) as gateway,
        FaultyTcp(gateway.url, Plan(down=Flow(cut_at=20_000))) as path,
    ):
        command = (*LIVEGATE, "chat", path.url)
        done = terminal.run(*command, folder=tmp_path, typed="my name is Ada\n/recall\n")
        assert len(path.seen) == 2
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("the connection was lost (1006): coming back\n") == 1
    assert "Gemini: You said before: my name is Ada\n" in done.stdout
    # The sound of the answer that was cut is whole, too.
    assert "1.2 s of sound in answer-1.wav" in done.stdout


def test_to_another_process(gemini: Emulator, tmp_path: Path) -> None:
    """It goes on where the gateway is started again, though the answer that ran is lost."""
    environment = clean_environment(GEMINI_API_KEY="any", LIVEGATE_SECRET=SECRET)
    with terminal.own_port() as port:
        command = (*LIVEGATE, "serve", "--gemini-url", gemini.url, "--port", str(port))
        started = partial(terminal.program, *command, environment=environment, folder=tmp_path)
        with started() as first:
            first.expect("listening")
            url = f"ws://127.0.0.1:{port}/api/gemini/ws"
            chat = terminal.program(
                *LIVEGATE, "chat", url, "--text", folder=tmp_path, on_terminal=True
            )
            with chat as chatting:
                chatting.expect("type and press Enter")
                chatting.type("my name is Ada")
                chatting.expect("You said: my name is Ada")
                chatting.type("and I am a poet")  # answered behind what remembers the first
                chatting.expect("You said: and I am a poet")
                chatting.type("/silent")
                gemini.wait_until(lambda service: len(service.received[-1].messages) == 3)
                first.process.kill()
                first.process.wait()
                chatting.expect(r"the connection was lost \(1006\): coming back")
                with started() as second:
                    second.expect("listening")
                    chatting.expect("the answer was lost: ask again")
                    chatting.type("/recall")
                    chatting.expect("You said before: my name is Ada")
                    chatting.type("/quit")
                    assert chatting.status() == 0


def test_a_gateway_without_numbers(gemini: Emulator, tmp_path: Path) -> None:
    """Where the dialect is not spoken the end is the end."""

    async def serve(sockets: Sequence[socket], until: Until) -> None:
        asked = settings("any", gemini.url)
        gateway = livegate.asyncio.Gateway.of(asked)
        await running.asyncio_server(gateway.serve, sockets, until, select=lambda _: None)

    with (
        running.server("asyncio", serve) as gateway,
        FaultyTcp(gateway.url, Plan(down=Flow(cut_at=20_000))) as path,
    ):
        done = terminal.run(*LIVEGATE, "chat", path.url, folder=tmp_path, typed="my name is Ada\n")
        assert len(path.seen) == 1
    assert done.returncode == 1
    assert "closed with 1006: the connection was lost\n" in done.stdout


def test_no_text(tmp_path: Path) -> None:
    """A line that is no text is told in a line."""
    with (
        Emulator(options=Options(pace=0)) as gemini,
        running.gateway("asyncio", settings("any", gemini.url)) as gateway,
        terminal.program(
            *(*LIVEGATE, "chat", gateway.url, "--text"),
            environment=clean_environment(PYTHONIOENCODING="utf-8"),
            folder=tmp_path,
        ) as chatting,
    ):
        chatting.expect("type and press Enter")
        chatting.type("caf\udce9")
        chatting.expect("this line is no text: ")
        assert chatting.status() == 0


def test_keeps_what_is_there(tmp_path: Path) -> None:
    """Answers are saved beside earlier ones; where they cannot be, the conversation goes on."""
    (tmp_path / "answer-1.wav").write_bytes(b"of yesterday")
    (tmp_path / "no-folder").touch()
    with (
        Emulator(options=Options(pace=0)) as gemini,
        running.gateway("asyncio", settings("any", gemini.url)) as gateway,
    ):
        page = gateway.url.replace("ws:", "http:").partition("/api")[0]  # as serve prints it
        command = (*LIVEGATE, "chat", page)
        saved = terminal.run(*command, folder=tmp_path, typed="Hello\n")
        unsaved = terminal.run(
            *command, "--save", "no-folder/in", folder=tmp_path, typed="Hello\n"
        )
        elsewhere = terminal.run(*LIVEGATE, "chat", f"{gateway.url}x", folder=tmp_path, typed="")
    assert saved.stdout.count("s of sound in answer-2.wav\n") == 1
    assert (tmp_path / "answer-1.wav").read_bytes() == b"of yesterday"
    assert unsaved.returncode == 0
    assert (
        "cannot save no-folder/in/answer-1.wav: Not a directory; try --save FOLDER"
        in unsaved.stdout
    )
    assert elsewhere.returncode == 1
    assert "HTTP 404: livegate: connect a WebSocket to /api/gemini/ws\n" in elsewhere.stdout


def test_an_error_without_a_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Errors of the original's form are shown, too."""
    listener = Listener(tmp_path)
    listener.hear({"type": "error", "data": "No API key configured"})
    assert capsys.readouterr().err == "error: No API key configured\n"
    assert listener.has_failed


def test_leaving_while_there_is_no_connection() -> None:
    """Whoever has had enough need not wait until the gateway would take them again."""

    async def refuse(client: ServerConnection) -> None:
        await client.send('{"type":"session","token":"lgr1_any"}')
        await client.send('{"type":"error","data":"later","fatal":true,"retry_after_ms":3600000}')
        await client.close(1013)

    async def talk() -> list[float]:
        async with serve(refuse, "127.0.0.1", 0, subprotocols=[Subprotocol(V1)]) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            waits: list[float] = []
            closing: list[asyncio.Task[None]] = []

            def lost(_code: int, wait_s: float) -> None:
                waits.append(wait_s)
                closing.append(asyncio.create_task(call.close()))

            call = Call(f"ws://127.0.0.1:{port}", {}, {}, lost)
            await asyncio.wait_for(call.run(lambda _: None), terminal.PATIENCE_S)
            return waits

    assert asyncio.run(talk()) == [3600.0]
