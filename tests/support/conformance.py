"""The client's side of conversations, for real sockets: `tests/conformance/*.txt`.

`{{hello.pcm}}` and `{{hello.wav}}` stand for the package's recording of a spoken question: as
base64 in a text frame, and as it is behind `client> bytes`.
"""

import base64
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from livegate import recordings
from livegate.emulator import Options, Recording
from livegate.protocol import transcript
from livegate.protocol.transcript import Transcript

FOLDER: Final = Path(__file__).parent.parent / "conformance"
_HELLO: Final = recordings.hello()
_SOUNDS: Final[Mapping[str, bytes]] = MappingProxyType(
    {"{{hello.pcm}}": _HELLO.pcm, "{{hello.wav}}": recordings.wav(_HELLO.pcm, _HELLO.rate)}
)


def load(pattern: str = "*.txt") -> list[Transcript]:
    """Return the conversations whose file's name is like this."""
    found: list[Transcript] = []
    for path in sorted(FOLDER.glob(pattern)):
        text = path.read_text("utf-8")
        for name, sound in _SOUNDS.items():
            text = text.replace(f"bytes {name}", f"bytes {sound.hex()}")
            text = text.replace(name, base64.b64encode(sound).decode())
        found.append(transcript.parse(path.stem, text))
    return found


def options(pace: float) -> Options:
    """Return how Gemini is played for them: it knows the recording."""
    known = Recording(recordings.HELLO_TEXT, _HELLO.pcm, _HELLO.rate)
    return Options(pace=pace, recordings=(known,))
