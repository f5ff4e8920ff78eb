"""Audio as clients send it: base64 checked but not decoded, formats told apart.

Gemini takes raw 16-bit little-endian mono PCM of a declared rate (Live API, BlobRealtimeInput)
and gives 24 kHz PCM back. Decoding and encoding base64 would cost ten times as much as checking
it, so the text that came is the text that goes.
"""

import base64
import binascii
import re
from typing import Final

from livegate.protocol.errors import ErrorCode, RemoteProtocolError, shown

INPUT_RATE: Final = 16_000
"""Hz of PCM that declares nothing."""
OUTPUT_RATE: Final = 24_000
"""Hz of Gemini's sound, should its mime type not say."""
MIN_RATE: Final = 8_000
MAX_RATE: Final = 192_000

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/]")
_RATE: Final = re.compile(r";\s*rate=(\d{1,7})\b")

# The first bytes of containers, as base64 shows them (RFC 8794 EBML, RIFF, RFC 3533 Ogg,
# RFC 9639 FLAC, ID3v2).
_CONTAINERS: Final = (
    ("GkXfo", "WebM"),
    ("UklGR", "WAV"),
    ("T2dnU", "Ogg"),
    ("ZkxhQ", "FLAC"),
    ("SUQz", "MP3"),
)
_SAID_PCM: Final = frozenset({"pcm", "pcm16", "pcm_s16le", "s16le", "l16", "linear16"})


def check_base64(field: str, text: bytes) -> None:
    """Raise unless `text` is padded standard base64 (RFC 4648 section 4), not empty.

    Raises:
        RemoteProtocolError: `audio_format`, naming `field`, the culprit and its position.
    """
    if not text:
        raise RemoteProtocolError(ErrorCode.AUDIO_FORMAT, f"{field} is empty: send base64")
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


def check_samples(field: str, size: int) -> None:
    """Raise unless `size` bytes are whole 16-bit samples."""
    if size % 2:
        raise RemoteProtocolError(
            ErrorCode.AUDIO_FORMAT,
            f"{field} is {size} bytes long: 16-bit samples need an even number",
        )


def container_of(text: str) -> str | None:
    """Return the name of the container that base64 `text` begins with, or None for raw PCM."""
    for prefix, name in _CONTAINERS:
        if text.startswith(prefix):
            return name
    # ISO/IEC 14496-12: four bytes of size, small for the first box, then `ftyp`.
    if text.startswith("AAAA") and base64.b64decode(text[:12])[4:8] == b"ftyp":
        return "MP4"
    return None


def declared_rate(mime_type: str | None, said: str | None, sample_rate: int | None) -> int:
    """Return the rate in Hz that a client declared for its PCM, 16 kHz if it did not.

    Args:
        mime_type: `audio/pcm;rate=N`, if any.
        said: The `format` or `codec`, if any.
        sample_rate: The `sample_rate`, if any; it wins over the mime type's.

    Raises:
        RemoteProtocolError: `audio_format`: not PCM, or a rate outside 8 to 192 kHz.
    """
    kind = (mime_type or "audio/pcm").partition(";")[0].strip().lower().removeprefix("audio/")
    for name in (kind, (said or "pcm").lower()):
        if name not in _SAID_PCM:
            raise RemoteProtocolError(ErrorCode.AUDIO_FORMAT, needs_pcm(shown(name)))
    found = _RATE.search(mime_type or "")
    rate = int(found.group(1)) if found else INPUT_RATE
    if sample_rate is not None:
        rate = sample_rate
    if not MIN_RATE <= rate <= MAX_RATE:
        raise RemoteProtocolError(
            ErrorCode.AUDIO_FORMAT,
            f"the sample rate must be {MIN_RATE} to {MAX_RATE} Hz, got {rate}",
        )
    return rate


def needs_pcm(got: str) -> str:
    """Return the sentence for audio that this version cannot convert."""
    return f"audio must be PCM, 16-bit little-endian mono, 16 kHz unless declared; got {got}"


def encode(pcm: bytes) -> str:
    """Return bytes as base64 text."""
    return binascii.b2a_base64(pcm, newline=False).decode("ascii")


def silence(seconds: float) -> str:
    """Return zero samples at 16 kHz as base64."""
    return encode(bytes(int(seconds * INPUT_RATE) * 2))


def output_rate(mime_type: str) -> int:
    """Return the rate in Hz that Gemini's `inlineData.mimeType` declares."""
    found = _RATE.search(mime_type)
    return int(found.group(1)) if found else OUTPUT_RATE
