"""What packets of Opus say of themselves."""

import pytest

from livegate.protocol.media import opus


@pytest.mark.parametrize(
    ("packet", "samples"),
    [
        ("08", 960),  # SILK, 20 ms, one frame
        ("09", 1920),
        ("0a00", 1920),
        ("0b03", 2880),
        ("0b83", 2880),
        ("0b", 0),
        ("18", 2880),  # SILK, 60 ms
        ("80", 120),  # CELT, 2.5 ms
        ("fc", 960),
        ("60", 480),  # both, 10 ms
    ],
)
def test_samples(packet: str, samples: int) -> None:
    """A packet's configuration and its number of frames say how long it plays."""
    assert opus.samples(bytes.fromhex(packet)) == samples


@pytest.mark.parametrize(
    ("packet", "is_pause"),
    [
        ("08", True),
        ("08ff", False),
        ("09", True),
        ("0a", True),
        ("0a00", True),
        ("0a01", False),
        ("0a00ff", False),
        ("0b03", True),
        ("0b03ff", False),
        ("0b06", True),
        ("0b07", False),  # 140 ms
        ("0b", False),
        ("0b00", False),
    ],
)
def test_pause(packet: str, is_pause: bool) -> None:  # noqa: FBT001 - a table's column
    """A packet without any sound in it is a pause, of the length that it says."""
    assert opus.is_pause(bytes.fromhex(packet)) is is_pause
