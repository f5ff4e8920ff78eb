"""Matroska's header: which recordings are taken, and which of their tracks is heard (RFC 9559)."""

import enum
from collections.abc import Mapping
from typing import Final

import attrs

from livegate.protocol.audio import MAX_RATE, MIN_RATE
from livegate.protocol.errors import ErrorCode, RemoteProtocolError, shown
from livegate.protocol.media import ebml, opus
from livegate.protocol.media.tracks import MAX_CHANNELS, Samples, Track


class Id(enum.IntEnum):
    """The elements that are read (RFC 8794 section 11.2, RFC 9559 section 5.1)."""

    EBML = 0x1A45DFA3
    MAX_ID_LENGTH = 0x42F2
    MAX_SIZE_LENGTH = 0x42F3
    DOC_TYPE = 0x4282
    SEGMENT = 0x18538067
    TRACKS = 0x1654AE6B
    TRACK_ENTRY = 0xAE
    TRACK_NUMBER = 0xD7
    TRACK_TYPE = 0x83
    CODEC_ID = 0x86
    CODEC_PRIVATE = 0x63A2
    CODEC_DELAY = 0x56AA
    CONTENT_ENCODINGS = 0x6D80
    AUDIO = 0xE1
    SAMPLING_FREQUENCY = 0xB5
    CHANNELS = 0x9F
    BIT_DEPTH = 0x6264
    CLUSTER = 0x1F43B675
    SIMPLE_BLOCK = 0xA3
    BLOCK_GROUP = 0xA0
    BLOCK = 0xA1
    DISCARD_PADDING = 0x75A2


_INTEGER: Final = 8
_ANY: Final = 1 << 56
PASSED: Final = {
    0xEC: _ANY,  # Void
    0xBF: 4,  # CRC-32
    0x114D9B74: _ANY,  # SeekHead
    0x1549A966: _ANY,  # Info
    Id.TRACKS: _ANY,  # once more
    0x1C53BB6B: _ANY,  # Cues
    0x1941A469: _ANY,  # Attachments
    0x1043A770: _ANY,  # Chapters
    0x1254C367: _ANY,  # Tags
    0xE7: _INTEGER,  # Timestamp
    0xA7: _INTEGER,  # Position
    0xAB: _INTEGER,  # PrevSize
    0x5854: _ANY,  # SilentTracks
}
"""What is passed over in a Segment and in a Cluster, by id, and how large each can be."""

_AUDIO: Final = 2
"""TrackType (RFC 9559 section 5.1.4.1.3)."""
_NS: Final = 1e9
_CODECS: Final = {
    "A_OPUS": "opus",
    "A_VORBIS": "vorbis",
    "A_AAC": "aac",
    "A_FLAC": "flac",
    "A_MPEG/L3": "mp3",
}
_PCM: Final = {
    ("A_PCM/FLOAT/IEEE", 32): Samples.F32,
    ("A_PCM/FLOAT/IEEE", 64): Samples.F64,
    ("A_PCM/INT/LIT", 8): Samples.U8,
    ("A_PCM/INT/LIT", 16): Samples.S16,
    ("A_PCM/INT/LIT", 24): Samples.S24,
    ("A_PCM/INT/LIT", 32): Samples.S32,
    ("A_PCM/INT/BIG", 8): Samples.U8,
    ("A_PCM/INT/BIG", 16): Samples.S16_BIG,
    ("A_PCM/INT/BIG", 24): Samples.S24_BIG,
    ("A_PCM/INT/BIG", 32): Samples.S32_BIG,
}
"""By CodecID and BitDepth."""
_TAKEN: Final = "Opus, Vorbis, AAC, FLAC, MP3 or PCM of 8, 16, 24, 32 or (floating-point) 64 bits"


@attrs.frozen
class Sound:
    """The track that is heard, among those of a recording."""

    number: int
    """What its blocks are marked with."""
    track: Track
    others: frozenset[int]
    """What the blocks of the other tracks are marked with."""


def check_kind(header: bytes) -> None:
    """Raise unless a recording with this EBML header can be read.

    Raises:
        RemoteProtocolError: `audio_format`: another kind of document, or a newer EBML.
        DamageError: The header is.
    """
    found = dict(ebml.children(header))
    kind = ebml.text(found.get(Id.DOC_TYPE, b""))
    if kind not in ("webm", "matroska"):
        raise _refused(f"the recording must be WebM or Matroska, got {shown(kind)}")
    lengths = ((Id.MAX_ID_LENGTH, ebml.ID_BYTES), (Id.MAX_SIZE_LENGTH, ebml.SIZE_BYTES))
    for field, longest in lengths:
        length = ebml.unsigned(found.get(field, bytes([longest])))
        if length > longest:
            raise _refused(
                f"the recording's EBML ids and sizes may be {ebml.ID_BYTES} and "
                f"{ebml.SIZE_BYTES} bytes long, got {length}"
            )


