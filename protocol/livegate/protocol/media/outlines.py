"""Where recordings end that FFmpeg decodes: their outlines alone, as their bytes come.

A file that is read as a stream has no end for FFmpeg until somebody says so.
"""

import enum
import re
import struct
import sys
from collections.abc import Generator
from typing import Final, Protocol

from livegate.protocol.media import kinds
from livegate.protocol.media.kinds import Kind


class Shape(enum.Enum):
    """How a recording has to be read."""

    UNKNOWN = enum.auto()
    STREAM = enum.auto()
    """As it comes."""
    FILE = enum.auto()
    """Only once all of it is there: what it says of itself stands at its end."""


class Outline(Protocol):
    """Follows a recording's bytes."""

    shape: Shape
    is_whole: bool
    """Its last byte has come, as far as it says."""
    rest: bytes
    """What came behind that: perhaps another recording."""
    is_silent: bool
    """It does not say where its last byte will be."""
    unheard_s: tuple[float, float]
    """From when to when its sound is only there to fill a frame, and FFmpeg does not know."""

    @property
    def holds_back(self) -> bool:
        """Whether FFmpeg has sound of it that it gives out only at its end."""
        ...

    def feed(self, data: bytes) -> bytes:
        """Follow the next bytes; return what FFmpeg may see of them and of those before.

        Raises:
            RemoteProtocolError: Nothing may come of this recording.
        """
        ...


class Frames:
    """MP3 and FLAC, either of them behind ID3 tags: frames, none of which says that it is the last.

    What was written as a file says in front how much there is, though: FLAC in STREAMINFO (RFC
    9639 section 8.2), MP3 in a first frame that is none of sound, Xing's. LAME adds there what it
    put before and behind the sound to fill frames. FFmpeg leaves out what is before, but what is
    behind only if it can seek.
    """

    def __init__(self) -> None:
        self.shape = Shape.STREAM
        self.is_whole = False
        self.is_silent = False
        self.rest = b""
        self.unheard_s = (0.0, 0.0)
        self._held = bytearray()
        self._reader = self._read()
        self._wanted = next(self._reader)
        """How many bytes come next; less than 0 to pass over them, 0 for all of a piece."""

    @property
    def holds_back(self) -> bool:
        """A frame ends where the next begins."""
        return True

    def feed(self, data: bytes) -> bytes:
        """Follow the next bytes; return those up to the end."""
        self._held += data
        while self._held and len(self._held) >= self._wanted and not self.is_whole:
            taken = bytes(self._held[: abs(self._wanted) or None])
            del self._held[: len(taken)]
            self._wanted += len(taken) if self._wanted < 0 else 0
            if self._wanted >= 0:
                self._wanted = self._reader.send(taken)
        if self.is_whole:
            self.rest, self._held = bytes(self._held), bytearray()
        return data[: max(0, len(data) - len(self.rest))]

    def _read(self) -> Generator[int, bytes]:
        head = yield ID3_HEAD
        while head.startswith(b"ID3"):
            yield from _past(id3_bytes(head))
            head = yield ID3_HEAD
        if head.startswith(b"fLaC"):
            yield from self._read_flac(head)
        elif kinds.begins(head + bytes(2)) is Kind.MP3:
            yield from self._read_mp3(head)
        else:
            self.is_silent = True
        yield from _past(_ENDLESS)

    def _read_mp3(self, head: bytes) -> Generator[int, bytes]:
        # ISO/IEC 11172-3 section 2.4.1.3: the header's 32 bits, and behind it side information.
        head += yield _XING_BYTES - ID3_HEAD
        halvings, is_mono = _HALVINGS[head[1] >> 3 & 3], head[3] >> 6 == _MONO
        at = 4 + _SIDE_BYTES[halvings > 0, is_mono]
        name, flags, frames, size = struct.unpack_from(">4sIII", head, at)
        if name not in (b"Xing", b"Info") or flags & 3 != 3:  # noqa: PLR2004 - frames and size
            self.is_silent = True
            return
        lame = at + 16 + 100 * (flags >> 2 & 1) + 4 * (flags >> 3 & 1)
        if head[lame : lame + 4] in (b"LAME", b"Lavf", b"Lavc"):
            pads = int.from_bytes(head[lame + 21 : lame + 24])
            before, behind = pads >> 12, pads & 0xFFF
            end = frames * (576 if halvings else 1152) - before
            rate = _RATES[head[2] >> 2 & 3] >> halvings
            self.unheard_s = (end - behind) / rate, (end - _DECODER_DELAY) / rate
        yield from _past(size - len(head))
        self.is_whole = True

    def _read_flac(self, head: bytes) -> Generator[int, bytes]:
        head += yield _STREAMINFO_END - ID3_HEAD
        block = int.from_bytes(head[10:12])
        samples = int.from_bytes(head[21:26]) & (1 << 36) - 1
        is_last = head[4] >> 7
        while not is_last:
            described = yield 4
            is_last = described[0] >> 7
            yield from _past(int.from_bytes(described[1:]))
        last = (samples - 1) // max(1, block)
        if not 0 <= last <= sys.maxunicode:
            self.is_silent = True
            return
        # RFC 9639 section 9.1: what all frames have in common, and the last one's number.
        first = yield 4
        sign = re.compile(
            b"\xff\xf8[%b][%b]%b"
            % (
                *(re.escape(bytes(n << 4 | byte & 15 for n in range(16))) for byte in first[2:]),
                re.escape(chr(last).encode("utf-8", "surrogatepass")),
            ),
            re.DOTALL,
        )
        seen = first
        while not (found := [match.start() for match in sign.finditer(seen)]):
            seen = seen[-_FRAME_HEAD:] + (yield 0)
        seen = seen[found[-1] :]
        crc = size = 0
        while (size := size + len(seen)) < _FRAME_BYTES:
            crc = _crc16(seen, crc)
            self.is_whole = not crc  # its own stands at the end
            seen = yield 0


