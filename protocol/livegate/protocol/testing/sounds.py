"""The sound of an answer, as a client must get it: in which frames, and when."""

import base64
from collections.abc import Mapping
from typing import Final

import attrs

from livegate.protocol import _json

Pattern = dict[str, object]
"""A frame as `transcript.fits` takes it: the keys that matter. Sound in bytes is a frame, too."""

_HEADER: Final = 44


@attrs.frozen
class Form:
    """What the setting `audio` asks for."""

    format: str = "pcm16"
    per: str = "piece"
    encoding: str = "base64"


def form_of(setting: object) -> Form:
    """Return what a client has asked for, or left open."""
    parts: Mapping[str, object] = setting if _json.is_object(setting) else {}
    asked = {name: str(value) for name, value in parts.items()}
    return Form(**({"per": "turn"} if asked.get("format") == "wav" else {}) | asked)


@attrs.define
class Sounds:
    """What has come of an answer and waits for its end."""

    _held: bytes = b""
    _rate: int = 0
    _form: Form = attrs.field(factory=Form)

    def heard(self, data: str, rate: int, form: Form) -> list[Pattern]:
        """Return the frames that a piece of sound takes."""
        found = self.ended() if (rate, form) != (self._rate, self._form) else []
        self._rate, self._form = rate, form
        self._held += base64.b64decode(data)
        return found if form.per == "turn" else found + self.ended()

    def ended(self) -> list[Pattern]:
        """Return the frames for what waits, which does so no longer."""
        held, self._held = self._held, b""
        return [_frame(held, self._rate, self._form)] if held else []

    def hushed(self) -> None:
        """Forget what waits: nobody is to hear it."""
        self._held = b""


def _frame(pcm: bytes, rate: int, form: Form) -> Pattern:
    data = wav(pcm, rate) if form.format == "wav" else pcm
    if form.encoding == "binary":
        return {"type": "audio", "data": data}
    text = base64.b64encode(data).decode()
    return {"type": "audio", "data": text, "format": form.format, "sampleRate": rate}


def wav(pcm: bytes, rate: int) -> bytes:
    """Return 16-bit mono PCM as a file."""
    words = b"".join(
        (
            *(b"RIFF", _word(_HEADER - 8 + len(pcm)), b"WAVE"),
            *(b"fmt ", _word(16), b"\1\0\1\0", _word(rate), _word(2 * rate), b"\2\0\x10\0"),
            *(b"data", _word(len(pcm))),
        )
    )
    return words + pcm


def check_wav(file: bytes, rate: object) -> None:
    """Raise unless this is a whole file of sound, of this rate.

    Raises:
        AssertionError: It cannot be played.
    """
    told = int.from_bytes(file[24:28], "little")
    assert file == wav(file[_HEADER:], told), f"not a WAV file: {file[:_HEADER].hex()}"
    assert told == rate, f"a file of {told} Hz in a frame of {rate} Hz"


def _word(number: int) -> bytes:
    return number.to_bytes(4, "little")
