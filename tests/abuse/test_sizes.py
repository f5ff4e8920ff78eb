"""Attacks by sheer size: messages, compression, and JSON that is large, deep or odd."""

import contextlib
import json
import select
import time
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

import pytest

from attacked import BINARY, LIMITS, MIB, TEXT, Attacked, Row, attacked, scaled
from raw_client import frame, header, opening

CLOSE_S: Final = LIMITS.close_s + 1.0
"""By when a client that was told to go, and does not, is cut."""
PUSHED: Final = scaled(64, 300) * MIB
PIECE: Final = bytes(MIB)
CONTINUATION: Final = 0


@pytest.fixture(scope="module")
def shared(runtime: str, note: Callable[[Row], None]) -> Generator[Attacked, None, None]:
    """A gateway of their own, that has no memory to spare yet."""
    with attacked(runtime, note) as found:
        found.converse()
        yield found


def header_of_a_gib() -> Iterator[bytes]:
    """Announce a message of 1 GiB, and begin it."""
    yield header(BINARY, 1024 * MIB)
    yield PIECE


def whole_message() -> Iterator[bytes]:
    """Send a message of 17 MiB."""
    yield header(BINARY, 17 * MIB)
    yield from [PIECE] * 17


def fragments() -> Iterator[bytes]:
    """Send the same in fragments."""
    yield frame(BINARY, PIECE, fin=False)
    yield from [frame(CONTINUATION, PIECE, fin=False)] * 16


def empty_fragments() -> Iterator[bytes]:
    """Send 16 MiB in a fragment, and one byte."""
    yield frame(BINARY, PIECE * 16, fin=False)
    yield frame(CONTINUATION, b"x")


ATTACKS: Final = (header_of_a_gib, whole_message, fragments, empty_fragments)


def test_pushing_on(gateway: Attacked) -> None:
    """What is pushed after 1009 costs no memory."""
    with gateway.growth(f"memory for {PUSHED // MIB} MiB pushed after 1009", 24 * MIB):
        _insist(gateway, header_of_a_gib(), PUSHED)


def test_too_big(gateway: Attacked) -> None:
    """A message that is too big is told so, and what else is pushed is not kept, nor taken long."""
    # What is not too big yet has to be kept: two of these send 16 MiB of it.
    with (
        gateway.growth("memory for 4 x (a message too big, and more)", 4 * 24 * MIB),
        gateway.echoing(),
        ThreadPoolExecutor(len(ATTACKS)) as pool,
    ):
        ended = list(pool.map(partial(_insist, gateway), [attack() for attack in ATTACKS]))
    gateway.expect("a client that ignores its close is cut", max(ended), CLOSE_S, "s")


def _insist(gateway: Attacked, attack: Iterator[bytes], more: int = 0) -> float:
    """Attack, expect 1009, and push on until cut; return how long that took after the 1009."""
    with gateway.client() as client:
        with contextlib.suppress(ConnectionError):
            for piece in attack:
                client.push(piece)
        while client.close_code is None:
            assert client.read_some(), "it ended without a close"
        began = time.monotonic()
        assert client.close_code == 1009
        pushed = 0
        with contextlib.suppress(ConnectionError):
            while True:
                client.push(PIECE)
                pushed += len(PIECE)
                if pushed >= more:
                    if more:
                        return 0
                    select.select([], [], [], 0.05)
                assert time.monotonic() - began < 2 * CLOSE_S, "nobody cuts it"
        return time.monotonic() - began


def test_compression(gateway: Attacked) -> None:
    """Compression is never agreed to, and a compressed frame is an error that costs nothing."""
    squeeze = zlib.compressobj(wbits=-15)
    bomb = b"".join(squeeze.compress(PIECE) for _ in range(scaled(64, 512))) + squeeze.flush()
    offer = opening(
        "/api/gemini/ws", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
    )
    with gateway.growth("memory for a deflate bomb", 8 * MIB), gateway.client(offer) as client:
        client.read_response()
        assert client.response.startswith(b"HTTP/1.1 101 ")
        assert b"extensions" not in client.response.lower()
        client.push(frame(TEXT, bomb, rsv=4))
        client.read_to_end()
        assert client.close_code == 1002


