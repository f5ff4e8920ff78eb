"""The command line: what it prints, reads, refuses and returns."""

import os
import signal
import socket
import sys
import urllib.request
import wave
from contextlib import ExitStack
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from websockets.sync.client import connect

import running
import terminal
from livegate.cli import main
from livegate.cli.serve import exposure
from livegate.emulator import Emulator, Options, tone_of
from livegate.protocol import __version__
from livegate.recordings import hello, wav
from livegate.shell.settings import settings
from raw_client import RawClient
from terminal import LIVEGATE, clean_environment

COMMANDS = sorted(main.commands)
CANARY = "canary-4711-key"
RECEIVE_S = 20.0


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    """Runs commands in this process, in an empty folder, with nothing set."""
    monkeypatch.chdir(tmp_path)
    for name in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)
    return CliRunner()


def test_version() -> None:
    """The module runs, and says its version."""
    assert terminal.run(*LIVEGATE, "--version").stdout == f"livegate, version {__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_suffices(runner: CliRunner, name: str) -> None:
    """A command's help explains the command and each of its options."""
    helped = runner.invoke(main, [name, "--help"])
    assert helped.exit_code == 0
    command = main.commands[name]
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.opts[0] in helped.output
            assert parameter.help, f"{parameter.opts[0]} has no help"
        else:
            assert str(parameter.name).upper() in helped.output


def test_main_help_is_whole(runner: CliRunner) -> None:
    """The list of commands says what each is for without being cut off."""
    helped = runner.invoke(main, ["--help"]).output
    assert all(f"  {name} " in helped for name in COMMANDS)
    assert "..." not in helped.partition("Commands:")[2]


@pytest.mark.parametrize(
    ("address", "is_exposed"),
    [
        ("127.0.0.1", False),
        ("127.9.9.9", False),
        ("::1", False),
        ("0.0.0.0", True),  # noqa: S104 - nothing is bound
        ("::", True),
        ("192.0.2.1", True),
    ],
)
def test_exposure(address: str, *, is_exposed: bool) -> None:
    """Serve warns where others can reach it, and everybody is let in."""
    assert bool(exposure(address)) is is_exposed


@pytest.mark.parametrize("runtime", running.RUNTIMES)
def test_serve_says_what_it_does(runtime: str, tmp_path: Path) -> None:
    """Serve says where it listens, on what, with whose key and which model, but not the key."""
    environment = clean_environment(GEMINI_API_KEY=CANARY, LIVEGATE_RUNTIME=runtime)
    command = (*LIVEGATE, "serve", "--port", "0", "--model", "models/gemini-x")
    with terminal.program(*command, environment=environment, folder=tmp_path) as server:
        page = server.expect(r"http://localhost:\d+/")[0]
        server.expect(r"ws://localhost:\d+/api/gemini/ws")
        server.expect(r"wss://generativelanguage\.googleapis\.com")
        server.expect("from GEMINI_API_KEY")
        server.expect("gemini-x")
        server.expect(f"livegate is listening, on {runtime}")
        with urllib.request.urlopen(page) as answer:  # noqa: S310 - it is http
            assert b"<html" in answer.read()
        server.signal(signal.SIGINT)
        assert server.status() == 0
    assert CANARY not in server.printed
    assert "Traceback" not in server.printed


@pytest.mark.parametrize("server", ["livegate", "hypercorn"])
@pytest.mark.parametrize("runtime", running.RUNTIMES)
def test_serve_ends_as_soon_as_it_is_ready(runtime: str, server: str) -> None:
    """Whoever reads that it listens may end it at once."""
    command = (*LIVEGATE, "serve", "--emulator", "--port", "0", "--runtime", runtime)
    with terminal.program(*command, "--server", server) as served:
        served.expect("page")
        served.signal(signal.SIGTERM)
        served.expect("ended: every client was told")
        assert served.status() == 0, served.printed


@pytest.mark.parametrize("runtime", running.RUNTIMES)
def test_a_second_signal_changes_nothing_under_hypercorn(runtime: str) -> None:
    """It ends as it would have, when its clients have been told."""
    command = (*LIVEGATE, "serve", "--emulator", "--port", "0", "--server", "hypercorn")
    with terminal.program(*command, "--runtime", runtime) as served:
        url = served.expect(r"ws://localhost:\d+/api/gemini/ws")[0]
        served.expect("listening")
        with RawClient(url) as client:  # who takes its time to go
            served.signal(signal.SIGTERM)
            client.read_until(b"\x03\xf4")
            served.signal(signal.SIGTERM)
        served.expect("ended: every client was told")
        assert served.status() == 0, served.printed


