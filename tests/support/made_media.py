"""Small sound recordings of each kind, by FFmpeg's encoders, and the parts hostile ones are built of."""

import io
import math
import struct
import tempfile
import zlib
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Final, cast

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer

import muxing
from wav_files import chunk, fmt, wav

RATE: Final = 48_000
_SECONDS: Final = 1.0


@cache
def tone(rate: int = RATE, seconds: float = _SECONDS) -> bytes:
    """Return a tone in 16-bit mono PCM."""
    count = int(rate * seconds)
    samples = [int(9000 * math.sin(at * 2 * math.pi * 440 / rate)) for at in range(count)]
    return struct.pack(f"<{count}h", *samples)


@cache
def encoded(form: str, codec: str, *options: tuple[str, str]) -> bytes:
    """Return a second of a tone in a container, the same in each run."""
    flags = {"fflags": "+bitexact", **dict(options)}
    with tempfile.TemporaryDirectory(prefix="livegate-") as folder:
        path = Path(folder) / "made"
        with av.open(str(path), "w", format=form, options=flags) as container:
            _mux(container, codec)
        return path.read_bytes()


def _mux(container: OutputContainer, codec: str) -> None:
    stream = cast("AudioStream", container.add_stream(codec, rate=RATE))  # pyright: ignore[reportUnknownMemberType]
    context = stream.codec_context
    context.layout = "stereo" if codec == "vorbis" else "mono"
    context.options = {"flags": "+bitexact", "strict": "experimental"}
    container.start_encoding()
    frame = AudioFrame(format="s16", layout="mono", samples=RATE)
    frame.planes[0].update(tone())
    frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
    resampler = AudioResampler(
        format=context.format, layout=context.layout, rate=RATE, frame_size=context.frame_size
    )
    for part in (*resampler.resample(frame), *resampler.resample(None), None):
        container.mux(stream.encode(part))  # pyright: ignore[reportUnknownMemberType]


@cache
def opus_packets() -> tuple[bytes, ...]:
    """Return the packets of a second of Opus."""
    with av.open(io.BytesIO(encoded("ogg", "libopus")), "r") as container:
        return tuple(bytes(one) for one in container.demux(audio=0) if one.size)


@cache
def webm_opus() -> bytes:
    """Return Opus in WebM, as a browser streams it."""
    entry = muxing.track(
        b"A_OPUS", muxing.element(0x63A2, opus_head()), muxing.sampled(channels=1)
    )
    return muxing.start(entry) + b"".join(map(muxing.block, opus_packets()))


def opus_head(channels: int = 1, family: int = 0, *more: bytes) -> bytes:
    """Return Opus's identification header (RFC 7845 section 5.1)."""
    numbers = (b"OpusHead", 1, channels, 312, RATE, 0, family)
    return struct.pack("<8sBBHIhB", *numbers) + b"".join(more)


def plain_wav() -> bytes:
    """Return PCM in WAV."""
    return wav(fmt(rate=RATE), chunk(b"data", tone()))


@cache
def valid() -> dict[str, bytes]:
    """Return a recording of each kind and codec, by name; what is before the dash is its kind."""
    fragmented = ("movflags", "frag_keyframe+empty_moov+default_base_moof")
    return {
        "webm-opus": webm_opus(),
        "webm-vorbis": encoded("webm", "vorbis"),
        "wav-s16": plain_wav(),
        "ogg-opus": encoded("ogg", "libopus"),
        "ogg-vorbis": encoded("ogg", "vorbis"),
        "ogg-flac": encoded("ogg", "flac"),
        "mp4-aac": encoded("mp4", "aac"),
        "mp4-front": encoded("mp4", "aac", ("movflags", "+faststart")),
        "mp4-pieces": encoded("mp4", "aac", fragmented, ("frag_duration", "100000")),
        "mp4-alac": encoded("mp4", "alac"),
        "mp3-plain": encoded("mp3", "libmp3lame", ("id3v2_version", "0")),
        "mp3-tagged": encoded("mp3", "libmp3lame"),
        "flac-plain": encoded("flac", "flac"),
    }


# MP4 (ISO/IEC 14496-12)


