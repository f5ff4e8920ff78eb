"""What is found in WebM and Matroska, and what is refused."""

import struct
from pathlib import Path
from typing import Final

import pytest

import muxing as mux
from demuxed import read, refused, sounds
from livegate.protocol.errors import ErrorCode
from livegate.protocol.media.tracks import End, Packet, Samples, Track
from livegate.protocol.media.webm import WebM

MIB: Final = 1024 * 1024
RECORDINGS: Final = Path(__file__).parent.parent / "data" / "recordings"
OPUS: Final = Track(codec="opus", rate=48_000, channels=1)
HEADER: Final = mux.header() + mux.head(mux.SEGMENT)
OPUS_HEAD: Final = b"OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00"  # pre-skip 312


def opus_ms(packet: bytes) -> float:
    """Return how long a packet of Opus sounds, by its first bytes (RFC 6716 section 3.1)."""
    config = packet[0] >> 3
    if config < 12:
        frame = (10.0, 20.0, 40.0, 60.0)[config % 4]
    elif config < 16:
        frame = (10.0, 20.0)[config % 2]
    else:
        frame = (2.5, 5.0, 10.0, 20.0)[config % 4]
    code = packet[0] & 3
    return frame * (packet[1] & 0x3F if code == 3 else (1, 2, 2)[code])


@pytest.mark.parametrize(
    ("name", "is_whole"),
    [
        ("webm-opus-blob.webm", True),
        ("webm-opus-100ms.webm", False),
        ("mkv-opus-100ms.mkv", False),
    ],
)
def test_real_opus(name: str, is_whole: bool) -> None:  # noqa: FBT001 - a table's column
    """All 3.6 s of what Chromium recorded are found, and its end if that says where it is."""
    found = read((RECORDINGS / name).read_bytes())
    first = found[0]
    assert isinstance(first, Track)
    assert (first.codec, first.rate, first.channels, first.skip_s) == ("opus", 48_000, 2, 0.0)
    assert first.private.startswith(b"OpusHead")
    packets = [one.data for one in found if isinstance(one, Packet)]
    assert len(packets) == 60
    assert sum(map(opus_ms, packets)) == 3_600
    assert found[61:] == ([End()] if is_whole else [])


def test_real_pcm() -> None:
    """Chromium's PCM is 32-bit floating point, in packets of 10 ms."""
    found = read((RECORDINGS / "webm-pcm16k-250ms.webm").read_bytes())
    assert found[0] == Track(codec=Samples.F32, rate=16_000, channels=1)
    packets = [one.data for one in found if isinstance(one, Packet)]
    assert len(packets) == len(found) - 1 == 340
    assert sum(map(len, packets)) == 3.4 * 16_000 * 4
    samples: tuple[float, ...] = struct.unpack(f"<{len(packets[200]) // 4}f", packets[200])
    assert 0 < max(map(abs, samples)) <= 1


@pytest.mark.parametrize(
    ("codec", "bits", "expected"),
    [
        (b"A_VORBIS", None, "vorbis"),
        (b"A_AAC", None, "aac"),
        (b"A_FLAC", None, "flac"),
        (b"A_MPEG/L3", None, "mp3"),
        (b"A_MPEG/L3\0\0", None, "mp3"),
        (b"A_PCM/FLOAT/IEEE", 32, Samples.F32),
        (b"A_PCM/FLOAT/IEEE", 64, Samples.F64),
        (b"A_PCM/INT/LIT", 8, Samples.U8),
        (b"A_PCM/INT/LIT", 16, Samples.S16),
        (b"A_PCM/INT/LIT", 24, Samples.S24),
        (b"A_PCM/INT/LIT", 32, Samples.S32),
        (b"A_PCM/INT/BIG", 8, Samples.U8),
        (b"A_PCM/INT/BIG", 16, Samples.S16_BIG),
        (b"A_PCM/INT/BIG", 24, Samples.S24_BIG),
        (b"A_PCM/INT/BIG", 32, Samples.S32_BIG),
    ],
)
def test_codecs(codec: bytes, bits: int | None, expected: Samples | str) -> None:
    """Each codec has FFmpeg's name, with what its decoder needs; PCM goes by its bits."""
    entry = mux.track(codec, mux.sampled(44_100.0, 2, bits), mux.element(0x63A2, b"private"))
    assert read(HEADER + mux.tracks(entry)) == [
        Track(codec=expected, rate=44_100, channels=2, private=b"private")
    ]


