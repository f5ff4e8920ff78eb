"""Packets of PCM on their way to a codec: as few as can be, and none too large."""

from typing import Final

import attrs
import pytest

from livegate.protocol.media.decoder import Read
from livegate.protocol.media.tracks import End, Found, Packet, Samples, Track

TRACK: Final = Track(codec=Samples.S16, rate=8_000, channels=1)


@attrs.define
class Ready:
    """A reader that has found all there is."""

    found: list[Found]
    is_over: bool = True
    slice_bytes: int = 99

    def feed(self, data: bytes) -> list[Found]:
        """Return all of it."""
        assert data
        return self.found


@attrs.define
class Counting:
    """A codec that leaves sound as it is."""

    sizes: list[int]
    rate: int = 8_000

    def decode(self, data: bytes) -> bytes:
        """Take note of its size."""
        self.sizes.append(len(data))
        return data

    def flush(self) -> bytes:
        """Hold nothing back."""
        return b""


def decoded(found: list[Found]) -> tuple[list[int], bytes]:
    """Return the sizes of what a codec got, and what came of it."""
    sizes: list[int] = []
    recording = Read(Ready(found), lambda _: Counting(sizes))
    recording.feed(b"all", is_base64=False)
    pcm = b""
    while (answer := recording.step()).has_more:
        pcm += answer.pcm
    return sizes, pcm + answer.pcm


@pytest.mark.parametrize(
    ("found", "sizes"),
    [
        ([Packet(b"ab"), Packet(b"cd"), Packet(b"ef")], [6]),
        ([Packet(b"ab"), Packet(b"cd"), End()], [4]),
        ([Packet(b"ab"), TRACK, Packet(b"cd"), Packet(b"ef")], [2, 4]),
        ([Packet(bytes(16_000)), Packet(bytes(8_576)), Packet(b"ab")], [24_576, 2]),
        ([Packet(bytes(40_000)), Packet(b"ab")], [40_000, 2]),
    ],
)
def test_together(found: list[Found], sizes: list[int]) -> None:
    """Packets of one track are decoded together, up to a step's worth."""
    got, pcm = decoded([TRACK, *found])
    assert got == sizes
    assert pcm == b"".join(one.data for one in found if isinstance(one, Packet))


def test_coded_packets() -> None:
    """What is no PCM is decoded packet by packet."""
    track = attrs.evolve(TRACK, codec="opus")
    assert decoded([track, Packet(b"ab"), Packet(b"cd")]) == ([2, 2], b"abcd")


@pytest.mark.parametrize(("trim", "left"), [(1, b"cd"), (2, b""), (3, b"")])
def test_trimmed(trim: int, left: bytes) -> None:
    """What is not to be heard of a packet is taken from no other, nor is more than there is."""
    last = Packet(b"cdef", trim_s=trim / TRACK.rate)
    assert decoded([TRACK, Packet(b"ab"), last, Packet(b"gh")]) == (
        [2, 4, 2],
        b"ab" + left + b"gh",
    )


def test_end_of_a_track() -> None:
    """What is behind the end that a track says is not heard, nor what a codec holds back then."""
    last = Packet(b"efgh", stop_s=3 / 8_000)
    assert decoded([TRACK, Packet(b"ab"), last, End()])[1] == b"abefgh"[:6]
    assert decoded([TRACK, Packet(b"abcdefgh"), last, End()])[1] == b"abcdefgh"
