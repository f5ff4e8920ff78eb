"""`livegate.testing` and `livegate fuzz` against servers that run."""

import asyncio
import contextlib
import json
import re
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Final

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

import docs
import running
import terminal
from livegate.emulator import Emulator, Options
from livegate.protocol import Limits, transcript
from livegate.shell.settings import settings
from livegate.testing import LiveSystem, campaign, fuzz_one_input, parse, play
from terminal import LIVEGATE

pytestmark = pytest.mark.long

RUNTIMES: Final = running.RUNTIMES
NOWHERE: Final = "ws://127.0.0.1:9/"
PONG_8: Final = 'client< {"type":"pong","data":8}'
HELLO: Final = """
client opens
client< {"type":"system"}
client> {"type":"ping","data":7}
client< {"type":"pong","data":7}
"""


@pytest.fixture(scope="module", params=RUNTIMES)
def address(request: pytest.FixtureRequest) -> Generator[str, None, None]:
    """A gateway of each runtime, with a Gemini that holds nothing back."""
    with (
        Emulator(options=Options(pace=0)) as gemini,
        running.gateway(request.param, settings("any", gemini.url)) as gateway,
    ):
        yield gateway.url


@pytest.fixture(scope="module")
def site() -> Generator[str, None, None]:
    """One gateway, where the runtime does not matter."""
    with (
        Emulator(options=Options(pace=0)) as gemini,
        running.gateway("asyncio", settings("any", gemini.url)) as gateway,
    ):
        yield gateway.url


Fault = Callable[[dict[str, Any]], list[dict[str, Any]] | None]
"""What becomes of one frame to the client; None ends the connection."""


def doubled(type_: str) -> Fault:
    """Return the fault of sending some frames twice."""
    return lambda frame: [frame] * (1 + (frame["type"] == type_))


def lost(type_: str) -> Fault:
    """Return the fault of not sending some frames."""
    return lambda frame: [] if frame["type"] == type_ else [frame]


def changed(type_: str, **fields: object) -> Fault:
    """Return the fault of sending something else in some frames."""
    return lambda frame: [{**frame, **fields} if frame["type"] == type_ else frame]


def ended(type_: str) -> Fault:
    """Return the fault of ending the connection in place of some frames."""
    return lambda frame: None if frame["type"] == type_ else [frame]


FAULTS: Final[dict[str, tuple[Fault, str]]] = {
    "pongs are doubled": (doubled("pong"), "a pong "),
    "pongs are lost": (lost("pong"), "pings without an answer|a pong of another ping"),
    "configs are answered twice": (doubled("config_success"), "config"),
    "configs are not answered": (lost("config_success"), "config"),
    "errors are doubled": (doubled("error"), "an error .* for nothing|config"),
    "an error that nobody knows": (changed("error", code="whatever"), "not a valid ErrorCode"),
    "errors end the connection": (ended("error"), "the connection broke: 1006"),
    "interruptions are not told": (lost("interrupted"), "interruptions without an answer"),
    "turns are not counted": (changed("turn_complete", turn=7), "turn 7, not "),
    "frames that nobody asked for": (
        lambda frame: [frame, {"type": "usage", "data": {}}],
        "nobody asked for usage",
    ),
    "frames without a type": (
        lambda frame: [{"no": "type"}] if frame["type"] == "pong" else [frame],
        "a frame without a type",
    ),
}
"""What is wrong, and what may be said of it: which depends on what else the client waits for."""
PATIENCE_S: Final = 3 * Limits().handle_s
"""For so long a config may wait for a handle, and other things on a busy machine."""


@contextlib.contextmanager
def faulty(url: str, fault: Fault, *, dies: bool = False) -> Generator[str, None, None]:
    """Yield the address of a server that passes everything on, but for one fault.

    Where that ends a connection, the server may die of it.
    """
    found: list[tuple[str, Callable[[], object]]] = []
    is_up = threading.Event()

    async def relay(client: ServerConnection) -> None:
        async with connect(url, max_size=None, proxy=None) as gateway:

            async def up() -> None:
                async for message in client:
                    await gateway.send(message)
                await gateway.close()

            async with asyncio.TaskGroup() as group:
                group.create_task(up())
                async for message in gateway:
                    if isinstance(message, bytes):
                        await client.send(message)  # sound, which no fault is in
                        continue
                    frames = fault(json.loads(message))
                    if frames is None:
                        client.transport.abort()
                    if frames is None and dies:
                        found[0][1]()
                    for frame in frames or []:
                        await client.send(json.dumps(frame))
                await client.close()

    async def run() -> None:
        asked = asyncio.Event()
        async with serve(relay, "127.0.0.1", 0, max_size=None) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            loop = asyncio.get_running_loop()
            found.append((f"ws://127.0.0.1:{port}/", lambda: loop.call_soon_threadsafe(asked.set)))
            is_up.set()
            await asked.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    assert is_up.wait(10.0), "the server did not start"
    try:
        yield found[0][0]
    finally:
        with contextlib.suppress(RuntimeError):  # it has died
            found[0][1]()
        thread.join(10.0)


@pytest.mark.parametrize("name", FAULTS)
def test_campaign_finds(name: str, site: str) -> None:
    """What a server does wrong is found, though it is only known by its address."""
    fault, words = FAULTS[name]
    with faulty(site, fault) as url:
        found = campaign(lambda: LiveSystem(url), 60.0, patience_s=PATIENCE_S, shrinks=False)
    assert found is not None
    assert re.search(words, found.words)
    assert parse("finding", found.transcript).steps[0].action == transcript.ClientOpens()


