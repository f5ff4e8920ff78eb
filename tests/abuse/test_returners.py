"""Clients that come back, or do not: thousands of them, and some that the network has swallowed."""

import contextlib
import json
import time
from collections.abc import Callable
from typing import Final, Protocol

import attrs
import pytest

import running
from attacked import TEXT, Attacked, Row, attacked, let_pass, scaled, wait_until
from faulty_tcp import FaultyTcp
from livegate.emulator import Emulator, Options
from livegate.protocol.limits import Limits
from livegate.shell.settings import settings
from raw_client import CLOSE, RawClient, opening

CYCLES: Final = scaled(300, 10_000)
WARM_UP: Final = scaled(100, 1_000)
AWAY: Final = Limits(resume_s=0.5)
SWALLOWED: Final = 10
RESUMABLE: Final = b'{"type":"config","data":{"resumable":true,"response_modalities":["AUDIO"]}}'
LONG: Final = b'{"type":"text","text":"/long"}'
V1: Final = opening("/api/gemini/ws", "Sec-WebSocket-Protocol: livegate.v1")
KINDS: Final = 12


class Served(Protocol):
    """What clients connect to."""

    def client(self, handshake: bytes) -> RawClient:
        """Connect."""
        ...

    def drop_clients(self) -> None:
        """End what is left of all connections."""


@attrs.frozen
class Here:
    """A gateway in this process."""

    url: str
    clients: list[RawClient] = attrs.field(factory=list[RawClient])

    def client(self, handshake: bytes) -> RawClient:
        """Connect."""
        self.clients.append(RawClient(self.url, handshake))
        return self.clients[-1]

    def drop_clients(self) -> None:
        """End what is left of all connections."""
        for client in self.clients:
            client.leave()


def come_and_go(  # noqa: PLR0915 - some ways have steps
    gateway: Served, number: int
) -> None:
    """Connect and be killed in one of several states, and come back or not."""
    match number % KINDS:
        case 0:
            _connected(gateway).reset()
        case 1:
            client = _connected(gateway)
            client.send(TEXT, LONG)
            client.read_until(b'"response"')
            client.reset()
        case 2:
            client = _connected(gateway)
            client.send(TEXT, RESUMABLE)
            client.reset()
        case 3:
            _resumable(gateway)[0].reset()
        case 4:
            _talking(gateway)[0].reset()
        case 5:
            _talking(gateway)[0].end()
        case 6:
            client, token = _talking(gateway)
            client.reset()
            _back(gateway, token).reset()
        case 7:
            client, token = _talking(gateway)
            back = _back(gateway, token)  # while the first is still there
            back.read_until(b'"resumed"')
            client.reset()
            back.reset()
        case 8:
            client, token = _resumable(gateway)
            client.leave()
            back = _back(gateway, token)
            back.read_until(b'"resumed"')
            back.send(CLOSE, (1000).to_bytes(2))
            back.read_to_end()
        case 9:
            client, token = _resumable(gateway)
            for _ in range(3):
                client = _back(gateway, token)
                client.read_until(b'"resumed"')
            client.leave()
        case 10:
            client = _back(gateway, "lgr1_no-such-thing")
            client.read_until(b'"context_lost"')
            client.reset()
        case _:
            client, token = _talking(gateway)
            client.leave()
            back = _back(gateway, token)
            back.send(TEXT, LONG)
            back.read_until(b'"audio"')
            back.leave()
    if number % 50 == 0:
        gateway.drop_clients()


def _connected(gateway: Served) -> RawClient:
    client = gateway.client(V1)
    client.read_response()
    return client


def _resumable(gateway: Served) -> tuple[RawClient, str]:
    """Return a client that can come back, and its token."""
    client = _connected(gateway)
    client.send(TEXT, RESUMABLE)
    client.read_until(b'"session"')
    client.read_until(b'"expires_s"')
    frames = (json.loads(payload) for opcode, payload in client.frames() if opcode == TEXT)
    return client, next(one["token"] for one in frames if one["type"] == "session")


def _talking(gateway: Served) -> tuple[RawClient, str]:
    """Return the same, in the middle of an answer."""
    client, token = _resumable(gateway)
    client.send(TEXT, LONG)
    client.read_until(b'"audio"')
    return client, token


def _back(gateway: Served, token: str, seq: int = 3) -> RawClient:
    """Return a client that says that it is back."""
    client = _connected(gateway)
    data = {"session": token, "seq": seq}
    client.send(TEXT, json.dumps({"type": "resume", "data": data}).encode())
    return client


@pytest.mark.timeout(scaled(120, 2400))
def test_killed(runtime: str, note: Callable[[Row], None]) -> None:
    """Whoever is killed, in whatever state, leaves nothing behind once nobody waits for it."""
    with (
        Emulator() as gemini,
        attacked(runtime, note, gemini_url=gemini.url, limits=AWAY) as gateway,
    ):
        for number in range(WARM_UP):
            come_and_go(gateway, number)
        _rest(gateway, gemini)
        descriptors, memory = gateway.descriptors, gateway.rss_bytes
        for number in range(CYCLES):
            come_and_go(gateway, number)
        _rest(gateway, gemini)
        gateway.expect_no_descriptors(f"{CYCLES} that were killed, some back", descriptors)
        grown = 100 * (gateway.rss_bytes / memory - 1)
        gateway.expect(f"memory left of {CYCLES} that were killed, some back", grown, 5, "%")


def _rest(gateway: Attacked, gemini: Emulator) -> None:
    """Wait until nobody is there, nor waited for."""
    gateway.drop_clients()
    gemini.wait_until(lambda service: service.links_open == 0, 20)
    gateway.settle()


def test_tasks(runtime: str) -> None:
    """No task is left of them either, nor anything that could be come back to."""
    with Emulator(options=Options(pace=0)) as gemini:
        asked = settings("canary-key", gemini.url)
        session = attrs.evolve(asked.session, limits=AWAY)
        with running.gateway(runtime, attrs.evolve(asked, session=session)) as served:
            with RawClient(served.url) as client:  # all that is there from the beginning is there
                client.send(TEXT, b'{"type":"ping","data":"here"}')
                client.read_until(b"here")
                idle = served.count_tasks()
            gateway = Here(served.url)
            for number in range(3 * KINDS):
                come_and_go(gateway, number)
            gateway.drop_clients()
            wait_until(lambda: served.count_tasks() < idle, what="all tasks have ended")


def test_swallowed(runtime: str, note: Callable[[Row], None]) -> None:
    """Clients that have vanished in mid-answer delay nobody; all of them may come back."""
    with (
        Emulator() as gemini,
        attacked(runtime, note, gemini_url=gemini.url) as gateway,
        FaultyTcp(gateway.url) as path,
        contextlib.ExitStack() as stack,
        gateway.echoing(),
    ):
        there, gateway.url = gateway.url, path.url
        talking = [_talking(gateway) for _ in range(SWALLOWED)]
        path.hole_all()
        gateway.url = there
        let_pass(1.0)
        began = time.monotonic()
        for _, token in talking:
            back = stack.enter_context(_back(gateway, token))
            back.read_until(b'"recovered":true')
        took = (time.monotonic() - began) / SWALLOWED
        gateway.expect("a client that has vanished is back in", took, 0.5, "s")
