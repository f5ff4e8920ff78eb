"""Clients to whom Gemini says more than they read: stalled, slow, or gone in the middle of it."""

import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from attacked import (
    BINARY,
    KIB,
    LIMITS,
    MIB,
    TEXT,
    Attacked,
    Row,
    attacked,
    let_pass,
    scaled,
    wait_until,
)
from flooding import Flood, flood
from raw_client import RawClient, frame

READERS = scaled(20, 200)
STALL_S = LIMITS.stall_s
TARDY_S = 2.0
EACH_BYTES = MIB
SLOW_BYTES = 512 * KIB
LEAVERS = scaled(30, 500)
IDLE_S = 2.0
SEGMENT_BYTES = 1400
"""An internet's: a window smaller than a segment, such as the loopback's, passes for a closed one."""
CUT = "code=4001"
PING = 9
AT_MOST_BYTES = 64 * MIB
"""More than all buffers on the way."""


@pytest.fixture(scope="module")
def gemini() -> Generator[Flood, None, None]:
    """Gemini, endless."""
    with flood() as found:
        yield found


@pytest.fixture(scope="module")
def flooded(
    runtime: str, note: Callable[[Row], None], gemini: Flood
) -> Generator[Attacked, None, None]:
    """A gateway to it."""
    with attacked(runtime, note, gemini_url=gemini.url) as found:
        yield found


@pytest.mark.timeout(scaled(180, 400))
def test_stalled_readers(flooded: Attacked, gemini: Flood) -> None:
    """Who does not read costs little, delays nobody, and is cut; who reads slowly is not."""
    flooded.talker().leave()  # whatever is made once is made now
    flooded.settle()
    before, first = flooded.descriptors, len(gemini.sent)
    stop = threading.Event()
    promise = "memory for each reader that stalls"
    with (
        flooded.growth(f"memory for {READERS} readers that stall", READERS * EACH_BYTES),
        flooded.echoing(),
        flooded.asker(SEGMENT_BYTES) as steady,
    ):
        rss = flooded.rss_bytes
        slow = threading.Thread(target=_read_slowly, args=(steady, stop))
        slow.start()
        for _ in range(READERS):
            flooded.asker()
        wait_until(lambda: sum(map(bool, gemini.sent[first:])) == READERS + 1, 60)
        wait_until(lambda: _is_quiet(gemini.sent, READERS), what="all links pause")
        stalled = time.monotonic()
        cost = (flooded.rss_bytes - rss) / READERS
        flooded.expect(promise, cost / KIB, EACH_BYTES / KIB, "KiB")
        with flooded.asker() as quick:  # another's link does not pause
            while len(quick.got) < 4 * MIB:
                assert quick.read_some()
        wait_until(lambda: flooded.log.count(CUT) >= READERS, STALL_S * 2, "all are cut")
        took = time.monotonic() - stalled
        flooded.expect(
            "who takes nothing in is cut, behind the limit", took - STALL_S, TARDY_S, "s"
        )
        let_pass(max(0.0, stalled + 2 * STALL_S - time.monotonic()))
        stop.set()
        slow.join()
        assert flooded.log.count(CUT) == READERS, "who reads slowly was cut"
    wait_until(lambda: flooded.descriptors <= before, what="nothing is left of them")


def _is_quiet(sent: list[int], number: int) -> bool:
    """Whether so many links have taken nothing for a moment."""
    seen = list(sent)
    let_pass(0.3)
    return sum(now == then for now, then in zip(sent, seen, strict=False)) >= number


def _read_slowly(client: RawClient, stop: threading.Event) -> None:
    """Read `SLOW_BYTES` in the time that a client may take nothing in, evenly."""
    while not stop.wait(STALL_S * 2 * KIB / SLOW_BYTES):
        if not client.read_some(2 * KIB):
            return


def test_leaving_amid_flood(flooded: Attacked) -> None:
    """A client that leaves in mid-flood, however it does, costs no more work, and no wait."""
    ways = (RawClient.leave, RawClient.reset, RawClient.end)
    with flooded.echoing():
        for number in range(LEAVERS):
            client = flooded.talker()
            ways[number % 3](client)
            client.leave()
    idle_s = flooded.settle()
    flooded.expect("after floods to clients that left, it rests in", idle_s, IDLE_S, "s")


ASKING: dict[str, bytes] = {
    "WebSocket's pings": frame(PING, bytes(125)),
    "pings": frame(TEXT, b'{"type":"ping","data":"' + b"x" * 900 + b'"}'),
    "errors": frame(TEXT, b"no JSON"),
    "configs": frame(TEXT, b'{"type":"config","data":{"temperature":1}}'),
    "questions": frame(TEXT, b'{"type":"text","text":"hello"}'),
}


def test_answers_to_nobody(flooded: Attacked) -> None:
    """Who asks without end, and reads no answer, is not listened to any more."""
    limit = len(ASKING) * EACH_BYTES
    with flooded.growth("memory for 5 who ask, and do not read", limit), flooded.echoing():
        with ThreadPoolExecutor(len(ASKING)) as pool:
            pushed = pool.map(partial(_ask_on, flooded), ASKING.values())
        for name, size in zip(ASKING, pushed, strict=True):
            assert size < AT_MOST_BYTES, f"{name} are answered without end"
    flooded.drop_clients()


def test_tiny_frames(gateway: Attacked) -> None:
    """A flood of the shortest frames holds nobody else up."""
    with gateway.echoing():
        gateway.client().push_until_stuck(frame(BINARY, b"ab") * 5000, scaled(2, 16) * MIB)


def _ask_on(gateway: Attacked, asked: bytes) -> int:
    return gateway.client().push_until_stuck(asked * 500, AT_MOST_BYTES)
