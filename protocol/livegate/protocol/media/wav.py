"""WAV: a header that says how the samples are written, and then the samples.

Multimedia Programming Interface 1.0 (RIFF, `fmt `), Microsoft's mmreg.h (the format tags),
EBU Tech 3306 (RF64), ITU-R BS.2088 (BW64).
"""

import enum
import re
import struct
from typing import Final

from livegate.protocol.audio import check_rate
from livegate.protocol.errors import ErrorCode, RemoteProtocolError, shown
from livegate.protocol.media.tracks import MAX_CHANNELS, SIZES, End, Found, Packet, Samples, Track

MAX_BEFORE: Final = 16 << 20
"""Bytes before the sound; a cover in front of it is one to two MiB."""
MAX_READ: Final = 1024
"""Bytes of a chunk that is read; the longest format known, Microsoft ADPCM's, has 50."""
MAX_CHUNKS: Final = 128
"""Chunks before the sound; broadcast recorders write a dozen."""
PACKET: Final = 32 << 10
"""Bytes of a packet at most: a decoder's step is a few milliseconds then."""

# Who writes to a pipe cannot come back to write the size. FFmpeg leaves 0xFFFFFFFF, many a page
# 0, SoX 0x7FFFF000 less a part of a block, arecord 0x7FFFFF00 or 0x80000000, npm's `wav`
# 2**32 - 101. So no size from here up is believed.
_UNKNOWN_FROM: Final = 0x7FFF_0000
_IN_DS64: Final = 0xFFFF_FFFF
_ENDLESS: Final = 1 << 62

_HEAD: Final = struct.Struct("<4s4x4s")
_CHUNK: Final = struct.Struct("<4sI")
_DS64: Final = struct.Struct("<8xQ8x")
_FORMAT: Final = struct.Struct("<HHI4xHH")
_EXTENSION: Final = struct.Struct("<18xH4xH14s")
"""What an extensible format says beyond that: valid bits and the sub-format."""

_BEGINNING: Final = re.compile(rb"(?:RIF[FX]|RF64|BW64).{4}WAVE", re.DOTALL)

_FORMS: Final = frozenset({"RIFF", "RF64", "BW64"})
_EXTENSIBLE: Final = 0xFFFE
_WANTED: Final = "WAV must be PCM, float, A-law or mu-law"
_KINDS: Final[dict[int, dict[int, Samples]]] = {
    0x0001: {8: Samples.U8, 16: Samples.S16, 24: Samples.S24, 32: Samples.S32},
    0x0003: {32: Samples.F32, 64: Samples.F64},
    0x0006: {8: Samples.A_LAW},
    0x0007: {8: Samples.MU_LAW},
}
"""How samples are written, by format tag and bits."""
_OTHERS: Final = {
    0x0002: "Microsoft ADPCM",
    0x0011: "IMA ADPCM",
    0x0031: "GSM 6.10",
    0x0050: "MPEG",
    0x0055: "MP3",
}
_TAIL: Final = bytes.fromhex("000000001000800000aa00389b71")
"""What follows the format tag in the GUID of a sub-format (mmreg.h, DEFINE_WAVEFORMATEX_GUID)."""


class _Stage(enum.Enum):
    """What the next bytes are."""

    HEAD = enum.auto()
    CHUNK = enum.auto()
    DS64 = enum.auto()
    FORMAT = enum.auto()
    SOUND = enum.auto()
    AFTER = enum.auto()


