"""Recordings that mean harm, each with a name: what is before its dash is what it pretends to be."""

import random
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Final

import muxing
from made_media import (
    FTYP,
    PLAYLIST,
    SOUND,
    TEXTS,
    box,
    entry,
    flac_head,
    flac_silence,
    full,
    moov,
    mp4,
    ogg_opus,
    opus_head,
    opus_packets,
    page,
    png,
    tables,
    tone,
    trak,
    valid,
    vorbis_private,
    webm_opus,
)
from wav_files import chunk, ds64, extension, fmt, wav

MIB: Final = 1 << 20
_MOST: Final = 0xFFFFFFFF
_CUTS: Final = (4, 40, 200, 1500)
_SEED: Final = 20_26

Files = Iterator[tuple[str, bytes]]


@cache
def corpus() -> dict[str, bytes]:
    """Return all of them, by name; the same in each run."""
    found: dict[str, bytes] = {}
    sources: tuple[Callable[[], Files], ...] = (
        *(_damaged, _webm, _webm_codecs, _wav, _ogg, _mp4_tables, _mp4_boxes, _mp4_codecs),
        *(_mp3, _flac, _others, _huge),
    )
    for source in sources:
        for name, data in source():
            assert name not in found, name
            found[name] = data
    return found


def _noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)  # noqa: S311 - no secret


def is_open(name: str) -> bool:
    """Whether this may be decoded in full, or says too little to be an error."""
    return not {"open", "cut", "flipped", "doubled"}.isdisjoint(name.split("-")[1:3])


