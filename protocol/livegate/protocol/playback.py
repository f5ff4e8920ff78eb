"""The sound of an answer in the form that its client asked for, collected if it is to be whole.

A client that asked for nothing gets Gemini's own base64, which is not even decoded. All else is
bytes here, and becomes a frame when Gemini has sent all of the answer: at `generationComplete`,
since `turnComplete` waits until it would have been heard.
"""

import struct
from typing import Final

import attrs

from livegate.protocol import audio, gemini, replies
from livegate.protocol.config import Delivery
from livegate.protocol.limits import Limits
from livegate.protocol.replies import Reply

# RIFF and its size, `WAVE`; the format: PCM, one channel, Hz, bytes a second, bytes and bits a
# sample; the size of what follows. "Multimedia Programming Interface and Data Specifications 1.0".
_WAV: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
_WAV_REST: Final = _WAV.size - 8
"""What the first size counts of the header."""
_SAMPLE: Final = 2


@attrs.frozen
class _Kind:
    """What sound has in common that goes out in one frame."""

    rate: int
    turn: int
    delivery: Delivery


class Playback:
    """The sound of the running turn that its client has not got yet.

    Args:
        limits: Has how much of it may wait.
    """

    def __init__(self, limits: Limits) -> None:
        self._max_bytes = limits.turn_sound_bytes
        self._collected = bytearray()
        self._kind = _Kind(audio.OUTPUT_RATE, 0, Delivery())
        """Of what is collected."""

    def play(self, sound: gemini.Sound, turn: int, delivery: Delivery) -> list[Reply]:
        """Return the frames that a piece of sound causes: others may have to go before it."""
        if delivery.is_plain and not self._collected:
            return [replies.sound(sound.data, sound.rate, turn)]
        kind = _Kind(sound.rate, turn, delivery)
        pcm = audio.decode(sound.data)
        has_room = len(self._collected) + len(pcm) <= self._max_bytes
        found = [] if has_room and kind == self._kind else self.flush()
        if delivery.is_plain:
            found.append(replies.sound(sound.data, sound.rate, turn))
        elif delivery.is_whole:
            self._kind = kind
            self._collected += pcm
        elif pcm:
            found.append(_frame(pcm, kind))
        return found

    def flush(self) -> list[Reply]:
        """Return what is collected, as one frame or none."""
        pcm = bytes(self._collected)
        self.forget()
        return [_frame(pcm, self._kind)] if pcm else []

    def forget(self) -> None:
        """Throw away what is collected."""
        self._collected = bytearray()


def _frame(pcm: bytes, kind: _Kind) -> Reply:
    form, data = ("wav", _wav(pcm, kind.rate)) if kind.delivery.is_wav else ("pcm16", pcm)
    if kind.delivery.is_binary:
        return replies.binary_sound(data, kind.turn)
    return replies.sound(audio.encode(data), kind.rate, kind.turn, form)


def _wav(pcm: bytes, rate: int) -> bytes:
    """Return a file of whole samples."""
    size = len(pcm) // _SAMPLE * _SAMPLE
    riff = (b"RIFF", _WAV_REST + size, b"WAVE")
    form = (b"fmt ", 16, 1, 1, rate, rate * _SAMPLE, _SAMPLE, 8 * _SAMPLE)
    return _WAV.pack(*riff, *form, b"data", size) + pcm[:size]
