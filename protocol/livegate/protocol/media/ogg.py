"""Ogg (RFC 3533): pages that carry pieces of packets, and Opus, Vorbis, FLAC and Speex in them.

A page whose checksum is wrong is lost, and the packets that reach into it; so is whatever stands
between two pages. Of several streams the first one of sound is heard.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Final

import attrs

from livegate.protocol.errors import ErrorCode, RemoteProtocolError
from livegate.protocol.limits import KIB, MIB
from livegate.protocol.media import opus
from livegate.protocol.media.tracks import End, Found, Packet, Track

MAX_PACKET: Final = 4 * MIB
"""Bytes; a cover among the comments has one or two MiB."""
BARREN_BYTES: Final = 8 * MIB
"""How much may come with no sound in between."""
_LEAST: Final = 256
"""What a page counts for at least: there is work to it, however small it is."""

_HEAD: Final = struct.Struct("<5xBqII4xB")
_MARK: Final = b"OggS"
_CONTINUED: Final = 1
_FIRST: Final = 2
_LAST: Final = 4
_FULL: Final = 255
"""A piece of a packet that goes on in the next."""
_FLAC_FRAME: Final = 0xFF
"""How a frame begins, and no header (RFC 9639 section 10.1)."""
_ALL_ONES: Final = 0xFFFFFFFF
_MIRRORED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))

_OPUS_HEAD: Final = 19
_VORBIS_HEAD: Final = 30
_FLAC_HEAD: Final = 51
_SPEEX_HEAD: Final = 80
"""Bytes of a stream's first packet."""
_MAX_HEADERS: Final = 128
"""Of metadata in FLAC, and in Speex."""


@attrs.frozen
class _Stream:
    """A stream of sound, as its first packet describes it."""

    serial: int
    track: Track
    headers: int
    """Packets that follow before there is sound; of FLAC, those that are no frame."""


class Ogg:
    """Reads Ogg; a `Reader`. It keeps a page, and the beginning of a packet."""

    slice_bytes = 6 * KIB

    def __init__(self) -> None:
        self._held = bytearray()
        self._barren_bytes = 0
        self._stream: _Stream | None = None
        self._has_sound = False
        """Of that stream: what begins now is another recording."""
        self._has_ended = False
        self._sequence = 0
        """Of the page that should come next."""
        self._packet = bytearray()
        self._is_open = False
        """That packet goes on in the next page."""
        self._headers: list[bytes] = []
        self._samples = 0
        """Of Opus, given out so far."""

    @property
    def is_over(self) -> bool:
        """Whether a recording was whole, and no other has begun, not even in part."""
        tail = bytes(self._held[: len(_MARK)])
        return self._has_ended and not any(_MARK.startswith(tail[at:]) for at in range(len(tail)))

    def feed(self, data: bytes) -> list[Found]:
        """Take the next bytes; return what is whole now, in order.

        Raises:
            RemoteProtocolError: `audio_format`: nothing that can be decoded. `audio_too_costly`:
                a packet is too large, or too much came without sound.
        """
        self._held += data
        found: list[Found] = []
        while (size := self._page_size()) is not None:
            page = bytes(self._held[:size])
            if _sum(page) != int.from_bytes(page[22:26], "little"):
                self._drop(1)  # and look for a page inside it
                continue
            self._drop(size)
            self._read(page, found)
        return found

    def _page_size(self) -> int | None:
        """Go to the next page; return its size, or None until all of it is there."""
        at = self._held.find(_MARK)
        if at != 0:
            self._drop(at if at > 0 else max(0, len(self._held) - len(_MARK) + 1))
        if at < 0 or len(self._held) < _HEAD.size:
            return None
        head = _HEAD.size + self._held[_HEAD.size - 1]
        if len(self._held) < head:
            return None
        size = head + sum(self._held[_HEAD.size : head])
        return size if len(self._held) >= size else None

    def _drop(self, size: int) -> None:
        del self._held[:size]
        self._barren_bytes += max(size, _LEAST) if size else 0
        if self._barren_bytes > BARREN_BYTES:
            raise _too_costly(f"may have {BARREN_BYTES} bytes without sound, got more")

    def _read(self, page: bytes, found: list[Found]) -> None:
        """Read a page that is whole."""
        numbers: tuple[int, int, int, int, int] = _HEAD.unpack_from(page)
        flags, granule, serial, sequence, count = numbers
        if flags & _FIRST:
            self._begin(page, serial)
        elif self._stream is None:
            raise RemoteProtocolError(
                ErrorCode.AUDIO_FORMAT,
                "an Ogg recording must hold Opus, Vorbis, FLAC or Speex, and none is in this one",
            )
        if self._stream is None or serial != self._stream.serial:
            return
        if sequence != self._sequence or bool(flags & _CONTINUED) != self._is_open:
            self._packet.clear()
            self._is_open = False
        self._sequence = sequence + 1 & _ALL_ONES
        is_lost = bool(flags & _CONTINUED) and not self._packet
        packets = list(self._packets(page, count, is_lost=is_lost))
        for number, packet in enumerate(packets):
            is_last = bool(flags & _LAST) and number == len(packets) - 1
            self._take(packet, granule if is_last else None, found)
        if flags & _LAST:
            found.append(End())
            self._has_sound = self._has_ended = True

    def _begin(self, page: bytes, serial: int) -> None:
        """Take note of a stream's first page; the first of sound is heard."""
        if self._has_sound:  # another recording
            self._stream, self._has_sound = None, False
        if self._stream is not None:
            return
        self._has_ended = False
        self._stream = _stream_of(page[_HEAD.size + page[_HEAD.size - 1] :], serial)
        self._packet.clear()
        self._headers.clear()
        self._is_open = False
        self._sequence = self._samples = 0

    def _packets(self, page: bytes, count: int, *, is_lost: bool) -> Iterator[bytes]:
        """Yield the packets that end in a page; one whose beginning is lost is none."""
        at = _HEAD.size + count
        for size in page[_HEAD.size : _HEAD.size + count]:
            if not is_lost:
                self._packet += page[at : at + size]
            at += size
            self._is_open = size == _FULL
            if self._is_open:
                if len(self._packet) > MAX_PACKET:
                    raise _too_costly(f"may have {MAX_PACKET} bytes in a packet, got more")
                continue
            packet = bytes(self._packet)
            self._packet.clear()
            if not is_lost:
                yield packet
            is_lost = False

    def _take(self, packet: bytes, granule: int | None, found: list[Found]) -> None:
        """Take a packet: a header, or sound. The last one's granule says where to cut it."""
        stream = self._stream
        if stream is None or not packet:
            return
        track = stream.track
        if len(self._headers) <= stream.headers:
            is_frame = track.codec == "flac" and packet[0] == _FLAC_FRAME
            if not is_frame:
                self._headers.append(packet[: 64 * KIB])
                if len(self._headers) <= stream.headers or track.codec == "flac":
                    return
            found.append(_described(track, self._headers))
            self._has_sound = True
            self._headers = [b""] * (stream.headers + 1)
            if not is_frame:
                return
        self._barren_bytes = 0
        trim_s = 0.0
        if track.codec == "opus":
            self._samples += opus.samples(packet)
            if granule is not None:
                trim_s = max(0, min(self._samples - granule, opus.samples(packet))) / opus.RATE
        stop_s = granule / track.rate if track.codec == "vorbis" and granule is not None else None
        found.append(Packet(packet, trim_s, stop_s))


