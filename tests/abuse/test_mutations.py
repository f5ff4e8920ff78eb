"""Handshakes and frames that were valid once: thousands, each changed at random."""

import json
import random
from typing import Final

import pytest

from attacked import BINARY, MIB, TEXT, Attacked, scaled
from raw_client import CLOSE, RawClient, frame, opening

HANDSHAKES = scaled(300, 15_000)
STREAMS = scaled(140, 7_000)
"""Connections whose bytes are changed behind the handshake, each of about five frames."""
TALKS = scaled(20, 1_000)
"""Connections whose messages are changed, and stay WebSocket messages: fifty each."""
SEED = 20_26
PING: Final = 9
PONG: Final = 10
CONTINUATION: Final = 0
_HEADS: Final = (
    opening(),
    opening("/api/gemini/ws", "Origin: http://localhost", "Sec-WebSocket-Protocol: a, b"),
    opening("/api/gemini/ws", "Sec-WebSocket-Extensions: permessage-deflate", "Cookie: a=b"),
    opening("/api/gemini/ws?model=x", "Authorization: Bearer x", "X-Forwarded-For: 1.2.3.4, ::1"),
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /api/gemini/ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc",
    b"HEAD /healthz HTTP/1.0\r\n\r\n",
    b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
)
_MESSAGES: Final = tuple(
    json.dumps(one).encode()
    for one in (
        {"type": "config", "data": {"voice": "Puck", "temperature": 0.7, "events": "all"}},
        {"type": "config", "data": {"tools": [{"function_declarations": [{"name": "f"}]}]}},
        {"type": "config", "data": {"vad": {"disabled": True}, "response_modalities": ["AUDIO"]}},
        {"type": "text", "text": "Hello, wörld 🌍"},
        {"type": "message", "data": {"text": "/bundled"}},
        {"type": "audio", "data": "AAAAAAAAAAAAAAAA"},
        {"type": "image", "data": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
        {"type": "audio_end"},
        {"type": "activity_start"},
        {"type": "activity_end"},
        {"type": "tool_response", "data": {"id": "1", "name": "f", "response": {"a": [1, None]}}},
        {"type": "interrupt"},
        {"type": "ping", "data": "x"},
    )
)
_ALIVE: Final = b'{"type":"ping","data":"alive and well"}'


def changed(parts: list[bytes], rng: random.Random) -> list[bytes]:
    """Return pieces of what is valid with one to four things done to them."""
    parts = list(parts)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(parts))
        match rng.randrange(8):
            case 0:
                parts[at] = _flipped(parts[at], rng)
            case 1:
                where = rng.randrange(len(parts[at]) + 1)
                more = rng.randbytes(rng.choice((1, 2, 8, 200)))
                parts[at] = parts[at][:where] + more + parts[at][where:]
            case 2:
                where = rng.randrange(len(parts[at]) + 1)
                parts[at] = parts[at][:where] + parts[at][where + rng.choice((1, 2, 9)) :]
            case 3:
                parts.insert(at, parts[at])
            case 4:
                parts[at] = parts[at][: rng.randrange(len(parts[at]) + 1)]
            case 5:
                rng.shuffle(parts)
            case 6:
                other = rng.choice(parts)
                parts[at] = parts[at][: len(parts[at]) // 2] + other[len(other) // 2 :]
            case _:
                parts[at] = _with_number(parts[at], rng)
    return parts


def _flipped(data: bytes, rng: random.Random) -> bytes:
    found = bytearray(data or b"\0")
    found[rng.randrange(len(found))] ^= 1 << rng.randrange(8)
    return bytes(found)


def _with_number(data: bytes, rng: random.Random) -> bytes:
    """Return bytes with a word in them that is often a size, and now is extreme."""
    where = rng.randrange(len(data) + 1)
    word = rng.choice(
        (b"\xff" * 8, bytes(8), b"\x7f" + b"\xff" * 7, b"999999999999", b"-1", b"\r\n")
    )
    return data[:where] + word + data[where + len(word) :]


def _frames(rng: random.Random) -> list[bytes]:
    kinds = (
        lambda: frame(TEXT, rng.choice(_MESSAGES)),
        lambda: frame(BINARY, rng.randbytes(rng.choice((0, 1, 640, 70_000)))),
        lambda: frame(PING, rng.randbytes(rng.choice((0, 5, 125)))),
        lambda: frame(PONG, b""),
        lambda: frame(TEXT, rng.choice(_MESSAGES), fin=False) + frame(CONTINUATION, b" "),
        lambda: frame(CLOSE, rng.choice((1000, 1001, 4000)).to_bytes(2) + b"bye"),
    )
    return [rng.choice(kinds)() for _ in range(5)]


def _end(client: RawClient) -> None:
    """End a stream, and wait until the gateway has taken it in."""
    client.end()
    client.read_to_end()
    client.leave()


@pytest.fixture
def rng() -> random.Random:
    """Chance, the same in each run."""
    return random.Random(SEED)  # noqa: S311 - no secret


@pytest.mark.timeout(scaled(180, 1200))
def test_mutations(gateway: Attacked, rng: random.Random) -> None:
    """Nothing of what is sent ends the gateway, makes it raise, or stays with it."""
    for _ in range(50):
        _handshake(gateway, rng)
        _stream(gateway, rng)
    _talk(gateway, rng)
    gateway.settle()
    descriptors, memory = gateway.descriptors, gateway.rss_bytes
    with gateway.echoing():
        for number in range(HANDSHAKES):
            _handshake(gateway, rng)
            if number < STREAMS:
                _stream(gateway, rng)
            if number < TALKS:
                _talk(gateway, rng)
            gateway.drop_clients()
    gateway.settle()
    count = HANDSHAKES + STREAMS * 5 + TALKS * 50
    gateway.expect_no_descriptors(f"{count} mutants", descriptors)
    grown = (gateway.rss_bytes - memory) / MIB
    gateway.expect(f"memory left of {count} mutants", grown, 8, "MiB")


def _handshake(gateway: Attacked, rng: random.Random) -> None:
    head = rng.choice(_HEADS)
    data = b"".join(changed(head.splitlines(keepends=True), rng))
    with gateway.client(b"") as client:
        client.throw(data)
        _end(client)


def _stream(gateway: Attacked, rng: random.Random) -> None:
    with gateway.client(opening()) as client:
        client.throw(b"".join(changed(_frames(rng), rng)))
        _end(client)


def _talk(gateway: Attacked, rng: random.Random) -> None:
    with gateway.client() as client:
        for _ in range(50):
            message = b"".join(changed([rng.choice(_MESSAGES)], rng))
            client.send(rng.choice((TEXT, BINARY)), message.decode(errors="replace").encode())
        client.send(TEXT, _ALIVE)
        client.read_until(b"alive and well")
        assert client.close_code is None
