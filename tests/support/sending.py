"""A client that sends recordings, and what Gemini hears of them."""

import base64
import json
from typing import Final

from websockets.sync.client import ClientConnection

from livegate.emulator import Emulator

RECEIVE_S: Final = 20.0
SILENCE_BYTES: Final = 32_000
"""The second of silence that tells Gemini's default model that the speaker has finished."""


def send(client: ClientConnection, piece: bytes, *, is_text: bool) -> None:
    """Send a piece of a recording, as the original's page would, or as it is."""
    if is_text:
        client.send(json.dumps({"type": "audio", "data": base64.b64encode(piece).decode()}))
    else:
        client.send(piece)


def until_answered(client: ClientConnection) -> list[dict[str, str]]:
    """Return all frames of one answer."""
    found: list[dict[str, str]] = []
    while not found or found[-1]["type"] != "turn_complete":
        found.append(json.loads(client.recv(RECEIVE_S)))
    return found


def heard_by(gemini: Emulator) -> bytes:
    """Return the sound that Gemini got last, without the silence behind it."""
    heard = bytes(gemini.service.received[-1].audio)
    assert not any(heard[-SILENCE_BYTES:])
    return heard[:-SILENCE_BYTES]
