"""A session's decoder: what livegate reads itself, and FFmpeg where it is installed."""

import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Final

import attrs

from livegate.protocol.commands import Decode
from livegate.protocol.inputs import Answer, Decoded
from livegate.protocol.media.decoder import READERS, Decoder

HAS_FFMPEG: Final = find_spec("av") is not None
"""Whether the extra `audio` is installed; without it, PCM and WAV are all."""


def _found() -> Callable[[], Decoder]:
    """Return what makes a decoder, loaded: that takes longer than a session may hold up others."""
    if not HAS_FFMPEG:
        return Decoder
    from livegate.media import new_decoder as with_ffmpeg  # noqa: PLC0415 - an extra

    return with_ffmpeg


new_decoder: Final = _found()
"""Makes the decoder of one session."""


def is_quick(command: Decode) -> bool:
    """Whether a step takes a few milliseconds at most; else it belongs into a worker thread."""
    return command.kind in READERS


def step(decoder: Decoder, command: Decode) -> Answer:
    """Do one step of a recording, and measure it."""
    began_at = time.thread_time()
    answer = decoder.step(command)
    if isinstance(answer, Decoded) and is_quick(command):
        return attrs.evolve(answer, cpu_s=time.thread_time() - began_at)
    return answer