class Wav:
    """Reads PCM, float, A-law and mu-law; keeps only a header or an incomplete block.

    A size of 0, or one that only stands in for a size, means sound without an end, as FFmpeg
    takes it: then no `End` is found. RIFF's own size means nothing. After the end all is ignored,
    up to the head of another recording, wherever that is: not everyone pads an odd size.
    """

    slice_bytes = 9 << 10

    def __init__(self) -> None:
        self._stage = _Stage.HEAD
        self._need = _HEAD.size
        """How many bytes the stage takes at least."""
        self._kept = b""
        self._skip = 0
        """Bytes to pass over first."""
        self._before = 0
        self._chunks = 0
        self._is_large = False
        """RF64 or BW64: sizes that need 64 bits stand in `ds64`."""
        self._large_size = 0
        self._track: Track | None = None
        self._block = 0
        """Bytes of one sample of all channels."""
        self._left = 0
        """Bytes of sound that have not come."""

    @property
    def is_over(self) -> bool:
        """Whether a recording was whole, and no other has begun, not even in part."""
        is_begun = bool(self._kept) and b"RIFF".startswith(self._kept[:4])
        return self._stage is _Stage.AFTER and not is_begun

    def feed(self, data: bytes) -> list[Found]:
        """Take the next bytes; return what is whole now, in order.

        Raises:
            RemoteProtocolError: `audio_format`: it is written in a way that is not read here;
                `audio_broken`: it is no WAV, or its header makes no sense. If other recordings
                ended in the same bytes, they are lost.
        """
        found: list[Found] = []
        data = self._kept + data
        at = 0
        while True:
            passed = min(self._skip, len(data) - at)
            self._skip -= passed
            at += passed
            if len(data) - at < self._need:
                break
            match self._stage:
                case _Stage.SOUND:
                    at = self._cut(data, at, found)
                case _Stage.AFTER:
                    beginning = _BEGINNING.search(data, at)
                    if beginning is None:
                        at = len(data) - _HEAD.size + 1
                        break
                    at = beginning.start()
                    self._enter(_Stage.HEAD, _HEAD.size)
                case _:
                    piece = data[at : at + self._need]
                    at += self._need
                    self._read(piece, found)
        self._kept = data[at:]
        return found

    def _enter(self, stage: _Stage, need: int) -> None:
        self._stage = stage
        self._need = need

    def _read(self, piece: bytes, found: list[Found]) -> None:
        match self._stage:
            case _Stage.HEAD:
                self._begin(piece)
            case _Stage.CHUNK:
                said: tuple[bytes, int] = _CHUNK.unpack(piece)
                name, size = said[0].decode("latin-1"), said[1]
                if name == "data":
                    self._sound(size, found)
                else:
                    self._describe(name, size)
                return
            case _Stage.DS64:
                (self._large_size,) = _DS64.unpack_from(piece)
            case _:
                self._track, self._block = _track_of(piece)
        self._enter(_Stage.CHUNK, _CHUNK.size)

    def _begin(self, head: bytes) -> None:
        form = _form_of(head)
        self._is_large = form != "RIFF"
        self._large_size = self._before = self._chunks = 0
        self._track = None

    def _describe(self, name: str, size: int) -> None:
        """Read a chunk before the sound, or pass over it."""
        self._chunks += 1
        if self._chunks > MAX_CHUNKS:
            raise _broken(f"at most {MAX_CHUNKS} chunks may come before the sound")
        padded = size + size % 2
        self._before += padded
        if self._before > MAX_BEFORE:
            raise _broken(
                f"at most {MAX_BEFORE >> 20} MiB may come before the sound, "
                f"got a chunk {shown(name)} of {size} bytes"
            )
        if name == "fmt " and self._track is None:  # the first one counts, as for FFmpeg
            _check_size(name, size, _FORMAT.size)
            self._enter(_Stage.FORMAT, padded)
        elif name == "ds64" and self._is_large:
            _check_size(name, size, _DS64.size)
            self._enter(_Stage.DS64, padded)
        else:
            self._skip = padded

    def _sound(self, size: int, found: list[Found]) -> None:
        if self._track is None:
            raise _broken("a 'fmt ' chunk must come before the 'data' chunk")
        found.append(self._track)
        if size == _IN_DS64:
            self._left = self._large_size or _ENDLESS
        else:
            self._left = size if 0 < size < _UNKNOWN_FROM else _ENDLESS
        self._enter(_Stage.SOUND, self._block)
        self._end(found)

    def _cut(self, data: bytes, at: int, found: list[Found]) -> int:
        """Find the packets in what has come; return where they end."""
        size = min(len(data) - at, self._left)
        until = at + size - size % self._block
        step = PACKET - PACKET % self._block
        found.extend(
            Packet(data[start : min(start + step, until)]) for start in range(at, until, step)
        )
        self._left -= until - at
        self._end(found)
        return until

    def _end(self, found: list[Found]) -> None:
        """Find the end, if no block is left; less than one is no sound."""
        if self._left < self._block:
            found.append(End())
            self._enter(_Stage.AFTER, _HEAD.size)


