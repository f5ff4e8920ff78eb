"""What happened: everything that a shell can tell a session, in the past tense."""

import enum
from typing import TypeAlias

import attrs


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
    NETWORK = "the network failed; try again"


@attrs.frozen
class ClientOpened:
    """A client's WebSocket was accepted."""

    link: int
    """Which socket of this session: the first is 1."""
    peer: str = ""
    """The client's address, for the log."""


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
class ShutdownRequested:
    """The process is about to end."""


Input: TypeAlias = (
    ClientOpened
    | ClientFrame
    | ClientGone
    | UpstreamOpened
    | UpstreamFrame
    | UpstreamGone
    | DialFailed
    | Sent
    | DeadlineReached
    | ShutdownRequested
)
