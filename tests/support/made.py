"""Recordings that were made in all the ways people store sound, and what a session hears of them."""

import hashlib
import itertools
import json
import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Final

import attrs
import av

from livegate.protocol import frames
from livegate.protocol.decoding import Decoding
from livegate.protocol.inputs import DecodeFailed
from livegate.protocol.intake import Intake
from livegate.protocol.limits import Limits
from livegate.protocol.media.decoder import Decoder

FOLDER: Final = Path(__file__).parent.parent / "data" / "made"
_AGE_S: Final = 3600.0
"""Of the session: more than enough for what is said in it."""


@attrs.frozen
class Made:
    """One recording."""

    name: str
    data: bytes = attrs.field(repr=False)
    ends: str
    """`said`: where it says so; `long`: it is so long that it must be all; `never`."""
    at: int
    samples: int

    @property
    def reference(self) -> bytes:
        """Its sound, as another program decodes it: 16-bit mono PCM at 16 kHz."""
        return _references()[2 * self.at : 2 * (self.at + self.samples)]


_MANIFEST: Final = json.loads((FOLDER / "manifest.json").read_text())
_DIGEST: Final = _MANIFEST.pop("references.flac")


@cache
def _references() -> bytes:
    with av.open(FOLDER / "references.flac") as container:
        pcm = b"".join(
            bytes(frame.planes[0])[: 2 * frame.samples] for frame in container.decode(audio=0)
        )
    assert hashlib.sha256(pcm).hexdigest() == _DIGEST
    return pcm


ALL: Final = [
    Made(name, (FOLDER / name).read_bytes(), row["ends"], *row["reference"])
    for name, row in _MANIFEST.items()
]
BY_NAME: Final = {one.name: one for one in ALL}


@attrs.frozen
class Heard:
    """What came of a recording."""

    pcm: bytes = attrs.field(repr=False)
    rate: int
    """Hz."""
    is_whole: bool
    """Its end was found before the speaker's was told."""


def hear(pieces: Iterable[bytes], new_decoder: Callable[[], Decoder]) -> Heard:
    """Take pieces as a session does, up to the end of the speech, and decode them."""
    intake, decoding, decoder = Intake(), Decoding(Limits()), new_decoder()
    pcm, rates, is_whole = bytearray(), set[int](), False

    def decode(item: frames.Content) -> None:
        nonlocal is_whole
        while (command := decoding.next_step(item)) is not None:
            answer = decoder.step(command)
            assert not isinstance(answer, DecodeFailed), answer.message
            decoding.take(answer, _AGE_S)
            pcm.extend(answer.pcm)
            rates.update([answer.rate] if answer.pcm else [])
            if answer.end:
                intake.ended(answer.job, has_failed=False)
                is_whole = True

    for piece in pieces:
        item = intake.take(frames.Audio(piece, is_base64=False), 0.0)
        assert not isinstance(item, frames.Pcm), "this was taken for raw PCM"
        if item is not None:
            decode(item)
    was_whole = is_whole
    decode(frames.AudioEnd())
    decoder.close()
    (rate,) = rates or {0}
    return Heard(bytes(pcm), rate, was_whole)


def cut(data: bytes, size: int) -> list[bytes]:
    """Return pieces of one size."""
    return [data[at : at + size] for at in range(0, len(data), size)]


def slices(one: Made, seconds: float) -> list[bytes]:
    """Return pieces of about that length; Ogg and MP4 are cut where a player can go on."""
    size = len(one.data) * round(seconds * 16_000) // one.samples
    sign = {"ogg": b"OggS", "mp4": b"....moof"}.get(one.name.rpartition(".")[2])
    if sign is None:
        return cut(one.data, size)
    edges = [0]
    for found in re.finditer(sign, one.data, re.DOTALL):
        if found.start() - edges[-1] >= size or sign.endswith(b"moof"):
            edges.append(found.start())
    return [one.data[a:b] for a, b in itertools.pairwise([*edges, len(one.data)])]


def seconds(pieces: Iterable[bytes], new_decoder: Callable[[], Decoder]) -> float:
    """Return how long pieces sound."""
    heard = hear(pieces, new_decoder)
    return len(heard.pcm) / (2 * heard.rate) if heard.pcm else 0.0