def _broken(message: str) -> RemoteProtocolError:
    return RemoteProtocolError(ErrorCode.AUDIO_BROKEN, message)


def _unread(message: str) -> RemoteProtocolError:
    return RemoteProtocolError(ErrorCode.AUDIO_FORMAT, message)


def _form_of(head: bytes) -> str:
    names: tuple[bytes, bytes] = _HEAD.unpack(head)
    form, kind = (name.decode("latin-1") for name in names)
    if form == "RIFX":
        raise _unread("WAV must be little-endian, RIFF; got RIFX")
    if form not in _FORMS:
        raise _broken(f"WAV must begin with RIFF, RF64 or BW64, got {shown(form)}")
    if kind != "WAVE":
        raise _unread(f"{form} must hold WAVE, got {shown(kind)}")
    return form


def _check_size(name: str, size: int, least: int) -> None:
    if not least <= size <= MAX_READ:
        raise _broken(f"the {shown(name)} chunk must have {least} to {MAX_READ} bytes, got {size}")


def _track_of(piece: bytes) -> tuple[Track, int]:
    """Return what a `fmt ` chunk says, and how many bytes a block has."""
    numbers: tuple[int, int, int, int, int] = _FORMAT.unpack_from(piece)
    tag, channels, rate, align, bits = numbers
    if tag == _EXTENSIBLE:
        tag = _sub_format(piece, bits)
    codec = _codec(tag, bits)
    if not 1 <= channels <= MAX_CHANNELS:
        raise _unread(f"WAV must have 1 to {MAX_CHANNELS} channels, got {channels}")
    check_rate(rate)
    block = SIZES[codec] * channels
    if align != block:
        raise _broken(
            f"the block align of {channels} channels of {bits} bits must be {block}, got {align}"
        )
    return Track(codec=codec, rate=rate, channels=channels), block


def _sub_format(piece: bytes, bits: int) -> int:
    """Return the format tag that an extensible format stands for.

    Fewer valid bits than there are leave the lower ones empty (mmreg.h), so they need no care.
    """
    if len(piece) < _EXTENSION.size:
        raise _broken(
            f"an extensible 'fmt ' chunk must have {_EXTENSION.size} bytes, got {len(piece)}"
        )
    said: tuple[int, int, bytes] = _EXTENSION.unpack_from(piece)
    valid, tag, tail = said
    if valid > bits:
        raise _broken(f"at most {bits} of {bits} bits can be valid, got {valid}")
    if tail != _TAIL:
        raise _unread(f"{_WANTED}, got the sub-format {piece[24:40].hex()}")
    return tag


def _codec(tag: int, bits: int) -> Samples:
    kinds = _KINDS.get(tag)
    if kinds is None:
        name = f" ({_OTHERS[tag]})" if tag in _OTHERS else ""
        raise _unread(f"{_WANTED}, got format tag 0x{tag:04x}{name}")
    if bits not in kinds:
        expected = " or ".join(str(size) for size in kinds)
        raise _unread(f"WAV of format tag 0x{tag:04x} must have {expected} bits, got {bits}")
    return kinds[bits]
