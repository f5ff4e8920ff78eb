"""The states of a session, and the only place that says how they change.

Two small machines run side by side.

**Phase** says how the session stands with Gemini. A session has at most one link (a WebSocket to
Gemini) at a time. It opens one as late as it can, so that the client's config is known when the
setup is sent: at the first config or content, or when the client has said nothing for the grace
time. Gemini ends every link sooner or later, and accepts a setup once per link; so from time to
time a new link takes the old one's place (`RELINK`), and takes the conversation along with
Gemini's resumption handle: when Gemini announces the end or the link is old, when a config changes
anything, and when the link is lost. While an answer runs, that waits for its end (`HANDOVER`). A
link that nobody has used is not renewed, but given up until somebody needs one. Content that comes
while there is no link to give it to waits in line, in order.

**Turn** says who owes whom. Gemini must answer each question (`ASK`: a text, or the end of speech
where the client takes turns by hand), and its answer ends with one turnComplete. Where Gemini
listens for speech itself, it begins when it thinks fit (`OUTPUT` from `IDLE`). A question that
comes before the answer to the one before has ended makes Gemini end that answer first, so two
turnCompletes are due (`OVERLAP`).

Three rules keep this file honest:

1. A trigger is a fact, found by a codec, by a timer or in the line, narrowed to what it means.
2. What is not in a table cannot happen: looking it up is an error, loudly. What can happen and
   changes nothing is written out as a row that leads to its own state.
3. Nothing else assigns a phase or a turn.

`CLOSED` has no rows: a closed session ignores whatever comes.
"""

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from livegate.protocol.errors import LocalProtocolError
from livegate.protocol.timers import Timer


class Phase(enum.Enum):
    """How the session stands with Gemini."""

    NEW = enum.auto()
    """No client yet."""
    UNLINKED = enum.auto()
    """No link, and nothing to open one for."""
    DIALING = enum.auto()
    """A link is being opened."""
    SETUP = enum.auto()
    """The setup is sent; Gemini has not accepted it yet."""
    LIVE = enum.auto()
    """Gemini listens and answers."""
    HANDOVER = enum.auto()
    """Another link is to take this one's place, at the end of the running answer. Content goes on,
    but for what is behind a changed config."""
    RETRYING = enum.auto()
    """Gemini could not be reached; the next attempt has to wait."""
    REFUSED = enum.auto()
    """Gemini refused the config; only another config helps."""
    CLOSED = enum.auto()
    """The end: nothing is answered any more."""


class Trigger(enum.Enum):
    """A fact that may change the phase."""

    CLIENT_OPENED = enum.auto()
    """The client is connected."""
    NO_KEY = enum.auto()
    """A client came, but there is no API key to serve it with."""
    CONTENT = enum.auto()
    """Something for Gemini is in line: text, sound, a picture, a tool's result."""
    CONFIG = enum.auto()
    """A valid config came."""
    GRACE_OVER = enum.auto()
    """The client has said nothing for the grace time."""
    LINK_OPENED = enum.auto()
    """The WebSocket to Gemini is open."""
    SETUP_COMPLETE = enum.auto()
    """Gemini accepted the setup."""
    LINK_REFUSED = enum.auto()
    """Gemini refused this setup, and would again."""
    HANDLE_REFUSED = enum.auto()
    """Gemini does not know the resumption handle."""
    LINK_DENIED = enum.auto()
    """Gemini refuses this key, or more of its quota: no other link would fare better."""
    LINK_FAILED = enum.auto()
    """The link ended before setupComplete, or never opened, for a reason that may pass."""
    SETUP_LATE = enum.auto()
    """Gemini took too long to accept a setup, or to be reached."""
    UNREACHABLE = enum.auto()
    """The same for so long that nobody should wait any longer."""
    LINK_LOST = enum.auto()
    """The link ended after setupComplete."""
    LINK_BROKEN = enum.auto()
    """The same, but before Gemini had said anything on it: the next one may fare no better."""
    LINK_UNUSED = enum.auto()
    """The link has ended or has to end, and nobody needs another now."""
    LINK_OLD = enum.auto()
    """Gemini will end the link before long, though it has not said so yet."""
    GO_AWAY = enum.auto()
    """Gemini will end the link soon; it says when."""
    CHANGE_WAITS = enum.auto()
    """The config next in line needs a new link, but an answer is running."""
    RELINK = enum.auto()
    """A new link is needed, and nothing stands in its way."""
    HANDOVER_LATE = enum.auto()
    """The answer has not ended in time; the new link waits no longer."""
    RETRY_DUE = enum.auto()
    """The pause is over."""
    CLIENT_GONE = enum.auto()
    """The client has closed its WebSocket; or lost it, and does not come back."""
    CLIENT_MOVED = enum.auto()
    """The client goes on with an earlier session."""
    DISMISSED = enum.auto()
    """The client has used up what it may."""
    SHUTDOWN = enum.auto()
    """The gateway is about to end."""


