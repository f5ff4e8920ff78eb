"""Tests for gateways of this protocol, and for their clients (extra `testing`).

- `GatewayMachine` plays both peers of a gateway and checks all that it promises. It runs on
  livegate's core (`CoreSystem`), on a server that is only known by its address (`LiveSystem`),
  and on anything that you write a `SystemUnderTest` for.
- Strategies: `client_frames`, `configs`, `nonsense`, `gemini_messages`, `conversations`, ...
- `play` plays a transcript, such as a failure of the machine.
- `fuzz_one_input` is for fuzzers that bring bytes, such as atheris.
"""

from livegate.protocol.testing.conversations import conversations, gateway_frames
from livegate.protocol.testing.machine import GatewayMachine
from livegate.protocol.testing.play import play
from livegate.protocol.testing.strategies import (
    bad_configs,
    client_frames,
    configs,
    gemini_messages,
    gemini_nonsense,
    json_values,
    nonsense,
)
from livegate.protocol.testing.systems import CoreSystem, SystemUnderTest
from livegate.protocol.transcript import Transcript, parse
from livegate.testing.campaign import Finding, Tally, campaign, fuzz_one_input
from livegate.testing.live import LiveSystem

__all__ = [
    "CoreSystem",
    "Finding",
    "GatewayMachine",
    "LiveSystem",
    "SystemUnderTest",
    "Tally",
    "Transcript",
    "bad_configs",
    "campaign",
    "client_frames",
    "configs",
    "conversations",
    "fuzz_one_input",
    "gateway_frames",
    "gemini_messages",
    "gemini_nonsense",
    "json_values",
    "nonsense",
    "parse",
    "play",
]
