"""Who may come in, in whatever way: what a client hears, and that Gemini hears nothing of it."""

import contextlib
import json
import logging
import socket
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Generator,
    MutableMapping,
    Sequence,
)
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
import pytest
import websockets
from websockets import Subprotocol
from websockets.sync.client import ClientConnection, connect

import livegate.asyncio
import livegate.trio
import running
import terminal
from livegate.emulator import Emulator
from livegate.protocol import SessionOptions, inputs, journal
from livegate.protocol.admission import Rules
from livegate.protocol.hello import Hello
from livegate.protocol.journal import Entry, Header
from livegate.protocol.origins import Allowed
from livegate.protocol.replay import Replay
from livegate.protocol.tokens import Allowance, Token, digest
from livegate.shell.asgi import PATH, App
from livegate.shell.journals import Journals
from livegate.shell.settings import settings
from livegate.shell.sockets import Closed, Message
from livegate.shell.target import FAREWELL_S, target
from running import Until
from shell_player import MemoryClient, MemoryUpstream, Runtime
from virtual import ON

RECEIVE_S: Final = 20.0
SECRET: Final = "lg_a-token_of-alice"  # noqa: S105 - nobody's
ALICE: Final = Token("alice", digest(SECRET))
FACES: Final = MappingProxyType({"asyncio": livegate.asyncio, "trio": livegate.trio})
NOWHERE: Final = target("ws://192.0.2.1", "canary")


@pytest.fixture(params=running.WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """Each way into a gateway, on each runtime."""
    return str(request.param)


@pytest.fixture(params=running.RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> str:
    """Each runtime."""
    return str(request.param)


@contextlib.contextmanager
def connected(  # noqa: PLR0913 - one for each thing that a client may say
    way: str,
    rules: Rules | None = None,
    *,
    origin: str | None = None,
    authorization: str | None = None,
    subprotocols: Sequence[str] = (),
    host: str | None = None,
) -> Generator[tuple[ClientConnection, Emulator], None, None]:
    """A client of a gateway, and the Gemini behind it."""
    with (
        Emulator() as gemini,
        running.gateway(way, settings("any", gemini.url, rules=rules)) as gateway,
        connect(
            f"ws://{host}{PATH}" if host else gateway.url,
            sock=socket.create_connection(("127.0.0.1", urlsplit(gateway.url).port or 0)),
            additional_headers={"Authorization": authorization} if authorization else None,
            origin=websockets.Origin(origin) if origin is not None else None,
            subprotocols=[Subprotocol(one) for one in subprotocols] or None,
            close_timeout=1,
        ) as client,
    ):
        yield client, gemini


def refused(client: ClientConnection, gemini: Emulator) -> dict[str, Any]:
    """Expect an error, a close with 1008, and that Gemini was not dialled; return the error."""
    error: dict[str, Any] = json.loads(client.recv(RECEIVE_S))
    assert error["type"] == "error"
    assert error["fatal"]
    with pytest.raises(websockets.ConnectionClosed) as ended:
        client.recv(RECEIVE_S)
    assert ended.value.rcvd is not None
    assert ended.value.rcvd.code == 1008
    assert ended.value.rcvd.reason == "the client may not connect"
    assert gemini.service.received == []
    return error


@pytest.mark.parametrize("origin", ["http://evil.com", "null", "http://localhost.evil.com"])
def test_foreign_page(way: str, origin: str, caplog: pytest.LogCaptureFixture) -> None:
    """A page from elsewhere is told what would let it in, and so is the operator, by the log."""
    caplog.set_level(logging.INFO, "livegate")
    with connected(way, origin=origin) as (client, gemini):
        error = refused(client, gemini)
    assert error["code"] == "origin_refused"
    assert f"start livegate with --allow-origin {origin}" in error["data"]
    (line,) = (one for one in caplog.records if "client." in one.getMessage())
    assert line.levelno == logging.INFO
    told = "client.refused peer='127.0.0.1' code='origin_refused' why="
    assert line.getMessage().startswith(told)


def test_rebound(way: str) -> None:
    """A page whose own name was made to mean this machine is refused."""
    with connected(way, host="evil.com", origin="http://evil.com") as (client, gemini):
        error = refused(client, gemini)
    assert error["code"] == "origin_refused"
    assert "evil.com" in error["data"]


@pytest.mark.parametrize("origin", ["http://localhost:5173", "http://127.0.0.1:80", None])
def test_page_of_this_machine(way: str, origin: str | None) -> None:
    """A page that is served on this machine may connect, whatever its port; so may programs."""
    with connected(way, origin=origin) as (client, _):
        assert "Connected" in str(client.recv(RECEIVE_S))


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://app.example", Allowed(origins=("https://app.example",))),
        ("null", Allowed(null=True)),
    ],
)
def test_listed_page(way: str, origin: str, allowed: Allowed) -> None:
    """A page that the operator allows may connect."""
    with connected(way, Rules(allowed=allowed), origin=origin) as (client, _):
        assert "Connected" in str(client.recv(RECEIVE_S))


