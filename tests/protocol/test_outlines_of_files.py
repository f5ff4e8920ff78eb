"""Where recordings end that are not read here: their outlines, however they are cut."""

import json
from pathlib import Path
from typing import Final

import pytest

from livegate.protocol.media import kinds
from livegate.protocol.media.boxes import Boxes
from livegate.protocol.media.kinds import Kind
from livegate.protocol.media.outlines import Frames, Outline, Shape

FOLDER: Final = Path(__file__).parent.parent / "data" / "made"
MANIFEST: Final = json.loads((FOLDER / "manifest.json").read_text())
ENDS: Final = {
    name: row["ends"]
    for name, row in MANIFEST.items()
    if name.endswith((".mp4", ".m4a", ".mov", ".mp3", ".flac")) and name != "references.flac"
}
"""Of each file, whether it says where it ends."""


def followed(data: bytes, size: int) -> tuple[Outline, int]:
    """Return a recording's outline, and after how many bytes it was whole."""
    kind = kinds.begins(data[:12])
    assert kind is not None
    outline: Outline = Boxes() if kind is Kind.MP4 else Frames()
    for at in range(0, len(data), size):
        outline.feed(data[at : at + size])
        if outline.is_whole:
            return outline, at + size
    return outline, 0


@pytest.mark.parametrize("size", [1, 999, 1 << 20])
@pytest.mark.parametrize("name", ENDS)
def test_end(name: str, size: int) -> None:
    """A file that says where it ends is whole with its last byte, however it is cut."""
    data = (FOLDER / name).read_bytes()
    outline, whole_at = followed(data, size)
    if ENDS[name] != "said":
        assert whole_at == 0
        assert outline.is_silent == name.endswith((".mp3", ".flac"))
    elif name.endswith(("aac-fragmented.mp4", "opus-fragmented.mp4", ".mp3", ".flac", ".ogg")):
        assert len(data) <= whole_at < len(data) + size
    else:
        assert len(data) - 500 <= whole_at < len(data) + size  # boxes may follow that hold nothing


def test_lame_says_what_is_not_sound() -> None:
    """LAME's padding behind the sound is known, to the sample; other programs say nothing."""
    data = (FOLDER / "mpeg2-16khz.mp3").read_bytes()
    outline, _ = followed(data, 100)
    start, stop = outline.unheard_s
    assert round(start * 16_000) == MANIFEST["mpeg2-16khz.mp3"]["reference"][1]
    assert 0 < stop - start < 0.05
    other = data.replace(b"Lavf", b"Xyzw").replace(b"Lavc", b"Xyzw")
    assert followed(other, 100)[0].unheard_s == (0.0, 0.0)


@pytest.mark.parametrize("bit", [1, 2])
def test_xing_without_sizes(bit: int) -> None:
    """Xing's header may leave out how many frames or bytes there are: then nothing is known."""
    data = bytearray((FOLDER / "mpeg2-16khz.mp3").read_bytes())
    data[data.index(b"Info") + 7] &= ~bit
    outline, whole_at = followed(bytes(data), 100)
    assert outline.is_silent
    assert not whole_at


def test_tag_before_nothing_known() -> None:
    """A tag may stand before anything."""
    outline, whole_at = followed(b"ID3\4\0\0\0\0\0\0" + bytes(300), 7)
    assert outline.is_silent
    assert not whole_at


def test_flac_too_long() -> None:
    """FLAC with more frames than there is a short number for has no end that is looked for."""
    data = bytearray((FOLDER / "16khz.flac").read_bytes())
    data[21:26] = (int.from_bytes(data[21:26]) | (1 << 36) - 1).to_bytes(5)
    data[10:12] = (16).to_bytes(2)
    assert followed(bytes(data), 999)[0].is_silent


def test_flac_with_an_endless_frame() -> None:
    """What looks like the last frame, and goes on for ever, is not looked through for ever."""
    data = (FOLDER / "16khz.flac").read_bytes()
    outline, whole_at = followed(data[:-1] + bytes(1 << 19), 1 << 16)
    assert not whole_at
    assert not outline.is_silent


def test_flac_goes_on_behind_its_end() -> None:
    """What follows the last frame in the same piece hides its end; the pause behind it tells."""
    assert not followed((FOLDER / "16khz.flac").read_bytes() + b"TAG" + bytes(125), 1 << 20)[1]


def test_large_boxes() -> None:
    """A box may say its size in 64 bits, or go on to the end of the file."""
    index = b"\0\0\0\x08ftyp\0\0\0\x08moov"
    large = b"\0\0\0\x01mdat" + (24).to_bytes(8) + bytes(8)
    assert followed(index + large, 3)[1]
    outline, whole_at = followed(index + b"\0\0\0\0mdat" + bytes(99), 1)
    assert outline.shape is Shape.STREAM
    assert not whole_at
    assert followed(b"\0\0\0\x08ftyp\0\0\0\0mdat" + bytes(9), 1)[0].shape is Shape.FILE