def test_campaign_survives_its_server(site: str) -> None:
    """What killed a server is told, and not only that it cannot be reached any more."""
    with faulty(site, ended("error"), dies=True) as url:
        found = campaign(lambda: LiveSystem(url), 60.0)
    assert found is not None
    assert found.words == "the connection broke: 1006"
    assert parse("finding", found.transcript).steps[-1].action == transcript.ClientClosed(1006)


def test_campaign_finds_nothing(address: str) -> None:
    """A gateway that does nothing wrong passes."""
    done: list[int] = []
    found = campaign(lambda: LiveSystem(address), 1.0, lambda tally: done.append(tally.sessions))
    assert found is None
    assert done


def test_play(address: str) -> None:
    """A transcript's client is played on a server that runs, and what is missing is told."""
    for told, error in ((HELLO, ""), (f'{HELLO}client< {{"type":"pong"}}', "line 6: client<")):
        system = LiveSystem(address)
        with contextlib.closing(system):
            if error:
                with pytest.raises(AssertionError, match=error):
                    play(parse("hello", told), system)
            else:
                system.feed(transcript.ClientOpens())
                system.advance(5.0)
                assert len(system.output()) == 1  # that it is connected
                system.feed(transcript.ClientSends(b'{"type":"ping","data":7}', is_text=True))
                system.advance(5.0)
                assert system.output() == [transcript.ClientGets({"type": "pong", "data": 7})]


def test_live_system_is_a_client() -> None:
    """Gemini's side of a server that runs cannot be played, nor can a client that is not there."""
    system = LiveSystem("ws://127.0.0.1:9/")
    with pytest.raises(ValueError, match="a client cannot do this: gemini opens"):
        system.feed(transcript.GeminiOpens())
    with pytest.raises(ValueError, match="has not connected"):
        system.feed(transcript.ClientSends(b"{}", is_text=True))
    system.close()


def test_leaving(address: str) -> None:
    """A client leaves with the code that it was to leave with, and sees no more."""
    system = LiveSystem(address)
    system.feed(transcript.ClientOpens())
    system.feed(transcript.ClientLeaves(1001))
    assert system.output() == []
    system.close()


@pytest.mark.parametrize("name", ["fuzz_server.py", "fuzz_client.py"])
def test_examples(name: str) -> None:
    """The examples find nothing in livegate's own."""
    done = terminal.run(sys.executable, str(docs.ROOT / "examples" / name))
    assert done.stdout == "nothing found\n", done.stdout


def test_bytes_decide() -> None:
    """A fuzzer's bytes lead the machine through a session, the same bytes through the same."""
    fuzz = fuzz_one_input()
    drawn = bytes(range(256)) * 40
    first = fuzz(drawn)
    assert first is not None
    assert fuzz(first) == first


# The command line


def test_command(site: str, tmp_path: Path) -> None:
    """`livegate fuzz` tells what it does, and that nothing was found."""
    done = terminal.run(*LIVEGATE, "fuzz", site, "--minutes", "0.02")
    assert done.returncode == 0, done.stdout
    assert "nothing found" in done.stdout
    assert "frames sent" in done.stdout
    file = tmp_path / "hello.txt"
    file.write_text(HELLO)
    played = terminal.run(*LIVEGATE, "fuzz", site, "--play", str(file))
    assert "does what the transcript says" in played.stdout


def test_command_finds(site: str, tmp_path: Path) -> None:
    """`livegate fuzz` prints a finding as a transcript, keeps it, and plays what it is given."""
    file = tmp_path / "found.txt"
    with faulty(site, doubled("pong")) as url:
        asked = ("--minutes", "0.2", "--no-shrink", "--save", str(file))
        done = terminal.run(*LIVEGATE, "fuzz", url, *asked)
        assert done.returncode == 1
        assert "found: " in done.stdout
        assert "client opens\n" in done.stdout
        assert parse("found", file.read_text()).title in done.stdout
        file.write_text(f'{HELLO}client> {{"type":"ping","data":8}}\n{PONG_8}')
        played = terminal.run(*LIVEGATE, "fuzz", url, "--play", str(file))
        assert played.returncode == 1
        assert f"line 7: {PONG_8}" in played.stdout
        assert 'got client< {"type": "pong", "data": 7}' in played.stdout


@pytest.mark.parametrize(
    ("path", "words"), [("elsewhere", "rejected WebSocket connection"), ("nowhere", "refused")]
)
def test_command_without_a_server(path: str, words: str, site: str) -> None:
    """Where there is no server, or none of WebSockets, `livegate fuzz` says so in a line."""
    url = site.replace("/api/gemini/ws", "/elsewhere") if path == "elsewhere" else NOWHERE
    done = terminal.run(*LIVEGATE, "fuzz", url, "--minutes", "0.1")
    assert done.returncode == 1
    assert words in done.stdout
    assert "found" not in done.stdout
    assert "Traceback" not in done.stdout


def test_command_without_an_address() -> None:
    """What is no address is told so in a line."""
    done = terminal.run(*LIVEGATE, "fuzz", "localhost:8000", "--minutes", "0.1")
    assert done.returncode == 1
    assert "localhost:8000 isn't a valid URI" in done.stdout
    assert "Traceback" not in done.stdout