def _nested(opening_: bytes, closing: bytes, depth: int = 100_000) -> bytes:
    return opening_ * depth + b"1" + closing * depth


def _config(data: bytes) -> bytes:
    return b'{"type":"config","data":' + data + b"}"


def _tool(data: bytes) -> bytes:
    return b'{"type":"tool_response","data":' + data + b"}"


_KEYS: Final = json.dumps({f"k{number}": number for number in range(70_000)}).encode()
BOMBS: Final[Mapping[str, bytes]] = {
    "deep list": _nested(b"[", b"]"),
    "deep object": _nested(b'{"a":', b"}"),
    "deep config": _config(_nested(b"[", b"]")),
    "deep tools": _config(b'{"tools":' + _nested(b'[{"a":', b"}]", 10_000) + b"}"),
    "deep result": _tool(_nested(b'{"a":', b"}", 10_000)),
    "open brackets": b'{"type":' + b"[" * 200_000,
    "a million digits": _config(b'{"seed":' + b"9" * 1_000_000 + b"}"),
    "200,000 digits": _config(b'{"seed":' + b"9" * 200_000 + b"}"),
    "a huge exponent": _config(b'{"temperature":1e999999999}'),
    "no number": _config(b'{"temperature":NaN}'),
    "NUL": b'{"type":"te\0xt"}',
    "NUL in a name": b'{"type":"te\\u0000xt"}',
    "NUL alone": b"\0",
    "surrogate": b'{"type":"\\ud800"}',
    "surrogates reversed": b'{"type":"\\udc00\\ud800"}',
    "a megabyte of keys": _config(_KEYS),
    "a megabyte of keys outside": _KEYS[:-1] + b',"type":"text"}',
    "a megabyte of lists": _config(b"[" + b"[]," * 340_000 + b"[]]"),
    "a megabyte of names": _config(b'{"' + b"n" * MIB + b'":1}'),
    "twice the type": b'{"type":"config","type":["ping"]}',
    "a list": b"[" + b"[]," * 80_000 + b"[]]",
    "16 MiB of text": b'{"type":"text","text":"' + b"x" * (16 * MIB - 25) + b'"}',
    "16 MiB of quotes": b'"' * (16 * MIB),
    "16 MiB of sound": b'{"type":"audio","data":"' + b"@" * (16 * MIB - 26) + b'"}',
    "16 MiB of umlauts": "ü".encode() * (8 * MIB),
}


def test_json(gateway: Attacked) -> None:
    """Each bomb of JSON is answered by an error, soon, and the session goes on."""
    slowest = {False: 0.0, True: 0.0}
    with gateway.clock() as now, gateway.client() as client:
        for name, bomb in BOMBS.items():
            client.got = b""
            is_huge = len(bomb) > 2 * MIB
            client.send(TEXT, bomb)
            began = now()  # the network's time is not ours
            client.read_until(b'"type":"error"')
            slowest[is_huge] = max(slowest[is_huge], now() - began)
            client.send(TEXT, b'{"type":"ping","data":"alive"}')
            client.read_until(b'"alive"')
            assert client.close_code is None, name
    gateway.expect("an error for JSON of up to 1 MiB", slowest[False], 0.1, "s")
    gateway.expect("an error for 16 MiB of JSON", slowest[True], 0.5, "s")


@pytest.mark.parametrize("text", [b"\xff\xfe", b"\xed\xa0\x80", b'{"type":"\xc3"}'])
def test_no_utf8(gateway: Attacked, text: bytes) -> None:
    """Text that is no UTF-8 ends its own session, with 1007."""
    with gateway.client() as client:
        client.send(TEXT, text)
        client.read_to_end()
        assert client.close_code == 1007


def test_no_json_binary(gateway: Attacked) -> None:
    """Sound of an odd length, or none at all, is no reason to end."""
    with gateway.client() as client:
        for size in (0, 1, 3, 65_537):
            client.send(BINARY, bytes(size))
        client.send(TEXT, b'{"type":"ping","data":"alive"}')
        client.read_until(b'"alive"')
        assert client.close_code is None
