"""Why Gemini ended a link, and what that means for the session and for the client.

Source: close codes and reasons that users of the Live API have reported. The code alone is not
enough: 1008 and 1011 mix what passes with what never will.
"""

from typing import Final

import attrs

from livegate.protocol.errors import ErrorCode, shown
from livegate.protocol.states import Trigger


@attrs.frozen
class Verdict:
    """What a close means."""

    trigger: Trigger
    code: ErrorCode
    """The error that the client hears, unless the session helps itself."""
    happened: str
    cure: str

    def sentence(self, code: int, reason: str) -> str:
        """Return what to tell the client: what happened, Gemini's own words, and the cure."""
        said = f"{code}, {shown(reason)}" if reason else str(code)
        return f"{self.happened} ({said}); {self.cure}"


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
    "send again in a while",
)
_LOST: Final = Verdict(
    Trigger.LINK_LOST,
    ErrorCode.UPSTREAM_LOST,
    "the connection to Gemini was lost",
    "the next message opens a new one",
)

# In each table the first row that fits decides; the last one always fits.
_Table = tuple[Row, ...]
_ALWAYS: Final[_Table] = (
    Row(frozenset({1007, 1008}), "api key not valid", _KEY),
    Row(frozenset({1007, 1008}), "authentication credential", _KEY),
    Row(frozenset({1007, 1008}), "unregistered callers", _KEY),
    Row(_ANY, "exceeded your current quota", _QUOTA),
)
SETTING_UP: Final[_Table] = (
    *_ALWAYS,
    Row(frozenset({1008}), "is not found for api version", _MODEL),
    Row(frozenset({1007, 1008}), "", _SETUP),
    Row(_ANY, "", _UNAVAILABLE),
)
RESUMING: Final[_Table] = (Row(frozenset({1008}), "session not found", _HANDLE), *SETTING_UP)
LIVE: Final[_Table] = (*_ALWAYS, Row(_ANY, "", _LOST))


def judge(code: int, reason: str, *, is_set_up: bool, is_resuming: bool) -> Verdict:
    """Return what Gemini's close means, before or after its setupComplete."""
    table = LIVE if is_set_up else RESUMING if is_resuming else SETTING_UP
    heard = reason.lower()
    return next(
        row.verdict
        for row in table
        if (not row.codes or code in row.codes) and row.reason in heard
    )
