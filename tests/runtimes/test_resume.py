"""Clients that come back, over real sockets."""

import contextlib
import json
import logging
import random
from collections.abc import Generator
from typing import Final
from urllib.parse import urlsplit

import attrs
import psutil
import pytest
from websockets.exceptions import ConnectionClosed

import running
from attacked import wait_until
from faulty_tcp import Ending, FaultyTcp, Flow, Plan
from flooding import flood
from livegate.emulator import Emulator, Options
from livegate.protocol import Session, commands, inputs
from livegate.protocol.limits import Limits, WireLimits
from livegate.shell.settings import settings
from raw_client import RawClient, frame, opening
from resuming import LOST, RECEIVE_S, Client, heard, said

TEXT: Final = 1
HELD_BY_US: Final = (*running.RUNTIMES, *running.HANDED)
WAYS: Final = (*HELD_BY_US, "asyncio, routed", "trio, routed")
OFFER: Final = "Sec-WebSocket-Protocol: livegate.v1"
SOUND: Final = {"response_modalities": ["AUDIO"], "audio": {"encoding": "binary"}}


@pytest.fixture
def gemini() -> Generator[Emulator, None, None]:
    """An emulator that holds nothing back."""
    with Emulator(options=Options(pace=0)) as emulator:
        yield emulator


@pytest.mark.parametrize("way", WAYS)
def test_comes_back(way: str, gemini: Emulator) -> None:
    """A client that lost its WebSocket goes on where it was."""
    with (
        running.gateway(way, settings("canary", gemini.url)) as gateway,
        Client(gateway.url) as client,
    ):
        client.config()
        client.converse("my name is Ada")
        for number in range(3):
            client.ask(f"question {number}")
            client.until("response")
            client.cut()
            assert client.come_back()["recovered"] is True
            client.until("turn_complete")
            client.until("session")
        assert "Ada" in said(client.frames)


@pytest.mark.parametrize("way", WAYS)
def test_newest_owns(way: str, gemini: Emulator) -> None:
    """The WebSocket before is closed with 4202."""
    with (
        running.gateway(way, settings("canary", gemini.url)) as gateway,
        Client(gateway.url) as client,
    ):
        client.config()
        before = client.socket
        assert client.come_back()["recovered"] is True
        with pytest.raises(ConnectionClosed):
            before.recv(RECEIVE_S)
        assert before.close_code == 4202
        client.converse("Hello")


# Cuts, at random


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.timeout(300)
def test_cuts(way: str, gemini: Emulator) -> None:
    """However often and wherever a client is cut, each frame comes once, in order."""
    draw = random.Random(way)  # noqa: S311 - a test that comes out the same
    cuts = 500 if way in running.RUNTIMES else 50
    with (
        running.gateway(way, settings("canary", gemini.url)) as gateway,
        FaultyTcp(gateway.url) as path,
        Client(gateway.url) as whole,
        Client(path.url) as client,
    ):
        for one in (whole, client):
            one.config(**SOUND)
        path.cut_all()
        number = 0
        while sum(not one.is_open for one in path.seen) <= cuts:
            said_, heard_ = _cut_conversation(client, path, f"this is question {number}", draw)
            before = len(whole.frames)
            assert whole.converse(f"this is question {number}") == said_
            assert heard(whole.frames[before:]) == heard_
            number += 1
        path.plan(then=Plan())
        assert client.come_back()["recovered"] is True
        # What it has sent has come just as often.
        asked = "; ".join(f"this is question {n}" for n in range(number)[-50:])
        assert client.converse("/recall").endswith(asked)


def _cut_conversation(
    client: Client, path: FaultyTcp, text: str, draw: random.Random
) -> tuple[str, bytes]:
    """Have an answer on as many connections as it takes; return what was said and heard."""
    before = len(client.frames)
    is_asked = False
    while True:
        plan = _drawn(draw)
        path.plan(plan)
        with contextlib.suppress(*LOST):
            assert client.come_back()["recovered"] is True
            if plan.up.cut_at is not None:  # it is cut before anything that matters comes through
                while True:
                    client.send(type="ping")
                    client.until("pong")
            if not is_asked and _is_settled(client, path):
                # The cut comes by what goes down, and that is the answer.
                is_asked = True
                client.ask(text)
            while not {"turn_complete", "session"} <= _types(client, before):
                client.take()
            client.cut()
            frames = client.frames[before:]
            return said(frames), heard(frames)