def _damaged() -> Files:
    chance = random.Random(_SEED)  # noqa: S311 - no secret
    for name, data in valid().items():
        for cut in (*_CUTS, len(data) // 2, len(data) - 3):
            yield f"{name}-cut-{cut}", data[:cut]
        for number in range(3):
            flipped = bytearray(data)
            for _ in range(1 + number * 20):
                flipped[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            yield f"{name}-flipped-{number}", bytes(flipped)
        half = len(data) // 2
        yield f"{name}-cut-zeros", data[:half] + bytes(200_000)
        yield f"{name}-cut-ones", data[:half] + b"\xff" * 200_000
        yield f"{name}-cut-noise", data[:half] + chance.randbytes(200_000)
        yield f"{name}-doubled", data + data


def _webm() -> Files:
    good, block = webm_opus(), muxing.block
    yield "webm-bomb-tiny", muxing.start() + block(b"\x1b\xff\xfe") * 100_000
    yield "webm-bomb-120ms", muxing.start() + block(b"\x1b\x06") * 60_000
    laced = b"\x02" + b"\x01" * 2 + b"\xfc\xff\xfe" * 3
    yield "webm-laced", muxing.start() + block(laced, flags=0x82) * 2000
    yield "webm-laced-once", good + block(laced, flags=0x82) + b"".join(map(block, [b"\xf8"] * 99))
    yield "webm-open-empty-blocks", good + block(b"") * 200_000
    yield "webm-void-flood", good + b"\xec\x80" * 500_000
    yield "webm-void-8eb", good + muxing.head(0xEC, b"\x01" + b"\x7f" + b"\xff" * 6)
    yield "webm-open-clusters", good + (muxing.cluster() * 100_000)
    yield "webm-headers", muxing.header() * 100_000
    yield "webm-open-starts", muxing.start() * 50_000
    yield (
        "webm-tiny-entries",
        muxing.header()
        + muxing.head(muxing.SEGMENT)
        + muxing.element(muxing.TRACKS, b"\xae\x80" * 500_000),
    )
    yield "webm-open-tiny-children", good + muxing.group(b"\xec\x80" * 500_000) * 4
    yield "webm-huge-element", good + muxing.head(0xA3, b"\x08\xff\xff\xff\xff") + bytes(MIB)
    yield "webm-open-groups", good + muxing.group(muxing.grouped(b"\xf8")) * 50_000
    yield "webm-open-nested", good + muxing.head(0xA0, b"\x0f\xff\xff\xfe\xff") * 50_000
    yield "webm-cluster-only", good[good.index(b"\x1f\x43\xb6\x75") :]
    yield "webm-no-tracks", muxing.header() + muxing.head(muxing.SEGMENT) + muxing.cluster()
    yield "webm-video-only", muxing.start(muxing.track(b"V_VP8", kind=1)) + block(b"x" * 999) * 99
    noise = _noise(1, 200_000)
    yield (
        "webm-noise-blocks",
        muxing.start() + b"".join(block(noise[at : at + 200]) for at in range(0, len(noise), 200)),
    )
    yield (
        "webm-open-discard",
        muxing.start()
        + muxing.group(muxing.grouped(opus_packets()[0]), muxing.padding(2**62)) * 500,
    )


def _webm_of(codec: bytes, private: bytes, *packets: bytes, channels: int = 1) -> bytes:
    sampled = muxing.sampled(channels=channels)
    entry_ = muxing.track(codec, muxing.element(0x63A2, private), sampled)
    return muxing.start(entry_) + b"".join(map(muxing.block, packets))


def _webm_codecs() -> Files:
    noise = _noise(2, 60_000)
    packets = opus_packets()
    wide = opus_head(255, 255, b"\xff\0", bytes(range(255)))
    yield "webm-opus-255", _webm_of(b"A_OPUS", wide, *packets)
    yield "webm-opus-255-streams", _webm_of(b"A_OPUS", wide, noise[:4000], noise[:4000])
    yield "webm-opus-noise-head", _webm_of(b"A_OPUS", b"OpusHead" + noise[:400], *packets)
    yield "webm-opus-claims-255", _webm_of(b"A_OPUS", opus_head(), *packets, channels=255)
    yield "webm-opus-0", _webm_of(b"A_OPUS", opus_head(), *packets, channels=0)
    for books in (16, 256):
        yield f"webm-vorbis-{books}", _webm_of(b"A_VORBIS", vorbis_private(books), *packets)
    yield "webm-vorbis-noise", _webm_of(b"A_VORBIS", b"\x02\x1e\x07" + noise[:3000], *packets)
    yield "webm-vorbis-none", _webm_of(b"A_VORBIS", b"", *packets)
    yield "webm-vorbis-ffs", _webm_of(b"A_VORBIS", b"\x02" + b"\xff" * 4000, *packets)
    for name in (b"A_AAC", b"A_FLAC", b"A_MPEG/L3"):
        short = name.decode().rpartition("_")[2].partition("/")[0].lower()
        yield f"webm-{short}-noise", _webm_of(name, noise[:64], *[noise[:900]] * 200)
        yield f"webm-{short}-none", _webm_of(name, b"", *[noise[:900]] * 200)
        yield f"webm-{short}-ones", _webm_of(name, b"\xff" * 999, *[b"\xff" * 900] * 200)
    flac = [flac_silence(number % 100, 8) for number in range(500)]
    yield "webm-flac-bomb", _webm_of(b"A_FLAC", flac_head(48_000, 8), *flac, channels=8)
    for rate in (0.001, 1.0, 4e9, float("inf"), float("nan"), -48_000.0):
        floats = muxing.track(b"A_PCM/FLOAT/IEEE", muxing.sampled(rate, 1, 32))
        yield f"webm-pcm-{rate:g}-hz", muxing.start(floats) + muxing.block(bytes(16_000)) * 50
    doubles = muxing.track(b"A_PCM/FLOAT/IEEE", muxing.sampled(8000.0, 8, 64))
    loud = b"\x7f\xef" + b"\xff" * 6
    yield "webm-open-pcm-doubles", muxing.start(doubles) + muxing.block(loud * 130_000) * 8
    coded = muxing.element(0x6D80, muxing.element(0x6240, bytes(8)))
    yield "webm-compressed", muxing.start(muxing.track(b"A_OPUS", coded)) + muxing.block(b"x")


def _wav() -> Files:
    data = chunk(b"data", tone()[:20_000])
    for rate in (0, 1, 7999, 192_001, 4_000_000_000):
        yield f"wav-{rate}-hz", wav(fmt(rate=rate), data)
    for channels in (0, 9, 255, 65_535):
        yield f"wav-{channels}-channels", wav(fmt(channels=channels, align=2), data)
    for tag in (2, 0x11, 0x31, 0x50, 0x55, 0xFF, 0x2000, 0xFFFE):
        yield f"wav-tag-{tag:x}", wav(fmt(tag, bits=4 if tag < 0x20 else 16), data)
    yield "wav-bits-0", wav(fmt(bits=0), data)
    yield "wav-bits-65535", wav(fmt(bits=65_535, align=0), data)
    yield "wav-align-0", wav(fmt(align=0), data)
    yield "wav-extension-lie", wav(fmt(0xFFFE, more=extension(1, 99)), data)
    yield "wav-extension-foreign", wav(fmt(0xFFFE, more=extension(1, 16, b"\1" * 14)), data)
    yield "wav-open-4gib", wav(fmt(), chunk(b"data", bytes(9), size=_MOST))
    yield "wav-open-16eb", wav(fmt(), ds64(2**63), chunk(b"data", bytes(9), size=_MOST))
    yield "wav-no-format", wav(data)
    yield "wav-list-4gib", wav(chunk(b"LIST", bytes(99), size=_MOST), fmt(), data)
    yield "wav-format-4gib", wav(chunk(b"fmt ", bytes(99), size=_MOST), data)
    yield "wav-chunks", wav(chunk(b"junk") * 100_000, fmt(), data)
    yield "wav-open-heads", (wav(fmt(), chunk(b"data", b"\0\0")) * 20_000)
    yield "wav-open-heads-lost", wav(fmt(), chunk(b"data", b"\0\0")) + wav() * 40_000
    yield "wav-rifx", wav(fmt(), data, form=b"RIFX")
    yield "wav-avi", wav(fmt(), data, kind=b"AVI ")


def _ogg() -> Files:
    packets = opus_packets()
    yield "ogg-open-streams", b"".join(page(opus_head(), flags=2, serial=n) for n in range(10_000))
    yield (
        "ogg-open-unknown-streams",
        b"".join(page(b"nothing known", flags=2, serial=n) for n in range(10_000)),
    )
    yield "ogg-open-chain", valid()["ogg-opus"] * 60
    yield "ogg-open-chain-short", (ogg_opus(page(packets[0], flags=4, sequence=2)) * 2000)
    yield "ogg-open-empty-pages", ogg_opus(page(b"", sequence=2) * 50_000)
    piece, all_go_on = b"x" * 65_025, b"\xff" * 255
    endless = b"".join(
        page(piece, flags=int(n > 2), sequence=n, lacing=all_go_on) for n in range(2, 72)
    )
    yield "ogg-endless-sound", ogg_opus(endless)
    first = page(opus_head(), flags=2)
    yield "ogg-endless-packet", first + page(piece, sequence=1, lacing=all_go_on) + endless
    begun = page(b"OpusHead" + bytes(247), flags=2, lacing=b"\xff")
    yield "ogg-endless-first", begun + page(b"", flags=1, sequence=1, lacing=b"\0") + endless
    yield "ogg-bomb-120ms", ogg_opus(*(page(b"\x1b\x06", sequence=n) for n in range(2, 5000)))
    dense = page(b"\x1b\x06" * 255, sequence=2, lacing=b"\2" * 255)
    yield "ogg-bomb-dense", ogg_opus(dense * 200)
    yield "ogg-open-wrong-sum", ogg_opus(dense[:22] + b"abcd" + dense[26:])
    wide = opus_head(255, 255, b"\xff\0", bytes(range(255)))
    yield "ogg-opus-255", ogg_opus(*map(page, packets), head=wide)
    yield "ogg-opus-head-short", ogg_opus(*map(page, packets), head=b"OpusHead")
    yield "ogg-opus-head-noise", ogg_opus(*map(page, packets), head=b"OpusHead" + b"\xff" * 99)
    tags = b"OpusTags" + struct.pack("<I", _MOST) + b"x" * 999
    yield "ogg-open-tags-4gib", ogg_opus(*map(page, packets), tags=tags)
    tags = b"OpusTags" + struct.pack("<II", 0, _MOST) + struct.pack("<I", 0) * 9000
    yield "ogg-open-tags-empty", ogg_opus(*map(page, packets), tags=tags)
    tags = b"OpusTags" + struct.pack("<II", 0, 9000) + b"\3\0\0\0a=b" * 9000
    yield "ogg-open-tags-many", ogg_opus(*map(page, packets), tags=tags[:60_000])
    picture = b"METADATA_BLOCK_PICTURE=" + b"A" * 64_000
    tags = b"OpusTags" + struct.pack("<III", 0, 1, len(picture)) + picture
    yield "ogg-open-tags-picture", ogg_opus(*map(page, packets), tags=tags)
    for books in (16, 200):
        private = vorbis_private(books)
        heads = [private[3:33], private[33:49], private[49:]]
        pages = [page(one, flags=0 if n else 2, sequence=n) for n, one in enumerate(heads)]
        yield f"ogg-vorbis-{books}", b"".join(pages) + page(bytes(99), sequence=3)
    for name, head in {
        "theora": b"\x80theora\3\2\1" + b"\xff\xff\xff\xff" + bytes(30),
        "flac-noise": b"\x7fFLAC\1\0\xff\xff" + b"\xff" * 99,
        "speex": b"Speex   1.2" + bytes(21) + b"\xff\xff\xff\x7f" * 12,
        "skeleton": b"fishead\0" + bytes(56),
        "celt": b"CELT    " + b"\xff" * 52,
        "ogm": b"\1video\0\0\0" + b"\x7f" * 50,
        "dirac": b"BBCD\0" + bytes(20),
        "vp8": b"OVP80\1\1" + b"\xff" * 20,
    }.items():
        body = page(head, flags=2) + b"".join(
            page(b"\xff" * 300, sequence=n) for n in range(1, 200)
        )
        yield f"ogg-{name}", body


def _mp4_tables() -> Files:
    for name, other in {
        "stts": full(b"stts", _MOST, _MOST, 1),
        "stts-run": full(b"stts", 1, _MOST, 2),
        "stts-run-sum": full(b"stts", 8, *[0x7FFFFFFF, 2] * 8),
        "stsz": full(b"stsz", 0, _MOST, more=b"\0\0\0\1" * 99),
        "stsz-constant": full(b"stsz", 1, _MOST),
        "stsz-constant-2": full(b"stsz", 1, 0x07000000),
        "stsz-huge": full(b"stsz", _MOST, 9),
        "stsc": full(b"stsc", _MOST, 1, 1, 1),
        "stsc-run": full(b"stsc", 1, 1, 0x7FFFFFFF, 1),
        "stco": full(b"stco", _MOST, 36),
        "co64": full(b"co64", 1, more=b"\xff" * 8),
        "stsd": full(b"stsd", _MOST, more=entry()),
        "stsd-many": full(b"stsd", 999, more=entry() * 999),
    }.items():
        yield f"mp4-table-{name}", mp4(trak(tables(**{name[:4]: other})))
    slow = full(b"stts", 1, 0x07000000, 2)
    for size in (0x07000000, 0x00800000):
        both = {
            "stts": full(b"stts", 1, size, 2),
            "stsz": full(b"stsz", 1, size),
            "stsc": full(b"stsc", 1, 1, size, 1),
        }
        yield f"mp4-bomb-samples-{size}", mp4(trak(tables(**both)))
        yield (
            f"mp4-bomb-composed-{size}",
            mp4(trak(tables(**both, ctts=full(b"ctts", 1, size, 1)))),
        )
        edits = box(b"edts", full(b"elst", 2, 99, 0, 65_536, 99, 0, 65_536))
        yield f"mp4-bomb-edited-{size}", mp4(trak(tables(**both), edits))
    chunks = {
        "stsc": full(b"stsc", 1, 1, 0x7FFFFFFF, 1),
        "stco": full(b"stco", 50_000, *[36] * 50_000),
        "stsz": full(b"stsz", 1, 0x7FFFFFFF),
    }
    yield "mp4-bomb-chunks", mp4(trak(tables(**chunks)))
    hidden = tables(stsd=full(b"stsd", 1, more=entry(b"sowt", full(b"stsz", 1, 0x07000000), slow)))
    del hidden["stsz"], hidden["stts"]
    hidden["stsc"] = full(b"stsc", 1, 1, 0x07000000, 1)
    yield "mp4-bomb-hidden", mp4(trak(hidden))
    for count in (1, 40):
        run = box(b"trun", struct.pack(">III", 0, 0x04000000, 0)[:8])
        fragment = box(b"moof", full(b"mfhd", 1), box(b"traf", _tfhd(), run * count))
        yield f"mp4-bomb-runs-{count}", _fragmented() + fragment + box(b"mdat", SOUND)
    run = box(b"trun", struct.pack(">II", 0, 400))
    piece = box(b"moof", full(b"mfhd", 1), box(b"traf", _tfhd(), run)) + box(b"mdat", bytes(400))
    yield "mp4-open-many-fragments", _fragmented() + piece * 4000
    edits_many = box(b"edts", full(b"elst", 60_000, *[1, 0, 65_536] * 60_000))
    yield "mp4-open-edits-many", mp4(trak(tables(), edits_many))
    yield "mp4-open-edits-lie", mp4(trak(tables(), box(b"edts", full(b"elst", _MOST, 9, 9, 9))))
    long = box(b"edts", full(b"elst", 1, _MOST, 0x7FFFFFFF, 65_536))
    yield "mp4-open-edits-late", mp4(trak(tables(), long))


def _tfhd() -> bytes:
    return box(b"tfhd", struct.pack(">III", 0x020018, 1, 1), struct.pack(">I", 2))


def _fragmented() -> bytes:
    none = tables(
        stts=full(b"stts", 0),
        stsc=full(b"stsc", 0),
        stsz=full(b"stsz", 0, 0),
        stco=full(b"stco", 0),
    )
    return FTYP + moov(trak(none), box(b"mvex", full(b"trex", 1, 1, 1, 2, 0)))


def _mp4_boxes() -> Files:
    track = trak(tables())
    yield "mp4-no-moov", FTYP + box(b"mdat", SOUND)
    yield "mp4-only-ftyp", FTYP * 2000
    yield "mp4-empty-boxes", FTYP + struct.pack(">I4s", 8, b"free") * 200_000
    yield "mp4-size-1", FTYP + struct.pack(">I4s", 1, b"free") * 9000
    yield "mp4-size-2", FTYP + struct.pack(">I4s", 2, b"free") * 9000
    yield "mp4-size-0", FTYP + struct.pack(">I4s", 0, b"moov") + bytes(9000)
    yield "mp4-mdat-16eb", FTYP + struct.pack(">I4sQ", 1, b"mdat", 2**64 - 1) + SOUND
    yield "mp4-moov-16eb", FTYP + struct.pack(">I4sQ", 1, b"moov", 2**64 - 1) + SOUND
    yield "mp4-moov-2gib", FTYP + struct.pack(">I4s", 2**31, b"moov") + SOUND
    nested = b""
    for _ in range(20_000):
        nested = struct.pack(">I4s", 8 + len(nested), b"trak") + nested
    yield "mp4-nested", FTYP + moov(nested) + box(b"mdat", SOUND)
    shallow = b"".join(struct.pack(">I4s", 2**24, b"udta") for _ in range(100_000))
    yield "mp4-nested-lie", FTYP + moov(shallow) + box(b"mdat", SOUND)
    yield "mp4-tracks", mp4(*[trak(tables())] * 2000)
    for name, target in {"file": b"file:///etc/passwd", "http": b"http://127.0.0.1:9/x"}.items():
        url = box(b"url ", bytes(4), target + b"\0")
        dinf = box(b"dinf", full(b"dref", 1, more=url))
        yield f"mp4-open-reference-{name}", mp4(trak(tables(), dinf=dinf))
        alias = box(b"alis", bytes(4), bytes(150), b"\0\x02\0\x12/etc/passwd\0\0\0\0\0\0\0")
        dinf = box(b"dinf", full(b"dref", 1, more=alias))
        yield f"mp4-open-alias-{name}", mp4(trak(tables(), dinf=dinf))
        redirect = box(b"rmra", box(b"rmda", box(b"rdrf", bytes(4), b"url ", target)))
        yield f"mp4-redirect-{name}", FTYP + moov(redirect) + box(b"mdat", SOUND)
    for kind in (b"esds", b"alac", b"glbl", b"uuid", b"udta", b"meta", b"sidx", b"pssh", b"iinf"):
        claim = struct.pack(">I4s", 0x3FFFFFF0, kind) + b"\xff" * 99
        yield f"mp4-claim-{kind.decode()}", FTYP + moov(track) + claim
        yield f"mp4-open-claim-end-{kind.decode()}", mp4(track) + claim
        inner = struct.pack(">I4s", 0x3FFFFFF0, kind) + b"\xff" * 99
        yield f"mp4-open-inner-{kind.decode()}", mp4(track, inner)
    items = box(b"iinf", struct.pack(">II", 0x01000000, 0x07000000))
    places = box(b"iloc", struct.pack(">IHI", 0x02000000, 0x4400, 0x07000000))
    yield (
        "mp4-open-items",
        mp4(track, box(b"meta", bytes(4), places + items))
        + box(b"meta", bytes(4), items + places),
    )
    packed = zlib.compress(moov(track) + bytes(64 * MIB), 9)
    squeezed = box(b"cmvd", struct.pack(">I", 64 * MIB), packed)
    yield (
        "mp4-squeezed",
        FTYP + box(b"mdat", SOUND) + box(b"moov", box(b"cmov", box(b"dcom", b"zlib"), squeezed)),
    )
    yield "mp4-moovs", FTYP + box(b"mdat", SOUND) + moov(track) * 2000
    many = box(b"sidx", struct.pack(">IIIIIHH", 0, 1, 1, 0, 0, 0, 65_535), b"\0\0\0\1" * 196_605)
    yield "mp4-open-sidx", FTYP + moov(track) + many + box(b"mdat", SOUND)


def _mp4_codecs() -> Files:
    def coded(codec: bytes, *more: bytes, channels: int = 1, rate: int = 16_000) -> bytes:
        described = full(b"stsd", 1, more=entry(codec, *more, channels=channels, rate=rate))
        cut = {"stts": full(b"stts", 1, 48, 1024), "stsz": full(b"stsz", 200, 48)}
        cut["stsc"] = full(b"stsc", 1, 1, 48, 1)
        return mp4(trak(tables(stsd=described, **cut)))

    for frame in (0xFFFFFFFF, 4096 * 4096, 1 << 22):
        numbers = struct.pack(">IIBBBBBBHIII", 0, frame, 0, 16, 40, 10, 14, 8, 255, 0, 0, 16_000)
        yield f"mp4-alac-{frame}", coded(b"alac", box(b"alac", numbers), channels=8)
    noise = _noise(3, 64)
    for codec in (b"mp4a", b"Opus", b"fLaC", b"samr", b"ac-3", b".mp3", b"ima4", b"QDM2", b"agsm"):
        short = codec.decode().strip(".").lower()
        yield f"mp4-codec-{short}", coded(codec, box(b"esds", bytes(4), noise))
    yield "mp4-codec-1-hz", coded(b"sowt", rate=1)
    yield "mp4-codec-255", coded(b"sowt", channels=255)
    yield "mp4-codec-65535", coded(b"mp4a", channels=65_535)
    picture = png(30_000, 30_000)
    size = struct.pack(">6xH16xHHII4xH32xHh", 1, 30_000, 30_000, 72 << 16, 72 << 16, 1, 24, -1)
    for kind in (b"png ", b"jpeg", b"gif ", b"tiff"):
        stbl = tables(
            stsd=full(b"stsd", 1, more=box(kind, size)),
            stsz=full(b"stsz", len(picture), 1),
            stsc=full(b"stsc", 1, 1, 1, 1),
        )
        pictured = mp4(trak(stbl, handler=b"vide"), sound=picture)
        yield f"mp4-picture-{kind.decode().strip()}", pictured


def _mp3() -> Files:
    good = valid()["mp3-plain"]
    first = good[:4]
    for name, size in {"huge": b"\x7f" * 4, "some": b"\0\x10\0\0", "odd": b"\xff" * 4}.items():
        yield f"mp3-tag-{name}", b"ID3\4\0\0" + size + bytes(9999)
    yield "mp3-tags", b"ID3\4\0\0\0\0\0\0" * 200_000
    yield "mp3-tags-alone", b"ID3\4\0\0\0\0\0\0"
    yield "mp3-tag-of-noise", b"ID3\4\0\0\0\0\0\0" + _noise(4, MIB)
    yield "mp3-tag-of-zeros", b"ID3\4\0\0\0\0\0\0" + bytes(MIB)
    yield "mp3-tag-of-ones", b"ID3\4\0\0\0\0\0\0" + b"\xff" * MIB
    for name in ("webm-opus", "ogg-opus", "wav-s16", "mp4-aac"):
        yield f"mp3-tag-of-{name}", b"ID3\4\0\0\0\0\0\0" + valid()[name]
    yield "mp3-tag-of-playlist", b"ID3\4\0\0\0\0\0\0" + PLAYLIST * 100
    xing = b"Xing\0\0\0\x0f" + b"\xff" * 8 + bytes(range(100)) + b"\xff" * 4
    at = good.index(b"Info") if b"Info" in good else good.index(b"Xing")
    yield "mp3-open-hours", good[:at] + xing + good[at + len(xing) :]
    begun = good[:144]
    yield (
        "mp3-open-free-format",
        begun + (bytes([first[0], first[1], 0x04, first[3]]) + bytes(300)) * 3000,
    )
    yield "mp3-open-headers", begun + b"\xff\xfb\x14\xc4" * 50_000
    yield (
        "mp3-open-heads-apart",
        begun + b"".join(b"\xff\xfb\x14\xc4" + bytes(n) for n in range(1000)),
    )
    layers = (b"\xff\xfb\x54\xc4", b"\xff\xfd\x54\xc4", b"\xff\xff\x54\xc4", b"\xff\xf3\x54\xc4")
    yield "mp3-open-layers", b"".join(layers[n % 4] + bytes(200) for n in range(2000))
    yield "mp3-open-reservoir", begun + (good[:4] + b"\xff\xff" + good[6:144]) * 2000
    yield "mp3-open-then-flac", good + flac_head(48_000) + flac_silence(0) * 50
    yield "mp3-open-then-noise", good + _noise(5, MIB)
    silent = b"\xff\xf3\x18\xc4" + bytes(44)
    yield "mp3-bomb-quiet", silent * 60_000


def _flac() -> Files:
    for rate in (0, 1, 7999, 655_350, 1_048_575):
        frames = b"".join(flac_silence(n % 100) for n in range(50))
        yield f"flac-{rate}-hz", flac_head(rate) + frames
    frames = b"".join(flac_silence(n % 100, 8) for n in range(800))
    yield "flac-bomb-8-channels", flac_head(8_000, 8) + frames
    yield "flac-bomb-192-khz", flac_head(192_000, 8) + frames
    yield "flac-bomb-mono", flac_head(8_000) + b"".join(flac_silence(n % 100) for n in range(9000))
    yield "flac-no-info", b"fLaC\x84\0\0\x28" + bytes(40)
    yield "flac-infos", b"fLaC" + flac_head(48_000, is_last=False)[4:] * 20_000
    yield "flac-block-claim", flac_head(48_000, is_last=False) + b"\x04\xff\xff\xff" + bytes(999)
    for kind in (2, 4, 5, 6, 127):
        lie = (flac_head(48_000, is_last=False), bytes([kind]), b"\0\0\xff", b"\xff" * 255)
        yield f"flac-block-{kind}", b"".join(lie) + b"\x81\0\0\0"
    black = png(30_000, 30_000)
    pictured = _flac_picture(black, 30_000)
    yield "flac-open-png-bomb", flac_head(48_000, is_last=False) + pictured + flac_silence(0) * 9
    tiny = b"\6" + _flac_picture(b"x", 1)[1:]
    yield "flac-open-pictures", flac_head(48_000, is_last=False) + tiny * 3000 + b"\x81\0\0\0"
    yield "flac-headers", flac_head(48_000) + flac_silence(0)[:8] * 100_000
    yield (
        "flac-header-noise",
        flac_head(48_000)
        + b"".join(flac_silence(n % 100)[:8] + bytes([n & 255]) * (n % 40) for n in range(50_000)),
    )
    yield "flac-long-wait", flac_head(48_000) + flac_silence(0) + bytes(4 * MIB)


def _flac_picture(picture: bytes, side: int) -> bytes:
    said = struct.pack(">II9sIIIIII", 3, 9, b"image/png", 0, side, side, 24, 0, len(picture))
    body = said + picture
    return b"\x86" + len(body).to_bytes(3) + body


def _others() -> Files:
    for name, data in TEXTS.items():
        yield f"none-{name}", data * (1 + 64 // len(data))
    yield "none-png", png(30_000, 30_000)
    chance = random.Random(6)  # noqa: S311 - no secret
    for size in (1, 3, 11, 12, 13, 1000, 100_000):
        yield f"none-open-noise-{size}", chance.randbytes(size)


def _huge() -> Files:
    """What fills a frame, or nearly."""
    size = 15 * MIB
    yield (
        "mp4-huge-moov",
        FTYP + moov(trak(tables()), box(b"free", bytes(size))) + box(b"mdat", SOUND),
    )
    covers = box(
        b"udta", box(b"meta", bytes(4), box(b"ilst", box(b"covr", box(b"data", bytes(size)))))
    )
    yield "mp4-open-huge-cover", mp4(trak(tables()), covers)
    sizes = full(b"stsz", 0, size // 8, more=bytes(size // 2))
    yield "mp4-huge-table", mp4(trak(tables(stsz=sizes, stts=full(b"stts", 1, size // 8, 2))))
    yield "mp4-huge-mdat", FTYP + box(b"mdat", bytes(size))
    blocks = _flac_picture(bytes(5 * MIB), 9)
    yield (
        "flac-open-huge-pictures",
        flac_head(48_000, is_last=False) + (b"\6" + blocks[1:]) * 2 + blocks + flac_silence(0) * 9,
    )
    yield "mp3-huge-tag", b"ID3\4\0\0" + b"\7\x60\0\0" + bytes(size)
    yield "mp3-huge-zeros", b"\xff\xfb\x14\xc4" + bytes(size)
    yield "webm-open-huge-void", muxing.start() + muxing.element(muxing.VOID, bytes(size))
    yield "webm-huge-block", muxing.start() + muxing.block(bytes(size))
    yield "ogg-huge-zeros", ogg_opus() + bytes(size)
    yield "wav-open-huge-junk", wav(chunk(b"junk", bytes(size)), fmt())
    yield "wav-open-huge-bomb", wav(fmt(6, rate=8000, bits=8), chunk(b"data", bytes(size)))
