"""The emulator on real sockets: for plain programs, on trio and on asyncio."""

import asyncio
import contextlib
import json
import socket
import ssl
import sys
import time
from typing import Any, Final

import pytest
import trio
import websockets
from trio_websocket import open_websocket_url
from websockets.sync.client import ClientConnection, connect

from livegate.emulator import Emulator, Options, tone_of
from livegate.protocol.emulator import Service
from livegate.shell.sockets import listen

PATH: Final = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
EPHEMERAL: Final = f"{PATH.replace('v1beta', 'v1alpha')}Constrained"
MODEL: Final = "gemini-3.8-live"
SETUP: Final[dict[str, dict[str, object]]] = {
    "setup": {"model": f"models/{MODEL}", "outputAudioTranscription": {}}
}
AT_ONCE: Final = Options(pace=0.0)


def dial(gemini: Emulator, path: str = f"{PATH}?key=abc", **headers: str) -> ClientConnection:
    """Open a link, as a plain program does; not by TLS: see `talk_to`."""
    return connect(gemini.url + path, proxy=None, additional_headers=headers, max_size=None)


def talk_to(gemini: Emulator, **options: Any) -> websockets.connect:
    """Open a link on asyncio.

    With TLS this is the only way: a blocking client reads and writes on two threads, which may
    hang or crash Python's ssl (python/cpython#151508).
    """
    trusted = None
    if gemini.ca_file is not None:
        trusted = ssl.create_default_context(cafile=str(gemini.ca_file))
    return websockets.connect(
        f"{gemini.url}{PATH}?key=abc", ssl=trusted, proxy=None, max_size=None, **options
    )


def asked(text: str) -> str:
    """Return a turn of text."""
    turns = [{"role": "user", "parts": [{"text": text}]}]
    return json.dumps({"clientContent": {"turns": turns, "turnComplete": True}})


def converse(link: ClientConnection, text: str) -> str:
    """Set up, ask, and return the transcription of the answer."""
    link.send(json.dumps(SETUP))
    assert json.loads(link.recv()) == {"setupComplete": {}}
    link.send(asked(text))
    said = ""
    while "turnComplete" not in (content := json.loads(link.recv())["serverContent"]):
        said += content.get("outputTranscription", {}).get("text", "")
    return said


def nobody_is_there(service: Service) -> bool:
    """Whether all links have ended."""
    return service.links_open == 0


def end_of(link: ClientConnection) -> websockets.ConnectionClosed:
    """Read to the end of a link, and return how it ended."""
    while True:
        try:
            link.recv()
        except websockets.ConnectionClosed as closed:
            return closed


# Sockets


def test_plain_program() -> None:
    """A plain program talks to the emulator, and looks at its record."""
    with Emulator(options=AT_ONCE) as gemini:
        assert gemini.url.startswith("ws://localhost:")
        assert gemini.ca_file is None
        with dial(gemini) as link:
            assert converse(link, "Hello") == "You said: Hello"
            assert gemini.service.links_open == 1
        gemini.wait_until(nobody_is_there)
        assert gemini.service.received[0].setup == SETUP["setup"]


def test_frames_are_binary() -> None:
    """The service answers in binary frames, to text frames and to binary ones."""
    with Emulator() as gemini, dial(gemini) as link:
        link.send(json.dumps(SETUP).encode())
        assert isinstance(link.recv(), bytes)


@pytest.mark.trio
async def test_trio() -> None:
    """A program on trio talks to the emulator."""
    with Emulator(options=AT_ONCE) as gemini:
        async with open_websocket_url(gemini.url + f"{PATH}?key=abc") as link:
            await link.send_message(json.dumps(SETUP))
            assert json.loads(await link.get_message()) == {"setupComplete": {}}
        await trio.to_thread.run_sync(gemini.wait_until, nobody_is_there)


@pytest.mark.parametrize("tls", [False, True])
def test_asyncio(*, tls: bool) -> None:
    """A program on asyncio talks to the emulator, with and without TLS."""

    async def talk(gemini: Emulator) -> None:
        async with talk_to(gemini) as link:
            await link.send(json.dumps(SETUP))
            assert json.loads(await link.recv()) == {"setupComplete": {}}

    with Emulator(tls=tls) as gemini:
        assert gemini.url.startswith("wss://localhost:" if tls else "ws://localhost:")
        assert (gemini.ca_file is not None) is tls
        asyncio.run(talk(gemini))
    assert gemini.ca_file is None or not gemini.ca_file.exists()


@pytest.mark.parametrize("path", ["/", "/ws", f"{PATH}/x?key=abc", PATH.replace("v1beta", "v9")])
def test_other_paths(path: str) -> None:
    """All paths but the Live API's are 404."""
    with (
        Emulator() as gemini,
        pytest.raises(websockets.InvalidStatus, match="404"),
        dial(gemini, path),
    ):
        pass
    assert gemini.service.links_total == 0


