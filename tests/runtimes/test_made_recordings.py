"""Sound in all the ways people store it: it arrives as it was, and ends where it says so."""

import itertools
from collections.abc import Generator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.sync.client import connect

import made
import recorded
import running
import sending
from livegate.emulator import Emulator, Options
from livegate.protocol.media import kinds
from livegate.protocol.media.decoder import Decoder
from livegate.shell.decoding import new_decoder
from made import Made
from recorded import Recorded

WAVS = [one for one in made.ALL if one.name.endswith(".wav")]
IN_SESSIONS = (
    *("opus-24k.webm", "opus-streamed.webm", "vorbis-stereo-22khz.webm", "pcm-s16.mkv"),
    *("s24-stereo-24khz.wav", "s16-streamed.wav", "opus.ogg", "vorbis-5.1.ogg", "aac.m4a"),
    *("aac-streamed.mp4", "alac.m4a", "cover.mp3", "bare.mp3", "tagged.flac"),
)
SLICED = [one for one in recorded.ALL if len(one.sizes) > 2]
SLICEABLE = [
    one
    for one in made.ALL
    if one.name.endswith((".webm", ".mkv", ".wav"))
    or one.name in {"opus-small-pages.ogg", "aac-fragmented.mp4", "aac-streamed.mp4"}
]
"""What can be played from the middle. FFmpeg seeks the next frame of MP3 and FLAC for a while."""
JOINED = [
    ("opus-24k.webm", "opus-60ms.webm"),
    ("opus-streamed.webm", "vorbis-44khz.webm"),
    ("pcm-s16.mkv", "opus-5.1.mkv"),
    ("s16-16khz.wav", "mulaw-8khz.wav"),
    ("opus.ogg", "opus-60ms-stereo.opus"),
    ("opus-60ms-stereo.opus", "vorbis-8khz.ogg"),
    ("mpeg2-16khz.mp3", "long.mp3"),
    ("aac-16khz.mp4", "opus-fragmented.mp4"),
]
"""In one message."""
IN_TURN = [
    *JOINED,
    ("vorbis-8khz.ogg", "flac.ogg"),
    ("opus-24k.webm", "16khz.flac"),
    ("mpeg2-16khz.mp3", "cover.mp3"),
    ("aac.m4a", "s16-16khz.wav"),
    ("8khz.flac", "bare.mp3"),
]
"""In messages of their own."""
PACKET_S = 0.06
"""The longest packet that Chromium makes; those that are cut are lost too."""
PRIMING_S = 0.08
"""What a codec swallows before it begins, at most."""


def named(one: Made | Recorded) -> str:
    """Return how a test is called."""
    return one.name


def check(one: Made, pcm: bytes) -> None:
    """Check that this is what a file sounds like."""
    found = recorded.likeness(one.reference, pcm)
    assert found.correlation >= 0.999
    # What resamplers hold back, and where Vorbis begins; from FFmpeg 9 on, what AAC's last frame is
    # filled with in MP4 is not heard.
    assert -(0.03 if "aac" in one.name else 0.004) <= found.longer_s <= 0.004
    assert found.louder == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("one", made.ALL, ids=named)
def test_whole(one: Made) -> None:
    """A file in one piece sounds as it is, and ends the speech where it can know that."""
    heard = made.hear([one.data], new_decoder)
    check(one, heard.pcm)
    assert heard.is_whole == (one.ends != "never")


@pytest.mark.parametrize("one", made.ALL, ids=named)
def test_pieces(one: Made) -> None:
    """A file in pieces sounds as it is, and ends the speech where it says so."""
    heard = made.hear(made.cut(one.data, 1000), new_decoder)
    check(one, heard.pcm)
    assert heard.is_whole == (one.ends == "said")


@given(st.data())
def test_cut_anywhere(data: st.DataObject) -> None:
    """Wherever a file is cut, it sounds the same."""
    one = data.draw(st.sampled_from(made.ALL))
    # The first bytes of MP4 are a size, those of bare MP3 may be any: alone they are too short.
    is_short = "bare" in one.name or one.name.endswith((".mp4", ".m4a", ".mov"))
    least = kinds.HEAD_BYTES if is_short else 0
    places = data.draw(st.lists(st.integers(least, len(one.data)), max_size=8).map(sorted))
    edges = [0, *places, len(one.data)]
    pieces = [one.data[a:b] for a, b in itertools.pairwise(edges) if a < b]
    heard = made.hear(pieces, new_decoder)
    check(one, heard.pcm)
    if one.ends == "said":
        assert heard.is_whole