@pytest.mark.parametrize(
    ("more", "skip_s"),
    [
        ([], 0.0),
        ([mux.element(0x63A2, OPUS_HEAD)], 0.0065),
        ([mux.element(0x63A2, OPUS_HEAD), mux.element(0x56AA, mux.number(80_000_000))], 0.0065),
        ([mux.element(0x56AA, mux.number(80_000_000))], 0.08),
        ([mux.element(0x63A2, b"no head" * 3)], 0.0),
    ],
    ids=["none", "pre-skip", "both", "delay", "other"],
)
def test_skip(more: list[bytes], skip_s: float) -> None:
    """Opus's own header says what is not to be heard at the beginning, or else CodecDelay."""
    (found,) = read(HEADER + mux.tracks(mux.track(b"A_OPUS", mux.sampled(), *more)))
    assert isinstance(found, Track)
    assert found.skip_s == skip_s


def test_skip_of_others() -> None:
    """Only Opus is asked for its own header."""
    entry = mux.track(b"A_AAC", mux.sampled(), mux.element(0x63A2, OPUS_HEAD))
    (found,) = read(HEADER + mux.tracks(entry))
    assert isinstance(found, Track)
    assert found.skip_s == 0.0


@pytest.mark.parametrize(
    ("audio", "rate", "channels"),
    [
        (mux.element(0xE1), 8_000, 1),
        (b"", 8_000, 1),
        (mux.sampled(8_000.0, 8), 8_000, 8),
        (mux.sampled(192_000.0, 1), 192_000, 1),
        (mux.element(0xE1, mux.element(0xB5, struct.pack(">d", 22_050.4))), 22_050, 1),
    ],
)
def test_audio(audio: bytes, rate: int, channels: int) -> None:
    """Rate and channels have Matroska's defaults, and may be as small and large as is taken."""
    entry = mux.track(b"A_AAC", audio)
    expected = Track(codec="aac", rate=rate, channels=channels)
    assert read(HEADER + mux.tracks(entry)) == [expected]


def test_opus_rate() -> None:
    """Opus is decoded at 48 kHz, whatever rate was recorded."""
    assert read(HEADER + mux.tracks(mux.track(b"A_OPUS", mux.sampled(1.0)))) == [OPUS]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (mux.track(b"A_AC3"), "codec must be Opus, Vorbis, AAC, FLAC, MP3 or PCM of 8, 16, "),
        (mux.track(b"A_AC3"), "24, 32 or (floating-point) 64 bits, got 'A_AC3'"),
        (mux.track(b"A_PCM/INT/LIT", mux.sampled(bits=12)), "got 'A_PCM/INT/LIT' of 12 bits"),
        (mux.track(b"A_PCM/FLOAT/IEEE"), "got 'A_PCM/FLOAT/IEEE' of 0 bits"),
        (mux.track(b"A_AAC", mux.sampled(7_999.0)), "must be 8000 to 192000 Hz, got 7999"),
        (mux.track(b"A_AAC", mux.sampled(192_001.0)), "must be 8000 to 192000 Hz, got 192001"),
        (mux.track(b"A_AAC", mux.sampled(float("nan"))), "got nan"),
        (mux.track(b"A_AAC", mux.sampled(float("inf"))), "got inf"),
        (mux.track(b"A_AAC", mux.element(0xE1, mux.element(0xB5))), "got 0"),
        (mux.track(b"A_OPUS", mux.sampled(channels=9)), "must have 1 to 8 channels, got 9"),
        (mux.track(b"A_OPUS", mux.sampled(channels=0)), "must have 1 to 8 channels, got 0"),
        (mux.track(b"A_OPUS", mux.element(0x6D80)), "compressed once more, or encrypted"),
        (mux.track(b"V_VP8", kind=1), "the recording has no audio track"),
        (mux.element(0xAE, mux.element(0x83, b"\x02")), "the recording has no audio track"),
        (mux.element(mux.VOID), "the recording has no audio track"),
    ],
)
def test_tracks_refused(entry: bytes, expected: str) -> None:
    """A track that cannot be decoded is refused before any of its packets."""
    code, message = refused(HEADER + mux.tracks(entry))
    assert code == ErrorCode.AUDIO_FORMAT
    assert message.startswith("the recording")
    assert expected in message


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (mux.header(b"matroska"), None),
        (mux.header(b"webm", mux.element(0x42F2, b"\x04"), mux.element(0x42F3, b"\x08")), None),
        (mux.header(b"mp4"), "must be WebM or Matroska, got 'mp4'"),
        (mux.element(0x1A45DFA3), "must be WebM or Matroska, got ''"),
        (mux.header(b"webm", mux.element(0x42F2, b"\x05")), "may be 4 and 8 bytes long, got 5"),
        (mux.header(b"webm", mux.element(0x42F3, b"\x09")), "may be 4 and 8 bytes long, got 9"),
    ],
)
def test_kinds(header: bytes, expected: str | None) -> None:
    """WebM and Matroska are taken; other documents, and a newer grammar, are not."""
    if expected is None:
        assert read(header + mux.tracks()) == [OPUS]
    else:
        code, message = refused(header)
        assert code == ErrorCode.AUDIO_FORMAT
        assert expected in message


