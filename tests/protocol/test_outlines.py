"""Where recordings end that FFmpeg decodes, whichever way their bytes are cut."""

import itertools
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livegate.protocol.errors import RemoteProtocolError
from livegate.protocol.media.boxes import Boxes
from livegate.protocol.media.outlines import Frames, Shape
from outlined import box, large_box

FTYP: Final = box(b"ftyp", b"isom")
MOOV: Final = box(b"moov", box(b"trak"))
FRAGMENTED: Final = box(b"moov", box(b"mvex"))
MDAT: Final = box(b"mdat", b"sound")

MP4: Final[dict[str, tuple[bytes, Shape, bool]]] = {
    "nothing": (b"", Shape.UNKNOWN, False),
    "only its kind": (FTYP, Shape.UNKNOWN, False),
    "only half a head": (FTYP + MOOV[:6], Shape.UNKNOWN, False),
    "index first": (FTYP + MOOV, Shape.STREAM, False),
    "index first, sound begins": (FTYP + MOOV + MDAT[:-1], Shape.STREAM, False),
    "index first, sound is whole": (FTYP + MOOV + MDAT, Shape.STREAM, True),
    "index last": (FTYP + MDAT + MOOV, Shape.FILE, True),
    "index last, not whole": (FTYP + MDAT + MOOV[:-1], Shape.FILE, False),
    "index last, sound begins": (FTYP + MDAT[:8], Shape.FILE, False),
    "large sound": (FTYP + MOOV + large_box(b"mdat", b"sound"), Shape.STREAM, True),
    "large sound first": (FTYP + large_box(b"mdat", b"sound") + MOOV, Shape.FILE, True),
    "large sound, half its size": (FTYP + large_box(b"mdat")[:12], Shape.UNKNOWN, False),
    "sound up to the end": (FTYP + MOOV + box(b"mdat", b"sound", size=0), Shape.STREAM, False),
    "no sound": (FTYP + MOOV + box(b"mdat"), Shape.STREAM, True),
    "fragments": (FTYP + FRAGMENTED + box(b"moof") + MDAT, Shape.STREAM, False),
    "fragments to their end": (
        FTYP + FRAGMENTED + box(b"moof") + MDAT + box(b"mfra", b"index"),
        Shape.STREAM,
        True,
    ),
    "another box behind it": (FTYP + MOOV + MDAT + box(b"free", b"-"), Shape.STREAM, True),
}


def read(*pieces: bytes) -> Boxes:
    """Return what is known after these bytes."""
    outline = Boxes()
    for piece in pieces:
        outline.feed(piece)
    return outline


@pytest.mark.parametrize("name", MP4)
def test_mp4(name: str) -> None:
    """An MP4 is a stream if its index comes first; it is whole with index and sound."""
    data, shape, is_whole = MP4[name]
    outline = read(data)
    assert (outline.shape, outline.is_whole) == (shape, is_whole)
    assert outline.holds_back == (shape is not Shape.STREAM)


def test_frames_are_silent() -> None:
    """What begins like neither MP3 nor FLAC never says that it is whole, and passes as it is."""
    outline = Frames()
    assert outline.feed(b"anything at all") == b"anything at all"
    assert (outline.shape, outline.is_whole, outline.holds_back) == (Shape.STREAM, False, True)


@given(st.sampled_from([*MP4.values()]), st.lists(st.integers(0, 120), max_size=6))
def test_cut_anywhere(row: tuple[bytes, Shape, bool], cuts: list[int]) -> None:
    """How the bytes were cut changes nothing."""
    data, shape, is_whole = row
    ends = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    outline = read(*(data[a:b] for a, b in itertools.pairwise(ends)))
    assert (outline.shape, outline.is_whole) == (shape, is_whole)


@given(st.binary(max_size=200))
def test_anything(data: bytes) -> None:
    """Whatever comes is followed to its end, or refused, byte by byte like at once."""
    assert judged(data) == judged(*(data[at : at + 1] for at in range(len(data))))


def judged(*pieces: bytes) -> object:
    """Return what is known after these bytes, or why there is nothing."""
    try:
        outline = read(*pieces)
    except RemoteProtocolError as error:
        return error.message
    return outline.shape, outline.is_whole


def test_second_index() -> None:
    """An MP4 has one index; FFmpeg sees no other."""
    assert Boxes().feed(FTYP + MOOV + MOOV) == b"".join(
        (FTYP, MOOV.replace(b"trak", b"free"), MOOV.replace(b"moov", b"free"))
    )
