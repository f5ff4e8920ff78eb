"""WAV: what is found in recordings, right and wrong, however they are cut."""

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from livegate.protocol.errors import ErrorCode, RemoteProtocolError
from livegate.protocol.media.tracks import SIZES, End, Found, Packet, Reader, Samples, Track
from livegate.protocol.media.wav import MAX_BEFORE, MAX_CHUNKS, MAX_READ, PACKET, Wav
from wav_files import chunk, ds64, extension, fmt, wav

SPEECH = Track(codec=Samples.S16, rate=16_000, channels=1)
SOUND = bytes(range(1, 41))
WANTED = "WAV must be PCM, float, A-law or mu-law, got "
TOO_MUCH = "at most 16 MiB may come before the sound, got a chunk "


def joined(found: Iterable[Found]) -> list[Track | bytes | End]:
    """Return what was found with neighbouring packets as one."""
    result: list[Track | bytes | End] = []
    for item in found:
        if not isinstance(item, Packet):
            result.append(item)
        elif result and isinstance(result[-1], bytes):
            result[-1] += item.data
        else:
            result.append(item.data)
    return result


def read(data: bytes, *, step: int = 0) -> list[Track | bytes | End]:
    """Return what is in a recording, fed at once or in steps."""
    reader: Reader = Wav()
    pieces = [data[at : at + step] for at in range(0, len(data), step)] if step else [data]
    return joined(itertools.chain.from_iterable(map(reader.feed, pieces)))


