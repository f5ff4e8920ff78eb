"""The decoder that every gateway has: steps, codecs that come from a shell, and what fails."""

import base64
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

import muxing
from livegate.protocol.commands import Decode
from livegate.protocol.errors import ErrorCode
from livegate.protocol.inputs import Answer, Decoded, DecodeFailed
from livegate.protocol.media.decoder import (
    MOST_BAD,
    STEP_BYTES,
    Codec,
    Decoder,
    Plain,
    Recording,
)
from livegate.protocol.media.kinds import Kind
from livegate.protocol.media.tracks import Samples, Track
from wav_files import chunk, fmt, wav

SPEECH: Final = bytes(range(256)) * 4
HEAD: Final = muxing.start(muxing.track(b"A_OPUS", muxing.sampled(8000.0)))


class Letters:
    """A codec that holds its last packet back, and cannot decode capitals."""

    rate = 8000

    def __init__(self, _track: Track) -> None:
        self._held = b""

    def decode(self, data: bytes) -> bytes:
        """Return the packet before."""
        if data.isupper():
            raise ValueError(data)
        given, self._held = self._held, data
        return given

    def flush(self) -> bytes:
        """Return the last packet."""
        given, self._held = self._held, b""
        return given


class Everything:
    """A recording that is read elsewhere."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def feed(self, data: bytes, *, is_base64: bool) -> None:
        """Take note."""
        self.done.append(f"feed {data.decode()}{' base64' * is_base64}")

    def flush(self) -> None:
        """Take note."""
        self.done.append("flush")

    def step(self) -> Decoded:
        """Take note."""
        self.done.append("step")
        return Decoded(0)

    def stop(self) -> None:
        """Take note."""
        self.done.append("stop")


def steps(decoder: Decoder, command: Decode) -> list[Decoded]:
    """Return all answers about one piece."""
    found: list[Decoded] = []
    while not found or found[-1].has_more:
        answer = decoder.step(command)
        assert isinstance(answer, Decoded), answer
        assert answer.job == command.job
        found.append(answer)
        command = Decode(command.job, command.kind)
    return found


def failure(answer: Answer) -> tuple[ErrorCode, str]:
    """Return the code and the sentence of a failure."""
    assert isinstance(answer, DecodeFailed), answer
    return answer.code, answer.message


def test_step_by_step() -> None:
    """A long recording comes in steps, none of which is much more than was meant."""
    pcm = SPEECH * 200
    file = wav(fmt(), chunk(b"data", pcm))
    answers = steps(Decoder(), Decode(1, Kind.WAV, file))
    assert b"".join(answer.pcm for answer in answers) == pcm
    assert len(answers) > 7
    assert max(len(answer.pcm) for answer in answers) <= STEP_BYTES + 32 * 1024
    assert [answer.end for answer in answers] == [*[False] * (len(answers) - 1), True]


def test_few_packets() -> None:
    """So do many packets with little in them."""
    data = HEAD + b"".join(muxing.block(b"ab") for _ in range(40))
    answers = steps(Decoder(Letters), Decode(1, Kind.WEBM, data))
    assert len(answers) == 6
    assert {answer.rate for answer in answers} == {8000}
    assert b"".join(answer.pcm for answer in answers) == b"ab" * 39


@given(cuts=st.lists(st.integers(0, 1100), max_size=4), is_base64=st.booleans())
def test_cut_anywhere(cuts: list[int], *, is_base64: bool) -> None:
    """How a recording was cut changes nothing of what is heard."""
    file = wav(fmt(), chunk(b"data", SPEECH))
    ends = sorted({*(min(cut, len(file)) for cut in cuts), len(file)} - {0})
    decoder, heard = Decoder(), b""
    for start, end in zip([0, *ends], ends, strict=False):
        data = file[start:end]
        data = base64.b64encode(data) if is_base64 else data
        for answer in steps(decoder, Decode(1, Kind.WAV, data, is_base64)):
            heard += answer.pcm
    assert heard == SPEECH


def test_long_base64() -> None:
    """Base64 is read in slices that are whole."""
    file = base64.b64encode(wav(fmt(), chunk(b"data", SPEECH * 100)))
    answers = steps(Decoder(), Decode(1, Kind.WAV, file, is_base64=True))
    assert b"".join(answer.pcm for answer in answers) == SPEECH * 100


def test_another_rate() -> None:
    """Recordings of two rates in one piece come in answers of their own."""
    first = wav(fmt(rate=8000), chunk(b"data", b"\1\0"))
    second = wav(fmt(rate=48_000), chunk(b"data", b"\2\0"))
    answers = steps(Decoder(), Decode(1, Kind.WAV, first + second))
    assert [(one.pcm, one.rate) for one in answers] == [(b"\1\0", 8000), (b"\2\0", 48_000)]
    assert answers[-1].end


def test_another_track() -> None:
    """What the codec holds back is heard before another track begins."""
    other = muxing.start(muxing.track(b"A_OPUS", muxing.sampled(8000.0, 2)))
    data = HEAD + muxing.block(b"ab") + other + muxing.block(b"cd")
    answers = steps(Decoder(Letters), Decode(1, Kind.WEBM, data))
    assert [answer.pcm for answer in answers] == [b"ab", b""]


def test_equal_tracks() -> None:
    """Recordings alike come together; each has a codec of its own, unless it is PCM."""
    made: list[Track] = []

    def new_codec(track: Track) -> Codec:
        made.append(track)
        return Plain(track) if isinstance(track.codec, Samples) else Letters(track)

    webm = HEAD + muxing.block(b"ab")
    assert [one.pcm for one in steps(Decoder(new_codec), Decode(1, Kind.WEBM, webm * 3))] == [
        b"abab"
    ]
    assert len(made) == 3
    file = wav(fmt(), chunk(b"data", b"\1\0"))
    (answer,) = steps(Decoder(new_codec), Decode(1, Kind.WAV, file * 2))
    assert (answer.pcm, answer.end) == (b"\1\0" * 2, True)
    assert len(made) == 4


def test_flush() -> None:
    """At the end of speech nothing is held back; the recording may go on behind it."""
    decoder = Decoder(Letters)
    assert decoder.step(Decode(1, Kind.WEBM, HEAD + muxing.block(b"ab"))) == Decoded(1, b"", 8000)
    assert decoder.step(Decode(1, Kind.WEBM, end=True)) == Decoded(1, b"ab", 8000)
    assert decoder.step(Decode(1, Kind.WEBM, muxing.block(b"cd"))) == Decoded(1, b"", 8000)


@pytest.mark.parametrize(
    ("trim", "heard"), [(0, b"ababcdcd"), (1, b"ababcd"), (3, b"ab"), (5, b""), (7, b"")]
)
def test_trim(trim: int, heard: bytes) -> None:
    """What a packet says is not to be heard is cut off its end, if it is as long as that."""
    decoder = Decoder(Letters)
    decoder.step(Decode(1, Kind.WEBM, HEAD + muxing.block(b"abab")))
    padding = muxing.padding(trim * 125_000) if trim else b""
    last = muxing.group(muxing.grouped(b"cdcd"), padding)
    answers = [
        decoder.step(one) for one in (Decode(1, Kind.WEBM, last), Decode(1, Kind.WEBM, end=True))
    ]
    assert b"".join(answer.pcm for answer in answers if isinstance(answer, Decoded)) == heard


def test_skip() -> None:
    """What is not to be heard at the beginning is skipped, over as many packets as it takes."""
    delay = muxing.element(0x56AA, muxing.number(3 * 125_000))
    track = muxing.track(b"A_OPUS", muxing.sampled(8000.0), delay)
    data = muxing.start(track) + b"".join(map(muxing.block, (b"abab", b"cdcd", b"efef")))
    heard = b"".join(one.pcm for one in steps(Decoder(Letters), Decode(1, Kind.WEBM, data)))
    assert heard == b"cd"


def test_damaged_packets() -> None:
    """A damaged packet is skipped; too many of them in a row are the end."""
    bad = muxing.block(b"XX")
    for good in (b"", muxing.block(b"ab")):
        decoder = Decoder(Letters)
        steps(decoder, Decode(1, Kind.WEBM, HEAD + bad * MOST_BAD + good))
        answer = decoder.step(Decode(1, Kind.WEBM, bad))
        assert isinstance(answer, Decoded if good else DecodeFailed)
    assert failure(decoder_answer()) == (
        ErrorCode.AUDIO_BROKEN,
        "nothing in this recording can be decoded any more",
    )


def decoder_answer() -> Answer:
    """Return the answer to too many damaged packets."""
    decoder = Decoder(Letters)
    steps(decoder, Decode(1, Kind.WEBM, HEAD + muxing.block(b"XX") * MOST_BAD))
    return decoder.step(Decode(1, Kind.WEBM, muxing.block(b"XX")))


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [(Kind.MP4, b"mp4", "cannot decode MP4: "), (Kind.WEBM, HEAD, "cannot decode opus: ")],
)
def test_needs_extra(kind: Kind, data: bytes, words: str) -> None:
    """What only FFmpeg decodes is refused, with the way to have it."""
    code, message = failure(Decoder().step(Decode(1, kind, data)))
    assert code is ErrorCode.AUDIO_FORMAT
    assert words in message
    assert "pip install 'livegate[audio]'" in message


@pytest.fixture
def opened() -> list[Everything]:
    """All recordings that are read elsewhere."""
    return []


@pytest.fixture
def decoder(opened: list[Everything]) -> Decoder:
    """Return a decoder that can open anything."""

    def open_other(_kind: Kind) -> Recording:
        opened.append(Everything())
        return opened[-1]

    return Decoder(open_other=open_other)


def test_other_kinds(decoder: Decoder, opened: list[Everything]) -> None:
    """Another kind is given on; another job forgets the one before."""
    assert decoder.step(Decode(7, Kind.MP4, b"a", is_base64=True)) == Decoded(7)
    assert decoder.step(Decode(7, Kind.MP4, end=True)) == Decoded(7)
    assert decoder.step(Decode(8, Kind.MP4, b"b")) == Decoded(8)
    first, second = opened
    assert first.done == ["feed a base64", "step", "flush", "step", "stop"]
    assert second.done == ["feed b", "step"]


@pytest.mark.parametrize("is_closed", [True, False])
def test_stop(decoder: Decoder, opened: list[Everything], *, is_closed: bool) -> None:
    """What is stopped gives nothing more, and is stopped once; nothing else is."""
    decoder.step(Decode(7, Kind.MP4, b"a"))
    decoder.stop(6)
    assert opened[0].done == ["feed a", "step"]
    for _ in range(2):
        if is_closed:
            decoder.close()
        else:
            decoder.stop(7)
    assert decoder.step(Decode(7, Kind.MP4, b"b")) == Decoded(7)
    assert opened[0].done == ["feed a", "step", "stop"]


def test_opened_too_late(decoder: Decoder, opened: list[Everything]) -> None:
    """What a step in another thread opens when the session is over is stopped at once."""
    decoder.close()
    assert decoder.step(Decode(1, Kind.MP4, b"a")) == Decoded(1)
    assert opened[0].done == ["stop"]


def test_stop_reading() -> None:
    """A recording that is stopped forgets what it has still to decode."""
    decoder = Decoder()
    answer = decoder.step(Decode(1, Kind.WAV, wav(fmt(), chunk(b"data", SPEECH * 200))))
    assert isinstance(answer, Decoded)
    assert answer.has_more
    decoder.stop(1)
    assert decoder.step(Decode(1, Kind.WAV)) == Decoded(1)