@pytest.mark.parametrize(
    ("path", "headers", "is_good"),
    [
        (PATH, {"x-goog-api-key": "good"}, True),
        (f"{PATH}?key=good", {}, True),
        (f"/{PATH}?alt=ws&key=good", {}, True),
        (f"/proxy/{PATH}", {"x-goog-api-key": "good"}, True),
        (f"{EPHEMERAL}?access_token=good", {}, True),
        (EPHEMERAL, {"Authorization": "Token good"}, True),
        (EPHEMERAL, {"Authorization": "Basic good"}, False),
        (f"{PATH}?key=bad", {}, False),
        (f"{PATH}?key=good", {"x-goog-api-key": "bad"}, False),
        (PATH, {}, False),
    ],
)
def test_key(path: str, headers: dict[str, str], *, is_good: bool) -> None:
    """The key comes in the header or in the query; a bad one is refused after the handshake."""
    with Emulator(options=Options(keys=frozenset({"good"}))) as gemini:
        with dial(gemini, path, **headers) as link:
            link.send(json.dumps(SETUP))
            if is_good:
                assert json.loads(link.recv()) == {"setupComplete": {}}
                return
            end = end_of(link).rcvd
        assert end is not None
        assert end.code in (1007, 1008)
        assert "API" in end.reason


@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        ("/close 1008 Requested entity was not found", 1008, "Requested entity was not found"),
        ("/close 1000 The operation was cancelled.", 1000, "The operation was cancelled."),
        ("/goaway", 1011, "Deadline expired before operation could complete."),
        ("/drop", None, ""),
    ],
)
def test_ends(text: str, code: int | None, reason: str) -> None:
    """A client sees the code and the reason of a close, and nothing of an abort."""
    with Emulator(options=AT_ONCE) as gemini, dial(gemini) as link:
        link.send(json.dumps(SETUP))
        link.send(asked(text))
        found = end_of(link).rcvd
    assert (found.code if found else None, found.reason if found else "") == (code, reason)
    assert gemini.service.links_open == 0


def test_big_message() -> None:
    """Messages of megabytes pass, in both directions."""
    with Emulator(options=AT_ONCE) as gemini, dial(gemini) as link:
        assert converse(link, "x" * 900_000) == "You said: " + "x" * 900_000
        link.send(asked("/big"))
        assert max(len(link.recv()) for _ in range(3)) > 2_000_000


def test_client_that_does_not_read() -> None:
    """A client that reads nothing is still heard, however much waits for it."""

    async def talk(gemini: Emulator) -> None:
        async with talk_to(gemini, max_queue=1, close_timeout=0) as link:
            await link.send(json.dumps(SETUP))
            for _ in range(8):
                await link.send(asked("/big"))
            gemini.wait_until(
                lambda service: [len(one.messages) for one in service.received] == [8]
            )

    with Emulator(options=AT_ONCE) as gemini:
        asyncio.run(talk(gemini))


def test_turn_complete_on_time() -> None:
    """At pace 1 turnComplete comes when the sound has been played, not when it has been sent."""
    with Emulator(options=Options(recordings=())) as gemini, dial(gemini) as link:
        begun = time.monotonic()
        converse(link, "Hello")
        seconds = len(tone_of("You said: Hello")) / 48_000
        assert seconds <= time.monotonic() - begun < seconds + 10.0


def test_wait_until() -> None:
    """wait_until returns at once for what holds, and gives up on what never does."""
    with Emulator() as gemini:
        gemini.wait_until(lambda service: service.links_total == 0, timeout_s=0.0)
        with pytest.raises(
            TimeoutError, match=r"waited 0\.05 s in vain: 0 links are open, 0 came"
        ):
            gemini.wait_until(lambda service: service.links_total, timeout_s=0.05)


def test_port_in_use() -> None:
    """A port that somebody else has is an OSError that names it, with TLS too."""
    with Emulator() as first:
        port = int(first.url.rpartition(":")[2])
        for tls in (False, True):
            with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1 port {port}"):
                Emulator(port=port, tls=tls).__enter__()
    with Emulator(port=port) as again:
        assert again.url == first.url


def test_start_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong on the emulator's thread is raised where it was started."""

    def not_a_stream(_host: str, _port: int) -> list[socket.socket]:
        return [socket.socket(type=socket.SOCK_DGRAM)]

    monkeypatch.setattr("livegate.emulator.server.listen", not_a_stream)
    with pytest.raises(ValueError, match="Stream Socket"):
        Emulator().__enter__()


def test_missing_trustme(monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS without trustme says which extra to install."""
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(ImportError, match=r"pip install 'livegate\[testing\]'"):
        Emulator(tls=True).__enter__()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_host(host: str) -> None:
    """The emulator listens on one address, if told to."""
    gemini = Emulator(host=host)
    try:
        listen(host, 0)[0].close()
    except OSError:
        pytest.skip(f"this machine has no {host}")
    with gemini, dial(gemini) as link:
        assert host in gemini.url
        assert converse(link, "/empty") == ""


@pytest.mark.parametrize("tls", [False, True])
def test_ends_quickly(*, tls: bool) -> None:
    """The emulator ends at once with links open, busy and silent before their handshake."""
    gemini = Emulator(tls=tls)

    async def talk() -> None:
        async with contextlib.AsyncExitStack() as links:
            with gemini:
                port = int(gemini.url.rpartition(":")[2])
                links.enter_context(socket.create_connection(("127.0.0.1", port)))
                idle = await links.enter_async_context(talk_to(gemini, max_queue=None))
                busy = await links.enter_async_context(talk_to(gemini, max_queue=None))
                await busy.send(json.dumps(SETUP))
                await busy.send(asked("/long"))
                gemini.wait_until(lambda service: service.links_open == 2)
                begun = time.monotonic()
            assert time.monotonic() - begun < 8.0  # a handshake is waited for 10 s
            assert gemini.service.links_open == 0
            for link in (idle, busy):
                await link.wait_closed()
                assert link.close_code == 1006

    asyncio.run(talk())
