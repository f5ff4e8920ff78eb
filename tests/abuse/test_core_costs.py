"""What a client's worst frames and handshakes cost the core: next to nothing."""

import contextlib
import json
import time
from collections.abc import Callable

import pytest

from byte_line import Line, padded
from livegate.protocol import Limits, config, frames
from livegate.protocol.errors import RemoteProtocolError
from livegate.protocol.limits import KIB

CPU_S = 0.5


def junk_keys() -> None:
    """Judge configs of keys that are almost right, and of very many."""
    config.parse({f"temperatur{number}": 1 for number in range(100)})
    config.parse({"generation_config": dict.fromkeys(map(str, range(20_000)), 1)})


def decode(payload: bytes) -> None:
    """Decode a frame, or refuse it."""
    with contextlib.suppress(RemoteProtocolError):
        frames.decode(payload, Limits())


def byte_by_byte() -> None:
    """Take in a head that is too large."""
    line = Line()
    for byte in padded(16 * KIB + 1):
        line.client(bytes([byte]))
    assert line.answer[0] == 431


@pytest.mark.parametrize(
    "work",
    [
        pytest.param(junk_keys, id="junk keys"),
        pytest.param(
            lambda: decode(b'{"type":"ping","data":' + b"[" * 120_000 + b"]" * 120_000 + b"}"),
            id="nested",
        ),
        pytest.param(
            lambda: decode(b'{"type":"config","a":[' + b"1," * 100_000 + b"1]}"), id="long array"
        ),
        pytest.param(
            lambda: decode(
                json.dumps(
                    {"type": "config", "data": {f"k{number}": 1 for number in range(5_000)}}
                ).encode()
            ),
            id="many keys",
        ),
        pytest.param(byte_by_byte, id="a head byte by byte"),
    ],
)
def test_processor(work: Callable[[], None]) -> None:
    """None takes long."""
    began = time.thread_time()
    work()
    assert time.thread_time() - began < CPU_S
