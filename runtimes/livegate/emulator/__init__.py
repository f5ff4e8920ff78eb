"""Gemini Live on this machine: for tests, for demonstrations, for trying out.

`with Emulator() as gemini: ...` serves at `gemini.url`; `gemini.service` says what it received and
what it remembers, and takes what shall go wrong.
"""

from livegate.emulator.server import Emulator
from livegate.protocol.emulator import (
    QUOTA,
    SCENARIOS,
    Fate,
    Faults,
    Memory,
    Options,
    Picture,
    Recording,
    Result,
    Sound,
    Text,
    echo_of,
    tone_of,
)

__all__ = [
    "QUOTA",
    "SCENARIOS",
    "Emulator",
    "Fate",
    "Faults",
    "Memory",
    "Options",
    "Picture",
    "Recording",
    "Result",
    "Sound",
    "Text",
    "echo_of",
    "tone_of",
]
