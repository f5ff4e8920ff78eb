"""Gemini Live, played: strict where the real service is, and with its habits.

A `Service` is one Gemini; each connection to it is a `Link`. Both are pure: `livegate.emulator`
gives them sockets and a clock. `Service.memory` and `Service.covered` say what it remembers of a
conversation, `Service.received` what each link has got, `Service.faults` what goes wrong from now on.
"""

from livegate.protocol.emulator.answers import SCENARIOS
from livegate.protocol.emulator.events import (
    Abort,
    Close,
    Command,
    DeadlineReached,
    Event,
    Frame,
    Gone,
    Pinged,
    Pong,
    Send,
)
from livegate.protocol.emulator.faults import QUOTA, Fate, Faults
from livegate.protocol.emulator.link import Link
from livegate.protocol.emulator.memory import (
    Item,
    Memory,
    Picture,
    Record,
    Result,
    Session,
    Sound,
    Text,
)
from livegate.protocol.emulator.options import Options
from livegate.protocol.emulator.service import Hello, Service
from livegate.protocol.emulator.speech import Recording, echo_of, tone_of

__all__ = [
    "QUOTA",
    "SCENARIOS",
    "Abort",
    "Close",
    "Command",
    "DeadlineReached",
    "Event",
    "Fate",
    "Faults",
    "Frame",
    "Gone",
    "Hello",
    "Item",
    "Link",
    "Memory",
    "Options",
    "Picture",
    "Pinged",
    "Pong",
    "Record",
    "Recording",
    "Result",
    "Send",
    "Service",
    "Session",
    "Sound",
    "Text",
    "echo_of",
    "tone_of",
]
