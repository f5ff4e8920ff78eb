"""What to do: everything that a session can ask of a shell, in the imperative."""

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

import attrs


class Level(enum.Enum):
    """How loud a log line is; the names of the standard library's levels."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"


class Event(enum.StrEnum):
    """Every event that is logged. Fields are scalars, never a payload, a text or a key.

    Each line has `session`, and `link`: how many links to Gemini there have been.
    """

    CLIENT_ACCEPTED = "client.accepted"
    """`peer`: the client's address."""
    CLIENT_REJECTED = "client.rejected"
    """`code`: the frame was answered with an error."""
    CONFIG_APPLIED = "config.applied"
    """`model`, and the client's own labels."""
    UPSTREAM_OPENED = "upstream.opened"
    """`model`, `ms` from dialling to setupComplete."""
    UPSTREAM_FAILED = "upstream.failed"
    """`fault`, or `code` and `reason`: no setupComplete came."""
    UPSTREAM_LOST = "upstream.lost"
    """`code`, `reason`: an open link ended."""
    UPSTREAM_WENT_AWAY = "upstream.went_away"
    """`s`: Gemini will end the link in so many seconds."""
    UPSTREAM_UNREADABLE = "upstream.unreadable"
    """`bytes`: a message that is not the Live API's; it was skipped."""
    TURN_COMPLETED = "turn.completed"
    """`turn`."""
    PHASE_CHANGED = "phase.changed"
    """`trigger`, `phase`: what happened, and the phase that was entered for it."""
    TIMER_EXPIRED = "timer.expired"
    """`timer`."""
    SESSION_CLOSED = "session.closed"
    """`code`, `s`, and totals: `turns`, `client_frames`, `client_bytes`,
    `upstream_frames`, `upstream_bytes`."""


LEVELS: Final[Mapping[Event, Level]] = MappingProxyType(
    {
        Event.CLIENT_ACCEPTED: Level.INFO,
        Event.CLIENT_REJECTED: Level.DEBUG,
        Event.CONFIG_APPLIED: Level.INFO,
        Event.UPSTREAM_OPENED: Level.INFO,
        Event.UPSTREAM_FAILED: Level.WARNING,
        Event.UPSTREAM_LOST: Level.WARNING,
        Event.UPSTREAM_WENT_AWAY: Level.INFO,
        Event.UPSTREAM_UNREADABLE: Level.WARNING,
        Event.TURN_COMPLETED: Level.DEBUG,
        Event.PHASE_CHANGED: Level.DEBUG,
        Event.TIMER_EXPIRED: Level.DEBUG,
        Event.SESSION_CLOSED: Level.INFO,
    }
)

Scalar: TypeAlias = str | int | float | bool


@attrs.frozen
class SendClient:
    """Send one WebSocket message to the client, after all earlier ones."""

    link: int
    payload: bytes
    is_text: bool = True
    turn: int = 0
    """The turn whose sound this is, so that `DropSound` finds it; 0 for all else."""


@attrs.frozen
class DropSound:
    """Throw away every queued `SendClient` of this turn or an earlier one (but not of turn 0).

    Report their sizes as `inputs.Sent`.
    """

    link: int
    turn: int


@attrs.frozen
class CloseClient:
    """Send all that is queued, then close the client's WebSocket."""

    link: int
    code: int
    reason: str = ""


@attrs.frozen
class OpenUpstream:
    """Dial Gemini; answer with `UpstreamOpened` or `DialFailed` of the same number."""

    link: int


@attrs.frozen
class SendUpstream:
    """Send one text WebSocket message to Gemini."""

    link: int
    payload: bytes


@attrs.frozen
class CloseUpstream:
    """Close this link, or give up dialling it. No input about it is needed after this."""

    link: int
    code: int = 1000


@attrs.frozen
class Log:
    """Write one line to the log."""

    level: Level
    event: Event
    fields: Mapping[str, Scalar]


Command: TypeAlias = (
    SendClient | DropSound | CloseClient | OpenUpstream | SendUpstream | CloseUpstream | Log
)