def _sum(page: bytes) -> int:
    """Return a page's checksum (RFC 3533 section 6): zlib's, but for the order of bits and the ends."""
    mirrored = (page[:22] + bytes(4) + page[26:]).translate(_MIRRORED)
    return int(f"{zlib.crc32(mirrored, _ALL_ONES) ^ _ALL_ONES:032b}"[::-1], 2)


def _stream_of(head: bytes, serial: int) -> _Stream | None:
    """Return what a stream's first packet says, if it is sound."""
    if head.startswith(b"OpusHead") and len(head) >= _OPUS_HEAD:  # RFC 7845 section 5.1
        skip_s = int.from_bytes(head[10:12], "little") / opus.RATE
        track = Track(codec="opus", rate=opus.RATE, channels=head[9], private=head, skip_s=skip_s)
        return _Stream(serial, track, 1)
    if head.startswith(b"\x01vorbis") and len(head) >= _VORBIS_HEAD:
        rate = int.from_bytes(head[12:16], "little")
        return _Stream(serial, Track(codec="vorbis", rate=rate, channels=head[11]), 2)
    if head.startswith(b"\x7fFLAC") and len(head) >= _FLAC_HEAD:  # RFC 9639 section 10.1
        packed = int.from_bytes(head[27:31])
        track = Track(
            codec="flac", rate=packed >> 12, channels=(packed >> 9 & 7) + 1, private=head[17:51]
        )
        return _Stream(serial, track, _MAX_HEADERS)
    if head.startswith(b"Speex   ") and len(head) >= _SPEEX_HEAD:
        rate, channels, more = (int.from_bytes(head[at : at + 4], "little") for at in (36, 48, 68))
        track = Track(codec="speex", rate=rate, channels=channels, private=head)
        return _Stream(serial, track, 1 + min(more, _MAX_HEADERS))
    return None


def _described(track: Track, headers: list[bytes]) -> Track:
    """Return a track with all that its decoder has to know."""
    if track.codec != "vorbis":
        return track
    sizes = b"".join(
        b"\xff" * (len(one) // _FULL) + bytes([len(one) % _FULL]) for one in headers[:2]
    )
    return attrs.evolve(track, private=b"\x02" + sizes + b"".join(headers))


def _too_costly(message: str) -> RemoteProtocolError:
    return RemoteProtocolError(ErrorCode.AUDIO_TOO_COSTLY, f"the Ogg recording {message}")
