"""Every error a client can hear, and what it should do about each."""

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs

_SHOWN = 80


class ProtocolError(Exception):
    """The root of what the core raises; it raises nothing else on purpose."""


class LocalProtocolError(ProtocolError):
    """The shell used the core wrongly, e.g. handled an input before `start()`. A bug there."""


class ErrorCode(enum.StrEnum):
    """The stable `code` of an `error` frame."""

    BAD_JSON = "bad_json"
    """The text frame is not one JSON object with a string `type`."""
    BAD_FRAME = "bad_frame"
    """A known type, but a field is missing, has the wrong type or makes no sense now."""
    UNKNOWN_TYPE = "unknown_type"
    """No frame has this `type`."""
    TOO_LARGE = "too_large"
    """The frame, or a field of it, is larger than its limit or nests too deep."""
    AUDIO_FORMAT = "audio_format"
    """The audio is not base64, or not in a format that this gateway understands."""
    BAD_CONFIG = "bad_config"
    """At least one setting is one that Gemini could never accept; none was applied."""
    NOT_SUPPORTED = "not_supported"
    """The frame is part of the protocol, but not of this version of the gateway."""
    MODEL_UNKNOWN = "model_unknown"
    """Gemini has no such model; the config is taken back."""
    SETUP_REFUSED = "setup_refused"
    """Gemini refused the configuration, or content came while a refused one stands."""
    UPSTREAM_UNAVAILABLE = "upstream_unavailable"
    """Gemini could not be reached; what was sent meanwhile was dropped."""
    UPSTREAM_LOST = "upstream_lost"
    """The connection to Gemini ended in mid-session."""
    NO_API_KEY = "no_api_key"
    """The gateway has no API key."""
    KEY_REFUSED = "key_refused"
    """Gemini refused the API key."""
    QUOTA = "quota"
    """Gemini's quota is used up."""


class Advice(enum.Enum):
    """What a client does after a close."""

    STOP = "stop"
    RETRY = "come back"


@attrs.frozen
class Close:
    """One row of the table of close codes."""

    meaning: str
    advice: Advice


# RFC 6455 section 7.4.1 and its registry up to 1015; 4000-4999 are private use, ours.
CLOSES: Final[Mapping[int, Close]] = MappingProxyType(
    {
        1000: Close("as the client wished", Advice.STOP),
        1011: Close("a fault of the gateway", Advice.RETRY),
        1012: Close("the gateway restarts", Advice.RETRY),
        4200: Close("no API key", Advice.STOP),
        4201: Close("Gemini refused the API key", Advice.STOP),
        4203: Close("Gemini's quota is used up", Advice.STOP),
    }
)


RETRYABLE: Final = frozenset({ErrorCode.UPSTREAM_UNAVAILABLE, ErrorCode.UPSTREAM_LOST})
"""Errors after which the same frame may succeed, unchanged."""

FATAL: Final[Mapping[ErrorCode, int]] = MappingProxyType(
    {ErrorCode.NO_API_KEY: 4200, ErrorCode.KEY_REFUSED: 4201, ErrorCode.QUOTA: 4203}
)
"""Errors that end the session, with the close code that follows."""


class RemoteProtocolError(ProtocolError):
    """A client broke the protocol. Caught in one place, where it becomes an `error` frame."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def shown(value: object) -> str:
    """Return `value` as an error message may quote it: shortened, printable, on one line."""
    text = ascii(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