def box(kind: bytes, *parts: bytes, size: int | None = None) -> bytes:
    """Return a box; `size` is what it claims, if not the truth."""
    body = b"".join(parts)
    told = 8 + len(body) if size is None else size
    return struct.pack(">I4s", told, kind) + body


def full(kind: bytes, *numbers: int, more: bytes = b"", size: int | None = None) -> bytes:
    """Return a box with a version and flags of 0, and 32-bit numbers."""
    return box(kind, struct.pack(f">{len(numbers) + 1}I", 0, *numbers), more, size=size)


FTYP: Final = box(b"ftyp", b"isom", bytes(4), b"isom")
SOUND: Final = tone()[: 2 * 4800]


def entry(codec: bytes = b"sowt", *more: bytes, channels: int = 1, rate: int = 16_000) -> bytes:
    """Return a sample entry of sound."""
    numbers = struct.pack(">6xH8xHHHHI", 1, channels, 16, 0, 0, (rate & 0xFFFF) << 16)
    return box(codec, numbers, *more)


def tables(**others: bytes) -> dict[str, bytes]:
    """Return a sample table's boxes, some of them others."""
    usual = {
        "stsd": full(b"stsd", 1, more=entry()),
        "stts": full(b"stts", 1, 4800, 1),
        "stsc": full(b"stsc", 1, 1, 4800, 1),
        "stsz": full(b"stsz", 2, 4800),
        "stco": full(b"stco", 1, len(FTYP) + 8),
    }
    return usual | others


def trak(
    stbl: dict[str, bytes], *more: bytes, handler: bytes = b"soun", dinf: bytes = b""
) -> bytes:
    """Return a track; `more` stands in it before its media."""
    return box(
        b"trak",
        full(b"tkhd", 0, 0, 1, 0, 4800, more=bytes(60)),
        *more,
        box(
            b"mdia",
            full(b"mdhd", 0, 0, 16_000, 4800, 0),
            box(b"hdlr", bytes(8), handler, bytes(13)),
            box(b"minf", box(b"smhd", bytes(8)), dinf, box(b"stbl", *stbl.values())),
        ),
    )


def moov(*parts: bytes) -> bytes:
    """Return what describes a file."""
    return box(b"moov", full(b"mvhd", 0, 0, 16_000, 4800, more=bytes(80)), *parts)


def mp4(*parts: bytes, sound: bytes = SOUND) -> bytes:
    """Return a file, its sound in front."""
    return FTYP + box(b"mdat", sound) + moov(*parts)


# Ogg (RFC 3533 section 6)

_REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def page(
    body: bytes,
    *,
    flags: int = 0,
    serial: int = 1,
    sequence: int = 0,
    lacing: bytes | None = None,
) -> bytes:
    """Return a page of one packet, or of those that its lacing says."""
    if lacing is None:
        lacing = b"\xff" * (len(body) // 255) + bytes([len(body) % 255])
    head = struct.pack("<4sBBqIII", b"OggS", 0, flags, 0, serial, sequence, 0)
    found = head + bytes([len(lacing)]) + lacing + body
    # Ogg's CRC is zlib's, but each byte's highest bit comes first, and nothing is inverted.
    crc = zlib.crc32(found.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return found[:22] + crc.to_bytes(4).translate(_REVERSED) + found[26:]


def ogg_opus(*pages: bytes, head: bytes | None = None, tags: bytes | None = None) -> bytes:
    """Return Opus in Ogg up to its first sound, and more pages."""
    said = b"OpusTags" + bytes(8) if tags is None else tags
    begun = page(opus_head() if head is None else head, flags=2)
    return begun + page(said, sequence=1) + b"".join(pages)


# FLAC (RFC 9639)


def flac_head(rate: int, channels: int = 1, block: int = 65_535, *, is_last: bool = True) -> bytes:
    """Return the marker and STREAMINFO."""
    packed = rate << 44 | (channels - 1) << 41 | 15 << 36
    info = struct.pack(">HH6xQ16x", block, block, packed)
    return b"fLaC" + bytes([0x80 if is_last else 0]) + len(info).to_bytes(3) + info


@cache
def flac_silence(number: int, channels: int = 1, block: int = 65_535) -> bytes:
    """Return a frame whose samples are all the same."""
    head = bytes([0xFF, 0xF9, 0x70, (channels - 1) << 4 | 8]) + chr(number).encode()
    head += struct.pack(">H", block - 1)
    body = head + bytes([_crc(head, 0x07, 8)]) + b"\0\0\0" * channels
    return body + struct.pack(">H", _crc(body, 0x8005, 16))


def _crc(data: bytes, polynomial: int, bits: int) -> int:
    found = 0
    for byte in data:
        found ^= byte << (bits - 8)
        for _ in range(8):
            found = found << 1 ^ (polynomial if found >> (bits - 1) & 1 else 0)
        found &= (1 << bits) - 1
    return found


# Pictures


@cache
def png(width: int, height: int) -> bytes:
    """Return a black picture, which compresses well."""
    row = bytes(1 + width // 8)
    packer = zlib.compressobj(9)
    parts = [packer.compress(row) for _ in range(height)] + [packer.flush()]
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in ((b"IHDR", head), (b"IDAT", b"".join(parts)), (b"IEND", b""))
    )


# Vorbis


class Bits:
    """Bits as Vorbis packs them, the lowest first (Vorbis I specification, section 2)."""

    def __init__(self) -> None:
        self._value = self._size = 0

    def put(self, *fields: tuple[int, int]) -> None:
        """Append numbers, each with its width."""
        for value, width in fields:
            self._value |= value << self._size
            self._size += width

    def bytes(self) -> bytes:
        """Return all of them."""
        return self._value.to_bytes((self._size + 7) // 8, "little")


def vorbis_private(books: int, dimensions: int = 14, entries: int = 16_384) -> bytes:
    """Return Vorbis's three headers, as Matroska has them; each codebook asks for megabytes."""
    ident = b"\x01vorbis" + struct.pack("<IBIiiiBB", 0, 1, RATE, 0, 0, 0, 0xB8, 1)
    comment = b"\x03vorbis" + bytes(8) + b"\x01"
    setup = Bits()
    setup.put((books - 1, 8))
    for _ in range(books):
        width = (entries - 1).bit_length()
        # All entries have the same length of code word: that is said in a few bits.
        setup.put((0x564342, 24), (dimensions, 16), (entries, 24), (1, 1), (width - 1, 5))
        setup.put((entries, entries.bit_length()), (1, 4))
        setup.put((0, 32), (0, 32), (0, 4), (0, 1))
        setup.put(*[(0, 1)] * max(1, round(entries ** (1 / dimensions))))
    setup.put((0, 512), (0, 6), (0, 1), (0, 32), (0, 8), (1, 1))  # one mode, and the end
    body = b"\x05vorbis" + setup.bytes()
    laced = b"\x02" + bytes([len(ident), len(comment)])
    return laced + ident + comment + body


# What is no recording

PLAYLIST: Final = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n"
TEXTS: Final = {
    "ffconcat": b"ffconcat version 1.0\nfile /etc/passwd\n",
    "m3u8": PLAYLIST,
    "pls": b"[playlist]\nFile1=http://127.0.0.1:9/\n",
    "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n",
    "dash": b'<?xml version="1.0"?><MPD><BaseURL>http://127.0.0.1:9/</BaseURL></MPD>',
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "html": b"<!DOCTYPE html><html><audio src='http://127.0.0.1:9/'></audio></html>",
    "jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xd9",
    "gif": b"GIF89a\xff\xff\xff\xff\0\0\0;",
    "zip": b"PK\3\4" + bytes(26),
    "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n",
    "elf": b"\x7fELF\2\1\1\0" + bytes(56),
    "midi": b"MThd\0\0\0\6\0\1\0\1\1\xe0",
    "amr": b"#!AMR\n" + b"\x3c" + bytes(31),
    "aiff": b"FORM\0\0\0\x20AIFFCOMM",
    "caf": b"caff\0\1\0\0desc",
    "asf": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"),
    "adts": b"\xff\xf1\x50\x80\x02\x1f\xfc" + bytes(12),
    "au": b".snd\0\0\0\x18\xff\xff\xff\xff\0\0\0\1",
    "mpegts": (b"G\x40\0\x10" + bytes(184)) * 9,
    "shell": b"#!/bin/sh\nexit 1\n",
}
