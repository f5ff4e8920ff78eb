"""Clients that come back to another process: their own was killed, or told to end."""

import contextlib
import secrets
import signal
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import Final

import pytest

import running
from resuming import Client, said
from terminal import LIVEGATE, Program, clean_environment, program

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

CLIENTS: Final = 110
STRANGERS: Final = 10
"""Come back to a process that has another secret."""
PACE: Final = "2"
"""Twice as slow as Gemini: an answer of twenty seconds leaves in ten, so all are in mid-answer."""
DRAIN: Final = ("--drain-timeout", "6")

Serve = Callable[[str], contextlib.AbstractContextManager[tuple[Program, str]]]


@pytest.fixture(params=running.RUNTIMES)
def serve(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Serve, None, None]:
    """Start a gateway with this secret, in a process of its own; Gemini is in another."""
    emulator = (*LIVEGATE, "emulator", "--port", "0", "--pace", PACE)
    with program(*emulator, folder=tmp_path) as gemini:
        url = gemini.expect(r"--gemini-url (ws://\S+)")[1]
        yield partial(_serve, str(request.param), url, tmp_path)


@contextlib.contextmanager
def _serve(
    runtime: str, gemini_url: str, folder: Path, secret: str
) -> Generator[tuple[Program, str], None, None]:
    command = (*LIVEGATE, "serve", "--runtime", runtime, "--gemini-url", gemini_url, *DRAIN)
    environment = clean_environment(GEMINI_API_KEY="canary", LIVEGATE_SECRET=secret)
    # Nobody reads what it prints, and a pipe holds little.
    quiet = ("--port", "0", "--log-level", "warning")
    with program(*command, *quiet, environment=environment, folder=folder) as server:
        url = server.expect(r"ws://localhost:\d+/api/gemini/ws")[0]
        server.expect("listening")
        yield server, url


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_another_process(serve: Serve, number: signal.Signals) -> None:
    """Where the secret is the same all go on with their conversations, and else anew."""
    secret, other = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    with (
        serve(secret) as (_, second),
        serve(other) as (_, third),
        contextlib.ExitStack() as stack,
    ):
        with serve(secret) as (server, first):
            clients = [stack.enter_context(Client(first)) for _ in range(CLIENTS)]
            _begin(clients)
            server.signal(number)
            codes = {client.closed() for client in clients}
            status = server.status()
        if number is signal.SIGTERM:
            assert codes == {1012}
            assert status == 0, server.printed
            assert all(one.frames[-1]["type"] == "going_away" for one in clients)
        else:
            assert codes == {1006}
        _go_on(clients[STRANGERS:], second)
        _begin_anew(clients[:STRANGERS], third)
    assert "Traceback" not in server.printed


def _begin(clients: list[Client]) -> None:
    """Have each client say its name, and be in the middle of another answer."""
    for client in clients:
        client.send(type="config", data={"resumable": True, "response_modalities": ["AUDIO"]})
    for client in clients:
        client.until("session")
    for at, client in enumerate(clients):
        client.ask(f"my name is number {at}")
    for client in clients:
        client.until("turn_complete")
        client.until("session")
    for client in clients:
        client.ask("/long")
    for client in clients:
        client.until("audio")


def _return(clients: list[Client], url: str) -> list[list[dict[str, object]]]:
    """Have each client come back, and ask what was said before; return what it gets."""
    before = [len(client.frames) for client in clients]
    for client in clients:
        client.url = url
        assert client.come_back()["recovered"] is False
        client.ask("/recall")
    for client in clients:
        client.until("turn_complete")
    return [client.frames[since:] for client, since in zip(clients, before, strict=True)]


def _go_on(clients: list[Client], url: str) -> None:
    """Expect that Gemini knows all that each has said, and nobody speaks of a loss."""
    for at, frames in enumerate(_return(clients, url), STRANGERS):
        assert said(frames) == f"You said before: my name is number {at}"
        assert "context_lost" not in {one["type"] for one in frames}
    # They can come back from there, too.
    for client in clients:
        client.until("session")
        client.cut()
        assert client.come_back()["recovered"] is True


def _begin_anew(clients: list[Client], url: str) -> None:
    """Expect that each is told, and that the session goes on."""
    for frames in _return(clients, url):
        assert said(frames) == "You said before: nothing yet"
        assert [one["type"] for one in frames].count("context_lost") == 1
        assert frames[0]["type"] == "context_lost"
