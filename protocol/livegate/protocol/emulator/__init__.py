"""Gemini Live, played: strict where the real service is, and with its habits.

A `Service` is one Gemini; each connection to it is a `Link`. Both are pure: `livegate.emulator`
gives them sockets and a clock.
"""

from livegate.protocol.emulator.answers import SCENARIOS
from livegate.protocol.emulator.link import (
    Abort,
    Close,
    Command,
    DeadlineReached,
    Event,
    Frame,
    Gone,
    Link,
    Send,
)
from livegate.protocol.emulator.service import Hello, Options, Record, Service
from livegate.protocol.emulator.speech import Recording, echo_of, tone_of

__all__ = [
    "SCENARIOS",
    "Abort",
    "Close",
    "Command",
    "DeadlineReached",
    "Event",
    "Frame",
    "Gone",
    "Hello",
    "Link",
    "Options",
    "Record",
    "Recording",
    "Send",
    "Service",
    "echo_of",
    "tone_of",
]