def test_the_emulator_ends_as_soon_as_it_is_ready(tmp_path: Path) -> None:
    """Likewise; its private key does not stay."""
    environment = clean_environment(TMPDIR=str(tmp_path))
    command = (*LIVEGATE, "emulator", "--tls", "--port", "0")
    with terminal.program(*command, environment=environment) as played:
        played.expect("playing")
        played.signal(signal.SIGTERM)
        assert played.status() == 0, played.printed
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("runtime", running.RUNTIMES)
def test_signals_end_serve(runtime: str, number: signal.Signals) -> None:
    """Idle and busy clients are told to come back, and serve ends well, all within seconds."""
    with (
        terminal.program(
            *LIVEGATE, "serve", "--emulator", "--port", "0", "--runtime", runtime
        ) as server,
        ExitStack() as stack,
    ):
        url = server.expect(r"ws://localhost:\d+/api/gemini/ws")[0]
        server.expect("listening")
        idle, busy, silent = (stack.enter_context(connect(url, close_timeout=1)) for _ in range(3))
        for client in (idle, busy):
            client.send('{"type":"text","text":"/long"}' if client is busy else '{"type":"ping"}')
            client.recv(RECEIVE_S)
        server.signal(number)
        assert [terminal.closed(client) for client in (idle, busy, silent)] == [1012] * 3
        assert server.status() == 0, server.printed
    assert "Traceback" not in server.printed


@pytest.mark.parametrize("command", ["serve", "debug", "emulator"])
def test_a_port_that_is_taken(runner: CliRunner, command: str) -> None:
    """One line says which port cannot be had."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        arguments = [
            command,
            "--port",
            str(port),
            *(["--emulator"] if command != "emulator" else []),
        ]
        failed = runner.invoke(main, arguments)
    assert failed.exit_code == 1
    assert failed.output.startswith(f"Error: cannot listen on 127.0.0.1 port {port}: ")
    assert failed.output.count("\n") == 1


@pytest.mark.parametrize("url", ["nonsense", "ftp://example.org", "ws://", "ws://host:port"])
def test_a_bad_gemini_url(runner: CliRunner, url: str) -> None:
    """One line says how an address has to look."""
    failed = runner.invoke(main, ["serve", "--gemini-url", url])
    assert failed.exit_code == 1
    assert failed.output.startswith("Error: the Gemini address must look like wss://")
    assert failed.output.count("\n") == 1


def _without(*packages: str) -> tuple[str, ...]:
    """Return a command that runs livegate as if packages were not installed."""
    hide = f"import sys; sys.modules.update(dict.fromkeys({packages!r}))"
    return (sys.executable, "-c", f"{hide}; from livegate.cli import main; main()")


@pytest.mark.parametrize(
    ("packages", "arguments", "extra"),
    [
        (("trio", "trio_websocket"), ("serve", "--emulator", "--runtime", "trio"), "trio"),
        (("trustme",), ("emulator", "--tls"), "testing"),
        (("trustme",), ("serve", "--emulator", "--upstream", "sdk"), "testing"),
        (("google.genai",), ("serve", "--emulator", "--upstream", "sdk"), "genai"),
        (("google",), ("serve", "--emulator", "--upstream", "sdk"), "genai"),
    ],
    ids=["trio", "trustme", "trustme for the sdk", "google.genai", "google"],
)
def test_a_missing_extra(
    packages: tuple[str, ...], arguments: tuple[str, ...], extra: str
) -> None:
    """One line names the extra to install."""
    failed = terminal.run(*_without(*packages), *arguments, "--port", "0")
    assert failed.returncode == 1
    assert failed.stdout.startswith("Error: ")
    assert f"pip install 'livegate[{extra}]'" in failed.stdout
    assert failed.stdout.count("\n") == 1


def test_the_sdk_on_trio(runner: CliRunner) -> None:
    """The SDK runs on asyncio only: asked for on trio, it is a usage error that says so."""
    failed = runner.invoke(main, ["serve", "--upstream", "sdk", "--runtime", "trio"])
    assert failed.exit_code == 2
    assert "--upstream sdk runs on asyncio only: leave out --runtime trio" in failed.output


def test_the_sdk_without_tls(runner: CliRunner) -> None:
    """The SDK always speaks TLS: one line says what to do about a plain address."""
    arguments = ["serve", "--upstream", "sdk", "--gemini-url", "ws://localhost:9"]
    failed = runner.invoke(main, arguments)
    assert failed.exit_code == 1
    assert failed.output.startswith("Error: google-genai always speaks TLS, and ws://localhost:9 ")
    assert failed.output.count("\n") == 1


def test_the_sdk_and_the_emulator() -> None:
    """With the SDK, the emulator in the process speaks TLS, and is trusted."""
    environment = clean_environment(LIVEGATE_UPSTREAM="sdk", LIVEGATE_EMULATOR="1")
    command = (*LIVEGATE, "serve", "--port", "0")
    with terminal.program(*command, environment=environment) as server:
        url = server.expect(r"ws://localhost:\d+/api/gemini/ws")[0]
        server.expect("the emulator, in this process, by google-genai")
        server.expect("listening")
        with connect(url) as client:
            client.send('{"type":"text","text":"hi"}')
            while "turn_complete" not in str(client.recv(RECEIVE_S)):
                pass
        server.signal(signal.SIGTERM)
        assert server.status() == 0
    assert "Warning" not in server.printed
    assert "Traceback" not in server.printed


def test_nobody_waits_for_the_sdk() -> None:
    """What takes seconds to import is there before anybody is told to come."""
    program = """
