"""Attacks on the opening handshake: what comes right behind it, and what never comes."""

import itertools
import select
import threading
import time
from typing import Final

import pytest

from attacked import LIMITS, PATIENCE_S, TEXT, Attacked, scaled
from livegate.protocol.admission import Rules
from raw_client import RawClient, opening

HEAD_S: Final = LIMITS.head_s
TARDY_S: Final = 3.0
"""How much later than promised a busy machine may cut somebody."""
DRIP_S: Final = HEAD_S / 5
DRIPS: Final = scaled(300, 2000)
WAITING: Final = Rules().waiting_per_address + 8
"""The others are who measures delays, and perhaps who is about to be cut."""
ARRIVALS: Final = 20
ARRIVAL_S: Final = 0.2
"""How long a client may take to connect."""
STRANGER: Final = "127.0.0.2"
JUNK: Final = {"one byte": b"x", "64 KiB": bytes(range(256)) * 256}


@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK.keys())
@pytest.mark.parametrize("is_together", [True, False], ids=["same segment", "right after"])
def test_junk_behind_request(gateway: Attacked, junk: bytes, *, is_together: bool) -> None:
    """Bytes right behind the upgrade request harm nobody, and a frame of junk is told so."""
    with gateway.echoing(), gateway.client(opening() + (junk if is_together else b"")) as client:
        if not is_together:
            client.push(junk)
        client.read_response()
        assert client.response.startswith(b"HTTP/1.1 101 ")
        if len(junk) == 1:  # it may yet become a frame
            client.push(junk)
        client.read_to_end()
        assert client.close_code == 1002


@pytest.mark.parametrize(
    "head",
    [b"\0", b"\r\n" * 9000, b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 3000, b"\x16\x03\x01\x02\0\1"],
    ids=["nul", "empty lines", "long head", "TLS"],
)
def test_no_request(gateway: Attacked, head: bytes) -> None:
    """What is no request is refused, or waited for no longer than a request."""
    with gateway.clock() as now, gateway.client(head) as client:
        began = now()
        client.end()
        client.read_to_end()
        took = now() - began
        assert client.got == b"" or client.got.startswith(b"HTTP/1.1 4")
    gateway.expect("junk in place of a request is cut", took, HEAD_S, "s")


def test_slow_requests(gateway: Attacked) -> None:
    """Hundreds who never finish their request are cut in time, and nobody else waits for them."""
    descriptors = gateway.descriptors
    half = opening()[:40]
    starts = itertools.cycle((b"", b"GET /api/gemini/ws HTTP/1.1\r\n", half))
    drips: dict[RawClient, tuple[float, bool]] = {}
    arrivals: list[float] = []
    with gateway.echoing():
        for start in itertools.islice(starts, DRIPS):
            client = gateway.client(b"", STRANGER)
            client.throw(start)
            drips[client] = (time.monotonic(), start not in {b"", half})
        more = gateway.descriptors - descriptors
        gateway.expect(f"descriptors for {DRIPS} who wait, of one address", more, WAITING, "")
        real = threading.Thread(target=_arrive, args=(gateway, arrivals))
        real.start()
        cut_after = _drip(drips)
        real.join(PATIENCE_S)
    assert len(arrivals) == ARRIVALS
    most = sorted(arrivals)[ARRIVALS * 9 // 10 - 1]
    gateway.expect("a client connects meanwhile, 9 of 10", most, ARRIVAL_S, "s")
    limit = HEAD_S + TARDY_S
    gateway.expect("who never finishes a request is cut", max(cut_after), limit, "s")
    gateway.settle()
    gateway.expect_no_descriptors("those", descriptors)


def _arrive(gateway: Attacked, took: list[float]) -> None:
    """Connect again and again, as a real client would, and speak."""
    with gateway.clock() as now:
        for _ in range(ARRIVALS):
            began = now()
            with gateway.client() as client:
                took.append(now() - began)
                client.send(TEXT, b'{"type":"ping","data":"here"}')
                client.read_until(b"here")


def _drip(drips: dict[RawClient, tuple[float, bool]]) -> list[float]:
    """Send a header now and then where that was begun, until all are cut; return after how long."""
    took: list[float] = []
    until = time.monotonic() + PATIENCE_S
    poll = select.poll()
    by_number = {client.fileno(): client for client in drips}
    for number in by_number:
        poll.register(number, select.POLLIN)
    due = time.monotonic() + DRIP_S
    while by_number:
        assert time.monotonic() < until, f"{len(by_number)} are still there"
        for number, _ in poll.poll(max(0.0, due - time.monotonic()) * 1000):
            client = by_number.pop(number)
            poll.unregister(number)
            client.read_to_end()
            took.append(time.monotonic() - drips[client][0])
            client.leave()
        if time.monotonic() >= due:
            due += DRIP_S
            for client in by_number.values():
                if drips[client][1]:
                    client.throw(b"X-Drip: 1\r\n")
    return took