@pytest.mark.parametrize(
    ("tag", "bits", "codec"),
    [
        (1, 8, Samples.U8),
        (1, 16, Samples.S16),
        (1, 24, Samples.S24),
        (1, 32, Samples.S32),
        (3, 32, Samples.F32),
        (3, 64, Samples.F64),
        (6, 8, Samples.A_LAW),
        (7, 8, Samples.MU_LAW),
    ],
)
@pytest.mark.parametrize("channels", [1, 2, 8])
@pytest.mark.parametrize("kind", ["plain", "long", "extensible"])
def test_formats(tag: int, bits: int, codec: Samples, channels: int, kind: str) -> None:
    """Each format is read, in each of the three forms of its chunk."""
    more = {"plain": b"", "long": bytes(2), "extensible": extension(tag, bits)}[kind]
    said = 0xFFFE if kind == "extensible" else tag
    sound = bytes(range(100))[: 3 * SIZES[codec] * channels] * 2
    sound = sound[: len(sound) // (SIZES[codec] * channels) * SIZES[codec] * channels]
    data = wav(fmt(said, channels, 48_000, bits, more=more), chunk(b"data", sound))
    track = Track(codec=codec, rate=48_000, channels=channels)
    assert read(data) == read(data, step=1) == [track, sound, End()]


@pytest.mark.parametrize(
    ("bits", "valid", "codec"),
    [(16, 12, Samples.S16), (24, 20, Samples.S24), (32, 24, Samples.S32), (32, 0, Samples.S32)],
)
def test_valid_bits(bits: int, valid: int, codec: Samples) -> None:
    """Fewer valid bits than the container has make no difference."""
    sound = bytes(range(bits))
    data = wav(fmt(0xFFFE, 1, 8_000, bits, more=extension(1, valid)), chunk(b"data", sound))
    assert read(data) == [Track(codec=codec, rate=8_000, channels=1), sound, End()]


@pytest.mark.parametrize(
    "others",
    [
        [chunk(b"LIST", b"INFOISFT\x0e\0\0\0Lavf62.12.102\0")],
        [chunk(b"fact", bytes(4)), chunk(b"bext", bytes(602)), chunk(b"JUNK", bytes(28))],
        [chunk(b"id3 ", b"odd"), chunk(b"none"), chunk(b"PEAK", b"x")],
        [chunk(b"ds64", bytes(3))],
        [chunk(b"ID3 ", bytes(MAX_BEFORE - 100))],
        [fmt(1, 2, 44_100, 8)],
        [chunk(b"\0\xff\n\0")] * (MAX_CHUNKS - 1),
    ],
    ids=["ffmpeg", "broadcast", "odd sizes", "ds64", "cover", "second format", "many"],
)
def test_other_chunks(others: list[bytes]) -> None:
    """Chunks that mean nothing here are passed over, and so is a second format."""
    data = wav(fmt(), *others, chunk(b"data", SOUND))
    assert read(data) == read(data, step=997) == [SPEECH, SOUND, End()]
    if b"fmt " not in b"".join(others)[:4]:
        assert read(wav(*others, fmt(), chunk(b"data", SOUND))) == [SPEECH, SOUND, End()]


@pytest.mark.parametrize("form", [b"RF64", b"BW64"])
def test_large(form: bytes) -> None:
    """A size that needs 64 bits stands in `ds64`; one that does not is taken as it is."""
    data = wav(ds64(40), fmt(), chunk(b"data", SOUND + b"more", size=0xFFFFFFFF), form=form)
    assert read(data) == read(data, step=1) == [SPEECH, SOUND, End()]
    data = wav(ds64(4), fmt(), chunk(b"data", SOUND), form=form)
    assert read(data) == [SPEECH, SOUND, End()]
    data = wav(ds64(40, bytes(501)), fmt(), chunk(b"data", SOUND, size=0xFFFFFFFF), form=form)
    assert read(data) == [SPEECH, SOUND, End()]
    data = wav(ds64(1 << 33), fmt(), chunk(b"data", SOUND, size=0xFFFFFFFF), form=form)
    assert read(data) == [SPEECH, SOUND]
    both = wav(ds64(40), fmt(), chunk(b"data", SOUND), form=form)
    both += wav(fmt(), chunk(b"data", SOUND + SOUND, size=0xFFFFFFFF), form=form)
    assert read(both) == [SPEECH, SOUND, End(), SPEECH, SOUND + SOUND]


@pytest.mark.parametrize(
    "size",
    [0, 0xFFFFFFFF, 0x7FFFF000, 0x7FFFEFFC, 0x7FFF0000, 0x7FFFFF00, 0x80000000, 0xFFFFFF9B],
    ids=hex,
)
@pytest.mark.parametrize("whole", [0, 36, 0xFFFFFFFF])
def test_unknown_length(size: int, whole: int) -> None:
    """What pipes write as a size is none: the sound has no end, whatever is in it."""
    reader = Wav()
    found = reader.feed(wav(fmt(), chunk(b"data", SOUND, size=size), size=whole))
    assert joined(found) == [SPEECH, SOUND]
    assert joined(reader.feed(wav(fmt(), chunk(b"data", SOUND)))) == [
        wav(fmt(), chunk(b"data", SOUND))
    ]


def test_unknown_length_in_ds64() -> None:
    """RF64 on a pipe leaves zeros in `ds64`, or has none."""
    for first in ([ds64(0)], []):
        data = wav(*first, fmt(), chunk(b"data", SOUND, size=0xFFFFFFFF), form=b"RF64")
        assert read(data) == [SPEECH, SOUND]


def test_known_length() -> None:
    """The largest size that is believed is waited for."""
    reader = Wav()
    reader.feed(wav(fmt(), chunk(b"data", SOUND, size=0x7FFEFFFF)))
    assert vars(reader)["_left"] == 0x7FFEFFFF - len(SOUND)


@pytest.mark.parametrize("whole", [0, 0xFFFFFFFF])
def test_size_of_all(whole: int) -> None:
    """The size of the sound counts even where RIFF's own is none."""
    data = wav(fmt(), chunk(b"data", SOUND), size=whole)
    assert read(data) == [SPEECH, SOUND, End()]


@pytest.mark.parametrize(
    "after",
    [
        b"",
        b"\0",
        chunk(b"LIST", b"INFO"),
        chunk(b"id3 ", bytes(100_001)),
        b"TAG" + bytes(125),
        b"RIFF\0\0\0\0AVI LIST",
        b"RIFF" * 20,
        b"WAVE" * 20,
    ],
    ids=["nothing", "odd", "LIST", "id3", "ID3v1", "AVI", "RIFFs", "WAVEs"],
)
@pytest.mark.parametrize("step", [0, 1, 7])
def test_after(after: bytes, step: int) -> None:
    """What follows the sound is ignored, up to the head of another recording."""
    first = wav(fmt(), chunk(b"data", SOUND)) + after
    assert read(first, step=step) == [SPEECH, SOUND, End()]
    second = wav(fmt(7, 2, 8_000, 8), chunk(b"data", b"\n\nRIFF"))
    other = Track(codec=Samples.MU_LAW, rate=8_000, channels=2)
    assert read(first + second + first, step=step) == [
        SPEECH,
        SOUND,
        End(),
        other,
        b"\n\nRIFF",
        End(),
        SPEECH,
        SOUND,
        End(),
    ]


def test_after_forgets() -> None:
    """Another recording begins with nothing of the one before."""
    filling = [chunk(b"JUNK")] * (MAX_CHUNKS - 2)
    once = wav(fmt(), *filling, chunk(b"ID3 ", bytes(MAX_BEFORE - 16)), chunk(b"data", SOUND))
    assert read(once + once) == [SPEECH, SOUND, End()] * 2
    large = wav(ds64(2), fmt(), chunk(b"data", b"\1\2"), form=b"RF64")
    with pytest.raises(RemoteProtocolError, match="must come before"):
        read(large + wav(chunk(b"data", SOUND)))
    for ending in (0, 0xFFFFFFFF):
        plain = wav(fmt(), chunk(b"data", SOUND, size=ending))
        assert read(large + plain) == [SPEECH, b"\1\2", End(), SPEECH, SOUND]


def test_part_of_a_block() -> None:
    """A block that is not whole waits for its rest, and is no sound if that never comes."""
    reader = Wav()
    head = wav(fmt(1, 2, 16_000, 24), chunk(b"data", size=17))
    assert reader.feed(head) == [Track(codec=Samples.S24, rate=16_000, channels=2)]
    assert reader.feed(b"12345") == []
    assert reader.feed(b"678") == [Packet(b"123456")]
    assert reader.feed(b"9abcd") == [Packet(b"789abc"), End()]
    assert reader.feed(b"efgh") == []
    assert read(wav(fmt(), chunk(b"data", b"x"))) == [SPEECH, End()]


@pytest.mark.parametrize(("channels", "bits"), [(1, 16), (2, 24), (5, 24), (8, 64)])
def test_packets_are_short(channels: int, bits: int) -> None:
    """However much comes at once, a packet has at most 32 KiB, in whole blocks."""
    block = channels * bits // 8
    sound = bytes(block) * (100_000 // block)
    found = Wav().feed(
        wav(fmt(3 if bits == 64 else 1, channels, 96_000, bits), chunk(b"data", sound))
    )
    sizes = [len(item.data) for item in found if isinstance(item, Packet)]
    assert sum(sizes) == len(sound)
    assert set(sizes[:-1]) == {PACKET // block * block}
    assert 0 < sizes[-1] <= PACKET
    assert sizes[-1] % block == 0


def test_keeps_little() -> None:
    """Neither what is passed over nor what is ignored is kept."""
    reader = Wav()
    reader.feed(wav(fmt(), chunk(b"ID3 ", size=1 << 20)))
    reader.feed(bytes(1 << 19))
    assert held(reader) == 0
    reader.feed(bytes(1 << 19) + chunk(b"data", SOUND) + bytes(1 << 20))
    assert held(reader) == 11


def held(reader: Wav) -> int:
    """Return how many bytes a reader keeps."""
    return sum(len(value) for value in vars(reader).values() if isinstance(value, bytes))


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        (
            b"OggS" + bytes(20),
            ErrorCode.AUDIO_BROKEN,
            "WAV must begin with RIFF, RF64 or BW64, got 'OggS'",
        ),
        (
            wav(form=b"RIFX"),
            ErrorCode.AUDIO_FORMAT,
            "WAV must be little-endian, RIFF; got RIFX",
        ),
        (wav(kind=b"AVI "), ErrorCode.AUDIO_FORMAT, "RIFF must hold WAVE, got 'AVI '"),
        (
            wav(form=b"RF64", kind=b"\xff\n\0'"),
            ErrorCode.AUDIO_FORMAT,
            'RF64 must hold WAVE, got "\\xff\\n\\x00\'"',
        ),
        (
            wav(chunk(b"data", SOUND), fmt()),
            ErrorCode.AUDIO_BROKEN,
            "a 'fmt ' chunk must come before the 'data' chunk",
        ),
        (
            wav(chunk(b"fmt ", bytes(15))),
            ErrorCode.AUDIO_BROKEN,
            f"the 'fmt ' chunk must have 16 to {MAX_READ} bytes, got 15",
        ),
        (
            wav(chunk(b"fmt ", size=MAX_READ + 1)),
            ErrorCode.AUDIO_BROKEN,
            "the 'fmt ' chunk must have 16 to 1024 bytes, got 1025",
        ),
        (
            wav(chunk(b"ds64", bytes(23)), form=b"RF64"),
            ErrorCode.AUDIO_BROKEN,
            "the 'ds64' chunk must have 24 to 1024 bytes, got 23",
        ),
        (
            wav(fmt(), chunk(b"ID3 ", size=MAX_BEFORE - 15)),
            ErrorCode.AUDIO_BROKEN,
            TOO_MUCH + "'ID3 ' of 16777201 bytes",
        ),
        (
            wav(fmt(), chunk(b"\0\xfe12", size=0xFFFFFFFF)),
            ErrorCode.AUDIO_BROKEN,
            TOO_MUCH + "'\\x00\\xfe12' of 4294967295 bytes",
        ),
        (
            wav(fmt(), chunk(b"JUNK") * MAX_CHUNKS),
            ErrorCode.AUDIO_BROKEN,
            "at most 128 chunks may come before the sound",
        ),
        (
            wav(fmt(2, 1, 8_000, 4, align=256, more=bytes(34))),
            ErrorCode.AUDIO_FORMAT,
            WANTED + "format tag 0x0002 (Microsoft ADPCM)",
        ),
        (
            wav(fmt(0x55, 2, 44_100, 0, align=1, more=bytes(14))),
            ErrorCode.AUDIO_FORMAT,
            WANTED + "format tag 0x0055 (MP3)",
        ),
        (
            wav(fmt(0xBEEF)),
            ErrorCode.AUDIO_FORMAT,
            WANTED + "format tag 0xbeef",
        ),
        (
            wav(fmt(0xFFFE, more=extension(0x11, 16))),
            ErrorCode.AUDIO_FORMAT,
            WANTED + "format tag 0x0011 (IMA ADPCM)",
        ),
        (
            wav(fmt(0xFFFE, more=extension(1, 16, bytes(14)))),
            ErrorCode.AUDIO_FORMAT,
            WANTED + "the sub-format 01000000000000000000000000000000",
        ),
        (
            wav(fmt(0xFFFE, more=bytes(2))),
            ErrorCode.AUDIO_BROKEN,
            "an extensible 'fmt ' chunk must have 40 bytes, got 18",
        ),
        (
            wav(fmt(0xFFFE, more=extension(1, 17))),
            ErrorCode.AUDIO_BROKEN,
            "at most 16 of 16 bits can be valid, got 17",
        ),
        (
            wav(fmt(bits=12, align=2)),
            ErrorCode.AUDIO_FORMAT,
            "WAV of format tag 0x0001 must have 8 or 16 or 24 or 32 bits, got 12",
        ),
        (
            wav(fmt(3, bits=16)),
            ErrorCode.AUDIO_FORMAT,
            "WAV of format tag 0x0003 must have 32 or 64 bits, got 16",
        ),
        (
            wav(fmt(channels=0)),
            ErrorCode.AUDIO_FORMAT,
            "WAV must have 1 to 8 channels, got 0",
        ),
        (
            wav(fmt(channels=9)),
            ErrorCode.AUDIO_FORMAT,
            "WAV must have 1 to 8 channels, got 9",
        ),
        (
            wav(fmt(rate=7_999)),
            ErrorCode.AUDIO_FORMAT,
            "the sample rate must be 8000 to 192000 Hz, got 7999",
        ),
        (
            wav(fmt(rate=192_001)),
            ErrorCode.AUDIO_FORMAT,
            "the sample rate must be 8000 to 192000 Hz, got 192001",
        ),
        (
            wav(fmt(channels=2, align=3)),
            ErrorCode.AUDIO_BROKEN,
            "the block align of 2 channels of 16 bits must be 4, got 3",
        ),
    ],
)
def test_refused(data: bytes, code: ErrorCode, message: str) -> None:
    """What cannot be read is refused before any sound, with what was expected and got."""
    for step in (0, 1):
        with pytest.raises(RemoteProtocolError) as raised:
            read(data, step=step)
        assert (raised.value.code, raised.value.message) == (code, message)


@pytest.mark.parametrize("rate", [8_000, 192_000])
def test_rates(rate: int) -> None:
    """The lowest and the highest rate are read."""
    data = wav(fmt(rate=rate), chunk(b"data", SOUND))
    assert read(data)[0] == Track(codec=Samples.S16, rate=rate, channels=1)


@st.composite
def recordings(draw: st.DrawFn) -> bytes:
    """Recordings that are almost right, one after another."""
    codes = st.sampled_from([(1, 8), (1, 16), (1, 24), (3, 32), (3, 64), (7, 8), (2, 4)])
    parts: list[bytes] = []
    for _ in range(draw(st.integers(1, 3))):
        tag, bits = draw(codes)
        channels = draw(st.integers(1, 3))
        more = draw(st.sampled_from([b"", bytes(2), None]))
        extended = extension(tag, bits) if more is None else more
        sound = draw(st.binary(max_size=60))
        chunks = [
            chunk(draw(st.sampled_from([b"LIST", b"id3 "])), draw(st.binary(max_size=9))),
            fmt(0xFFFE if more is None else tag, channels, 16_000, bits, more=extended),
            chunk(b"data", sound, size=draw(st.sampled_from([None] * 8 + [0, 0xFFFFFFFF, 20]))),
        ]
        form = draw(st.sampled_from([b"RIFF"] * 3 + [b"RF64"]))
        first = [ds64(len(sound))] if form == b"RF64" else []
        parts.append(wav(*first, *chunks, form=form) + draw(st.binary(max_size=5)))
    data = bytearray(b"".join(parts))
    for _ in range(draw(st.integers(0, 2))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data)


def outcome(pieces: Iterable[bytes]) -> tuple[list[Track | bytes | End], str]:
    """Return what was found up to the error, and the error."""
    reader, found = Wav(), list[Found]()
    try:
        for piece in pieces:
            found += reader.feed(piece)
    except RemoteProtocolError as error:
        return joined(found), error.message
    return joined(found), ""


@given(recordings(), st.lists(st.integers(0, 400), max_size=6))
@example(wav(fmt(), chunk(b"data", SOUND)) * 2, [44, 45, 84, 90])
def test_cuts(data: bytes, cuts: list[int]) -> None:
    """Where a recording is cut changes nothing of what is found, nor what is wrong with it."""
    places = [0, *sorted(cuts), len(data)]
    cut, wrong = outcome(data[start:end] for start, end in itertools.pairwise(places))
    singly, wrong_singly = outcome(data[at : at + 1] for at in range(len(data)))
    whole, wrong_whole = outcome([data])
    assert wrong == wrong_singly == wrong_whole
    if not wrong:
        assert whole == cut == singly
    else:  # what the piece with the error held besides is lost
        assert whole == []
        assert cut == singly[: len(cut)] or cut[:-1] == singly[: len(cut) - 1]


@given(st.binary(max_size=200), st.sampled_from([b"", wav(), wav(fmt()), wav(form=b"RF64")]))
def test_garbage(data: bytes, head: bytes) -> None:
    """Whatever comes, the reader finds something or refuses it."""
    outcome([head + data])
