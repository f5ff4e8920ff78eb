"""Which kind of recording something is, by its first bytes, whatever it was called."""

import enum
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

HEAD_BYTES: Final = 12
"""Nobody looks further than that."""


class Kind(enum.StrEnum):
    """What can be decoded. The value is its name, for people."""

    WEBM = "WebM"
    """And Matroska, of which it is a part."""
    WAV = "WAV"
    OGG = "Ogg"
    MP4 = "MP4"
    """And M4A, QuickTime, 3GP."""
    MP3 = "MP3"
    FLAC = "FLAC"


NAMES: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        **dict.fromkeys(("webm", "x-matroska", "matroska", "mkv"), Kind.WEBM),
        **dict.fromkeys(("wav", "wave", "x-wav", "vnd.wave", "x-pn-wav"), Kind.WAV),
        **dict.fromkeys(("ogg", "oga", "opus", "vorbis"), Kind.OGG),
        **dict.fromkeys(("mp4", "m4a", "x-m4a", "aac", "3gpp", "quicktime"), Kind.MP4),
        **dict.fromkeys(("mpeg", "mp3", "x-mp3", "mpeg3"), Kind.MP3),
        **dict.fromkeys(("flac", "x-flac"), Kind.FLAC),
    }
)
"""What people call them: the second half of media types, file extensions, codecs."""

# What stands at the beginning: RFC 8794 (EBML), RFC 3533 section 6 (Ogg: the first page of a
# stream), RFC 9639 (FLAC), ID3v2, RIFF WAVE, ISO/IEC 14496-12. A dot is any byte of a size.
_SIGNS: Final[tuple[tuple[Kind, bytes], ...]] = (
    (Kind.WEBM, b"\x1a\x45\xdf\xa3"),
    (Kind.OGG, b"OggS\0\2"),
    (Kind.OGG, b"OggS\0\6"),
    (Kind.FLAC, b"fLaC"),
    (Kind.MP3, b"ID3"),
    (Kind.WAV, b"RIFF....WAVE"),
    (Kind.WAV, b"RF64....WAVE"),
    (Kind.WAV, b"BW64....WAVE"),
    (Kind.WAV, b"RIFX....WAVE"),
    (Kind.MP4, b"....ftyp"),
)
_BEGINNING: Final = re.compile(b"|".join(b"(%b)" % sign for _kind, sign in _SIGNS), re.DOTALL)
_CUT_BEGINNINGS: Final = tuple(
    re.compile(sign[:cut], re.DOTALL)
    for _kind, sign in _SIGNS
    for cut in range(sign.count(b".", 0, 1) * 4 + 1, len(sign))
)
_ENDS_OF_BEGINNINGS: Final = re.compile(
    b"|".join(sign[cut:] for _kind, sign in _SIGNS for cut in range(1, len(sign) - 1)), re.DOTALL
)
"""Of two bytes at least: a single one is seen too often."""
_OGG_PAGE: Final = b"OggS"
_CLUSTER: Final = b"\x1f\x43\xb6\x75"
_SIMPLE_BLOCK: Final = 0xA3
_FIRST_TRACK: Final = 0x81
_KEYFRAME: Final = 0x80
"""The flags of a block of sound; no sample of PCM is likely to have it as its upper byte."""
_BOXES: Final = (b"moof", b"mdat", b"sidx", b"styp", b"moov", b"free")
"""ISO/IEC 14496-12: what a piece of a fragmented file may begin with, but its first."""


def begins(head: bytes) -> Kind | None:
    """Return the kind of recording that begins with these bytes, or None."""
    found = _BEGINNING.match(head)
    if found is not None and found.lastindex is not None:
        return _SIGNS[found.lastindex - 1][0]
    return Kind.MP3 if _is_mp3(head) else None


def may_begin(head: bytes) -> bool:
    """Whether these few bytes may be the first of a recording, were there more of them."""
    return any(cut.fullmatch(head) for cut in _CUT_BEGINNINGS)


def may_end_beginning(head: bytes) -> bool:
    """Whether these may be the first bytes of a recording but for a few that came before."""
    return _ENDS_OF_BEGINNINGS.match(head) is not None


def is_sure(head: bytes) -> bool:
    """Whether sound that goes on cannot begin like this by chance; it can like bare MP3."""
    return not _is_mp3(head)


def continues(head: bytes) -> Kind | None:
    """Return the kind of recording whose later pieces may begin with these bytes, or None."""
    # Chromium's recorder ends its pieces one byte into the next element.
    if head.startswith((_CLUSTER, _CLUSTER[1:])) or _is_block(head) or _is_block(b"\xa3" + head):
        return Kind.WEBM
    if head.startswith(_OGG_PAGE):
        return Kind.OGG
    return Kind.MP4 if head[4:8] in _BOXES else None


def _is_block(head: bytes) -> bool:
    """Whether this is a SimpleBlock of the first track (RFC 9559 section 10.2), a keyframe."""
    if len(head) < HEAD_BYTES or head[0] != _SIMPLE_BLOCK:
        return False
    after = 10 - head[1].bit_length()  # the size's own length is in its leading zeros
    return after < 7 and head[after] == _FIRST_TRACK and head[after + 3] == _KEYFRAME  # noqa: PLR2004 - the standards' own


def _is_mp3(head: bytes) -> bool:
    """Whether this is the header of a stream's first frame, of MPEG 1, 2 or 2.5, layer III.

    The first one refers to no earlier frame: its main_data_begin, behind the CRC, is 0.
    """
    if len(head) < HEAD_BYTES or head[0] != 0xFF or head[1] & 0xE6 != 0xE2 or head[1] & 0x18 == 8:  # noqa: PLR2004 - the standards' own
        return False
    bitrate, rate, has_crc = head[2] >> 4, head[2] >> 2 & 3, not head[1] & 1
    return bitrate not in (0, 15) and rate != 3 and head[6 if has_crc else 4] == 0  # noqa: PLR2004 - the standards' own
