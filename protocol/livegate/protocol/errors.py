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
    AUDIO_BROKEN = "audio_broken"
    """The recording is damaged, or its beginning is missing."""
    AUDIO_TOO_LONG = "audio_too_long"
    """The recording is longer than one may be."""
    AUDIO_TOO_FAST = "audio_too_fast"
    """More sound came in recordings than the time since the connection began can have held."""
    AUDIO_TOO_COSTLY = "audio_too_costly"
    """Decoding the recording takes more of the gateway's time or memory than its sound is worth."""
    BAD_CONFIG = "bad_config"
    """At least one setting is one that Gemini could never accept; none was applied."""
    NOT_SUPPORTED = "not_supported"
    """The frame is part of the protocol, but not of this version of the gateway."""
    MODEL_UNKNOWN = "model_unknown"
    """Gemini has no such model; the config is taken back."""
    SETUP_REFUSED = "setup_refused"
    """Gemini refused the configuration, or content came while a refused one stands."""
    UPSTREAM_UNAVAILABLE = "upstream_unavailable"
    """Gemini could not be reached for half a minute."""
    UPSTREAM_LOST = "upstream_lost"
    """The connection to Gemini ended in the middle of an answer, which is lost."""
    NO_ANSWER = "no_answer"
    """Gemini was asked and said nothing; the turn is over."""
    CALL_UNANSWERED = "call_unanswered"
    """A `tool_call` was not answered in time; Gemini was told that it failed."""
    NO_API_KEY = "no_api_key"
    """The gateway has no API key."""
    KEY_REFUSED = "key_refused"
    """Gemini refused the API key."""
    QUOTA = "quota"
    """Gemini's quota is used up."""
    ORIGIN_REFUSED = "origin_refused"
    """A page of this origin may not connect, or under this host name."""
    UNAUTHORIZED = "unauthorized"
    """The gateway wants a client token, and got none or one that it does not know."""
    OVERLOADED = "overloaded"
    """The gateway has as many sessions as it may, or all clients together have sent too much in too
    short a time."""
    RATE_LIMITED = "rate_limited"
    """This client has as many sessions as it may, or has sent too much in too short a time."""
    SESSION_AGE = "session_age"
    """The session has lasted as long as this client's may."""


class Advice(enum.Enum):
    """What a client does after a close."""

    STOP = "stop"
    RETRY = "come back"
    RESUME = "come back, with its token if it has one"


@attrs.frozen
class Close:
    """One row of the table of close codes."""

    meaning: str
    advice: Advice


# RFC 6455 section 7.4.1 and its registry up to 1015; 4000-4999 are private use, ours.
CLOSES: Final[Mapping[int, Close]] = MappingProxyType(
    {
        1000: Close("as the client wished", Advice.STOP),
        1002: Close("the client broke the WebSocket protocol", Advice.STOP),
        1007: Close("a text message is not UTF-8", Advice.STOP),
        1008: Close("the client may not connect", Advice.STOP),
        1009: Close("a message is larger than 16 MiB", Advice.STOP),
        1011: Close("a fault of the gateway", Advice.RETRY),
        1012: Close("the gateway restarts", Advice.RESUME),
        1013: Close("too much at once", Advice.RETRY),
        4000: Close("the client answers no ping", Advice.RESUME),
        4001: Close("the client does not read", Advice.RESUME),
        4101: Close("Gemini could not be reached", Advice.RETRY),
        4102: Close("nothing came from the client for too long", Advice.RETRY),
        4103: Close("the session has lasted as long as it may", Advice.RETRY),
        4200: Close("no API key", Advice.STOP),
        4201: Close("Gemini refused the API key", Advice.STOP),
        4202: Close("the client goes on with a newer WebSocket", Advice.STOP),
        4203: Close("Gemini's quota is used up", Advice.STOP),
    }
)


RETRYABLE: Final = frozenset(
    {
        ErrorCode.UPSTREAM_UNAVAILABLE,
        ErrorCode.UPSTREAM_LOST,
        ErrorCode.NO_ANSWER,
        ErrorCode.AUDIO_TOO_FAST,
        ErrorCode.OVERLOADED,
        ErrorCode.RATE_LIMITED,
        ErrorCode.SESSION_AGE,
    }
)
"""Errors after which the same may succeed, unchanged: the frame, or a new connection."""

FATAL: Final[Mapping[ErrorCode, int]] = MappingProxyType(
    {
        ErrorCode.NO_API_KEY: 4200,
        ErrorCode.KEY_REFUSED: 4201,
        ErrorCode.QUOTA: 4203,
        ErrorCode.UPSTREAM_UNAVAILABLE: 4101,
        ErrorCode.ORIGIN_REFUSED: 1008,
        ErrorCode.UNAUTHORIZED: 1008,
        ErrorCode.OVERLOADED: 1013,
        ErrorCode.RATE_LIMITED: 1013,
        ErrorCode.SESSION_AGE: 4103,
    }
)
"""Errors that end the session, with the close code that follows."""


@attrs.frozen
class Refusal:
    """Why a client may not begin, or not go on."""

    code: ErrorCode
    """One of `FATAL`."""
    message: str
    retry_after_s: float | None = None
    """When another try may succeed, where that is known."""

    @property
    def close(self) -> int:
        """The close code that follows."""
        return FATAL[self.code]


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