@pytest.mark.parametrize(
    "begun",
    [
        mux.cluster() + mux.block(b"sound"),
        mux.block(b"sound"),
        mux.cluster()[1:],
        bytes(20),
        b"RIFF\x00\x00\x00\x00WAVE",
        mux.head(0x1A45DFA3),
        mux.element(mux.VOID, b"") + mux.start(),
    ],
)
def test_beginning_is_missing(begun: bytes) -> None:
    """A recording whose first piece is missing can only be begun anew."""
    code, message = refused(begun)
    assert code == ErrorCode.AUDIO_BROKEN
    assert "its beginning is missing, restart the recorder" in message


@pytest.mark.parametrize(
    ("damaged", "expected"),
    [
        (b"\x00", "no id or size begins with 0x00"),
        (b"\x08", "no id or size begins with 0x08"),
        (b"\xec\x00", "no id or size begins with 0x00"),
        (mux.element(0x4286, b"\x01"), "element 0x4286 of 1 bytes"),
        (mux.head(0x1549A966), "element 0x1549a966 has no size"),
        (mux.element(0xBF, b"12345"), "element 0xbf of 5 bytes"),
        (mux.element(0xE7, bytes(9)), "element 0xe7 of 9 bytes"),
        (mux.cluster(), "sound comes before its track is described"),
        (mux.block(b"sound"), "sound comes before its track is described"),
        (mux.group(mux.grouped(b"sound")), "sound comes before its track is described"),
        (mux.tracks(mux.track(track_number=0)), "a track has no number"),
        (mux.tracks(b"\xae"), "an element in a header has no end"),
        (mux.tracks(b"\xae\xff"), "an element in a header has no end"),
        (mux.tracks(b"\xae\x85\xd7"), "element 0xae is longer than what it is in"),
        (mux.tracks(mux.element(0xAE, mux.element(0x83, bytes(9)))), "an integer of 9 bytes"),
        (
            mux.tracks(mux.track(b"A_AAC", mux.element(0xE1, mux.element(0xB5, b"123")))),
            "a floating-point number of 3 bytes",
        ),
    ],
)
def test_header_damaged(damaged: bytes, expected: str) -> None:
    """Nothing can come of a recording whose header is damaged."""
    assert refused(HEADER + damaged) == (
        ErrorCode.AUDIO_BROKEN,
        f"the recording's header is damaged: {expected}",
    )


def test_everything_else_is_passed_over() -> None:
    """What may stand in a Segment or a Cluster besides the sound changes nothing."""
    level_1 = [0xEC, 0x114D9B74, 0x1549A966, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367]
    around = b"".join(mux.element(one, bytes(300)) for one in level_1)
    crc = mux.element(0xBF, bytes(4))
    within = b"".join(mux.element(one, bytes(8)) for one in (0xE7, 0xA7, 0xAB, 0x5854))
    before = mux.header() + mux.head(mux.SEGMENT) + crc + around + mux.tracks() + around
    data = before + mux.cluster() + crc + within + mux.block(b"sound") + around + mux.tracks()
    assert read(data + mux.cluster() + mux.block(b"more")) == [
        OPUS,
        Packet(b"sound"),
        Packet(b"more"),
    ]