def test_no_token(way: str) -> None:
    """Without a token nobody gets in where one is asked for."""
    with connected(way, Rules(tokens=(ALICE,))) as (client, gemini):
        assert refused(client, gemini)["code"] == "unauthorized"


def test_wrong_token(way: str) -> None:
    """A token that is none is refused, told nothing, and found in no log."""
    with connected(way, Rules(tokens=(ALICE,)), authorization=f"Bearer {SECRET}x") as found:
        error = refused(*found)
    assert error["data"] == "this gateway knows no such client token"


def test_wrong_token_of_a_page(way: str) -> None:
    """A page's wrong subprotocol is selected all the same, so that its user hears what is wrong."""
    offered = "livegate.token.wrong"
    with connected(way, Rules(tokens=(ALICE,)), subprotocols=[offered]) as (client, gemini):
        assert client.subprotocol == offered
        assert refused(client, gemini)["code"] == "unauthorized"


def test_token_in_a_header(way: str, caplog: pytest.LogCaptureFixture) -> None:
    """A program presents its token in a header; the log has its name, and not the token."""
    caplog.set_level(logging.DEBUG, "livegate")
    with connected(way, Rules(tokens=(ALICE,)), authorization=f"bearer {SECRET}") as (client, _):
        assert "Connected" in str(client.recv(RECEIVE_S))
        assert client.subprotocol is None
    assert "client='alice'" in caplog.text
    assert SECRET not in caplog.text


def test_token_in_a_subprotocol(way: str, caplog: pytest.LogCaptureFixture) -> None:
    """A page presents its token as a subprotocol, and is answered with it."""
    caplog.set_level(logging.DEBUG, "livegate")
    offered = ["chat", f"livegate.token.{SECRET}"]
    with connected(way, Rules(tokens=(ALICE,)), subprotocols=offered) as (client, _):
        assert "Connected" in str(client.recv(RECEIVE_S))
        assert client.subprotocol == offered[1]
    assert "client='alice'" in caplog.text
    assert SECRET not in caplog.text


def test_rate(way: str) -> None:
    """Who sends more than the gateway takes is dismissed, with when to come again."""
    rules = Rules(overall=Allowance(messages_per_minute=3))
    with connected(way, rules) as (client, _):
        for _ in range(4):
            client.send('{"type":"ping"}')
        error: dict[str, Any] = {}
        while error.get("type") != "error":
            error = json.loads(client.recv(RECEIVE_S))
        assert terminal.closed(client) == 1013
    assert error["code"] == "overloaded"
    assert 0 < error["retry_after_ms"] <= 20_000


# A gateway that is about to end


def test_draining_by_http(runtime: str) -> None:
    """A server that can answers who comes too late by HTTP 503, and says when to come again."""
    face = FACES[runtime]

    async def serve(sockets: Sequence[socket.socket], until: Until) -> None:
        apps: list[App] = []

        def wrapped(app: App) -> App:
            apps.append(app)
            return app

        async def until_drained() -> None:
            await apps[0].drain()
            await until()

        await face.serve(settings("any"), sockets, until_drained, wrap=wrapped)

    with running.server(runtime, serve) as gateway:
        with pytest.raises(websockets.InvalidStatus) as refusal:
            connect(gateway.url)
        assert refusal.value.response.status_code == 503
        assert refusal.value.response.headers["Retry-After"] == "5"


