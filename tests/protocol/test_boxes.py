"""What FFmpeg may see of an MP4 recording."""

import struct

import pytest

from livegate.protocol.errors import ErrorCode, RemoteProtocolError
from livegate.protocol.media import vorbis
from livegate.protocol.media.boxes import Boxes
from livegate.protocol.media.outlines import Shape
from made_media import (
    FTYP,
    SOUND,
    box,
    entry,
    full,
    moov,
    mp4,
    tables,
    trak,
    valid,
    vorbis_private,
)


@pytest.mark.parametrize("name", ["mp4-aac", "mp4-front", "mp4-pieces", "mp4-alac"])
@pytest.mark.parametrize("size", [1, 13, 4096, 1 << 20])
def test_valid(name: str, size: int) -> None:
    """A recording keeps its place, however it is cut, but for boxes that are not needed."""
    data = valid()[name]
    boxes = Boxes()
    seen = b"".join(boxes.feed(data[at : at + size]) for at in range(0, len(data), size))
    assert boxes.is_whole
    assert boxes.shape is (Shape.FILE if name in {"mp4-aac", "mp4-alac"} else Shape.STREAM)
    assert boxes.holds_back is (boxes.shape is Shape.FILE)
    assert len(seen) == len(data)
    changed = {at // 4 for at in range(len(data)) if seen[at] != data[at]}
    assert len(changed) <= 40
    assert b"udta" not in seen


def test_other_files_are_not_named() -> None:
    """Where other files are named, nothing is left to read."""
    dinf = box(b"dinf", full(b"dref", 1, more=box(b"url ", bytes(4), b"file:///etc/passwd\0")))
    assert b"dinf" not in Boxes().feed(mp4(trak(tables(), dinf=dinf)))


def test_one_track() -> None:
    """One track of sound is left, and one description."""
    data = mp4(trak(tables(), handler=b"vide"), trak(tables()), trak(tables())) + moov()
    seen = Boxes().feed(data)
    assert seen.count(b"trak") == seen.count(b"moov") == 1


def test_edits() -> None:
    """An edit list that repeats much is left out."""
    edits = box(b"edts", full(b"elst", 9, *[1, 0, 65_536] * 9))
    assert b"elst" not in Boxes().feed(mp4(trak(tables(), edits)))


def _described(codec: bytes, *more: bytes) -> bytes:
    return mp4(trak(tables(stsd=full(b"stsd", 1, more=entry(codec, *more)))))


def _run(flags: int, count: int) -> bytes:
    run = box(b"trun", struct.pack(">II", flags, count))
    return FTYP + moov() + box(b"moof", box(b"traf", run))


REFUSED = {
    "a size too small": (struct.pack(">I4s", 7, b"free"), ErrorCode.AUDIO_BROKEN),
    "a size too large": (box(b"moov", size=2**31), ErrorCode.AUDIO_TOO_COSTLY),
    "much before sound": (box(b"free", size=2**31), ErrorCode.AUDIO_TOO_COSTLY),
    "boxes without end": (box(b"free") * 200_001, ErrorCode.AUDIO_TOO_COSTLY),
    "a part too large": (moov(box(b"trak", size=999)), ErrorCode.AUDIO_BROKEN),
    "a table too short": (mp4(trak(tables(stts=full(b"stts", 9)))), ErrorCode.AUDIO_BROKEN),
    "no table at all": (mp4(trak(tables(stts=box(b"stts")))), ErrorCode.AUDIO_BROKEN),
    "times without end": (
        mp4(trak(tables(stts=full(b"stts", 1, 2**31, 2)))),
        ErrorCode.AUDIO_TOO_COSTLY,
    ),
    "a run too short": (_run(0x100, 9), ErrorCode.AUDIO_BROKEN),
    "a run without end": (_run(0, 2**31), ErrorCode.AUDIO_TOO_COSTLY),
    "a codec": (_described(b"png "), ErrorCode.AUDIO_FORMAT),
    "two codecs": (mp4(trak(tables(stsd=full(b"stsd", 2)))), ErrorCode.AUDIO_FORMAT),
    "a long codec": (_described(b"mp4a", bytes(70_000)), ErrorCode.AUDIO_TOO_COSTLY),
    "ALAC": (
        _described(b"alac", b"alac", struct.pack(">II", 0, 2**24)),
        ErrorCode.AUDIO_TOO_COSTLY,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    """What would take FFmpeg's memory is refused."""
    data, code = REFUSED[name]
    with pytest.raises(RemoteProtocolError) as raised:
        Boxes().feed(data)
    assert raised.value.code is code


def test_half_sizes() -> None:
    """Sizes may be written in four bits each."""
    compact = full(b"stz2", 4, 8, more=bytes(4))
    stbl = tables(stsz=compact, stts=full(b"stts", 1, 8, 2))
    assert b"stz2" in Boxes().feed(mp4(trak(stbl), sound=SOUND))


def test_large_size() -> None:
    """Sound may have a size of 64 bits."""
    data = FTYP + struct.pack(">I4sQ", 1, b"mdat", 16 + len(SOUND)) + SOUND
    assert Boxes().feed(data) == data


def test_vorbis() -> None:
    """Codebooks that would fill a decoder's memory are refused, those of an encoder are not."""
    data = valid()["webm-vorbis"]
    vorbis.check(data[: data.index(b"BCV") + 4000])
    for headers in (vorbis_private(9), bytes(70_000)):
        with pytest.raises(RemoteProtocolError) as raised:
            vorbis.check(headers)
        assert raised.value.code is ErrorCode.AUDIO_TOO_COSTLY


def test_vorbis_patterns() -> None:
    """What no decoder would take for a codebook is not counted."""
    vorbis.check(b"BCV" + b"\xff" * 5)