import sys
from livegate.cli import options
from livegate.shell.settings import settings
options.face("asyncio", settings("any", upstream="sdk"))
print("google.genai" in sys.modules)
"""
    assert terminal.run(sys.executable, "-c", program).stdout == "True\n"


def test_asyncio_needs_no_extra() -> None:
    """Without any extra the check is good, by text and by voice."""
    hidden = _without("trio", "trio_websocket", "google.genai", "hypothesis", "trustme")
    with Emulator(options=Options(pace=0)) as gemini:
        environment = clean_environment(GEMINI_API_KEY=CANARY, LIVEGATE_GEMINI_URL=gemini.url)
        checked = terminal.run(*hidden, "check", environment=environment)
    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.endswith("all is well: livegate serve\n")


@pytest.mark.parametrize(
    ("environment", "file", "source", "key"),
    [
        ({}, "GEMINI_API_KEY=from-file", "GEMINI_API_KEY in {file}", "from-file"),
        ({}, "GOOGLE_API_KEY=second", "GOOGLE_API_KEY in {file}", "second"),
        ({"GOOGLE_API_KEY": "second"}, "", "GOOGLE_API_KEY", "second"),
        ({"GEMINI_API_KEY": "first"}, "GEMINI_API_KEY=from-file", "GEMINI_API_KEY", "first"),
        (
            {"GOOGLE_API_KEY": "second"},
            "GEMINI_API_KEY=from-file",
            "GEMINI_API_KEY in {file}",
            "from-file",
        ),
    ],
    ids=["file", "second name", "no file", "environment first", "first name first"],
)
def test_where_the_key_is_from(
    tmp_path: Path, environment: dict[str, str], file: str, source: str, key: str
) -> None:
    """The key's two names and its two places have an order, and check says which it was."""
    (tmp_path / ".env").write_text(f"{file}\nLIVEGATE_MODEL=gemini-x\n")
    below = tmp_path / "below"
    below.mkdir()
    with Emulator(options=Options(pace=0, keys=frozenset({key}))) as gemini:
        checked = terminal.run(
            *LIVEGATE, "check", "--gemini-url", gemini.url,
            environment=clean_environment(**environment), folder=below,
        )  # fmt: skip
        said = source.format(file=tmp_path / ".env")
        assert f"ok      key        from {said}\n" in checked.stdout
        assert "FAILED  setup" in checked.stdout  # the file names a model that is none
        assert "gemini-x" in checked.stdout.partition("FAILED  setup")[2]
        assert f" {key}" not in checked.stdout


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    """It is named, whatever was to be done."""
    (tmp_path / ".env").write_bytes(b"A=caf\xe9\n")
    failed = terminal.run(*LIVEGATE, "check", "--emulator", folder=tmp_path)
    assert failed.stdout.startswith(f"Error: {tmp_path / '.env'} is no text in UTF-8: ")
    assert failed.returncode == 1


