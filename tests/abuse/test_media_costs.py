"""What recordings that mean harm cost: little. It is weighed where nothing else runs."""

import json
import subprocess
import sys
from typing import Final

import pytest

import weighed_media
from hostile_media import corpus, is_open
from livegate.protocol.errors import ErrorCode
from livegate.protocol.media.kinds import Kind, begins
from weighed_media import MIB, Weighed

CPU_S: Final = 2.0
MEMORY_BYTES: Final = 64 * MIB
STALL_S: Final = 0.020


@pytest.fixture(scope="module")
def weighed() -> list[Weighed]:
    """What each recording costs, in a process of its own."""
    done = subprocess.run(  # noqa: S603 - tests run what they name
        [sys.executable, weighed_media.__file__],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return [Weighed(**json.loads(line)) for line in done.stdout.splitlines()]


def test_corpus(weighed: list[Weighed]) -> None:
    """There are many of them, of each kind and of none, and the process survives them all."""
    names = [one.name for one in weighed]
    assert names == list(corpus())
    assert len(names) >= 200
    assert {name.partition("-")[0] for name in names} == {
        "none",
        *(kind.lower() for kind in Kind),
    }


def test_processor(weighed: list[Weighed]) -> None:
    """None takes long, in all threads together, but for what plays for minutes."""
    assert not [one for one in weighed if one.cpu_s > CPU_S + one.sound_s / 100]


def test_memory(weighed: list[Weighed]) -> None:
    """None takes much memory, not even for a moment, not even FFmpeg's own."""
    assert not [one for one in weighed if one.grown_bytes > MEMORY_BYTES]


def test_stalls(weighed: list[Weighed]) -> None:
    """No step that is done on the event loop holds it up."""
    assert not [one for one in weighed if one.longest_s > STALL_S]


def test_errors(weighed: list[Weighed]) -> None:
    """Each ends in sound or in an error, unless it may go on, or never was a recording."""
    for one in weighed:
        is_recording = begins(corpus()[one.name][:12]) is not None
        assert one.code or one.sound_s or is_open(one.name) or not is_recording, one
        assert not one.code or one.code in set(ErrorCode), one