_ENDS: Final[Mapping[Trigger, Phase]] = {
    Trigger.CLIENT_GONE: Phase.CLOSED,
    Trigger.CLIENT_MOVED: Phase.CLOSED,
    Trigger.DISMISSED: Phase.CLOSED,
    Trigger.SHUTDOWN: Phase.CLOSED,
}

TRANSITIONS: Final[Mapping[Phase, Mapping[Trigger, Phase]]] = MappingProxyType(
    {
        Phase.NEW: {
            Trigger.CLIENT_OPENED: Phase.UNLINKED,
            Trigger.NO_KEY: Phase.CLOSED,
            Trigger.SHUTDOWN: Phase.CLOSED,
        },
        Phase.UNLINKED: {
            Trigger.CONTENT: Phase.DIALING,
            Trigger.CONFIG: Phase.DIALING,
            Trigger.GRACE_OVER: Phase.DIALING,
            **_ENDS,
        },
        Phase.DIALING: {
            Trigger.CONTENT: Phase.DIALING,
            Trigger.CONFIG: Phase.DIALING,
            Trigger.LINK_OPENED: Phase.SETUP,
            Trigger.LINK_DENIED: Phase.CLOSED,
            Trigger.LINK_FAILED: Phase.RETRYING,
            Trigger.LINK_UNUSED: Phase.UNLINKED,
            Trigger.SETUP_LATE: Phase.RETRYING,
            Trigger.UNREACHABLE: Phase.CLOSED,
            **_ENDS,
        },
        Phase.SETUP: {
            Trigger.CONTENT: Phase.SETUP,
            Trigger.CONFIG: Phase.SETUP,
            Trigger.SETUP_COMPLETE: Phase.LIVE,
            Trigger.LINK_REFUSED: Phase.REFUSED,
            Trigger.HANDLE_REFUSED: Phase.DIALING,
            Trigger.LINK_DENIED: Phase.CLOSED,
            Trigger.LINK_FAILED: Phase.RETRYING,
            Trigger.LINK_UNUSED: Phase.UNLINKED,
            Trigger.SETUP_LATE: Phase.RETRYING,
            Trigger.UNREACHABLE: Phase.CLOSED,
            **_ENDS,
        },
        Phase.LIVE: {
            Trigger.CONTENT: Phase.LIVE,
            Trigger.CONFIG: Phase.LIVE,
            Trigger.CHANGE_WAITS: Phase.HANDOVER,
            Trigger.RELINK: Phase.DIALING,
            Trigger.GO_AWAY: Phase.HANDOVER,
            Trigger.LINK_OLD: Phase.HANDOVER,
            Trigger.LINK_DENIED: Phase.CLOSED,
            Trigger.LINK_LOST: Phase.DIALING,
            Trigger.LINK_BROKEN: Phase.RETRYING,
            Trigger.LINK_UNUSED: Phase.UNLINKED,
            Trigger.UNREACHABLE: Phase.CLOSED,
            **_ENDS,
        },
        Phase.HANDOVER: {
            Trigger.CONTENT: Phase.HANDOVER,
            Trigger.CONFIG: Phase.HANDOVER,
            Trigger.CHANGE_WAITS: Phase.HANDOVER,
            Trigger.RELINK: Phase.DIALING,
            Trigger.HANDOVER_LATE: Phase.DIALING,
            Trigger.GO_AWAY: Phase.HANDOVER,
            Trigger.LINK_OLD: Phase.HANDOVER,
            Trigger.LINK_DENIED: Phase.CLOSED,
            Trigger.LINK_LOST: Phase.DIALING,
            Trigger.LINK_BROKEN: Phase.RETRYING,
            Trigger.LINK_UNUSED: Phase.UNLINKED,
            Trigger.UNREACHABLE: Phase.CLOSED,
            **_ENDS,
        },
        Phase.RETRYING: {
            Trigger.CONTENT: Phase.RETRYING,
            Trigger.CONFIG: Phase.RETRYING,
            Trigger.RETRY_DUE: Phase.DIALING,
            **_ENDS,
        },
        Phase.REFUSED: {
            Trigger.CONTENT: Phase.REFUSED,
            Trigger.CONFIG: Phase.DIALING,
            **_ENDS,
        },
        Phase.CLOSED: {},
    }
)


