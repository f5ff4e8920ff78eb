"""Gemini Live on this machine: for tests, for demonstrations, for trying out.

`with Emulator() as gemini: ...` serves at `gemini.url`; `gemini.service` says what it received.
"""

from livegate.emulator.server import Emulator
from livegate.protocol.emulator import SCENARIOS, Options, Recording, echo_of, tone_of

__all__ = ["SCENARIOS", "Emulator", "Options", "Recording", "echo_of", "tone_of"]
