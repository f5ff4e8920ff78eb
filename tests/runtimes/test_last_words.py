"""Whoever is closed hears why, whatever it goes on saying; and whatever that is, others are served."""

import select
from typing import Final

import pytest

import running
from livegate.emulator import Emulator
from livegate.shell.settings import settings
from raw_client import CLOSE, RawClient, frame, opening

BINARY: Final = 2
PING: Final = 9
PCM: Final = bytes(3_200)
NO_KEY: Final = (4200).to_bytes(2)
RESTART: Final = (1012).to_bytes(2)
POLICY: Final = (1008).to_bytes(2)
LENT: Final = tuple(way for way in running.WAYS if way not in running.RUNTIMES)
"""The ways with sockets of others' servers."""


@pytest.fixture(params=running.WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """Each way to run a gateway."""
    return str(request.param)


def talk_on(client: RawClient) -> None:
    """Talk for a while behind the gateway's close, then answer it; expect the end to be a good one."""
    for _ in range(20):
        client.send(BINARY, PCM)
        cut, _, _ = select.select([client], [], [], 0.01)
        assert not cut, "cut while it talks"
    assert client.close_code is not None
    client.send(CLOSE, client.close_code.to_bytes(2))
    while client.read_some():
        pass


def test_nothing_to_do(way: str) -> None:
    """A client that still talks when it is closed is not reset."""
    with running.gateway(way, settings()) as gateway, RawClient(gateway.url) as client:
        client.read_until(NO_KEY)
        talk_on(client)


def test_drained(way: str) -> None:
    """Nor is one that streams sound while the gateway drains."""
    with (
        Emulator() as gemini,
        running.gateway(way, settings("any", gemini.url)) as gateway,
        RawClient(gateway.url) as client,
    ):
        for _ in range(10):
            client.send(BINARY, PCM)
        gateway.stop()
        client.read_until(RESTART)
        talk_on(client)


@pytest.mark.parametrize("way", LENT)
def test_refused(way: str) -> None:
    """Nor is one that is refused, though it has said much before it reads that."""
    head = opening("/api/gemini/ws", "Origin: https://evil.example")
    with running.gateway(way, settings()) as gateway, RawClient(gateway.url, head) as client:
        client.read_response()
        client.push(frame(BINARY, PCM) * 100)
        client.read_until(POLICY)
        talk_on(client)


def test_ping(way: str) -> None:
    """A ping behind the gateway's close is not answered, and harms nobody."""
    with running.gateway(way, settings()) as gateway:
        for _ in range(2):
            with RawClient(gateway.url) as client:
                client.read_until(NO_KEY)
                client.send(PING, b"hi")
                client.send(CLOSE, NO_KEY)
                while client.read_some():
                    pass
                assert client.close_code == 4200
