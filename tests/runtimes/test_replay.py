# pyright: reportPrivateUsage=false
"""Journals on disk, as `livegate serve` writes them and `livegate replay` reads them."""

import base64
import contextlib
import io
import json
import logging
import re
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

import attrs
import pytest
from click.testing import CliRunner
from websockets.sync.client import ClientConnection, connect

import running
import terminal
from livegate import recordings
from livegate.cli import main
from livegate.emulator import Emulator, Options
from livegate.protocol import LocalProtocolError, SessionOptions, inputs, journal
from livegate.protocol.journal import Header
from livegate.protocol.secret import Secret
from livegate.shell.identity import Identity
from livegate.shell.journals import DEFAULT_MAX_MB, Journal, Journals, RecordedSession
from livegate.shell.settings import Settings, settings
from livegate.shell.target import SettingsError
from recorded import BY_NAME
from resuming import Client
from resuming import said as words
from terminal import LIVEGATE

KEY: Final = "AIzaCanaryCanaryCanary4711"
TOKEN: Final = "TokenCanary.0815.TokenCanary"  # noqa: S105 - nobody's
OPEN: Final = SessionOptions(session_id="9f3c01ab")
NO_KEY: Final = attrs.evolve(OPEN, has_key=False)
IDENTITY: Final = Identity("9f3c01ab", 7, b"salt")
RECEIVE_S: Final = 20.0