def _is_settled(client: Client, path: FaultyTcp) -> bool:
    """Take the pongs of all pings; return whether what the client says next will be heard."""
    own = len(path.seen)  # no earlier ping's
    client.send(type="ping", data=own)
    while client.until("pong")["data"] != own:
        pass
    path.plan()  # when that is done, so is all that came before
    seen = path.seen[-1]
    return seen.plan.down.cut_at is None or seen.down_passed < seen.plan.down.cut_at


def _types(client: Client, since: int) -> set[object]:
    return {one["type"] for one in client.frames[since:]}


def _drawn(draw: random.Random) -> Plan:
    """Return where a connection is cut: anywhere from its first byte to beyond an answer's end."""
    by = draw.choice([*Ending])
    if draw.random() < 0.2:
        return Plan(up=Flow(cut_at=draw.randrange(1000), cut_by=by))
    return Plan(down=Flow(cut_at=int(10 ** draw.uniform(0, 5)), cut_by=by))


# At once


@pytest.mark.parametrize("way", WAYS)
def test_goes_on_at_once(way: str, gemini: Emulator) -> None:
    """A client that comes back need not wait for the answer to that: what it says next counts."""
    with running.gateway(way, settings("canary", gemini.url)) as gateway:
        with Client(gateway.url) as client:
            client.config()
            client.converse("my name is Ada")
            client.cut()
        data = {"session": client.token, "seq": client.seq}
        frames = ({"type": "resume", "data": data}, {"type": "text", "text": "/recall"})
        with RawClient(gateway.url, opening("/api/gemini/ws", OFFER)) as raw:
            raw.read_response()
            raw.push(b"".join(frame(TEXT, json.dumps(one).encode()) for one in frames))
            raw.read_until(b"turn_complete")
        assert b'"recovered":true' in raw.got
        assert b"Ada" in raw.got


# Who is away


@pytest.mark.parametrize("way", HELD_BY_US)
def test_stalled(
    way: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that reads nothing is cut, and has not lost anything when it comes back."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("livegate.asyncio.client.CLIENT_STALL_S", 1)
    monkeypatch.setattr("livegate.trio.client.CLIENT_STALL_S", 1)
    config = {"type": "config", "data": {"resumable": True, **SOUND}}
    with flood() as gemini:
        asked = attrs.evolve(settings("any", gemini.url), wire=WireLimits(stall_s=1.0))
        with running.gateway(way, asked) as gateway, Client(gateway.url) as client:
            with RawClient(gateway.url, opening("/api/gemini/ws", OFFER)) as stalled:
                stalled.read_response()
                stalled.send(TEXT, json.dumps(config).encode())
                stalled.read_until(b'"session"')
                *_, (_, last) = stalled.frames()
                stalled.send(TEXT, b'{"type":"text","text":"/long"}')
                wait_until(lambda: "client.away" in caplog.text, what="it is cut")
            told = json.loads(last)
            client.token, client.seq = told["token"], told["seq"]
            assert client.come_back()["recovered"] is True
            for _ in range(100):
                client.take()
    assert f"code={4001 if way in running.RUNTIMES else 1006}" in caplog.text


@pytest.mark.parametrize("way", HELD_BY_US)
def test_away(way: str, gemini: Emulator) -> None:
    """Nothing of a lost WebSocket is held while its client is waited for; nor is it told to go."""
    asked = settings("any", gemini.url)
    with running.gateway(way, asked) as gateway, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(gateway.url)) for _ in range(5)]
        for client in clients:
            client.config(**SOUND)
            client.ask("Hello")
            client.until("audio")
            client.cut()
        wait_until(lambda: not _held(gateway.url))
        assert gemini.service.links_open == len(clients)
        for client in clients:
            assert client.come_back()["recovered"] is True
            client.until("turn_complete")


