"""Recordings that stand one behind the other, and are cut anywhere, without FFmpeg."""

import pytest

from livegate.protocol.commands import Decode
from livegate.protocol.inputs import Decoded
from livegate.protocol.media.decoder import Decoder
from livegate.protocol.media.kinds import Kind
from livegate.protocol.media.tracks import Reader
from livegate.protocol.media.wav import Wav
from livegate.protocol.media.webm import WebM
from muxing import SEGMENT, block, cluster, element, header, track, tracks
from wav_files import chunk, fmt, wav

SOUND = b"\x01\x00" * 100
FIRST = wav(fmt(rate=16_000), chunk(b"data", SOUND))
SIZED_WEBM = header() + element(SEGMENT, tracks(track()), cluster(), block(b"sound"))
SECOND = wav(fmt(rate=8_000), chunk(b"data", SOUND))


def heard(*pieces: bytes) -> tuple[dict[int, int], list[bool]]:
    """Return how many samples come at each rate, and whether the end is told with each piece."""
    decoder, samples, ends = Decoder(), dict[int, int](), list[bool]()
    for piece in pieces:
        answer = decoder.step(Decode(1, Kind.WAV, piece))
        while isinstance(answer, Decoded):
            samples[answer.rate] = samples.get(answer.rate, 0) + len(answer.pcm) // 2
            if not answer.has_more:
                ends.append(answer.end)
                break
            answer = decoder.step(Decode(1, Kind.WAV))
    return samples, ends


@pytest.mark.parametrize("cut", [1, 4, 11, 12, 40, 60])
def test_wav(cut: int) -> None:
    """Each recording keeps its rate, and the end is where the last one ends."""
    assert heard(FIRST + SECOND) == ({16_000: 100, 8_000: 100}, [True])
    assert heard(FIRST + SECOND[:cut], SECOND[cut:]) == (
        {16_000: 100, 8_000: 100},
        [False, True],
    )


def test_wav_with_more_behind() -> None:
    """What follows a recording, and is no other, does not hide its end."""
    assert heard(FIRST + chunk(b"LIST", b"INFO")) == ({16_000: 100}, [True])


@pytest.mark.parametrize(("reader", "data"), [(Wav(), FIRST), (WebM(), SIZED_WEBM)])
def test_is_over(reader: Reader, data: bytes) -> None:
    """A reader tells whether its last recording was whole, and no other has begun."""
    over: list[bool] = []
    for byte in data + data:
        reader.feed(bytes([byte]))
        over.append(reader.is_over)
    assert over == [*[False] * (len(data) - 1), True] * 2
