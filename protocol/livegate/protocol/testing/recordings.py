"""Recordings as clients send them: WAV, so that any gateway gives back the very samples."""

import base64
from collections.abc import Callable
from typing import Final

import attrs
from hypothesis import strategies as st

from livegate.protocol.testing.sounds import wav
from livegate.protocol.testing.strategies import frame
from livegate.protocol.transcript import ClientSends

_RATE: Final = 16_000
HEADER: Final = 44
HEAD: Final = 12
"""Bytes by which a recording is recognised."""
_SIZE_AT: Final = 40


def _object(key: str, **said: str) -> Callable[[bytes], ClientSends]:
    return lambda data: frame(type="audio", data={key: _text(data), **said})


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


PLAIN_FORMS: Final[tuple[Callable[[bytes], ClientSends], ...]] = (
    lambda data: ClientSends(data, is_text=False),
    lambda data: frame(type="audio", data=_text(data)),
)
"""Ways to send a piece of anything, without a word of what it is."""
FORMS: Final[tuple[Callable[[bytes], ClientSends], ...]] = (
    *PLAIN_FORMS,
    lambda data: frame(type="audio", data=f"data:audio/wav;base64,{_text(data)}"),
    _object("data", mime_type="audio/x-wav"),
    # What is said of it may be wrong.
    lambda data: frame(type="audio", data=f"data:video/webm;codecs=vp8,opus;base64,{_text(data)}"),
    _object("b64", mimeType="audio/mpeg"),
)
"""Ways to send a piece of a recording."""
MISFITS: Final = (
    frame(type="audio", data="AAA=", mime_type="audio/basic"),
    frame(type="audio", data={"b64": "AAA=", "format": "opus"}),
)
"""What is neither PCM nor the beginning of a recording; amid one it may be more of it."""


@attrs.frozen
class Piece:
    """What a client sends at a time of a recording: one frame, but for a cut head."""

    frames: tuple[ClientSends, ...]
    pcm: bytes = attrs.field(repr=False)
    """The samples that are whole with it."""
    is_first: bool
    is_whole: bool
    """The recording says that it ends there."""


@attrs.frozen
class Shape:
    """How a recording is made and sent."""

    samples: int
    says_size: bool
    cuts: tuple[float, ...]
    """Where it is cut, from 0 to 1."""
    head: int
    """How many bytes of its head come in a frame of their own; 0 for none."""
    forms: tuple[int, ...]


def shapes() -> st.SearchStrategy[Shape]:
    """Return how recordings are made and sent: seldom long, often whole."""
    return st.builds(
        Shape,
        samples=st.sampled_from([4, 12, *[52] * 5, 13_004, 40_100]),
        says_size=st.sampled_from([True, True, False]),
        cuts=st.lists(st.floats(0, 1), max_size=2).map(lambda cuts: tuple(sorted(cuts))),
        head=st.sampled_from([0, 0, 1, 4, 11]),
        forms=st.tuples(*[st.integers(0, len(FORMS) - 1)] * 3),
    )


def speech(number: int, samples: int) -> bytes:
    """Return samples that no other number gives; each piece of them is told apart, too."""
    words = (f"{number:05}{at:05}" for at in range(samples // 5 + 1))
    return "".join(words).encode()[: 2 * samples]


def pieces_of(shape: Shape, number: int, *, may_cut_head: bool) -> list[Piece]:
    """Return a recording as it is sent, piece by piece.

    Args:
        shape: How.
        number: Makes it differ from all others.
        may_cut_head: The gateway can tell that it begins, though it sees too little of it.
    """
    file = wav(speech(number, shape.samples), _RATE)
    if not shape.says_size:
        file = file[:_SIZE_AT] + bytes(4) + file[HEADER:]
    size = len(file)
    ends = sorted({*(max(HEAD, round(cut * size)) for cut in shape.cuts), size})
    found: list[Piece] = []
    for start, end, form in zip([0, *ends], ends, shape.forms, strict=False):
        data = file[start:end]
        frames: tuple[ClientSends, ...] = (FORMS[form](data),)
        if start == 0 and shape.head and may_cut_head:
            cut = shape.head
            frames = (PLAIN_FORMS[form % 2](data[:cut]), FORMS[form](data[cut:]))
        is_whole = shape.says_size and end == size
        pcm = file[_sample_at(start) : _sample_at(end)]
        found.append(Piece(frames, pcm, is_first=start == 0, is_whole=is_whole))
    return found


def _sample_at(end: int) -> int:
    """Return where the last sample ends that is whole in so many bytes."""
    return max(HEADER, end - end % 2)


def broken(number: int) -> tuple[ClientSends, ...]:
    """Return recordings that nothing can be made of."""
    file = wav(speech(number, 8), _RATE)
    adpcm = file[:20] + b"\2" + file[21:]
    no_sound = file[:12] + b"data" + file[16:]
    return tuple(form(data) for form in FORMS for data in (adpcm, no_sound))