@pytest.mark.parametrize("way", WAYS)
def test_away_for_good(way: str, gemini: Emulator) -> None:
    """Who does not come back in time leaves nothing behind."""
    asked = settings("any", gemini.url)
    short = attrs.evolve(asked.session, limits=Limits(resume_s=0.1))
    with running.gateway(way, attrs.evolve(asked, session=short)) as gateway:

        def come_and_go() -> Client:
            with Client(gateway.url) as client:
                client.config(**SOUND)
                client.ask("Hello")
                client.until("audio")
                client.cut()
            return client

        come_and_go()
        gemini.wait_until(lambda service: service.links_open == 0)
        wait_until(lambda: not _held(gateway.url))
        tasks, descriptors = gateway.count_tasks(), psutil.Process().num_fds()
        clients = [come_and_go() for _ in range(10)]
        gemini.wait_until(lambda service: service.links_open == 0)
        wait_until(lambda: gateway.count_tasks() <= tasks)
        wait_until(lambda: psutil.Process().num_fds() <= descriptors)
        # What they have missed is gone, but not what Gemini was told.
        with clients[0] as late:
            assert late.come_back()["recovered"] is False


@pytest.mark.parametrize("way", HELD_BY_US)
def test_replaced_in_a_hole(way: str, gemini: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A WebSocket that was replaced is let go of, even where nobody hears that."""
    monkeypatch.setattr("livegate.shell.pump.FAREWELL_S", 0.5)
    asked = attrs.evolve(settings("any", gemini.url), wire=WireLimits(close_s=0.5))
    with (
        running.gateway(way, asked) as gateway,
        FaultyTcp(gateway.url) as path,
        Client(path.url) as client,
    ):
        client.config()
        client.converse("my name is Ada")
        path.hole_all()
        client.cut()
        client.url = gateway.url
        assert client.come_back()["recovered"] is True
        wait_until(lambda: _held(gateway.url) == 1)
        assert "Ada" in client.converse("/recall")


def _held(url: str) -> int:
    """Return how many connections of its clients a gateway has."""
    port = urlsplit(url).port
    return sum(
        one.laddr.port == port and one.status != psutil.CONN_LISTEN
        for one in psutil.Process().net_connections("tcp")
    )


# Faults


class Fragile(Session):
    """A session with a bug."""

    def handle(self, event: inputs.Input, now: float) -> list[commands.Command]:
        """Fail at certain words."""
        match event:
            case inputs.ClientFrame(payload=payload) if b"trip" in payload:
                raise ZeroDivisionError
            case inputs.UpstreamFrame(payload=payload) if b"stumble" in payload:
                raise ZeroDivisionError
            case inputs.ClientReturned(seq=0):
                raise ZeroDivisionError
            case _:
                return super().handle(event, now)


@pytest.mark.parametrize("word", ["trip", "stumble"])
@pytest.mark.parametrize("way", WAYS)
def test_fault(way: str, word: str, gemini: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    """A fault of ours ends a session, and its client is told, whoever's task its socket is in."""
    asked = attrs.evolve(settings("any", gemini.url), session_type=Fragile)
    with running.gateway(way, asked) as gateway, Client(gateway.url) as other:
        other.config()
        other.converse("Hello")
        tasks = gateway.count_tasks()
        with Client(gateway.url) as client:
            client.config()
            client.converse("Hello")
            client.cut()
            assert client.come_back()["recovered"] is True
            client.ask(word)
            assert client.closed() == 1011
        gemini.wait_until(lambda service: service.links_open == 1)
        wait_until(lambda: gateway.count_tasks() <= tasks)
        other.converse("Hello")
    assert caplog.text.count("session.failed") == 1


@pytest.mark.parametrize("way", WAYS)
def test_fault_in_coming_back(
    way: str, gemini: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """So it is where the fault is in coming back."""
    asked = attrs.evolve(settings("any", gemini.url), session_type=Fragile)
    with running.gateway(way, asked) as gateway, Client(gateway.url) as other:
        other.config()
        other.converse("Hello")
        tasks = gateway.count_tasks()
        with Client(gateway.url) as client:
            client.config()
            client.cut()
            client.seq = 0
            client.return_()
            assert client.closed() == 1011
        gemini.wait_until(lambda service: service.links_open == 1)
        wait_until(lambda: gateway.count_tasks() <= tasks)
        other.converse("Hello")
    assert caplog.text.count("session.failed") == 1
