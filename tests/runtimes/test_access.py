"""Who may connect, as operators say it: options, the file of tokens, and docs/access.md."""

import hashlib
import os
import re
import signal
import stat
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from websockets.sync.client import connect

import docs
import terminal
from livegate.cli import admission, main
from livegate.protocol.tokens import Allowance, Token
from livegate.shell import tokens
from livegate.shell.asgi import App
from livegate.shell.target import SettingsError
from terminal import LIVEGATE, clean_environment

PAGE = docs.read(docs.ACCESS)
RECEIVE_S = 20.0
DIGEST = "0123456789abcdef" * 4


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    """Runs commands in this process, in an empty folder, with nothing set."""
    monkeypatch.chdir(tmp_path)
    for name in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)
    return CliRunner()


# The file


def test_new_token(runner: CliRunner, tmp_path: Path) -> None:
    """A token is printed once, fits in a subprotocol, and is kept as a digest for its owner."""
    limits = ["--sessions", "2", "--session-age", "3600", "--messages-per-minute", "600.5"]
    made = runner.invoke(main, ["token", "new", "alice", *limits])
    assert made.exit_code == 0, made.output
    token = made.stdout.strip()
    assert re.fullmatch(r"lg_[A-Za-z0-9_-]{43}", token)
    assert token not in made.stderr
    file = tmp_path / tokens.DEFAULT_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert token not in file.read_text("utf-8")
    allowance = Allowance(sessions=2, session_age_s=3600, messages_per_minute=600.5)
    (kept,) = tokens.read(file)
    assert kept == Token("alice", hashlib.sha256(token.encode()).digest(), allowance)
    other = runner.invoke(main, ["token", "new", "bob", "--audio-seconds-per-minute", "60"])
    assert other.stdout.strip() != token
    listed = runner.invoke(main, ["token", "list"])
    assert listed.output == (
        "alice  2 sessions at once, 3600 s a session, 600.5 messages a minute\n"
        "bob    60 s of audio a minute\n"
    )


def test_file_of_ones_own(runner: CliRunner, tmp_path: Path) -> None:
    """The file may be another, and what somebody wrote into it stays."""
    file = tmp_path / "mine.toml"
    file.write_text("# made by hand, without an end")
    environment = {admission.FILE_VARIABLE: str(file)}
    assert runner.invoke(main, ["token", "new", "a"], env=environment).exit_code == 0
    assert runner.invoke(main, ["token", "new", "b", "--file", str(file)]).exit_code == 0
    assert file.read_text("utf-8").startswith("# made by hand, without an end\n[a]\n")
    assert [one.name for one in tokens.read(file)] == ["a", "b"]
    assert runner.invoke(main, ["token", "list"], env=environment).output.count("no limits") == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["new", "alice"], "client-tokens.toml, table [alice]: there is one already"),
        (["new", "a b"], "a token's name is 1 to 64 letters, digits, - and _ of ASCII"),
        (["new", "b", "--session-age", "nan"], "session_age_s must be a number, and at least 1"),
        (["new", "b", "--file", "no/folder"], "No such file or directory"),
        (["list", "--file", "none.toml"], "cannot read none.toml: No such file or directory"),
    ],
)
def test_token_fails_in_a_line(runner: CliRunner, arguments: list[str], says: str) -> None:
    """What cannot be done is one line that says why."""
    assert runner.invoke(main, ["token", "new", "alice"]).exit_code == 0
    failed = runner.invoke(main, ["token", *arguments])
    assert failed.exit_code == 1
    assert failed.output.startswith("Error: ")
    assert says in failed.output
    assert failed.output.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[alice", "is no TOML: "),
        ("alice = 5", "table [alice]: it must be a table with sha256"),
        ("[alice]", "table [alice]: sha256 must be 64 hexadecimal digits"),
        ("[alice]\nsha256 = 5", "table [alice]: sha256 must be 64 hexadecimal digits"),
        (f'[alice]\nsha256 = "{DIGEST[1:]}"', "sha256 must be 64 hexadecimal digits"),
        (f'[a]\nsha256 = "{DIGEST}"\nsession = 1', "table [a]: session is no limit; there are se"),
        (f'[a]\nsha256 = "{DIGEST}"\nsessions = 1.5', "table [a]: sessions must be a number"),
        (
            f'[a]\nsha256 = "{DIGEST}"\nsessions = 0',
            "table [a]: sessions must be a number, and at",
        ),
        (f'[a]\nsha256 = "{DIGEST}"\nsessions = true', "table [a]: sessions must be a number"),
        (f'[a]\nsha256 = "{DIGEST}"\nsession_age_s = "1"', "session_age_s must be a number"),
        (
            f'[a]\nsha256 = "{DIGEST}"\n[b]\nsha256 = "{DIGEST}"',
            "table [b]: it is the token of [a]",
        ),
        ("\udcff", "is no TOML: "),
    ],
)
def test_bad_file(tmp_path: Path, text: str, says: str) -> None:
    """Whatever is wrong with a file, the error names it, the table, and what would be right."""
    file = tmp_path / "tokens.toml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SettingsError) as error:
        tokens.read(file)
    assert str(error.value).startswith(str(file))
    assert says in str(error.value)
    with pytest.raises(SettingsError):
        tokens.append(file, Token("new", b""))
    assert file.read_bytes() == text.encode("utf-8", "surrogateescape")


