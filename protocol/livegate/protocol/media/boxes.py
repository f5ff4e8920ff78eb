"""MP4 (ISO/IEC 14496-12) on its way to FFmpeg: a row of boxes, of which it sees what sound needs.

A box of a few bytes can make FFmpeg fill gigabytes, read another file, or decode a picture. So
all that describes the sound is looked at first: what is not known here is called `free`, which
every reader passes over, and nothing moves. Of the tracks the first one of sound is left.
"""

import re
import struct
from typing import Final

from livegate.protocol.errors import ErrorCode, RemoteProtocolError, shown
from livegate.protocol.limits import KIB, MIB
from livegate.protocol.media.outlines import Shape

MAX_DESCRIPTION: Final = 4 * MIB
"""Bytes of `moov` or `moof`, with a cover; three hours of AAC have 3 MiB of tables."""
MAX_PASSED: Final = 16 * MIB
"""Bytes of any other box before there is sound."""
MAX_SAMPLES: Final = 1 << 19
"""Packets of a recording: six hours of AAC. FFmpeg keeps 40 bytes for each."""
MAX_BOXES: Final = 200_000
"""Three hours of a recorder that makes a fragment each tenth of a second."""
_MAX_EDITS: Final = 8
"""Parts of an edit list, each of which may repeat all there is; recorders write two."""
_MAX_STSD: Final = 64 * KIB
_MAX_ALAC_FRAME: Final = 65_536
"""Samples; Apple's encoder writes 4096."""
_PER_INDEX: Final = 128
"""How many samples of PCM FFmpeg keeps as one at least."""
_ENDLESS: Final = 2**62
_HEAD: Final = 8
_LARGE_HEAD: Final = 16
_LARGE_SIZE: Final = b"\0\0\0\1"
_FREE: Final = b"free"

_TOP: Final = frozenset({b"ftyp", b"styp", b"moov", b"moof"})
"""What is kept until it is whole, and then looked at; sound goes by."""
_PARTS: Final = {
    b"moov": frozenset({b"mvhd", b"trak", b"mvex"}),
    b"trak": frozenset({b"tkhd", b"edts", b"mdia"}),
    b"edts": frozenset({b"elst"}),
    b"mdia": frozenset({b"mdhd", b"hdlr", b"minf"}),
    b"minf": frozenset({b"smhd", b"stbl"}),
    b"stbl": frozenset({b"stsd", b"stts", b"ctts", b"stsc", b"stsz", b"stz2", b"stco", b"co64"}),
    b"mvex": frozenset({b"trex"}),
    b"moof": frozenset({b"mfhd", b"traf"}),
    b"traf": frozenset({b"tfhd", b"tfdt", b"trun"}),
}
"""What each box may hold for FFmpeg; not `dref`, which names other files."""
_REPEATED: Final = frozenset({b"trak", b"trex", b"traf", b"trun"})
_ROWS: Final = {b"stts": 8, b"ctts": 8, b"stsc": 12, b"stco": 4, b"co64": 8}
"""Bytes of each row of a table that has nothing but rows."""
_CODECS: Final = frozenset(
    {
        *(b"mp4a", b"Opus", b"fLaC", b"alac", b"samr", b"sawb", b".mp3", b"ulaw", b"alaw"),
        *(b"sowt", b"twos", b"in24", b"in32", b"fl32", b"lpcm", b"ipcm", b"fpcm"),
    }
)
"""Sample entries: what phones, browsers and people write."""
_IN_ENTRY: Final = re.compile(
    b"st(?:ts|sc|sz|z2|co|sd)|co64|ctts|elst|trak|mo[ov][vf]|tr(?:un|af)|tf(?:hd|ra)|sidx|dref|cmov"
    b"|i(?:inf|loc|pma|ref|prp)|s(?:gpd|bgp|aiz|aio|enc)|pssh|uuid|udta|meta|glbl"
)
"""Boxes that mean nothing in the description of a codec, where FFmpeg would read them all the same."""
_ALAC: Final = re.compile(rb"alac.{4}(.{4})", re.DOTALL)