def test_one_track_is_heard() -> None:
    """The first audio track is heard, wherever it stands; other tracks' blocks are passed over."""
    video = mux.track(b"V_VP8", track_number=300, kind=1)
    uncoded = mux.element(0xAE, mux.element(0xD7, b"\x05"), mux.element(0x83, b"\x02"))
    audio = mux.track(b"A_OPUS", mux.sampled(), track_number=200)
    second = mux.track(b"A_AAC", mux.sampled(), track_number=3)
    data = mux.start(video, uncoded, audio, second)
    data += mux.block(bytes(5_000), 300) + mux.block(b"one", 200) + mux.block(b"no", 3)
    data += mux.block(bytes(2 * MIB), 300) + mux.group(mux.grouped(bytes(2 * MIB), 300))
    data += mux.group(mux.grouped(b"no", 300, flags=0x06)) + mux.group(mux.grouped(b"two", 200))
    data += mux.block(b"", 5, flags=0x06)
    assert read(data) == [OPUS, Packet(b"one"), Packet(b"two")]


def test_groups() -> None:
    """A group's padding trims the end of its packet; at the beginning, it takes nothing."""
    data = mux.start() + mux.group(mux.grouped(b"one"))
    data += mux.group(mux.padding(13_500_000), mux.element(0x9B, b"\x3c"), mux.grouped(b"two"))
    data += mux.group(mux.grouped(b"three"), mux.padding(-13_500_000))
    assert read(data)[1:] == [Packet(b"one"), Packet(b"two", 0.0135), Packet(b"three")]


@pytest.mark.parametrize(
    "broken",
    [
        mux.group(),
        mux.group(mux.element(0x9B, b"\x3c")),
        mux.group(mux.element(0xA1, b"\x81\x00\x00")),
        mux.group(mux.element(0xA1, b"\x40")),
        mux.group(mux.grouped(b"lost", 9)),
        mux.group(mux.grouped(b"lost"), mux.element(0x75A2, bytes(9))),
        mux.group(mux.grouped(b"lost"), b"\x9b"),
        mux.group(mux.grouped(b"lost"), b"\x9b\xff"),
    ],
)
def test_group_is_broken(broken: bytes) -> None:
    """A group that is damaged inside costs its own sound only."""
    data = mux.start() + mux.block(b"one") + broken + mux.block(b"two")
    assert sounds(data) == [b"one", b"two"]


def test_empty_packets() -> None:
    """A block without sound gives no packet: a decoder would take it for the end."""
    assert sounds(mux.start() + mux.block(b"") + mux.block(b"one")) == [b"one"]


def test_whole_samples() -> None:
    """PCM is given in whole samples of all channels; what is left of a block is dropped."""
    data = mux.start(mux.track(b"A_PCM/INT/LIT", mux.sampled(channels=2, bits=24)))
    data += mux.block(b"01234501234") + mux.block(b"01234") + mux.block(b"543210")
    assert sounds(data) == [b"012345", b"543210"]


@pytest.mark.parametrize("flags", [0x82, 0x84, 0x86], ids=["Xiph", "fixed", "EBML"])
def test_lacing(flags: int) -> None:
    """No kind of lacing is taken; a single block that looks so is damaged."""
    expected = (
        ErrorCode.AUDIO_FORMAT,
        "the recording's blocks must hold one packet each, got several in one (lacing)",
    )
    for laced in (
        mux.block(b"\x01sound", flags=flags),
        mux.group(mux.grouped(b"\x01sound", flags=flags)),
    ):
        assert refused(mux.start() + laced * 2) == expected
        data = mux.start() + laced + mux.block(b"one") + laced
        assert sounds(data) == [b"one"]
        assert refused(data + laced) == expected


def test_known_sizes() -> None:
    """A Segment that says how long it is ends, and nothing but a recording may follow."""
    clusters = b"".join(
        mux.element(mux.CLUSTER, mux.element(0xE7, b"\x00"), mux.block(sound))
        for sound in (b"one", b"two")
    )
    whole = mux.header() + mux.element(mux.SEGMENT, mux.tracks(), clusters)
    found = [OPUS, Packet(b"one"), Packet(b"two"), End()]
    assert read(whole) == found
    assert read(whole[:-1]) == found[:2]
    assert read(whole + whole) == found + found
    stray = mux.tracks() + mux.cluster() + mux.block(b"stray")
    assert read(whole + b"\r\n\x00" + stray + whole) == found + found