@pytest.mark.usefixtures("runner")
@pytest.mark.parametrize("name", ["serve", "debug", "check", "emulator"])
def test_variables(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Each option's variable sets it."""
    values: dict[str, tuple[str, object]] = {
        "LIVEGATE_RUNTIME": ("trio", "trio"),
        "LIVEGATE_UPSTREAM": ("sdk", "sdk"),
        "LIVEGATE_HOST": ("::1", "::1"),
        "LIVEGATE_PORT": ("4711", 4711),
        "LIVEGATE_LOG_LEVEL": ("warning", "warning"),
        "LIVEGATE_LOG_FORMAT": ("json", "json"),
        "LIVEGATE_GEMINI_URL": ("ws://there", "ws://there"),
        "LIVEGATE_MODEL": ("gemini-x", "gemini-x"),
        "LIVEGATE_EMULATOR": ("1", True),
        "LIVEGATE_JOURNAL": ("there", Path("there")),
        "LIVEGATE_JOURNAL_MEDIA": ("1", True),
        "LIVEGATE_JOURNAL_MAX_MB": ("0.5", 0.5),
        "LIVEGATE_SERVER": ("hypercorn", "hypercorn"),
        "LIVEGATE_REUSE_PORT": ("1", True),
        "LIVEGATE_TLS_CERT": (__file__, Path(__file__)),
        "LIVEGATE_TLS_KEY": (__file__, Path(__file__)),
        "LIVEGATE_STALL_TIMEOUT": ("7.5", 7.5),
        "LIVEGATE_DRAIN_TIMEOUT": ("3", 3.0),
        "LIVEGATE_CLIENT_TOKENS": ("there", Path("there")),
        "LIVEGATE_NO_AUTH": ("1", True),
        "LIVEGATE_ALLOW_ORIGIN": ("https://a https://b", ("https://a", "https://b")),
        "LIVEGATE_ALLOWED_HOST": ("a b", ("a", "b")),
        "LIVEGATE_TRUSTED_PROXY": ("10.0.0.0/8", ("10.0.0.0/8",)),
        "LIVEGATE_MAX_SESSIONS": ("7", 7),
        "LIVEGATE_MAX_SESSION_AGE": ("60", 60.0),
        "LIVEGATE_MAX_MESSAGES_PER_MINUTE": ("600", 600.0),
        "LIVEGATE_MAX_AUDIO_SECONDS_PER_MINUTE": ("90", 90.0),
    }
    for variable, (value, _) in values.items():
        monkeypatch.setenv(variable, value)
    command = main.commands[name]
    context = command.make_context(name, [], obj={})
    for parameter in command.params:
        if parameter.envvar:
            first = parameter.envvar if isinstance(parameter.envvar, str) else parameter.envvar[0]
            assert context.params[str(parameter.name)] == values[first][1]


def test_chat_on_pipes(tmp_path: Path) -> None:
    """Piped lines are answered one after the other, and the sound is saved whole."""
    (tmp_path / "question.wav").write_bytes(wav(hello().pcm, hello().rate))
    with (
        Emulator(options=Options(pace=0)) as gemini,
        running.gateway("asyncio", settings("any", gemini.url)) as gateway,
    ):
        lines = "Hello there\n/help\n/audio question.wav\n"
        chatted = terminal.run(
            *LIVEGATE, "chat", gateway.url, "--save", "answers", folder=tmp_path, typed=lines
        )
    assert chatted.returncode == 0, chatted.stdout
    assert "Gemini: You said: Hello there\n" in chatted.stdout
    assert "(interrupted)" not in chatted.stdout
    assert "heard: " in chatted.stdout
    with wave.open(str(tmp_path / "answers" / "answer-1.wav")) as saved:
        assert (saved.getnchannels(), saved.getsampwidth(), saved.getframerate()) == (1, 2, 24_000)
        assert saved.getnframes() * 2 == len(tone_of("You said: Hello there"))
    assert (tmp_path / "answers" / "answer-2.wav").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/quota", "closed with 4203: Gemini's quota is used up: stop"),
        ("/drop", "error: the connection to Gemini was lost"),
        ("/audio nothing.wav", "nothing.wav: No such file or directory"),
        ("/audio", "/audio takes a file"),
        ("/audio notes.txt", "notes.txt: no recording: it is none of WebM, WAV, "),
    ],
    ids=["quota", "drop", "no such file", "no file", "no recording"],
)
def test_chat_fails_aloud(tmp_path: Path, line: str, said: str) -> None:
    """A piped line without an answer makes the exit status 1, and a line says why."""
    (tmp_path / "notes.txt").write_text("what was to be said\n")
    with (
        Emulator(options=Options(pace=0)) as gemini,
        running.gateway("asyncio", settings("any", gemini.url)) as gateway,
    ):
        chatted = terminal.run(
            *LIVEGATE, "chat", gateway.url, "--text", folder=tmp_path, typed=f"{line}\n"
        )
    assert chatted.returncode == 1, chatted.stdout
    assert said in chatted.stdout


