"""Clients that come and go, in every way and at every point, thousands of times."""

import itertools
import time
from collections.abc import Callable

import pytest

import running
from attacked import (
    TEXT,
    Attacked,
    Row,
    attacked,
    let_pass,
    scaled,
    wait_until,
)
from livegate.emulator import Emulator, Options
from livegate.shell.settings import settings
from raw_client import CLOSE, RawClient, opening

CYCLES = scaled(300, 10_000)
LEAVERS = scaled(15, 500)
WARM_UP = scaled(50, 500)
CROWD = 200
ROOM = 128
IDLE_S = 2.0
KINDS = 10


def come_and_go(gateway: Attacked, number: int) -> None:
    """Connect and end, in one of several ways."""
    match number % KINDS:
        case 0:
            gateway.client(b"").leave()
        case 1:
            gateway.client(opening()[:50]).reset()
        case 2:
            gateway.client(opening()).reset()
        case 3:
            gateway.client(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n").read_to_end()
        case 4:
            gateway.client().leave()
        case 5:
            gateway.client().reset()
        case 6:
            client = gateway.client()
            client.send(CLOSE, (1000).to_bytes(2))
            client.read_to_end()
        case 7:
            gateway.talker().reset()
        case 8:
            gateway.talker().leave()
        case _:
            client = gateway.talker()
            client.end()
            client.read_to_end()
    if number % 100 == 0:
        gateway.drop_clients()


@pytest.mark.timeout(scaled(180, 1200))
def test_coming_and_going(runtime: str, note: Callable[[Row], None]) -> None:
    """Whoever comes and goes, in whatever way, leaves nothing behind."""
    # The emulator keeps what it has heard, so it is in a process of its own, which is this one.
    with Emulator() as gemini, attacked(runtime, note, gemini_url=gemini.url) as gateway:
        for number in range(WARM_UP):
            come_and_go(gateway, number)
        gateway.settle()
        descriptors, memory = gateway.descriptors, gateway.rss_bytes
        for number in range(CYCLES):
            come_and_go(gateway, number)
        gateway.drop_clients()
        gateway.settle()
        gateway.expect_no_descriptors(f"{CYCLES} clients that came and went", descriptors)
        grown = 100 * (gateway.rss_bytes / memory - 1)
        gateway.expect(f"memory left of {CYCLES} clients that came and went", grown, 5, "%")


def test_leaving_in_mid_answer(gateway: Attacked) -> None:
    """A client that leaves in mid-answer costs no more work, and nobody else has to wait."""
    ways = itertools.cycle((RawClient.leave, RawClient.reset, RawClient.end))
    with gateway.echoing():
        for leave in itertools.islice(ways, LEAVERS):
            leave(gateway.talker())
    idle_s = gateway.settle()
    gateway.expect("after answers to clients that left, it rests in", idle_s, IDLE_S, "s")


def test_more_clients_than_descriptors(runtime: str, note: Callable[[Row], None]) -> None:
    """With no descriptor free it lives, serves whom it has, and later whoever comes."""
    with (
        Emulator(options=Options(pace=0)) as gemini,
        attacked(runtime, note, gemini_url=gemini.url) as gateway,
    ):
        gateway.converse()
        gateway.limit_descriptors(ROOM)
        with gateway.echoing():
            crowd = [gateway.client(b"" if number % 2 else opening()) for number in range(CROWD)]
            wait_until(lambda: "listener.full" in gateway.log, what="there is no room")
        used, began = gateway.cpu_s, time.monotonic()
        let_pass(0.5)
        busy = 100 * (gateway.cpu_s - used) / (time.monotonic() - began)
        gateway.expect("CPU while nobody can be let in", busy, 25, "%")
        for client in crowd:
            client.leave()
        with gateway.clock() as now:
            began = now()
            gateway.converse()
            took = now() - began
        gateway.expect("after that, somebody is served in", took, 15, "s")  # not: never


def test_tasks(runtime: str) -> None:
    """No task is left of them either."""
    with (
        Emulator(options=Options(pace=0)) as gemini,
        running.gateway(runtime, settings("canary-key", gemini.url)) as served,
    ):
        with RawClient(served.url) as client:  # all that is there from the beginning is there
            client.send(TEXT, b'{"type":"ping","data":"here"}')
            client.read_until(b"here")
            idle = served.count_tasks()
        for number in range(30):
            with RawClient(served.url, opening() if number % 3 else b"") as client:
                if number % 3 == 1:
                    client.send(TEXT, b'{"type":"text","text":"/long"}')
                    client.read_until(b'"response"')
                if number % 2:
                    client.reset()
        wait_until(lambda: served.count_tasks() < idle, what="all tasks have ended")