ENDINGS: Final = tuple(
    trigger
    for trigger in Trigger
    if any(row.get(trigger) is Phase.CLOSED for row in TRANSITIONS.values())
)
"""What can end a session."""


# A timer runs only in these phases: leaving them stops it. (RETRY itself ends its phase.)
CLOCKED: Final[Mapping[Timer, frozenset[Phase]]] = MappingProxyType(
    {
        Timer.GRACE: frozenset({Phase.UNLINKED}),
        Timer.SETUP: frozenset({Phase.DIALING, Phase.SETUP}),
        Timer.AGE: frozenset({Phase.LIVE, Phase.HANDOVER}),
        Timer.HANDOVER: frozenset({Phase.HANDOVER}),
        Timer.ANSWER: frozenset({Phase.LIVE, Phase.HANDOVER}),
        Timer.CALL: frozenset({Phase.LIVE, Phase.HANDOVER}),
    }
)


class Turn(enum.Enum):
    """Who owes whom an answer."""

    IDLE = enum.auto()
    """Nobody; another link may take this one's place."""
    USER = enum.auto()
    """The user has asked; Gemini has not begun to answer."""
    MODEL = enum.auto()
    """Gemini is answering."""
    OVERLAP = enum.auto()
    """One answer has to end, and another question waits behind it."""


class TurnTrigger(enum.Enum):
    """A fact that may change the turn."""

    ASK = enum.auto()
    """Something went to Gemini that it must answer."""
    OUTPUT = enum.auto()
    """A piece of an answer came."""
    TURN_COMPLETE = enum.auto()
    """Gemini says that its answer has ended."""
    GIVEN_UP = enum.auto()
    """Gemini has been silent for so long that it will not answer."""
    LINK_ENDED = enum.auto()
    """What was owed on that link will never come."""


TURNS: Final[Mapping[Turn, Mapping[TurnTrigger, Turn]]] = MappingProxyType(
    {
        Turn.IDLE: {
            TurnTrigger.ASK: Turn.USER,
            TurnTrigger.OUTPUT: Turn.MODEL,
            TurnTrigger.TURN_COMPLETE: Turn.IDLE,
            TurnTrigger.GIVEN_UP: Turn.IDLE,
            TurnTrigger.LINK_ENDED: Turn.IDLE,
        },
        Turn.USER: {
            TurnTrigger.ASK: Turn.OVERLAP,
            TurnTrigger.OUTPUT: Turn.MODEL,
            TurnTrigger.TURN_COMPLETE: Turn.IDLE,
            TurnTrigger.GIVEN_UP: Turn.IDLE,
            TurnTrigger.LINK_ENDED: Turn.IDLE,
        },
        Turn.MODEL: {
            TurnTrigger.ASK: Turn.OVERLAP,
            TurnTrigger.OUTPUT: Turn.MODEL,
            TurnTrigger.TURN_COMPLETE: Turn.IDLE,
            TurnTrigger.GIVEN_UP: Turn.MODEL,
            TurnTrigger.LINK_ENDED: Turn.IDLE,
        },
        Turn.OVERLAP: {
            TurnTrigger.ASK: Turn.OVERLAP,
            TurnTrigger.OUTPUT: Turn.OVERLAP,
            TurnTrigger.TURN_COMPLETE: Turn.USER,
            TurnTrigger.GIVEN_UP: Turn.USER,
            TurnTrigger.LINK_ENDED: Turn.IDLE,
        },
    }
)


def next_phase(phase: Phase, trigger: Trigger) -> Phase:
    """Return the phase that `trigger` leads to.

    Raises:
        LocalProtocolError: The table has no such row, so a shell broke its contract.
    """
    try:
        return TRANSITIONS[phase][trigger]
    except KeyError:
        raise LocalProtocolError(f"{trigger.name} cannot happen in phase {phase.name}") from None


def next_turn(turn: Turn, trigger: TurnTrigger) -> Turn:
    """Return the turn state that `trigger` leads to; each state has a row for each trigger."""
    return TURNS[turn][trigger]