@pytest.mark.parametrize("one", WAVS, ids=named)
def test_without_ffmpeg(one: Made) -> None:
    """WAV needs no FFmpeg: its sound keeps its rate."""
    for pieces in ([one.data], made.cut(one.data, 1000)):
        heard = made.hear(pieces, Decoder)
        check(one, recorded.resampled(heard.pcm, heard.rate))
        assert heard.is_whole == (one.ends == "said")


@pytest.mark.parametrize("names", JOINED, ids="+".join)
def test_joined(names: tuple[str, str]) -> None:
    """Recordings that stand one behind the other in one message are heard one after the other."""
    joined = b"".join(made.BY_NAME[name].data for name in names)
    end = len(made.BY_NAME[names[0]].data)
    check_both(names, [joined])
    for cut in (5, 12, 30, 200, 1000):
        check_both(names, [joined[: end + cut], joined[end + cut :]])


@pytest.mark.parametrize("names", IN_TURN, ids="+".join)
def test_in_turn(names: tuple[str, str]) -> None:
    """A recording may follow another, of whatever kind."""
    for size in (1 << 20, 1000):
        check_both(
            names, [piece for name in names for piece in made.cut(made.BY_NAME[name].data, size)]
        )


def check_both(names: tuple[str, str], pieces: Sequence[bytes]) -> None:
    """Check that two recordings sound as they do alone."""
    alone = [made.hear([made.BY_NAME[name].data], new_decoder).pcm for name in names]
    found = recorded.likeness(b"".join(alone), made.hear(pieces, new_decoder).pcm)
    assert found.correlation >= 0.999
    assert abs(found.longer_s) <= 0.02


@pytest.mark.long
@pytest.mark.parametrize("one", [*SLICED, *SLICEABLE], ids=named)
def test_lost_chunks(one: Made | Recorded) -> None:
    """A lost chunk costs what was in it, and what it cut; swapped ones no more than themselves."""
    chunks = one.pieces if isinstance(one, Recorded) else made.slices(one, 0.25)
    chunks = [chunk for chunk in chunks if chunk]
    lengths_s = [made.seconds(chunks[:count], new_decoder) for count in range(len(chunks) + 1)]
    for at in range(1, len(chunks) - 1):
        if not lengths_s[at]:
            continue  # its head is not whole, so nothing can be heard of the rest
        rest = [*chunks[:at], *chunks[at + 1 :]]
        lost_s = lengths_s[-1] - made.seconds(rest, new_decoder)
        own_s = lengths_s[at + 1] - lengths_s[at]
        assert lost_s <= own_s + max(PACKET_S, PRIMING_S if at == 1 else 0)
        if at + 2 < len(chunks):
            swapped = [*chunks[:at], chunks[at + 1], chunks[at], *chunks[at + 2 :]]
            lost_s = lengths_s[-1] - made.seconds(swapped, new_decoder)
            assert lost_s <= lengths_s[at + 2] - lengths_s[at] + 0.001


@pytest.fixture(params=running.RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> str:
    """Each runtime."""
    return str(request.param)


@pytest.fixture(scope="module")
def gemini() -> Generator[Emulator]:
    """An emulator that holds nothing back."""
    with Emulator(options=Options(pace=0)) as emulator:
        yield emulator


@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "pieces"])
@pytest.mark.parametrize("name", IN_SESSIONS)
def test_session(runtime: str, gemini: Emulator, name: str, *, is_whole: bool) -> None:
    """A file is answered where it ends; only if it does not say where, the client has to."""
    one = made.BY_NAME[name]
    with (
        running.variant(runtime, "canary", gemini.url) as gateway,
        connect(gateway.url) as client,
    ):
        for piece in [one.data] if is_whole else made.cut(one.data, 4000):
            sending.send(client, piece, is_text=is_whole)
        if one.ends == "never":
            client.send('{"type":"audio_end"}')
        answer = sending.until_answered(client)
    assert not [frame for frame in answer if frame["type"] == "error"]
    check(one, sending.heard_by(gemini))