def test_segment_without_tracks() -> None:
    """A Segment that ends without a track has none."""
    code, message = refused(mux.header() + mux.element(mux.SEGMENT, mux.element(mux.VOID)))
    assert (code, message) == (ErrorCode.AUDIO_FORMAT, "the recording has no audio track")


def test_segment_says_nothing_true() -> None:
    """A Segment whose size fits no element's end, or that was damaged, never ends."""
    size = mux.vint(len(mux.tracks() + mux.block(b"one")) + 1)
    data = mux.header() + mux.head(mux.SEGMENT, size) + mux.tracks()
    assert read(data + mux.block(b"one") * 2) == [OPUS] + [Packet(b"one")] * 2
    damaged = data + mux.block(b"one")[:-1] + b"\x00" + mux.block(b"two")
    assert End() not in read(damaged)


def test_joined() -> None:
    """A second recording begins with a track of its own, though the first had no end."""
    second = mux.start(mux.track(b"A_AAC", mux.sampled(), track_number=2))
    data = mux.start() + mux.block(b"one") + second + mux.block(b"two", 2)
    expected = Track(codec="aac", rate=48_000, channels=1)
    assert read(data) == [OPUS, Packet(b"one"), expected, Packet(b"two")]


def test_packets_come_at_once() -> None:
    """A packet is given with its last byte, not with the next block."""
    reader = WebM()
    data = mux.start() + mux.block(b"sound")
    assert reader.feed(data[:-1]) == [OPUS]
    assert reader.feed(data[-1:]) == [Packet(b"sound")]


def test_too_costly() -> None:
    """What is too large is refused by its size alone."""
    largest = mux.block(bytes(MIB - 8))
    assert len(largest) == MIB
    assert len(sounds(mux.start() + largest * 20)) == 20
    larger = mux.vint(MIB)
    video = mux.track(b"V_VP8", track_number=2, kind=1)
    for data, expected in (
        (mux.head(0x1A45DFA3, larger), "header may have 1048576 bytes, got 1048583"),
        (HEADER + mux.head(mux.TRACKS, larger), "header may have 1048576 bytes, got 10485"),
        (mux.start() + mux.head(0xA3, larger) + mux.in_block(bytes(9)), "block of sound may"),
        (mux.start() + mux.head(0xA0, larger), "block of sound may have 1048576 bytes"),
        (HEADER + mux.head(mux.VOID, mux.vint(1 << 55)), "16777216 bytes without sound"),
        (HEADER + mux.element(mux.VOID) * 65_537, "16777216 bytes without sound"),
        (mux.start() + mux.head(mux.VOID, mux.vint(16 * MIB)), "16777216 bytes without sound"),
        (
            mux.start(mux.track(b"A_OPUS", mux.sampled()), video) + mux.block(bytes(MIB), 2) * 16,
            "16777216 bytes without sound",
        ),
    ):
        code, message = refused(data)
        assert code == ErrorCode.AUDIO_TOO_COSTLY
        assert message.startswith("the recording")
        assert expected in message


def test_header_is_large() -> None:
    """An EBML header and Tracks may have 1 MiB together, but not a byte more."""
    entry = mux.track(b"A_OPUS", mux.sampled())
    header = mux.header(b"webm", mux.element(mux.VOID, bytes(MIB // 2)))
    around = len(header + mux.tracks(entry, mux.element(mux.VOID, bytes(MIB // 4)))) - MIB // 4
    for size, is_taken in ((MIB, True), (MIB + 1, False)):
        tracks = mux.tracks(entry, mux.element(mux.VOID, bytes(size - around)))
        assert len(header + tracks) == size
        if is_taken:
            assert read(header + mux.head(mux.SEGMENT) + tracks) == [OPUS]
        else:
            code, message = refused(header + mux.head(mux.SEGMENT) + tracks)
            assert code == ErrorCode.AUDIO_TOO_COSTLY
            assert message.endswith("may have 1048576 bytes, got 1048577")


def test_many_tiny_elements() -> None:
    """A header of very many elements is refused before that takes long."""
    tiny = mux.element(mux.TRACKS, b"\xae\x80" * 100_000)
    code, message = refused(mux.header() + mux.head(mux.SEGMENT) + tiny)
    assert code is ErrorCode.AUDIO_BROKEN
    assert "more than 1000" in message