ID3_HEAD: Final = 10
_ENDLESS: Final = 2**62


def id3_bytes(head: bytes) -> int:
    """Return how many bytes of an ID3v2 tag follow its head: seven bits of each (section 3.1)."""
    return sum((byte & 0x7F) << 7 * (3 - at) for at, byte in enumerate(head[6:ID3_HEAD]))


def _past(size: int) -> Generator[int, bytes]:
    if size > 0:
        yield -size


def _crc16(data: bytes, crc: int = 0) -> int:
    """Return a FLAC frame's checksum (RFC 9639 section 9.3)."""
    for byte in data:
        crc = crc << 8 & 0xFFFF ^ _CRC16[crc >> 8 ^ byte]
    return crc


def _crc16_of(byte: int) -> int:
    crc = byte << 8
    for _ in range(8):
        crc = crc << 1 ^ (0x18005 if crc & 0x8000 else 0)
    return crc


_CRC16: Final = tuple(_crc16_of(byte) for byte in range(256))
_STREAMINFO_END: Final = 42
_FRAME_HEAD: Final = 16
"""The longest."""
_FRAME_BYTES: Final = 256 * 1024
"""The longest that is looked through; real ones have a tenth of that."""
_XING_BYTES: Final = 180
"""Up to what LAME says, at most."""
_MONO: Final = 3
_HALVINGS: Final = {3: 0, 2: 1, 0: 2}
"""Of the rate, by the version: MPEG 1, 2, 2.5."""
_RATES: Final = (44_100, 48_000, 32_000)
_SIDE_BYTES: Final = {
    (False, False): 32,
    (False, True): 17,
    (True, False): 17,
    (True, True): 9,
}
"""By whether it is MPEG 2, and mono."""
_DECODER_DELAY: Final = 529
"""Samples. What comes behind the sound is needed for so many of it."""
