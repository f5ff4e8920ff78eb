"""Why Gemini ended a link, and what that means for the session and for the client.

Source: close codes and reasons that users of the Live API have reported. The code alone is not
enough: 1008 and 1011 mix what passes with what never will.
"""

import difflib
import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs

from livegate.protocol.errors import ErrorCode, shown
from livegate.protocol.profiles import PROFILES, bare_name
from livegate.protocol.states import Trigger


class Stage(enum.Enum):
    """How far a link had come."""

    NEW = "before setupComplete, of a conversation that begins"
    CHANGED = "before setupComplete, when resuming with another config"
    RESUMED = "before setupComplete, when resuming with a config that Gemini had accepted"
    LIVE = "after setupComplete"


@attrs.frozen
class Verdict:
    """What a close means."""

    trigger: Trigger
    code: ErrorCode
    """The error that the client hears, unless the session helps itself."""
    happened: str
    cure: str
    """Empty where the session itself knows what comes next."""

    def sentence(self, code: int, reason: str, model: str = "") -> str:
        """Return what to tell the client: what happened, Gemini's own words, and the cure."""
        said = f"{code}, {shown(reason)}" if reason else str(code)
        near = _nearest(model) if self.code is ErrorCode.MODEL_UNKNOWN else ""
        cure = f"; {self.cure}" if self.cure else ""
        return f"{self.happened} ({said}){cure}{near}"


@attrs.frozen
class Row:
    """One kind of close."""

    codes: frozenset[int]
    reason: str
    """Part of the close reason, in lower case; empty fits any."""
    verdict: Verdict


_ANY: Final[frozenset[int]] = frozenset()
_KEY: Final = Verdict(
    Trigger.LINK_DENIED,
    ErrorCode.KEY_REFUSED,
    "Gemini refused the API key",
    "check GEMINI_API_KEY where the gateway runs, then run: livegate check",
)
_QUOTA: Final = Verdict(
    Trigger.LINK_DENIED,
    ErrorCode.QUOTA,
    "Gemini's quota is used up",
    "wait, or raise the limits of this API key's plan",
)
_HANDLE: Final = Verdict(
    Trigger.HANDLE_REFUSED,
    ErrorCode.UPSTREAM_LOST,
    "Gemini has forgotten the conversation",
    "it starts anew",
)
_MODEL: Final = Verdict(
    Trigger.LINK_REFUSED,
    ErrorCode.MODEL_UNKNOWN,
    "Gemini does not know this model",
    "send a config with another model, or with none for the default",
)
_SETUP: Final = Verdict(
    Trigger.LINK_REFUSED,
    ErrorCode.SETUP_REFUSED,
    "Gemini refused this configuration",
    "send a config that this model accepts",
)
_UNAVAILABLE: Final = Verdict(
    Trigger.LINK_FAILED,
    ErrorCode.UPSTREAM_UNAVAILABLE,
    "Gemini ended the connection before it was ready",
    "",
)
_LOST: Final = Verdict(
    Trigger.LINK_LOST,
    ErrorCode.UPSTREAM_LOST,
    "the connection to Gemini was lost",
    "",
)

# In each table the first row that fits decides; the last one always fits.
_Table = tuple[Row, ...]
_ALWAYS: Final[_Table] = (
    Row(frozenset({1007, 1008}), "api key not valid", _KEY),
    Row(frozenset({1007, 1008}), "authentication credential", _KEY),
    Row(frozenset({1007, 1008}), "unregistered callers", _KEY),
    Row(_ANY, "exceeded your current quota", _QUOTA),
)
_NO_MODEL: Final = Row(frozenset({1008}), "is not found for api version", _MODEL)
_NO_SESSION: Final = Row(frozenset({1007, 1008}), "session not found", _HANDLE)
_REFUSED: Final[_Table] = (Row(frozenset({1007, 1008}), "", _SETUP), Row(_ANY, "", _UNAVAILABLE))
TABLES: Final[Mapping[Stage, _Table]] = MappingProxyType(
    {
        Stage.NEW: (*_ALWAYS, _NO_MODEL, *_REFUSED),
        Stage.CHANGED: (*_ALWAYS, _NO_MODEL, _NO_SESSION, *_REFUSED),
        # What Gemini accepted before it would accept again: it is the handle that it refuses.
        Stage.RESUMED: (
            *_ALWAYS,
            _NO_MODEL,
            Row(frozenset({1007, 1008}), "", _HANDLE),
            Row(_ANY, "", _UNAVAILABLE),
        ),
        Stage.LIVE: (*_ALWAYS, Row(_ANY, "", _LOST)),
    }
)


def judge(code: int, reason: str, stage: Stage) -> Verdict:
    """Return what Gemini's close means."""
    heard = reason.lower()
    return next(
        row.verdict
        for row in TABLES[stage]
        if (not row.codes or code in row.codes) and row.reason in heard
    )


def _nearest(model: str) -> str:
    """Return the known names that are most like one that Gemini does not know, as a clause."""
    names = difflib.get_close_matches(bare_name(model), PROFILES, n=3, cutoff=0.5)
    return f"; it may know {' or '.join(names)}" if names else ""