def test_draining_without_http(runtime: str) -> None:
    """Where a server cannot, who comes too late is let in, told so, and closed with 1012."""
    sent: list[MutableMapping[str, Any]] = []
    events: list[MutableMapping[str, Any]] = [
        {"type": "websocket.connect"},
        {"type": "websocket.disconnect", "code": 1012},
    ]

    async def receive() -> MutableMapping[str, Any]:
        return events.pop(0)

    async def send(event: MutableMapping[str, Any]) -> None:
        sent.append(event)

    async def play(_: Runtime) -> None:
        app = FACES[runtime].app(settings("any"))
        await app.drain()
        await app({"type": "websocket", "path": PATH, "headers": []}, receive, send)

    ON[runtime](play)
    assert [event["type"] for event in sent] == [
        "websocket.accept",
        "websocket.send",
        "websocket.close",
    ]
    assert sent[-1]["code"] == 1012


# On virtual time


class Place:
    """A gateway in memory, whose Gemini accepts whoever comes.

    Args:
        runtime: Its name.
        lent: What it lends.
        rules: Who may come.
        folder: Where sessions are recorded, if they are.
    """

    def __init__(
        self, runtime: str, lent: Runtime, rules: Rules, folder: Path | None = None
    ) -> None:
        self.dials = 0
        self._lent = lent
        self.gateway = FACES[runtime].Gateway(
            NOWHERE,
            SessionOptions(),
            rules=rules,
            dial=self._dial,
            journals=Journals(folder=folder, key=NOWHERE.key) if folder else None,
        )

    async def arrive(self, hello: Hello | None = None) -> MemoryClient:
        """Return a client that has just come."""
        client = MemoryClient(self._lent.new_bell())
        client.hello = hello or client.hello
        self._lent.start(lambda: self.gateway.serve(client))
        await self._lent.until_idle()
        return client

    async def leave(self, client: MemoryClient) -> None:
        """Let a client go."""
        client.put(Closed(1000))
        await self._lent.until_idle()

    @contextlib.asynccontextmanager
    async def _dial(self) -> AsyncGenerator[MemoryUpstream, None]:
        self.dials += 1
        upstream = MemoryUpstream(self._lent.new_bell())
        upstream.put(b'{"setupComplete":{}}')
        yield upstream


def play(
    runtime: str,
    rules: Rules,
    act: Callable[[Place, Runtime], Awaitable[None]],
    folder: Path | None = None,
) -> None:
    """Act on a gateway in memory."""

    async def acted(lent: Runtime) -> None:
        await act(Place(runtime, lent, rules, folder), lent)

    ON[runtime](acted)


def heard(client: MemoryClient) -> list[str]:
    """Return the types of frames that a client got, or the codes of errors."""
    frames = [json.loads(one.payload) for one in client.got]
    return [frame.get("code", frame["type"]) for frame in frames]


def test_sessions_at_once(runtime: str) -> None:
    """So many sessions may there be, in all and of a token, and the next when one has ended."""
    bob = Hello(authorization="Bearer bob's")
    alice = Hello(authorization=f"Bearer {SECRET}")
    limited = attrs.evolve(ALICE, allowance=Allowance(sessions=1))
    rules = Rules(tokens=(limited, Token("bob", digest("bob's"))), overall=Allowance(sessions=2))

    async def act(place: Place, _: Runtime) -> None:
        first = await place.arrive(alice)
        second = await place.arrive(alice)
        assert (heard(second), second.closed) == (["rate_limited"], [1013])
        third = await place.arrive(bob)
        fourth = await place.arrive(bob)
        assert (heard(fourth), fourth.closed) == (["overloaded"], [1013])
        assert json.loads(fourth.got[0].payload)["retry_after_ms"] == 5000
        await place.leave(first)
        fifth = await place.arrive(alice)
        for client in (third, fifth):
            assert (heard(client), client.closed) == ([], [])
            await place.leave(client)

    play(runtime, rules, act)


