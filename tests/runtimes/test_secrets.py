"""LIVEGATE_SECRET: where it is read, what it is used for, and where it never shows."""

import json
import signal
from pathlib import Path
from typing import Final

import attrs
import pytest
from click.testing import CliRunner
from websockets.sync.client import connect

import livegate.asyncio
import running
import terminal
from livegate.cli import environment, main
from livegate.protocol import Session, inputs
from livegate.protocol.commands import Command
from livegate.protocol.secret import Secret
from livegate.shell.identity import drawn
from livegate.shell.listening import Listening
from livegate.shell.logs import FORMS
from livegate.shell.seals import VARIABLE, Seals
from livegate.shell.settings import Server, Settings, settings
from terminal import LIVEGATE, clean_environment

FIRST: Final = "canary-the-first-secret-of-forty-characters"
SECOND: Final = "canary-the-second-secret-of-forty-characters"


def told(*secrets: str) -> Settings:
    """Return settings with secrets, and a key that is none."""
    made = [Secret(one, "secret") for one in secrets]
    return attrs.evolve(settings("any-key", "ws://127.0.0.1:9"), seals=Seals(made))


def values(seals: Seals) -> list[str]:
    """Return its secrets."""
    return [one.value for one in seals.secrets]


def test_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable has no secret, one, or two in their order."""
    for text, found in (
        (None, []),
        ("", []),
        (FIRST, [FIRST]),
        (f"{FIRST}, {SECOND}", [FIRST, SECOND]),
        (f"{SECOND}\n{FIRST}\n", [SECOND, FIRST]),
    ):
        monkeypatch.delenv(VARIABLE, raising=False)
        if text is not None:
            monkeypatch.setenv(VARIABLE, text)
        assert values(environment.seals()) == found


def test_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file .env may have it."""
    monkeypatch.setenv(VARIABLE, "")
    (tmp_path / ".env").write_text(f"{VARIABLE}={FIRST}\n")
    environment.load(tmp_path)
    assert values(environment.seals()) == [FIRST]


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("canary", 'python -c "import secrets; print(secrets.token_urlsafe(32))"\n'),
        (f"{FIRST},{SECOND},{FIRST}", "the new one first\n"),
    ],
    ids=["short", "three"],
)
def test_serve_refuses(monkeypatch: pytest.MonkeyPatch, text: str, cure: str) -> None:
    """Serve does not begin with a secret that will not do: one line says why, and what would."""
    monkeypatch.setenv(VARIABLE, text)
    failed = CliRunner().invoke(main, ["serve", "--emulator", "--port", "0"])
    assert failed.exit_code == 1
    assert failed.output.startswith("Error: ")
    assert failed.output.endswith(cure)
    assert failed.output.count("\n") == 1
    assert "canary" not in failed.output


def test_own_secret() -> None:
    """A gateway that is told nothing has a secret of its own, as long as it lives."""
    asked = settings("any-key")
    first, second = (livegate.asyncio.Gateway(asked.target, asked.session).seals for _ in range(2))
    assert first is not second
    assert values(first) == []


# Where it never shows


class Broken(Session):
    """A session with a fault that tells the secrets."""

    def handle(self, event: inputs.Input, now: float) -> list[Command]:
        """Fail at the first frame."""
        if isinstance(event, inputs.ClientFrame):
            raise ZeroDivisionError(f"{FIRST}, {SECOND!r}, any-key")
        return super().handle(event, now)


@pytest.mark.parametrize("server", [None, "hypercorn"])
@pytest.mark.parametrize("runtime", running.RUNTIMES)
def test_faults(runtime: str, server: Server | None, caplog: pytest.LogCaptureFixture) -> None:
    """A fault of ours is logged without the secrets, whoever set up the log."""
    asked = attrs.evolve(told(FIRST, SECOND), session_type=Broken, server=server)
    with (
        running.gateway(runtime, asked) as gateway,
        connect(gateway.url, close_timeout=1) as client,
    ):
        client.send('{"type":"ping"}')
        assert terminal.closed(client) == 1011
    assert "ZeroDivisionError: [secret], '[secret]', [key]" in caplog.text
    assert "canary" not in caplog.text


def test_faults_of_the_listener(caplog: pytest.LogCaptureFixture) -> None:
    """So is one of the listener's own."""
    asked = told(FIRST)
    gateway = livegate.asyncio.Gateway(asked.target, asked.session)
    with Listening(gateway, asked, []).faults_logged():
        int(FIRST)
    assert "ValueError: invalid literal for int() with base 10: '[secret]'" in caplog.text
    assert "canary" not in caplog.text


@pytest.mark.parametrize("form", FORMS)
def test_serve_does_not_log_it(tmp_path: Path, form: str) -> None:
    """What serve writes to its log has no secret in it, wherever that is from."""
    folder = tmp_path / FIRST
    variables = {VARIABLE: f"{SECOND},{FIRST}", "LIVEGATE_LOG_FORMAT": form}
    command = (*LIVEGATE, "serve", "--emulator", "--port", "0", "--journal", str(folder))
    with terminal.program(*command, environment=clean_environment(**variables)) as server:
        url = server.expect(r"ws://localhost:\d+/api/gemini/ws")[0]
        server.expect("listening")
        folder.rmdir()  # each session warns that it cannot be recorded, and where
        with connect(url, close_timeout=1) as client:
            client.send('{"type":"ping"}')
            while "pong" not in str(client.recv(running.PATIENCE_S)):
                pass
        server.expect(r"journal\.failed.*\[secret\]")
        server.signal(signal.SIGTERM)
        assert server.status() == 0
    logged = server.printed.partition("is listening")[2] if form == "text" else server.printed
    assert "canary" not in logged


def test_journals(tmp_path: Path) -> None:
    """A journal has no secret in it, even if a client has sent one."""
    asked = attrs.evolve(told(FIRST, SECOND), journal=tmp_path)
    assert asked.journals is not None
    session = asked.journals.session(asked.session, drawn(), "none")
    session.start(1.0)
    session.handle(inputs.ClientOpened(1, "192.0.2.1"), 1.5)
    session.handle(inputs.ClientFrame(1, json.dumps({"type": FIRST}).encode(), is_text=True), 2.0)
    session.handle(inputs.ClientGone(1, 1000, SECOND), 3.0)
    (path,) = tmp_path.iterdir()
    assert "canary" not in path.read_text()
    assert "[secret]" in path.read_text()


def test_reprs() -> None:
    """Nothing that holds a secret shows it."""
    asked = attrs.evolve(told(FIRST, SECOND), journal=Path("there"))
    shown = f"{asked!r} {asked.seals!r} {asked.secrets!r} {asked.journals!r}"
    assert "canary" not in shown
    assert "any-key" not in shown
    assert asked == attrs.evolve(told(), journal=Path("there"))