def test_the_pages_table(tmp_path: Path) -> None:
    """The table of the page is one that can be read."""
    (block,) = (one for one in PAGE.blocks if one.language == "toml")
    assert set(tomllib.loads(block.text)["alice"]) == {"sha256", *Allowance.__annotations__}
    file = tmp_path / "tokens.toml"
    file.write_text(block.text, "utf-8")
    assert len(tokens.read(file)) == 1


# The options


@pytest.mark.parametrize("command", ["serve", "debug"])
def test_exposed(runner: CliRunner, command: str) -> None:
    """Where others can connect a gateway does not start unless somebody said who may."""
    failed = runner.invoke(main, [command, "--emulator", "--host", "0.0.0.0", "--port", "0"])  # noqa: S104
    assert failed.exit_code == 1
    assert failed.output.startswith("Error: others can reach 0.0.0.0: ")
    assert "livegate token new NAME" in failed.output
    assert "--no-auth" in failed.output
    assert failed.output.count("\n") == 1


def test_exposed_on_purpose() -> None:
    """Told to let everybody in, it does, with a warning."""
    command = (*LIVEGATE, "serve", "--emulator", "--port", "0", "--host", "0.0.0.0", "--no-auth")  # noqa: S104
    with terminal.program(*command) as server:
        port = server.expect(r"ws://localhost:(\d+)")[1]
        server.expect("clients +no token needed")
        server.expect("warning: whoever reaches this address uses your API key")
        with terminal.arrive(f"ws://127.0.0.1:{port}/api/gemini/ws") as client:
            assert "Connected" in str(client.recv(RECEIVE_S))
        server.signal(signal.SIGTERM)
        assert server.status() == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--allow-origin", "*"], "--allow-origin must look like https://example.org or null"),
        (["--allow-origin", "https://a.example/"], "got 'https://a.example/'"),
        (
            ["--allowed-host", "http://a"],
            "--allowed-host must look like example.org or [::1]:8000",
        ),
        (["--trusted-proxy", "proxy"], "--trusted-proxy must look like 10.0.0.0/8"),
        (["--trusted-proxy", "10.0.0.1/8"], "has host bits set"),
        (["--max-session-age", "inf"], "session_age_s must be a number"),
        (["--client-tokens", "none.toml"], "livegate token new NAME --file none.toml"),
        (["--client-tokens", "empty.toml"], "empty.toml holds no token, so nobody could connect"),
        (["--client-tokens", "empty.toml", "--no-auth"], "contradict: leave one out"),
    ],
)
def test_options_that_make_no_sense(
    runner: CliRunner, tmp_path: Path, options: list[str], says: str
) -> None:
    """What could never let anybody in, or says two things, is one line that says so."""
    (tmp_path / "empty.toml").touch()
    failed = runner.invoke(main, ["serve", "--emulator", "--port", "0", *options])
    assert failed.exit_code == 1
    assert says in failed.output
    assert failed.output.count("\n") == 1


DOCUMENTED = [
    command.split()[2:]
    for block in PAGE.blocks
    if block.language == "bash"
    for command in docs.commands(block)
    if command.startswith("livegate serve") and "--host" not in command.split()
]


