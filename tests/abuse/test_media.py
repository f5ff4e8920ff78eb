"""Recordings that mean harm, all of them through one gateway."""

import base64
import json
import os
from typing import Final

import psutil
import pytest

from attacked import BINARY, MIB, TEXT, Attacked, scaled, wait_until
from hostile_media import corpus
from livegate.protocol.limits import Limits
from livegate.protocol.media.kinds import begins
from raw_client import RawClient

GROWN_BYTES: Final = (64 + 6 * 16) * MIB
"""Of a decoder, and of frames of 16 MiB, which are several things on their way there."""
LEFT_BYTES: Final = scaled(48, 128) * MIB
"""What an allocator keeps of that; after three rounds of all it is no more than after two."""
EACH: Final = scaled(11, 1)
"""One of so many is sent."""
TALKERS: Final = scaled(8, 24)
WORKERS: Final = min(32, (os.cpu_count() or 1) + 4)
"""Of asyncio's own pool, which grows as it is needed and then waits for work."""
ASK: Final = b'{"type":"text","text":"hello"}'
END: Final = b'{"type":"audio_end"}'


@pytest.mark.timeout(scaled(180, 900))
def test_all(gateway: Attacked) -> None:
    """Each is answered, and so is a text behind it; nobody waits, and nothing is left."""
    process = psutil.Process(gateway.process.pid)
    _try_all(gateway, list(corpus().items())[::40])  # whatever is made once is made now
    gateway.settle()
    threads, descriptors, memory = process.num_threads(), gateway.descriptors, gateway.rss_bytes
    with (
        gateway.growth("memory for hostile recordings, one after the other", GROWN_BYTES),
        gateway.echoing(),
    ):
        _try_all(gateway, list(corpus().items())[::EACH])
    gateway.drop_clients()
    gateway.settle()
    more = process.num_threads() - threads
    gateway.expect("threads left of hostile recordings", more, WORKERS, "")
    gateway.expect_no_descriptors("hostile recordings", descriptors)
    grown = (gateway.rss_bytes - memory) / MIB
    gateway.expect("memory left of hostile recordings", grown, LEFT_BYTES / MIB, "MiB")


def _try_all(gateway: Attacked, files: list[tuple[str, bytes]]) -> None:
    """Send recordings in both ways, a session for each."""
    for number, (name, data) in enumerate(files):
        with gateway.client() as client:
            if number % 2 and begins(data[:12]) is not None:
                client.send(BINARY, data)
            else:
                said = {"type": "audio", "data": base64.b64encode(data).decode()}
                client.send(TEXT, json.dumps(said).encode()[: Limits().frame_bytes])
            client.send(TEXT, END)
            client.send(TEXT, ASK)
            client.read_until(b'"response"')
            assert client.close_code is None, name


def test_unfinished(gateway: Attacked) -> None:
    """Sessions that leave in the middle of a recording leave no thread behind."""
    process = psutil.Process(gateway.process.pid)
    names = [name for name in corpus() if "-cut-1500" in name or "-claim-end" in name]
    _leave_all(gateway, names)
    gateway.settle()
    threads = process.num_threads()
    for _ in range(2 * WORKERS):
        _leave_all(gateway, names)
    wait_until(lambda: process.num_threads() <= threads + WORKERS, what="all threads end")


def _leave_all(gateway: Attacked, names: list[str]) -> None:
    ways = (RawClient.leave, RawClient.reset, RawClient.end)
    for number, name in enumerate(names):
        client = gateway.client()
        client.send(BINARY, corpus()[name])
        client.send(TEXT, b'{"type":"ping","data":"there"}')
        client.read_until(b'"there"')
        ways[number % 3](client)
        client.leave()


def test_many_at_once(gateway: Attacked) -> None:
    """Many who begin recordings that only threads can read starve nobody."""
    data = corpus()["mp4-front-cut-1500"]
    with gateway.echoing():
        talkers = [gateway.client() for _ in range(TALKERS)]
        for client in talkers:
            client.send(BINARY, data)
        with gateway.client() as other:
            other.send(BINARY, corpus()["mp4-front-doubled"])
            other.send(TEXT, END)
            other.send(TEXT, ASK)
            other.read_until(b'"response"')
        for client in talkers:
            client.send(TEXT, ASK)
            client.read_until(b'"response"')
