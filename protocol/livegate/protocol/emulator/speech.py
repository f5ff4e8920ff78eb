"""The emulator's voice and ear: tones, resampling, and where speech begins and ends."""

import binascii
import math
import sys
from array import array
from collections.abc import Sequence
from typing import Final

import attrs

IN_RATE: Final = 16_000
OUT_RATE: Final = 24_000
_FRAME_S: Final = 0.02
_LOUD: Final = 400
"""Peak of a 20 ms frame that counts as speech: -38 dB of full scale."""
_PREFIX_FRAMES: Final = 5
_BLOCK: Final = OUT_RATE // 10
_LIKE: Final = 0.75
"""A browser's own gain control and noise suppression leave about 0.8 of a recording."""
_SLACK: Final = 0.15
_MAX_SHIFT: Final = 5
MAX_SPEECH_S: Final = 60
"""Nobody is listened to for longer at a time: what is heard is kept in memory."""
_MAX_FRAMES: Final = round(MAX_SPEECH_S / _FRAME_S)


def samples(pcm: bytes) -> "array[int]":
    """Return 16-bit little-endian PCM as numbers; half a sample at the end is left out."""
    found = array("h")
    found.frombytes(pcm[: len(pcm) // 2 * 2])
    if sys.byteorder == "big":
        found.byteswap()
    return found


def pcm(found: "array[int]") -> bytes:
    """Return numbers as 16-bit little-endian PCM."""
    if sys.byteorder == "big":
        found = array("h", found)
        found.byteswap()
    return found.tobytes()


def tone_of(text: str, seconds: float | None = None) -> bytes:
    """Return the sound in which a text is said: 24 kHz PCM of a tone that only it has.

    Args:
        text: Decides pitch, loudness and, by its length, duration.
        seconds: The duration, if it shall be another.
    """
    mark = binascii.crc32(text.encode())
    hertz = 200 + 10 * (mark % 180)
    loudness = 4000 + (mark >> 8) % 8000
    # A multiple of 10 Hz has whole cycles in a tenth of a second, so blocks join without a click.
    step = 2 * math.pi * hertz / OUT_RATE
    block = array("h", (round(loudness * math.sin(step * n)) for n in range(_BLOCK)))
    if seconds is None:
        seconds = min(3.0, max(0.4, 0.05 * len(text)))
    return pcm(block * max(1, round(seconds * 10)))


def resample(found: Sequence[int], from_rate: int, to_rate: int) -> "array[int]":
    """Return sound at another rate, by linear interpolation."""
    if from_rate == to_rate or not found:
        return array("h", found)
    last = len(found) - 1
    resampled = array("h")
    for n in range(len(found) * to_rate // from_rate):
        at, part = divmod(n * from_rate, to_rate)
        after = found[min(at + 1, last)]
        resampled.append((found[at] * (to_rate - part) + after * part) // to_rate)
    return resampled


def echo_of(heard: bytes, rate: int = IN_RATE) -> bytes:
    """Return what was heard, at the rate in which Gemini answers."""
    return pcm(resample(samples(heard), rate, OUT_RATE))


@attrs.frozen
class Speech:
    """What somebody said: 16-bit little-endian mono."""

    pcm: bytes = attrs.field(repr=False)
    rate: int

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.pcm) / 2 / self.rate


@attrs.frozen
class Recording:
    """A recording that the emulator knows when it hears it."""

    text: str
    pcm: bytes = attrs.field(repr=False)
    """16-bit little-endian mono."""
    rate: int = IN_RATE

    def is_heard_in(self, heard: Speech) -> bool:
        """Whether this is what was heard, by the rise and fall of its loudness."""
        return self.likeness(heard) >= _LIKE

    def likeness(self, heard: Speech) -> float:
        """Return how much this is what was heard: 1 for the same, at any loudness."""
        known = _envelope(self.pcm, self.rate)
        return _likeness(known, _envelope(heard.pcm, heard.rate))


def transcript_of(heard: Speech, recordings: Sequence[Recording]) -> str:
    """Return what was said: the text of the likest recording, or how long it took."""
    likest = max(recordings, key=lambda one: one.likeness(heard), default=None)
    if likest is None or not likest.is_heard_in(heard):
        return f"[speech {heard.seconds:.1f} s]"
    return likest.text


def _frame_bytes(rate: int) -> int:
    return int(rate * _FRAME_S) * 2


def _frames(pcm_: bytes, rate: int) -> list[bytes]:
    step = _frame_bytes(rate)
    return [pcm_[at : at + step] for at in range(0, len(pcm_), step)]


def _peak(frame: bytes) -> int:
    found = samples(frame)
    highest, lowest = (max(found), min(found)) if found else (0, 0)
    return max(highest, -lowest)


def _envelope(pcm_: bytes, rate: int) -> list[int]:
    """Return the peaks of 20 ms frames, without the silence on both ends."""
    peaks = [_peak(frame) for frame in _frames(pcm_, rate)]
    loud = [at for at, peak in enumerate(peaks) if peak >= _LOUD]
    return peaks[loud[0] : loud[-1] + 1] if loud else []


def _likeness(one: list[int], other: list[int]) -> float:
    """Return the best correlation of two envelopes of about the same length, shifted a little."""
    if not one or abs(len(one) - len(other)) > _SLACK * len(one):
        return 0.0
    return max(_correlation(one, other, shift) for shift in range(-_MAX_SHIFT, _MAX_SHIFT + 1))


def _correlation(one: list[int], other: list[int], shift: int) -> float:
    left, right = one[max(0, shift) :], other[max(0, -shift) :]
    size = min(len(left), len(right))
    left, right = left[:size], right[:size]
    if size == 0:
        return 0.0
    mean_l, mean_r = sum(left) / size, sum(right) / size
    both = sum((a - mean_l) * (b - mean_r) for a, b in zip(left, right, strict=True))
    spread_l = sum((a - mean_l) ** 2 for a in left)
    spread_r = sum((b - mean_r) ** 2 for b in right)
    return both / math.sqrt(spread_l * spread_r) if spread_l and spread_r else 0.0


class Ear:
    """Finds speech by its loudness (Live API, automaticActivityDetection).

    Sound is judged in frames of 20 ms, so how it was cut into messages makes no difference.
    """

    def __init__(self, silence_s: float) -> None:
        self._silence_frames = max(1, round(silence_s / _FRAME_S))
        self._rate = IN_RATE
        self._rest = b""
        self._frames: list[bytes] = []
        self._quiet = 0
        self._is_speaking = False

    def hear(self, heard: bytes, rate: int) -> list[Speech | None]:
        """Take sound; return, in order, None for each beginning, and each speech that ended.

        A speech also ends when the rate changes, and when it has lasted for `MAX_SPEECH_S`.
        """
        changed = self.finish() if rate != self._rate else None
        found: list[Speech | None] = [changed] if changed else []
        self._rate = rate
        sound = self._rest + heard
        step = _frame_bytes(rate)
        whole = len(sound) // step * step
        self._rest = sound[whole:]
        for frame in _frames(sound[:whole], rate):
            is_loud = _peak(frame) >= _LOUD
            if is_loud and not self._is_speaking:
                self._is_speaking = True
                found.append(None)
            self._frames.append(frame)
            self._quiet = 0 if is_loud else self._quiet + 1
            if not self._is_speaking:
                del self._frames[:-_PREFIX_FRAMES]
            elif self._quiet >= self._silence_frames or len(self._frames) >= _MAX_FRAMES:
                found.append(self._end())
        return found

    def finish(self) -> Speech | None:
        """End the stream; return the speech that was going on, if any."""
        rest, self._rest = self._rest, b""
        if self._is_speaking and not self._quiet:
            self._frames.append(rest)
        ended = self._end()
        return ended if ended.pcm else None

    def _end(self) -> Speech:
        """Return what was spoken, without the silence after it, and begin anew."""
        spoken = self._frames[: -self._quiet] if self._quiet else self._frames
        pcm_ = b"".join(spoken) if self._is_speaking else b""
        self._frames, self._quiet, self._is_speaking = [], 0, False
        return Speech(pcm_, self._rate)