@pytest.mark.parametrize("options", DOCUMENTED)
def test_documented_options(runner: CliRunner, options: list[str]) -> None:
    """Options as the page shows them are understood."""
    assert runner is not None
    assert len(DOCUMENTED) == 3
    seen: list[admission.Asked] = []

    @click.command()
    @admission.options
    def command(asked: admission.Asked) -> None:
        seen.append(asked)

    command.main(options, standalone_mode=False)
    rules = seen[0].rules(emulated=False)
    said = " ".join(options)
    assert (rules.allowed.hosts == ("voice.example.org",)) is ("--allowed-host" in said)
    assert (rules.allowed.origins == ("https://app.example.org",)) is ("--allow-origin" in said)
    assert bool(rules.trusted_proxies) is ("--trusted-proxy" in said)
    assert (rules.overall.sessions == 100) is ("--max-sessions" in said)
    assert (rules.overall.audio_s_per_minute == 6000) is ("--max-audio" in said)


@pytest.mark.parametrize("is_emulated", [True, False])
def test_pages_that_are_files(tmp_path: Path, *, is_emulated: bool) -> None:
    """With the emulator a page may be a file; with a key that has to be said."""
    environment = clean_environment(GEMINI_API_KEY="any", LIVEGATE_GEMINI_URL="ws://127.0.0.1:9")
    how = ("--emulator",) if is_emulated else ()
    command = (*LIVEGATE, "serve", "--port", "0", *how)
    with terminal.program(*command, environment=environment, folder=tmp_path) as server:
        url = server.expect(r"ws://localhost:\d+/api/gemini/ws")[0]
        server.expect("listening")
        with connect(url, close_timeout=1, additional_headers={"Origin": "null"}) as client:
            said = str(client.recv(RECEIVE_S))
        server.signal(signal.SIGTERM)
        assert server.status() == 0
    assert ("--allow-origin null" in said) is not is_emulated


def test_from_token_to_chat(tmp_path: Path) -> None:
    """The page's way: make a token, serve where others can connect, and talk with it."""
    (block,) = (one for one in PAGE.blocks if "token new" in one.text)
    make, show, serve, chat = (line.split()[1:] for line in docs.commands(block))
    made = terminal.run(*LIVEGATE, *make, folder=tmp_path)
    token = made.stdout.splitlines()[-1]
    assert terminal.run(*LIVEGATE, *show, folder=tmp_path).stdout.startswith("alice ")
    serve += ["--emulator", "--port", "0"]
    with terminal.program(*LIVEGATE, *serve, folder=tmp_path) as server:
        port = server.expect(r"ws://localhost:(\d+)")[1]
        server.expect("clients +with a token of client-tokens.toml")
        server.expect("listening")
        assert chat[1:] == ["--token", "lg_..."]
        there = ("chat", f"ws://127.0.0.1:{port}/api/gemini/ws", "--text")
        talked = terminal.run(*LIVEGATE, *there, "--token", token, typed="Hello\n")
        assert "You said: Hello" in talked.stdout
        assert talked.returncode == 0
        server.expect("client.accepted .*client='alice'")
        strange = terminal.run(*LIVEGATE, *there, "--token", f"{token}x", typed="Hello\n")
        assert "this gateway knows no such client token" in strange.stdout
        assert strange.returncode == 1
        assert "Traceback" not in strange.stdout
        server.expect("client.refused .*code='unauthorized'")
        server.signal(signal.SIGTERM)
        assert server.status() == 0
    assert token not in server.printed
    assert "warning" not in server.printed


def test_the_pages_application(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What docs/access.md shows for applications of one's own makes one."""
    monkeypatch.chdir(tmp_path)
    tokens.append(tmp_path / tokens.DEFAULT_FILE, Token("alice", bytes(32)))
    (block,) = (one for one in PAGE.blocks if one.language == "python")
    names: dict[str, object] = {}
    exec(block.text, names)  # noqa: S102 - it is ours
    assert isinstance(names["application"], App)


def test_a_port_that_others_reach_is_let_go(runner: CliRunner) -> None:
    """A gateway that does not start leaves its port to others."""
    with terminal.own_port() as port:
        command = ["serve", "--emulator", "--host", "0.0.0.0", "--port", str(port)]  # noqa: S104
        for _ in range(2):
            assert "others can reach" in runner.invoke(main, command).output