def choose(tracks: bytes) -> Sound:
    """Return the first audio track that `Tracks` describes.

    Raises:
        RemoteProtocolError: `audio_format`: there is none, or none that can be decoded.
        DamageError: The description is.
    """
    entries = [
        dict(ebml.children(entry)) for id_, entry in ebml.children(tracks) if id_ == Id.TRACK_ENTRY
    ]
    for entry in entries:
        if _number(entry, Id.TRACK_TYPE) == _AUDIO and Id.CODEC_ID in entry:
            number = _number(entry, Id.TRACK_NUMBER)
            if not number:
                raise ebml.DamageError("a track has no number")
            others = {_number(other, Id.TRACK_NUMBER) for other in entries} - {number}
            return Sound(number, _track(entry), frozenset(others))
    raise no_sound()


def no_sound() -> RemoteProtocolError:
    """Return the error for a recording of something else."""
    return _refused("the recording has no audio track")


def trim_s(padding: bytes) -> float:
    """Return how much DiscardPadding takes off a block's end; at its beginning, nothing."""
    return max(0.0, ebml.signed(padding) / _NS)


def _track(entry: Mapping[int, bytes]) -> Track:
    """Return what a TrackEntry says of its sound."""
    if Id.CONTENT_ENCODINGS in entry:
        raise _refused("the recording's sound is compressed once more, or encrypted")
    sound = dict(ebml.children(entry.get(Id.AUDIO, b"")))
    codec = _codec(ebml.text(entry[Id.CODEC_ID]), _number(sound, Id.BIT_DEPTH))
    private = entry.get(Id.CODEC_PRIVATE, b"")
    return Track(
        codec=codec,
        rate=opus.RATE if codec == "opus" else _rate(sound),
        channels=_channels(sound),
        private=private,
        skip_s=_skip_s(entry, private if codec == "opus" else b""),
    )


def _codec(name: str, bits: int) -> Samples | str:
    """Return the codec by CodecID and BitDepth."""
    codec = _CODECS.get(name) or _PCM.get((name, bits))
    if codec is None:
        width = f" of {bits} bits" if name.startswith("A_PCM/") else ""
        raise _refused(f"the recording's codec must be {_TAKEN}, got {shown(name)}{width}")
    return codec


def _rate(sound: Mapping[int, bytes]) -> int:
    """Return Hz; 8000 is Matroska's default (RFC 9559 section 5.1.4.1.29.1)."""
    rate = ebml.real(sound[Id.SAMPLING_FREQUENCY]) if Id.SAMPLING_FREQUENCY in sound else 8000.0
    if not MIN_RATE <= rate <= MAX_RATE:  # nor is it a number, perhaps
        raise _refused(
            f"the recording's sample rate must be {MIN_RATE} to {MAX_RATE} Hz, got {rate:g}"
        )
    return round(rate)


def _channels(sound: Mapping[int, bytes]) -> int:
    """Return their number; 1 is Matroska's default (RFC 9559 section 5.1.4.1.29.3)."""
    channels = ebml.unsigned(sound.get(Id.CHANNELS, b"\x01"))
    if not 1 <= channels <= MAX_CHANNELS:
        raise _refused(f"the recording must have 1 to {MAX_CHANNELS} channels, got {channels}")
    return channels


def _skip_s(entry: Mapping[int, bytes], opus_head: bytes) -> float:
    """Return Opus's own pre-skip (RFC 7845 section 5.1), which Chromium alone writes, or CodecDelay.

    They are to be the same; FFmpeg 5.1 writes a CodecDelay that is too short for 8 kHz.
    """
    if opus_head.startswith(b"OpusHead"):
        return int.from_bytes(opus_head[10:12], "little") / opus.RATE
    return _number(entry, Id.CODEC_DELAY) / _NS


def _number(found: Mapping[int, bytes], field: Id) -> int:
    """Return an unsigned integer, 0 if it is not there."""
    return ebml.unsigned(found.get(field, b""))


def _refused(message: str) -> RemoteProtocolError:
    return RemoteProtocolError(ErrorCode.AUDIO_FORMAT, message)
