"""Audio as clients send it: base64 checked but not decoded, and what they say of it.

Gemini takes raw 16-bit little-endian mono PCM of a declared rate (Live API, BlobRealtimeInput)
and gives 24 kHz PCM back. Decoding and encoding base64 would cost ten times as much as checking
it, so the text that came is the text that goes.
"""

import binascii
import re
from typing import Final

import attrs

from livegate.protocol.errors import ErrorCode, RemoteProtocolError, shown
from livegate.protocol.media.kinds import NAMES, Kind

INPUT_RATE: Final = 16_000
"""Hz of PCM that declares nothing."""
OUTPUT_RATE: Final = 24_000
"""Hz of Gemini's sound, should its mime type not say."""
MIN_RATE: Final = 8_000
MAX_RATE: Final = 192_000

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/]")
_RATE: Final = re.compile(r";\s*rate=(\d{1,7})\b")

_SAID_PCM: Final = frozenset({"pcm", "pcm16", "pcm_s16le", "s16le", "l16", "linear16"})


def check_rate(rate: int) -> None:
    """Raise unless sound of so many Hz is taken.

    Raises:
        RemoteProtocolError: `audio_format`.
    """
    if not MIN_RATE <= rate <= MAX_RATE:
        raise RemoteProtocolError(
            ErrorCode.AUDIO_FORMAT,
            f"the sample rate must be {MIN_RATE} to {MAX_RATE} Hz, got {rate}",
        )


def check_base64(field: str, text: bytes) -> None:
    """Raise unless `text` is padded standard base64 (RFC 4648 section 4).

    Raises:
        RemoteProtocolError: `audio_format`, naming `field`, the culprit and its position.
    """
    body = text.rstrip(b"=")
    if len(text) - len(body) > 2 or body.translate(None, _ALPHABET):  # noqa: PLR2004 - RFC 4648
        bad = _NOT_BASE64.search(body)
        at = bad.start() if bad else len(body)
        got = shown(text[at : at + 3].decode("latin-1"))
        raise RemoteProtocolError(
            ErrorCode.AUDIO_FORMAT, f"{field} is not base64: {got} at position {at}"
        )
    if len(text) % 4:
        raise RemoteProtocolError(
            ErrorCode.AUDIO_FORMAT,
            f"{field} is not base64: {len(text)} characters are not a multiple of 4",
        )


def decoded_size(text: str) -> int:
    """Return how many bytes checked base64 stands for."""
    return len(text) // 4 * 3 - text.count("=", -2)


def bytes_of(text: bytes | memoryview) -> bytes:
    """Return what checked base64 stands for."""
    return binascii.a2b_base64(text)


@attrs.frozen
class Declared:
    """What a client says of its sound. First bytes that say otherwise are believed."""

    names: tuple[str, ...] = ()
    """Of the media type and the codec, in lower case."""
    rate: int | None = None
    """Hz."""

    @property
    def is_pcm(self) -> bool:
        """Whether it is said to be raw PCM."""
        said = self.names or (self.rate is not None and "pcm",)
        return all(name in _SAID_PCM for name in said)

    @property
    def kind(self) -> Kind | None:
        """The kind of recording that it is said to be, if any that is known."""
        return next((NAMES[name] for name in self.names if name in NAMES), None)

    @property
    def pcm_rate(self) -> int:
        """The rate in Hz if it is PCM: 16 kHz unless it is said.

        Raises:
            RemoteProtocolError: `audio_format`: it is said to be something else, or the rate is
                not from 8 to 192 kHz.
        """
        for name in self.names:
            if name not in _SAID_PCM:
                raise RemoteProtocolError(
                    ErrorCode.AUDIO_FORMAT,
                    f"audio must be 16-bit little-endian mono PCM, or a recording that begins "
                    f"like {', '.join(Kind)}; this is said to be {shown(name)}",
                )
        rate = INPUT_RATE if self.rate is None else self.rate
        check_rate(rate)
        return rate


def declared(mime_type: str | None, said: str | None, sample_rate: int | None) -> Declared:
    """Return what a client declares.

    Args:
        mime_type: `audio/pcm;rate=N`, if any.
        said: The `format` or `codec`, if any.
        sample_rate: The `sample_rate`, if any; it wins over the media type's.
    """
    names: list[str] = []
    if mime_type:
        kind = mime_type.partition(";")[0].strip().lower()
        names.append(kind.removeprefix("audio/").removeprefix("video/"))
    if said:
        names.append(said.lower())
    found = _RATE.search(mime_type or "")
    rate = int(found.group(1)) if found else None
    return Declared(tuple(names), rate if sample_rate is None else sample_rate)


def encode(pcm: bytes) -> str:
    """Return bytes as base64 text."""
    return binascii.b2a_base64(pcm, newline=False).decode("ascii")


def decode(text: str) -> bytes:
    """Return what base64 text of Gemini's stands for: nothing, if it is no base64."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return b""


def silence(seconds: float) -> str:
    """Return zero samples at 16 kHz as base64."""
    return encode(bytes(int(seconds * INPUT_RATE) * 2))


def output_rate(mime_type: str) -> int:
    """Return the rate in Hz that Gemini's `inlineData.mimeType` declares."""
    found = _RATE.search(mime_type)
    return (int(found.group(1)) if found else 0) or OUTPUT_RATE
