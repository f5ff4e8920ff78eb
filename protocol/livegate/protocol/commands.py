"""What to do: everything that a session can ask of a shell, in the imperative."""

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

import attrs

from livegate.protocol.media.kinds import Kind


class Level(enum.Enum):
    """How loud a log line is; the names of the standard library's levels."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"


class Event(enum.StrEnum):
    """Every event that is logged. Fields are scalars, never a payload, a text or a key.

    Each line has `session`, and `link`: how many links to Gemini there have been; but for
    `client.refused`, where there is no session, and `breaker.opened` and `breaker.closed`, which are
    about all of them.
    """

    CLIENT_REFUSED = "client.refused"
    """`peer`: the client's address; `code` and `why`, as the client was told."""
    CLIENT_ACCEPTED = "client.accepted"
    """`peer`: the client's address; `client`: its token's name, if tokens are asked for."""
    CLIENT_AWAY = "client.away"
    """`code`: its WebSocket ended; the session waits for it."""
    CLIENT_RETURNED = "client.returned"
    """`result`: `replayed` or `partly`, `token` if it comes from another process, `refused` if its
    token opens nothing. If its session is here, also `peer`; `frames`: how many are sent again; and
    `code`, of its WebSocket before, if that was still open."""
    CLIENT_REJECTED = "client.rejected"
    """`code`: the frame was answered with an error."""
    CONFIG_APPLIED = "config.applied"
    """`model`, and the client's own labels."""
    UPSTREAM_OPENED = "upstream.opened"
    """`model`, `ms` from dialling to setupComplete."""
    UPSTREAM_FAILED = "upstream.failed"
    """`fault`, or `code` and `reason`: no setupComplete came."""
    UPSTREAM_HELD_OFF = "upstream.held_off"
    """No field: the breaker was open, so nobody was dialled."""
    UPSTREAM_LOST = "upstream.lost"
    """`code`, `reason`: an open link ended."""
    INPUT_LOST = "input.lost"
    """`frames` and `audio_s`: what Gemini had of the client and no other link knows."""
    UPSTREAM_WENT_AWAY = "upstream.went_away"
    """`s`: Gemini will end the link in so many seconds."""
    UPSTREAM_UNREADABLE = "upstream.unreadable"
    """`bytes`: a message that is not the Live API's; it was skipped."""
    ANSWER_BEGUN = "answer.begun"
    """`s`: how long after the question its sound began."""
    TURN_COMPLETED = "turn.completed"
    """`turn`."""
    PHASE_CHANGED = "phase.changed"
    """`trigger`, `phase`: what happened, and the phase that was entered for it."""
    TIMER_EXPIRED = "timer.expired"
    """`timer`."""
    BREAKER_OPENED = "breaker.opened"
    """`failures`: of so many sessions no link could be set up; `s`: for so long nobody dials."""
    BREAKER_CLOSED = "breaker.closed"
    """`s`: it was open for so long; Gemini has answered."""
    SESSION_CLOSED = "session.closed"
    """`code`; `why`: the trigger that ended it; `away`, if its client was; `s`, and totals: `turns`, of each side
    `client_frames`, `client_bytes`, `client_audio_s`, `upstream_frames`, `upstream_bytes`,
    `upstream_audio_s`, and what Gemini counted: `prompt_tokens`, `response_tokens`,
    `thoughts_tokens`, `tool_use_prompt_tokens`."""


LEVELS: Final[Mapping[Event, Level]] = MappingProxyType(
    {
        Event.CLIENT_REFUSED: Level.INFO,
        Event.CLIENT_ACCEPTED: Level.INFO,
        Event.CLIENT_AWAY: Level.INFO,
        Event.CLIENT_RETURNED: Level.INFO,
        Event.CLIENT_REJECTED: Level.DEBUG,
        Event.CONFIG_APPLIED: Level.INFO,
        Event.UPSTREAM_OPENED: Level.INFO,
        Event.UPSTREAM_FAILED: Level.WARNING,
        Event.UPSTREAM_HELD_OFF: Level.DEBUG,
        Event.UPSTREAM_LOST: Level.WARNING,
        Event.INPUT_LOST: Level.INFO,
        Event.UPSTREAM_WENT_AWAY: Level.INFO,
        Event.UPSTREAM_UNREADABLE: Level.WARNING,
        Event.ANSWER_BEGUN: Level.DEBUG,
        Event.TURN_COMPLETED: Level.DEBUG,
        Event.PHASE_CHANGED: Level.DEBUG,
        Event.TIMER_EXPIRED: Level.DEBUG,
        Event.BREAKER_OPENED: Level.WARNING,
        Event.BREAKER_CLOSED: Level.INFO,
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
class Decode:
    """Decode a piece of a recording to 16-bit mono PCM; answer with `Decoded` or `DecodeFailed`.

    At most one is under way. A job of another number is another recording: forget the one before.
    """

    job: int
    kind: Kind
    data: bytes = attrs.field(default=b"", repr=False)
    """Its next bytes; none to go on with those that the decoder has."""
    is_base64: bool = False
    """The data is base64 of those bytes."""
    end: bool = False
    """The speaker has finished: hold nothing back that can be given out. The recording may go on,
    if its kind can."""


@attrs.frozen
class StopDecoding:
    """Forget this recording. No answer about it is needed any more."""

    job: int


@attrs.frozen
class Resume:
    """Find what this token stands for; answer at once.

    With `ClientMoved`, after the session that it names has had `ClientReturned`; or else with
    `TokenOpened` or `TokenRefused`.
    """

    token: str = attrs.field(repr=False)
    seq: int
    """The number of the last frame that the client has."""


@attrs.frozen
class Seal:
    """Make a token of this; answer with `Sealed`."""

    model: str
    handle: str | None = attrs.field(repr=False)
    config: Mapping[str, object] = attrs.field(repr=False)


@attrs.frozen
class Log:
    """Write one line to the log."""

    level: Level
    event: Event
    fields: Mapping[str, Scalar]


Command: TypeAlias = (
    SendClient
    | DropSound
    | CloseClient
    | OpenUpstream
    | SendUpstream
    | CloseUpstream
    | Decode
    | StopDecoding
    | Resume
    | Seal
    | Log
)