class Boxes:
    """Follows a recording, and gives on what FFmpeg may see of it.

    `moov` says where the sound is. Recorders write it first, and fragments behind it; most files
    have it either before or after `mdat`, which has all the sound.
    """

    def __init__(self) -> None:
        self.shape = Shape.UNKNOWN
        self.is_whole = self.is_silent = False
        self.rest = b""
        self.unheard_s = (0.0, 0.0)
        self._seen: set[bytes] = set()
        self._head = b""
        self._kind = b""
        self._left = 0
        """Bytes of the box at hand that have not come."""
        self._box = bytearray()
        """It, if it has to be whole first."""
        self._boxes = self._samples = 0
        self._has_track = self._has_fragments = False

    @property
    def holds_back(self) -> bool:
        """A file that is read as a whole does."""
        return self.shape is not Shape.STREAM

    def feed(self, data: bytes) -> bytes:
        """Follow the next bytes; return what can be given on.

        Raises:
            RemoteProtocolError: `audio_broken`: they are no MP4; `audio_too_costly`: it claims
                too much; `audio_format`: it is coded in a way that is not taken.
        """
        out = bytearray()
        view = memoryview(data)
        while not self.is_whole and (view or (self._kind and not self._left)):
            view = self._inside(view, out) if self._kind else self._at_head(view, out)
        self.rest = bytes(view)
        return bytes(out)

    def _at_head(self, view: memoryview, out: bytearray) -> memoryview:
        """Read a box's size and type, as far as they are there."""
        size = _LARGE_HEAD if self._head[:4] == _LARGE_SIZE else _HEAD
        taken = view[: size - len(self._head)]
        self._head += taken
        if len(self._head) == size and not (size == _HEAD and self._head[:4] == _LARGE_SIZE):
            self._begin(size, out)
        return view[len(taken) :]

    def _begin(self, size: int, out: bytearray) -> None:
        """Begin a box whose head is whole."""
        head, self._head = self._head, b""
        told = int.from_bytes(head[8:] if size > _HEAD else head[:4]) or _ENDLESS
        kind = head[4:8]
        if told < size:
            raise _broken(f"a box {shown(kind.decode('latin-1'))} of {told} bytes")
        self._count()
        self._kind, self._left = kind, told - size
        if kind in _TOP:
            if told > MAX_DESCRIPTION or size > _HEAD:
                raise _too_costly(f"a box {kind.decode()} of {told} bytes")
            self._box += head
        elif kind == b"mdat":
            out += head
            if b"moov" not in self._seen:
                self.shape = Shape.FILE
        else:
            if told > MAX_PASSED and b"mdat" not in self._seen:
                raise _too_costly(f"a box {shown(kind.decode('latin-1'))} of {told} bytes")
            out += head[:4] + _FREE + head[8:]

    def _inside(self, view: memoryview, out: bytearray) -> memoryview:
        """Pass on what is in a box, or keep it; it is whole with its last byte."""
        taken = view[: self._left]
        self._left -= len(taken)
        if self._box:
            self._box += taken
        else:
            out += taken
        if not self._left:
            if self._box:
                self._check()
                out += self._box
                self._box.clear()
            self._seen.add(self._kind)
            self._kind = b""
            self._judge()
        return view[len(taken) :]

    def _judge(self) -> None:
        if b"moov" in self._seen and self.shape is Shape.UNKNOWN:
            self.shape = Shape.STREAM
        last = {b"mfra"} if self._has_fragments else {b"moov", b"mdat"}
        self.is_whole = last <= self._seen

    def _check(self) -> None:
        """Look at a whole box."""
        if self._kind == b"moov" and self._kind in self._seen:
            self._box[4:8] = _FREE
        elif self._kind in _PARTS:
            self._clean(0, len(self._box))

    def _clean(self, start: int, end: int) -> None:
        """Free what is not known in a box; look at the rest."""
        box = self._box
        parts = _PARTS[bytes(box[start + 4 : start + 8])]
        seen: dict[bytes, tuple[int, int]] = {}
        at = start + _HEAD
        while at + _HEAD <= end:
            self._count()
            size, kind = int.from_bytes(box[at : at + 4]), bytes(box[at + 4 : at + 8])
            if not _HEAD <= size <= end - at:
                raise _broken(f"a box {shown(kind.decode('latin-1'))} of {size} bytes in another")
            if kind not in parts or (kind in seen and kind not in _REPEATED):
                box[at + 4 : at + 8] = _FREE
            else:
                seen[kind] = at, at + size
                self._look(kind, at, at + size)
            at += size
        if parts is _PARTS[b"stbl"]:
            self._look_at_tables(seen)

    def _look(self, kind: bytes, at: int, end: int) -> None:
        box = self._box
        if kind == b"trak":
            handler = box.find(b"hdlr", at, end)
            is_sound = handler > 0 and bytes(box[handler + 12 : handler + 16]) == b"soun"
            if not is_sound or self._has_track:
                box[at + 4 : at + 8] = _FREE
                return
            self._has_track = True
        elif kind == b"mvex":
            self._has_fragments = True
        elif kind == b"elst" and self._number(at, 12, end) > _MAX_EDITS:
            box[at + 4 : at + 8] = _FREE
        elif kind == b"trun":
            self._look_at_run(at, end)
        elif kind == b"stsd":
            self._look_at_codec(at, end)
        if kind in _PARTS:
            self._clean(at, end)

    def _look_at_run(self, at: int, end: int) -> None:
        """Count a fragment's samples: FFmpeg keeps something for each, though nothing is said of it."""
        flags, count = self._number(at, 8, end), self._number(at, 12, end)
        size = 16 + 4 * (flags & 5).bit_count() + 4 * count * (flags >> 8 & 15).bit_count()
        if size > end - at:
            raise _broken(f"a run of {count} samples in {end - at} bytes")
        self._samples += count
        self._check_samples(self._samples)

    def _look_at_codec(self, at: int, end: int) -> None:
        """Leave one codec that is known, and its own boxes."""
        if end - at > _MAX_STSD:
            raise _too_costly(f"a box stsd of {end - at} bytes")
        if self._number(at, 12, end) != 1:
            raise RemoteProtocolError(
                ErrorCode.AUDIO_FORMAT,
                "the recording's sound must be coded in one way, got several",
            )
        described = bytes(self._box[at + 24 : end])
        codec = bytes(self._box[at + 20 : at + 24])
        if codec not in _CODECS:
            name = shown(codec.decode("latin-1"))
            raise RemoteProtocolError(
                ErrorCode.AUDIO_FORMAT, f"sound coded as {name} is not taken"
            )
        if codec == b"alac":
            frames = [int.from_bytes(one) for one in _ALAC.findall(described)]
            if not frames or max(frames) > _MAX_ALAC_FRAME:
                raise _too_costly(f"ALAC of {frames[:1]} samples in a packet")
            described = described.replace(b"esds", _FREE)
        self._box[at + 24 : end] = _IN_ENTRY.sub(_FREE, described)

    def _look_at_tables(self, seen: dict[bytes, tuple[int, int]]) -> None:
        """Count what the tables claim, and how much of it FFmpeg would keep."""
        counts: dict[bytes, int] = {}
        for kind, (at, end) in seen.items():
            if kind in _ROWS:
                counts[kind] = self._number(at, 12, end)
                size = 16 + counts[kind] * _ROWS[kind]
            elif kind in {b"stsz", b"stz2"}:
                counts[kind] = self._number(at, 16, end)
                width = self._number(at, 12, end)
                bits = (width & 255) if kind == b"stz2" else (0 if width else 32)
                size = 20 + counts[kind] * bits // 8
            else:
                continue
            if size > end - at:
                raise _broken(f"a table of {counts[kind]} rows in {end - at} bytes")
        samples = max(counts.get(b"stsz", 0), counts.get(b"stz2", 0))
        times = self._column(seen.get(b"stts"), 8, 0)
        if self._column(seen.get(b"stts"), 8, 4) == (1,):  # as FFmpeg takes PCM, in lumps
            chunks = max(counts.get(b"stco", 0), counts.get(b"co64", 0))
            longest = max(self._column(seen.get(b"stsc"), 12, 4), default=0)
            self._check_samples(chunks * (longest // _PER_INDEX + 1))
        else:
            self._check_samples(max(samples, sum(times)))
        self._check_samples(sum(self._column(seen.get(b"ctts"), 8, 0)))

    def _column(self, place: tuple[int, int] | None, width: int, at: int) -> tuple[int, ...]:
        """Return a column of a table whose size has been checked."""
        if place is None:
            return ()
        start, end = place
        rows = bytes(self._box[start + 16 : start + 16 + self._number(start, 12, end) * width])
        return struct.unpack(f">{len(rows) // 4}I", rows)[at // 4 :: width // 4]

    def _number(self, at: int, offset: int, end: int) -> int:
        """Return a number in a box."""
        if at + offset + 4 > end:
            raise _broken("a box is too short")
        return int.from_bytes(self._box[at + offset : at + offset + 4])

    def _count(self) -> None:
        self._boxes += 1
        if self._boxes > MAX_BOXES:
            raise _too_costly(f"more than {MAX_BOXES} boxes")

    @staticmethod
    def _check_samples(count: int) -> None:
        if count > MAX_SAMPLES:
            raise _too_costly(f"{count} samples")


def _broken(what: str) -> RemoteProtocolError:
    return RemoteProtocolError(ErrorCode.AUDIO_BROKEN, f"this MP4 recording is damaged: {what}")


def _too_costly(what: str) -> RemoteProtocolError:
    return RemoteProtocolError(
        ErrorCode.AUDIO_TOO_COSTLY, f"this MP4 recording claims too much: {what}"
    )
