"""What holds for every recording, every cut and every damage."""

import itertools
from pathlib import Path
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

import muxing as mux
from livegate.protocol.errors import ErrorCode, RemoteProtocolError
from livegate.protocol.media import webm
from livegate.protocol.media.tracks import Found, Packet
from livegate.protocol.media.webm import WebM

RECORDINGS: Final = Path(__file__).parent.parent / "data" / "recordings"
REAL: Final = (RECORDINGS / "webm-opus-100ms.webm").read_bytes()[:12_000]
CODES: Final = {
    code: code.value
    for code in (ErrorCode.AUDIO_FORMAT, ErrorCode.AUDIO_BROKEN, ErrorCode.AUDIO_TOO_COSTLY)
}
"""A `KeyError` for any other."""
VIDEO: Final = mux.track(b"V_VP8", track_number=2, kind=1)
START: Final = mux.start(VIDEO, mux.track(b"A_OPUS", mux.sampled()))
SOUND: Final = b"\x02\x03\x04\x05\x06\x07"
"""Bytes that no element begins with, so that what is sound is never taken for anything else."""

sounds: Final = st.lists(st.sampled_from(SOUND), min_size=1, max_size=40).map(bytes)
parts: Final = st.one_of(
    sounds.map(mux.block),
    sounds.map(lambda sound: mux.group(mux.grouped(sound), mux.padding(1_000_000))),
    sounds.map(lambda sound: mux.block(sound, 2)),
    st.sampled_from([mux.cluster(), mux.cluster(b"\xa0"), mux.element(mux.VOID, bytes(9))]),
)
whole: Final = st.lists(parts, max_size=20).map(b"".join)
recordings: Final = st.one_of(
    whole.map(lambda body: START + body),
    whole.map(lambda body: mux.header() + mux.element(mux.SEGMENT, mux.tracks(), body)),
)
damages: Final = st.lists(
    st.tuples(st.integers(0, 1_000), st.integers(0, 60), st.binary(max_size=60)), max_size=4
)


def cut(data: bytes, at: list[int]) -> list[bytes]:
    """Return data in pieces."""
    places = [0, *sorted(place % (len(data) + 1) for place in at), len(data)]
    return [data[begin:end] for begin, end in itertools.pairwise(places)]


def outcome(pieces: list[bytes]) -> tuple[list[Found], str | None]:
    """Return all that is found, and the error if that is how it ends."""
    reader = WebM()
    found: list[Found] = []
    for piece in pieces:
        try:
            found += reader.feed(piece)
        except RemoteProtocolError as error:
            return found, f"{CODES[error.code]}: {error.message}"
        assert reader.held_bytes <= 2 * webm.BLOCK_BYTES + len(piece)
    return found, None


def damaged(data: bytes, damages: list[tuple[int, int, bytes]]) -> bytes:
    """Return data with some bytes replaced by others."""
    for at, size, other in damages:
        place = at % (len(data) + 1)
        data = data[:place] + other + data[place + size :]
    return data


def packets(data: bytes) -> list[bytes]:
    """Return what sounds."""
    return [one.data for one in WebM().feed(data) if isinstance(one, Packet)]


def numbered(count: int) -> list[bytes]:
    """Return blocks of different sound and sizes, none of whose bytes are flags of lacing."""
    digits = b"\x00\x01\x08\x09"
    return [
        mux.block(bytes(digits[at >> shift & 3] for shift in (4, 2, 0)) * (1 + at * 7 % 20))
        for at in range(count)
    ]


def missing(blocks: list[bytes], pieces: list[bytes]) -> int:
    """Return how many blocks are whole in a piece, but not found in all pieces joined.

    A block that has lost its end may end where another does, by chance: what it has swallowed
    nobody can tell from its own sound.
    """
    found = packets(START + b"".join(pieces) + mux.cluster() + mux.block(b"\x00"))
    whole_blocks = [block for block in blocks if any(block in piece for piece in pieces)]
    return sum(
        not any(block[6:] == sound or block in sound for sound in found) for block in whole_blocks
    )


@given(
    st.lists(recordings, min_size=1, max_size=2).map(b"".join),
    damages,
    st.lists(st.integers(0, 5_000), max_size=30),
)
def test_cuts_change_nothing(
    recording: bytes, harm: list[tuple[int, int, bytes]], cuts: list[int]
) -> None:
    """However a recording is cut, and whatever is wrong with it, the same comes of it."""
    data = damaged(recording, harm)
    found, error = outcome([data])
    for pieces in (cut(data, cuts), [data[at : at + 1] for at in range(len(data))]):
        cut_found, cut_error = outcome(pieces)
        assert cut_error == error
        assert cut_found == found or error is not None


@given(damages, st.integers(0, len(REAL)))
def test_real_recordings_damaged(harm: list[tuple[int, int, bytes]], end: int) -> None:
    """A real recording that is damaged and cut off is read, or refused with a reason."""
    data = damaged(REAL[:end], [(at * 12, size, other) for at, size, other in harm])
    found, error = outcome([data])
    assert outcome(cut(data, list(range(0, len(data), 700)))) == (found, error) or error


@given(st.binary(max_size=200), st.sampled_from([b"", mux.header(), START]))
def test_garbage(data: bytes, before: bytes) -> None:
    """No bytes raise anything else."""
    outcome([before + data])


@given(st.integers(0, 1_000), st.integers(0, 300))
def test_bytes_are_lost(at: int, size: int) -> None:
    """If bytes are lost, all packets that are still whole are found, but for one at most."""
    blocks = numbered(30)
    body = b"".join(blocks)
    at %= len(body)
    assert missing(blocks, [body[:at], body[at + size :]]) <= 1


@given(st.lists(st.integers(0, 2_000), min_size=3, max_size=6), st.integers(0, 20))
def test_pieces_are_swapped(cuts: list[int], which: int) -> None:
    """If two pieces are swapped, all packets that are whole in one are found, but for one at most."""
    blocks = numbered(30)
    pieces = cut(b"".join(blocks), cuts)
    at = which % (len(pieces) - 1)
    pieces[at], pieces[at + 1] = pieces[at + 1], pieces[at]
    assert missing(blocks, pieces) <= 1
