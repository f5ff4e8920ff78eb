"""What happened: everything that a shell can tell a session, in the past tense."""

import enum
from collections.abc import Mapping
from typing import TypeAlias

import attrs

from livegate.protocol.errors import ErrorCode, Refusal


class Side(enum.Enum):
    """One of a session's two peers."""

    CLIENT = "client"
    UPSTREAM = "upstream"


class Fault(enum.Enum):
    """Why Gemini could not be dialled. The value completes "cannot reach Gemini: ..."."""

    REFUSED = "the connection was refused; check the address and that the service runs"
    NAME = "its host name was not found; check the address and the network"
    TLS = "its TLS certificate was not accepted; check the address and SSL_CERT_FILE"
    TIMEOUT = "it did not answer in time; check the network"
    FORBIDDEN = "it answered HTTP 401 or 403; check the API key"
    HTTP = "it did not accept a WebSocket there; check the address"
    NETWORK = "the network failed; check the network"
    RESTING = (
        "the latest attempts have failed, whichever client they were for, and it is only tried again "
        "in a while"
    )


@attrs.frozen
class ClientOpened:
    """A client's WebSocket was accepted."""

    link: int
    """Which socket of this session: the first is 1."""
    peer: str = ""
    """The client's address, for the log."""
    client: str = ""
    """The name of its token, for the log."""
    is_v1: bool = False
    """It speaks the dialect `livegate.v1`."""


@attrs.frozen
class ClientReturned:
    """A client whose token is this session's has another WebSocket now."""

    link: int
    """Which socket of this session."""
    seq: int
    """The number of the last frame that it has."""
    peer: str = ""


@attrs.frozen
class ClientMoved:
    """The client goes on with the session that its token names, in place of this one."""


@attrs.frozen
class TokenOpened:
    """The token of `commands.Resume` was sealed by this gateway, or another with its secret."""

    model: str
    """Whose the handle is."""
    handle: str | None = attrs.field(repr=False)
    """Of the conversation; None if there was none yet."""
    config: Mapping[str, object] = attrs.field(repr=False)
    """The settings in force: the table's name -> value as it goes upstream."""


@attrs.frozen
class TokenRefused:
    """The token of `commands.Resume` opens nothing."""


@attrs.frozen
class Sealed:
    """The answer to `commands.Seal`."""

    token: str = attrs.field(repr=False)


@attrs.frozen
class ClientFrame:
    """A whole WebSocket message came from the client."""

    link: int
    payload: bytes
    is_text: bool


@attrs.frozen
class ClientGone:
    """The client's WebSocket ended, whoever ended it."""

    link: int
    code: int = 1006
    """RFC 6455 section 7.4.1: 1006 if none was given."""
    reason: str = ""


@attrs.frozen
class UpstreamOpened:
    """The WebSocket that `commands.OpenUpstream` asked for is open."""

    link: int


@attrs.frozen
class UpstreamFrame:
    """A whole WebSocket message came from Gemini. Its opcode means nothing."""

    link: int
    payload: bytes


@attrs.frozen
class UpstreamGone:
    """Gemini's WebSocket ended. The shell has removed the API key from `reason`."""

    link: int
    code: int = 1006
    reason: str = ""


@attrs.frozen
class DialFailed:
    """The WebSocket that `commands.OpenUpstream` asked for could not be opened."""

    link: int
    fault: Fault


@attrs.frozen
class Sent:
    """Bytes that the session gave out have left (or will never): they count no more."""

    side: Side
    link: int
    size: int


@attrs.frozen
class DeadlineReached:
    """The clock has reached `Session.deadline`. Early or repeated, it does nothing."""


@attrs.frozen
class Decoded:
    """The answer to `commands.Decode`: what came of it, as far as it is ready."""

    job: int
    pcm: bytes = attrs.field(default=b"", repr=False)
    """16-bit little-endian mono."""
    rate: int = 16_000
    """Hz."""
    cpu_s: float = 0.0
    """Seconds of a processor that this step took."""
    has_more: bool = False
    """More is to come of what the decoder has already: ask it with no data."""
    end: bool = False
    """The recording says that it is whole, and this is the last of it."""


@attrs.frozen
class DecodeFailed:
    """The answer to `commands.Decode`: nothing more can come of this recording."""

    job: int
    code: ErrorCode
    message: str
    """For the client."""


Answer: TypeAlias = Decoded | DecodeFailed
"""What a decoder gives."""


@attrs.frozen
class ClientDismissed:
    """The client has used up what it may, as `admission` counts it."""

    refusal: Refusal


@attrs.frozen
class ShutdownRequested:
    """The process is about to end."""


Input: TypeAlias = (
    ClientOpened
    | ClientReturned
    | ClientMoved
    | TokenOpened
    | TokenRefused
    | Sealed
    | ClientFrame
    | ClientGone
    | UpstreamOpened
    | UpstreamFrame
    | UpstreamGone
    | DialFailed
    | Sent
    | DeadlineReached
    | Decoded
    | DecodeFailed
    | ClientDismissed
    | ShutdownRequested
)