@pytest.fixture(params=running.RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> str:
    """Each runtime."""
    return str(request.param)


def until(client: ClientConnection, type_: str) -> None:
    """Read frames up to one of this type."""
    while json.loads(client.recv(RECEIVE_S))["type"] != type_:
        pass


def replayed(*arguments: str | Path, color: bool = False) -> tuple[int, str]:
    """Run `livegate replay`; return its status and all that it says."""
    done = CliRunner().invoke(main, ["replay", *map(str, arguments)], color=color)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def only(folder: Path) -> Path:
    """Return the only file in a folder."""
    (path,) = folder.iterdir()
    return path


# Over real sockets


def test_serve_records(runtime: str, tmp_path: Path) -> None:
    """Serve records a session that ends and one that SIGTERM ends, and both replay equal."""
    folder = tmp_path / "new" / "journals"
    command = (*LIVEGATE, "serve", "--emulator", "--port", "0", "--runtime", runtime)
    with terminal.program(*command, "--journal", str(folder)) as server:
        url = server.expect(r"ws://localhost:\d+/api/gemini/ws")[0]
        server.expect(re.escape(str(folder)))
        server.expect("listening")
        with connect(url, close_timeout=1) as client:
            client.send('{"type":"text","text":"Hello"}')
            until(client, "turn_complete")
        with connect(url, close_timeout=1) as client:
            client.send('{"type":"text","text":"/long"}')
            until(client, "response")
            server.signal(signal.SIGTERM)
            assert terminal.closed(client) == 1012
        assert server.status() == 0, server.printed
    paths = sorted(folder.iterdir())
    assert len(paths) == 2
    status, said = replayed("--quiet", *paths)
    assert (status, said.count(": equal, ")) == (0, 2), said
    for path in paths:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{8}\.jsonl", path.name)
        header = journal.decode(path.read_bytes().splitlines()[0])
        assert isinstance(header, Header)
        assert (header.runtime, header.media) == (runtime, False)
        assert path.stem.endswith(header.session)
    assert any("shutdown" in replayed(path)[1] for path in paths)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_who_came_back(runtime: str, tmp_path: Path) -> None:
    """So do the sessions of a client that comes back to its own, by its token alone, and anew."""
    shared, other = "two processes have this one" * 2, "and a third has another" * 2
    tokens: list[str] = []
    with Emulator(options=Options(pace=0)) as gemini, contextlib.ExitStack() as stack:
        command = (*LIVEGATE, "serve", "--gemini-url", gemini.url, "--port", "0")
        urls: list[str] = []
        for secret in (shared, shared, other):
            environment = terminal.clean_environment(GEMINI_API_KEY=KEY, LIVEGATE_SECRET=secret)
            recording = (*command, "--runtime", runtime, "--journal", str(tmp_path))
            server = stack.enter_context(terminal.program(*recording, environment=environment))
            urls.append(server.expect(r"ws://localhost:\d+/api/gemini/ws")[0])
            server.expect("listening")
        with Client(urls[0]) as client:
            client.config()
            client.converse("my name is Ada")
            for url, is_whole, known in (
                (urls[0], True, "my name is Ada"),
                (urls[1], False, "my name is Ada"),
                (urls[2], False, "nothing yet"),
            ):
                tokens.append(client.token)
                client.cut()
                client.url = url
                assert client.come_back()["recovered"] is is_whole
                client.ask("/recall")
                client.until("turn_complete")
                assert words(client.frames).endswith(known)
    paths = [*tmp_path.iterdir()]
    status, said = replayed("--quiet", *paths)
    assert (status, said.count(": equal, ")) == (0, len(paths)), said
    assert len(paths) == 4  # the one that it came back to, and one for each WebSocket after it
    assert not any(one.encode() in path.read_bytes() for one in tokens for path in paths)


def test_killed(runtime: str, tmp_path: Path) -> None:
    """What a killed process has recorded can be replayed, up to its last whole line."""
    command = (*LIVEGATE, "serve", "--emulator", "--port", "0", "--runtime", runtime)
    with terminal.program(*command, "--journal", str(tmp_path)) as server:
        url = server.expect(r"ws://localhost:\d+/api/gemini/ws")[0]
        server.expect("listening")
        with connect(url, close_timeout=0) as client:
            client.send('{"type":"text","text":"/long"}')
            until(client, "response")
            server.signal(signal.SIGKILL)
            server.status()
    path = only(tmp_path)
    status, said = replayed("--quiet", path)
    assert (status, said.count(": equal, ")) == (0, 1), said
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    status, said = replayed("--quiet", path)
    cut_off = whole.count(b"\n")
    assert status == 0
    assert f"; line {cut_off} is cut off: the process ended in mid-write\n" in said


def test_nothing_secret_is_on_disk(runtime: str, tmp_path: Path) -> None:
    """The key, a handle, a client's token and samples of sound, both ways, are in no journal."""
    hello = recordings.hello().pcm
    with (
        Emulator(options=Options(pace=0)) as gemini,
        running.gateway(
            runtime, attrs.evolve(settings(KEY, gemini.url), journal=tmp_path)
        ) as gateway,
        connect(gateway.url) as client,
    ):
        config = {"response_modalities": ["AUDIO"], "access_token": TOKEN}
        client.send(json.dumps({"type": "config", "data": config}))
        client.send(json.dumps({"type": "audio", "data": base64.b64encode(hello).decode()}))
        client.send('{"type":"audio_end"}')
        until(client, "turn_complete")
        client.send(json.dumps({"type": "text", "text": f"I know {KEY}"}))
        until(client, "turn_complete")
        client.send(json.dumps({"type": "config", "data": {**config, "temperature": 1}}))
        until(client, "config_success")
    path = only(tmp_path)
    text = path.read_text()
    setup = gemini.service.received[-1].setup
    assert setup is not None
    handle = cast("dict[str, str]", setup["sessionResumption"])["handle"]
    assert not [canary for canary in (KEY, TOKEN, handle) if canary in text]
    assert not re.search(r"[A-Za-z0-9+/]{256}", text.replace("A", ""))
    for at in range(0, len(hello) - 48, 480):
        assert base64.b64encode(hello[at : at + 48]).decode()[4:-4] not in text
    status, said = replayed("--quiet", path)
    assert status == 0, said


@pytest.mark.parametrize("keeps_media", [True, False])
def test_recordings(runtime: str, tmp_path: Path, *, keeps_media: bool) -> None:
    """What was decoded of recordings is in the journal: it replays equal, with and without."""
    hello = recordings.hello()
    with Emulator(options=Options(pace=0)) as gemini:
        asked = attrs.evolve(
            settings(KEY, gemini.url), journal=tmp_path, journal_media=keeps_media
        )
        with running.gateway(runtime, asked) as gateway, connect(gateway.url) as client:
            for name in ("webm-opus-250ms.webm", "mp4-opus-250ms.mp4"):
                for piece in BY_NAME[name].pieces:
                    client.send(piece)
                client.send('{"type":"audio_end"}')
                until(client, "turn_complete")
            data = base64.b64encode(recordings.wav(hello.pcm, hello.rate)).decode()
            client.send(json.dumps({"type": "audio", "data": data}))
            until(client, "turn_complete")
    path = only(tmp_path)
    assert path.read_text().count('"type":"Decoded"') > 3
    status, said = replayed("--quiet", path)
    assert (status, said.count(": equal, ")) == (0, 1), said


# On disk


def recorded(
    folder: Path,
    options: SessionOptions = OPEN,
    *,
    keeps_media: bool = False,
    max_mb: float = DEFAULT_MAX_MB,
) -> RecordedSession:
    """Return a session that is recorded in a folder, and has begun."""
    journals = Journals(folder=folder, key=Secret(KEY), keeps_media=keeps_media, max_mb=max_mb)
    session = journals.session(options, IDENTITY, "none")
    assert isinstance(session, RecordedSession)
    session.start(1.0)
    return session


def written(folder: Path) -> Path:
    """Return the journal of a whole session: one that had no key."""
    recorded(folder, NO_KEY).handle(inputs.ClientOpened(1, "192.0.2.1"), 1.5)
    return only(folder)


def talked(session: RecordedSession, frames: int, peer: str = "") -> None:
    """Have a client connect, ping, and leave."""
    session.handle(inputs.ClientOpened(1, peer), 1.5)
    for _ in range(frames):
        session.handle(inputs.ClientFrame(1, b'{"type":"ping"}', is_text=True), 2.0)
    session.handle(inputs.ClientGone(1, 1000), 3.0)


def test_media_are_kept_if_asked(tmp_path: Path) -> None:
    """With --journal-media the sound is there."""
    for name, keeps_media in (("with", True), ("without", False)):
        folder = tmp_path / name
        folder.mkdir()
        session = recorded(folder, keeps_media=keeps_media)
        session.handle(inputs.ClientOpened(1), 1.0)
        session.handle(inputs.ClientFrame(1, b"sound!" * 100, is_text=False), 1.5)
        session.handle(inputs.ClientGone(1), 2.0)
        text = only(folder).read_text()
        assert (base64.b64encode(b"sound!" * 100).decode() in text) is keeps_media
        status, said = replayed(only(folder))
        assert status == 0
        assert f", {name} media\n" in said


def test_the_limit(tmp_path: Path) -> None:
    """A journal ends below its limit with a line that says so; the session goes on."""
    session = recorded(tmp_path, max_mb=0.005)
    talked(session, 100)
    path = only(tmp_path)
    assert path.stat().st_size <= 5000
    assert b"a journal may hold 0.005 MB" in path.read_bytes().splitlines()[-1]
    status, said = replayed("--quiet", path)
    assert status == 0
    assert said.endswith("; a journal may hold 0.005 MB, see --journal-max-mb\n")


def _no_folder(folder: Path) -> None:
    talked(recorded(folder / "nowhere"), 3)


def _taken(folder: Path) -> None:
    (folder / "taken").touch()
    file = Journal(folder / "taken", Journals(folder=folder, key=Secret(KEY)), b"")
    session = recorded(folder)
    session._file.close()
    session._file = file
    talked(session, 3)


def _full(folder: Path) -> None:
    session = recorded(folder)
    session._file.close()
    session._file._file = io.FileIO("/dev/full", "w")
    talked(session, 3)


def _unwritable(folder: Path) -> None:
    talked(recorded(folder), 3, peer="\ud800")


@pytest.mark.parametrize(
    ("broken", "cause"),
    [
        (_no_folder, "No such file or directory"),
        (_taken, "File exists"),
        (_full, "No space left on device"),
        (_unwritable, "UnicodeEncodeError"),
    ],
)
def test_trouble_hurts_no_session(
    broken: Callable[[Path], None], cause: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is wrong with a journal is logged once, and its session goes on."""
    with caplog.at_level(logging.WARNING, "livegate"):
        broken(tmp_path)
    (told,) = caplog.messages
    assert told.startswith("journal.failed path=")
    assert told.endswith(f"cause={cause!r}")


class Half:
    """A file on a disk that takes half of what it is given."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")

    def write(self, data: bytes) -> int:
        """Write half of it."""
        return self._file.write(data[: len(data) // 2])

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def test_a_short_write_is_trouble(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A disk that takes half a line ends the journal; the replay ends before that line."""
    session = recorded(tmp_path)
    session._file.close()
    session._file._file = cast("io.FileIO", Half(only(tmp_path)))
    with caplog.at_level(logging.WARNING, "livegate"):
        talked(session, 3)
    assert caplog.messages[0].endswith("cause='No space left on device'")
    status, said = replayed("--quiet", only(tmp_path))
    assert status == 0
    assert "; line 3 is cut off" in said


def test_a_fault_of_ours(tmp_path: Path) -> None:
    """What a session raises is recorded, ends the journal, and is raised by a replay as well."""
    session = recorded(tmp_path)
    session.handle(inputs.ClientOpened(1), 1.0)
    with pytest.raises(LocalProtocolError):
        session.handle(inputs.ClientOpened(1), 2.0)
    session.handle(inputs.ClientGone(1), 3.0)
    status, said = replayed(only(tmp_path))
    assert status == 0
    assert "-- LocalProtocolError: CLIENT_OPENED cannot happen in phase UNLINKED\n" in said
    assert said.endswith(": equal, 2 inputs gave the same 2 commands\n")


@pytest.mark.parametrize("below", ["file/journals", "file"])
def test_a_folder_that_cannot_be(tmp_path: Path, below: str) -> None:
    """Serve says in one line why it cannot write journals, and does not begin."""
    (tmp_path / "file").touch()
    serve = ["serve", "--emulator", "--port", "0", "--journal", str(tmp_path / below)]
    failed = CliRunner().invoke(main, serve)
    assert failed.exit_code != 0
    assert str(tmp_path / below) in failed.output
    assert "Traceback" not in failed.output
    with pytest.raises((OSError, SettingsError)):
        Journals(folder=tmp_path / below, key=Secret("")).prepare()


def test_settings(tmp_path: Path) -> None:
    """Settings say how sessions are recorded; by default they are not."""
    plain = settings(KEY)
    assert plain.journals is None
    asked = Settings(target=plain.target, journal=tmp_path, journal_media=True, journal_max_mb=0.5)
    assert asked.journals == Journals(
        folder=tmp_path, key=plain.target.key, keeps_media=True, max_mb=0.5
    )


# What replay says


def _changed(path: Path, number: int, pattern: str, other: str) -> None:
    """Put something else where a line of a file matches a pattern."""
    lines = path.read_text().splitlines(keepends=True)
    lines[number - 1] = re.sub(pattern, other, lines[number - 1], flags=re.DOTALL)
    path.write_text("".join(lines))


@pytest.mark.parametrize(
    ("number", "pattern", "other", "said"),
    [
        (1, "^.*", "", "line 1: it is not the first line of a journal"),
        (1, "^.*", "{}\n", "line 1: Object missing required field `now`"),
        (1, '"seed":7', '"seed":"7"', "line 1: Expected `int`"),
        (1, '"journal":1', '"journal":2', "line 1: this livegate reads journals of form 1"),
        (1, "^(.*)$", r"\1\1", "line 2: another journal begins"),
        (2, "^.*", "garbage\n", "line 2: JSON is malformed"),
        (3, "ClientOpened", "Dance", "line 3: its type must be one of ClientOpened, "),
    ],
)
def test_broken_files(tmp_path: Path, number: int, pattern: str, other: str, said: str) -> None:
    """A file that is no journal, or a broken one, gets one clear sentence."""
    path = written(tmp_path)
    _changed(path, number, pattern, other)
    status, text = replayed("--quiet", path)
    assert status == 1
    assert text.startswith(f"{path}, {said}")
    assert text.count("\n") == 1


def test_files_that_are_none(tmp_path: Path) -> None:
    """A file that is not there, is empty, a folder or cut off in its first line is told in one."""
    (tmp_path / "empty").touch()
    (tmp_path / "short").write_text('{"journal":1')
    for name, said in (
        ("nothing", ": No such file or directory\n"),
        ("", ": Is a directory\n"),
        ("empty", ", line 1: it is not the first line of a journal\n"),
        ("short", ", line 1: Input data was truncated\n"),
    ):
        path = tmp_path / name
        assert replayed(path) == (1, f"{path}{said}")


def test_differences(tmp_path: Path) -> None:
    """The first difference is shown as recorded and as replayed, with its line; others follow."""
    (tmp_path / "good").mkdir()
    good = written(tmp_path / "good")
    bad = tmp_path / "bad.jsonl"
    bad.write_bytes(good.read_bytes())
    _changed(bad, 3, "No API key configured", "No API key at all")
    status, said = replayed("--quiet", bad, good)
    assert status == 1
    assert said.splitlines()[0] == f"{bad}: differs at line 3, so far equal"
    assert re.search(r"^  recorded  \.\.\..*No API key at all", said, re.MULTILINE)
    assert re.search(r"^  replayed  \.\.\..*No API key configured", said, re.MULTILINE)
    assert said.splitlines()[-1].startswith(f"{good}: equal, ")
    _changed(bad, 3, '"commands":.*', '"commands":[]}\\n')
    assert '  recorded  nothing\n  replayed  {"type":"Log"' in replayed(bad)[1]


def test_another_version(tmp_path: Path) -> None:
    """A journal of another version is replayed, with a warning."""
    path = written(tmp_path)
    _changed(path, 1, '"livegate":"[^"]*"', '"livegate":"9.9"')
    status, said = replayed("--quiet", path)
    assert status == 0
    assert said.startswith(f"warning: {path} was recorded by livegate 9.9, and this is ")


def test_the_screen(tmp_path: Path) -> None:
    """Colours are for terminals, long payloads are cut, and nothing can harm the screen."""
    session = recorded(tmp_path)
    session.handle(inputs.ClientOpened(1), 1.25)
    for payload in (b'{"type":"text","text":"%b"}' % (b"x" * 100), b"\x1b[2J", b"word " * 200):
        session.handle(inputs.ClientFrame(1, payload, is_text=True), 1.5)
    session.handle(inputs.UpstreamOpened(1), 1.5)
    session.handle(inputs.UpstreamGone(1, 1011, "bell\x07 and \u202e"), 1.75)
    session.handle(inputs.ClientGone(1), 2.0)
    _, said = replayed(only(tmp_path))
    assert "     0.250  client opens\n            -- unlinked (client_opened)\n" in said
    assert f'client> {{"type":"text","text":"{"x" * 24}...(100)"}}\n' in said
    assert "client> text 1b5b324a\n" in said
    assert "... 1008 characters\n" in said
    assert "-- error bad_json\n" in said
    assert "gemini closes 1011 bell\\x07 and \\u202e\n" in said
    assert all(one.isprintable() or one == "\n" for one in said)
    assert "\x1b[" in replayed(only(tmp_path), color=True)[1]