@pytest.mark.parametrize("url", ["ws://127.0.0.1:1/", "nonsense", "http://localhost/elsewhere"])
def test_chat_with_nobody(runner: CliRunner, url: str) -> None:
    """An address that nobody answers at is one line and status 1."""
    failed = runner.invoke(main, ["chat", url])
    assert failed.exit_code == 1
    assert failed.output.startswith(f"Error: cannot reach {url}: ")
    assert failed.output.count("\n") == 1


def test_the_emulator_with_tls() -> None:
    """A client that exports what the emulator prints can connect to it by TLS."""
    with terminal.program(*LIVEGATE, "emulator", "--tls", "--port", "0", "--pace", "0") as played:
        url = played.expect(r"livegate serve --gemini-url (wss://localhost:\d+)")[1]
        file = played.expect(r"export SSL_CERT_FILE=(\S+)")[1]
        played.expect(r"Ctrl\+C")
        environment = clean_environment(GEMINI_API_KEY=CANARY, SSL_CERT_FILE=file)
        checked = terminal.run(*LIVEGATE, "check", "--gemini-url", url, environment=environment)
        assert checked.returncode == 0, checked.stdout
        assert "the certificate is good" in checked.stdout
        untrusting = clean_environment(GEMINI_API_KEY=CANARY)
        failed = terminal.run(*LIVEGATE, "check", "--gemini-url", url, environment=untrusting)
        assert failed.returncode == 1
        assert "FAILED  TLS" in failed.stdout
        played.signal(signal.SIGINT)
        assert played.status() == 0


def test_the_emulator_plain() -> None:
    """The emulator alone plays Gemini for a gateway elsewhere, and ends at SIGTERM."""
    with terminal.program(*LIVEGATE, "emulator", "--port", "0", "--pace", "0") as played:
        url = played.expect(r"livegate serve --gemini-url (ws://localhost:\d+)")[1]
        played.expect(r"Ctrl\+C")
        environment = clean_environment(GEMINI_API_KEY=CANARY)
        checked = terminal.run(*LIVEGATE, "check", "--gemini-url", url, environment=environment)
        assert checked.returncode == 0, checked.stdout
        played.signal(signal.SIGTERM)
        assert played.status() == 0


@pytest.mark.parametrize("runtime", running.RUNTIMES)
def test_debug_logs_frames(runtime: str) -> None:
    """The debug server logs every frame of both directions, with sound cut short."""
    command = (*LIVEGATE, "debug", "--emulator", "--port", "0", "--runtime", runtime)
    with terminal.program(*command) as server:
        url = server.expect(r"ws://localhost:\d+/api/gemini/ws")[0]
        server.expect("listening")
        with connect(url, close_timeout=1) as client:
            client.send('{"type":"config","response_modalities":["AUDIO"]}')
            server.expect(r'client 1 > {"type": "config", "response_modalities": \["AUDIO"\]}')
            client.send('{"type":"text","text":"Hello\\u0007there"}')
            server.expect(r'client 1 > {"type": "text", "text": "Hello\\u0007there"}')
            server.expect(r'client 1 < {"type": "audio", "data": "\S{24}\.\.\. \d+ characters"')
            client.send("no JSON\x07")
            server.expect(r"client 1 > 'no JSON\\x07'")
            client.send(bytes(320))
            server.expect(r"client 1 > \(320 bytes\)")
        server.expect("client 1 > close")
        server.signal(signal.SIGTERM)
        assert server.status() == 0, server.printed
    assert "Traceback" not in server.printed
