"""What is found in WebM that is damaged, and when it is given up."""

from typing import Final

import pytest

import muxing as mux
from demuxed import refused, sounds
from livegate.protocol.errors import ErrorCode
from livegate.protocol.media import webm
from livegate.protocol.media.webm import WebM

MIB: Final = 1024 * 1024
ONE, TWO, THREE = (mux.block(sound) for sound in (b"one", b"two", b"three"))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (ONE + b"\x00" + TWO + THREE, [b"one", b"two", b"three"]),
        (ONE + TWO[4:] + THREE + ONE, [b"one", b"three", b"one"]),
        (ONE + mux.head(0x4286) + THREE + ONE, [b"one", b"three", b"one"]),
        (ONE + mux.block(b"", 9) + THREE + ONE, [b"one", b"three", b"one"]),
        (
            ONE + mux.head(0xA3, mux.vint(1 << 40)) + b"\x81" + THREE + ONE,
            [b"one", b"three", b"one"],
        ),
        (ONE + mux.head(0xA0, mux.vint(1 << 40)) + THREE + ONE, [b"one", b"three", b"one"]),
        (ONE + b"\xa3\x80" + THREE + ONE, [b"one", b"three", b"one"]),
        (ONE + b"\xa3\x81\x40" + THREE + ONE, [b"one", b"three", b"one"]),
        (ONE + b"\x00" + mux.group(mux.grouped(b"two")) + ONE, [b"one", b"two", b"one"]),
        (ONE + b"\x00" + mux.cluster() + ONE + ONE, [b"one", b"one", b"one"]),
        (ONE + b"\x00" + mux.cluster(b"\xa0") + ONE + ONE, [b"one", b"one", b"one"]),
        (ONE + b"\x1f" + mux.cluster()[1:3] + ONE + ONE, [b"one", b"one", b"one"]),
        (ONE + b"\x00" + mux.start() + TWO, [b"one", b"two"]),
        # What begins like something else, but is not.
        (ONE + b"\x00\xa3\x84\x81\x00\x00\x82" + TWO + ONE, [b"one", b"two", b"one"]),
        (ONE + b"\x00\xa3\x84\x82\x00\x00\x80" + TWO + ONE, [b"one", b"two", b"one"]),
        (ONE + b"\x00\x1f\x43\xb6\x75\x80" + TWO + ONE, [b"one", b"two", b"one"]),
        # A block that lost its end swallows those that came instead.
        (
            mux.block(bytes(40))[:10] + ONE + TWO + THREE + TWO,
            [bytes(4) + ONE + TWO + THREE + TWO[:7], b"one", b"two", b"three", b"two"],
        ),
    ],
)
def test_damage(data: bytes, expected: list[bytes]) -> None:
    """After damage the next block that is whole is found, and nothing after it is lost."""
    # The last beginning before the end of all bytes may not be settled.
    found = sounds(mux.start() + data + mux.cluster())
    assert found == expected


def test_two_byte_numbers() -> None:
    """A track with a large number is found again after damage, too."""
    entry = mux.track(b"A_OPUS", mux.sampled(), track_number=0x2E28)
    data = mux.start(entry) + b"\x00" + mux.block(b"sound", 0x2E28) + mux.cluster()
    assert sounds(data) == [b"sound"]


def test_damage_is_endless() -> None:
    """What is damaged for longer than 1 MiB is given up; shorter, it is not."""
    data = mux.start() + ONE + bytes(MIB)
    assert sounds(data + TWO + mux.cluster()) == [b"one", b"two"]
    expected = "the recording is damaged: nothing of it is found in 1048576 bytes"
    assert refused(data + b"\x00" + TWO + mux.cluster()) == (ErrorCode.AUDIO_BROKEN, expected)


def test_damage_counts() -> None:
    """Damage counts for what comes without sound."""
    part = bytes(MIB) + mux.cluster()
    code, _ = refused(mux.start() + part * 17)
    assert code == ErrorCode.AUDIO_TOO_COSTLY


def test_blocks_within_blocks() -> None:
    """Blocks that lie one in another are not read for ever: each byte is given twice at most."""
    inner = b"".join(mux.head(0xA3, mux.vint(50_000, 3)) + mux.in_block(b"") for _ in range(6_000))
    data = mux.start() + mux.head(0xA3, mux.vint(50_000, 3)) + mux.in_block(inner)
    found = sounds(data + bytes(60_000))
    assert len(found) > 1
    assert sum(map(len, found)) <= 2 * len(data) + 60_000


def test_memory() -> None:
    """No more is held than a block and the one before it."""
    reader = WebM()
    video = mux.track(b"V_VP8", track_number=2, kind=1)
    data = mux.start(mux.track(b"A_OPUS", mux.sampled()), video)
    data += mux.block(bytes(MIB - 20)) * 3 + mux.block(bytes(5 * MIB), 2)
    data += mux.block(b"one") + bytes(MIB - 100) + mux.block(b"two") + mux.cluster()
    for at in range(0, len(data), 8_192):
        reader.feed(data[at : at + 8_192])
        assert reader.held_bytes <= 2 * webm.BLOCK_BYTES + 8_192
    assert reader.held_bytes < 100