def test_age(runtime: str) -> None:
    """A session ends at its age, even if nobody says anything, and frees its place."""

    async def act(place: Place, lent: Runtime) -> None:
        client = await place.arrive()
        await lent.sleep(59.0)
        await lent.until_idle()
        assert (heard(client), client.closed) == (["system"], [])
        await lent.sleep(1.0)
        await lent.until_idle()
        assert (heard(client), client.closed) == (["system", "session_age"], [4103])
        await place.leave(client)
        other = await place.arrive()
        assert (heard(other), other.closed) == ([], [])
        await place.leave(other)

    play(runtime, Rules(overall=Allowance(sessions=1, session_age_s=60)), act)


def test_rate_refills(runtime: str) -> None:
    """Who waits as long as was said goes on."""
    ping = Message(b'{"type":"ping"}', is_text=True)

    async def act(place: Place, lent: Runtime) -> None:
        client = await place.arrive()
        for _ in range(61):
            client.put(ping)
        await lent.until_idle()
        assert heard(client)[-1] == "overloaded"
        retry_s = json.loads(client.got[-1].payload)["retry_after_ms"] / 1000
        assert retry_s == 1.0
        await place.leave(client)
        await lent.sleep(retry_s + 1.0)
        other = await place.arrive()
        other.put(ping)
        await lent.until_idle()
        assert (heard(other), other.closed) == (["pong"], [])
        await place.leave(other)

    play(runtime, Rules(overall=Allowance(messages_per_minute=60)), act)


def test_no_trace(runtime: str, tmp_path: Path) -> None:
    """Who is refused has no session: nothing is dialled and nothing recorded."""

    async def act(place: Place, lent: Runtime) -> None:
        client = await place.arrive(Hello(local="192.0.2.1", origin="https://evil.com"))
        client.put(Message(b'{"type":"text","text":"hi"}', is_text=True))
        await lent.sleep(60.0)
        assert (heard(client), client.closed) == (["origin_refused"], [1008])
        assert place.dials == 0
        await place.gateway.drain()

    play(runtime, Rules(), act, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_journal(runtime: str, tmp_path: Path) -> None:
    """A dismissal is recorded like any input, so the session replays without its admission."""

    async def act(place: Place, lent: Runtime) -> None:
        client = await place.arrive(Hello(peer="192.0.2.7"))
        await lent.sleep(60.0)
        await lent.until_idle()
        assert client.closed == [4103]
        await place.leave(client)

    play(runtime, Rules(overall=Allowance(session_age_s=60)), act, tmp_path)
    (file,) = tmp_path.iterdir()
    header, *entries = map(journal.decode, file.read_bytes().splitlines(keepends=True))
    assert isinstance(header, Header)
    replay = Replay(header)
    for entry in entries:
        assert isinstance(entry, Entry)
        assert replay.step(entry).difference is None
    assert any(
        isinstance(one, Entry) and isinstance(one.event, inputs.ClientDismissed) for one in entries
    )


class Stuck(MemoryClient):
    """A client that takes nothing in."""

    async def send(self, payload: bytes, *, is_text: bool) -> None:
        """Wait for ever."""
        assert payload, is_text
        await self._bell.heard()


def test_refused_without_reading(runtime: str) -> None:
    """A client that does not take its refusal in is not waited for longer than any other."""

    async def act(place: Place, lent: Runtime) -> None:
        ended: list[None] = []

        async def serve() -> None:
            await place.gateway.serve(Stuck(lent.new_bell()))
            ended.append(None)

        lent.start(serve)
        await lent.sleep(FAREWELL_S - 0.1)
        assert not ended
        await lent.sleep(0.2)
        assert ended

    play(runtime, Rules(tokens=(ALICE,)), act)
