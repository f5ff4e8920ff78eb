"""What each close of Gemini's means."""

import pytest

from livegate.protocol.errors import ErrorCode
from livegate.protocol.states import Trigger
from livegate.protocol.verdicts import judge

BEFORE, RESUMING, AFTER = (False, False), (False, True), (True, True)
NOT_FOUND = "models/x is not found for API version v1beta, or is not supported for bidiGenerateContent. Call"
QUOTA = "You exceeded your current quota, please check your plan and billing details."
CREDENTIALS = "Request had invalid authentication credentials. Expected OAuth 2 access token"
CALLERS = "Method doesn't allow unregistered callers (callers without established identity)."
FORGOTTEN = "BidiGenerateContent session not found"


@pytest.mark.parametrize(
    ("when", "code", "reason", "trigger", "error"),
    [
        (
            BEFORE,
            1007,
            "API key not valid. Please pass a valid API key.",
            Trigger.LINK_DENIED,
            ErrorCode.KEY_REFUSED,
        ),
        (BEFORE, 1008, "API KEY NOT VALID", Trigger.LINK_DENIED, ErrorCode.KEY_REFUSED),
        (BEFORE, 1008, CREDENTIALS, Trigger.LINK_DENIED, ErrorCode.KEY_REFUSED),
        (BEFORE, 1008, CALLERS, Trigger.LINK_DENIED, ErrorCode.KEY_REFUSED),
        (BEFORE, 1011, "API key not valid", Trigger.LINK_FAILED, ErrorCode.UPSTREAM_UNAVAILABLE),
        (BEFORE, 1011, QUOTA, Trigger.LINK_DENIED, ErrorCode.QUOTA),
        (RESUMING, 1007, "API key not valid.", Trigger.LINK_DENIED, ErrorCode.KEY_REFUSED),
        (RESUMING, 1008, CREDENTIALS, Trigger.LINK_DENIED, ErrorCode.KEY_REFUSED),
        (RESUMING, 1008, CALLERS, Trigger.LINK_DENIED, ErrorCode.KEY_REFUSED),
        (RESUMING, 1008, QUOTA, Trigger.LINK_DENIED, ErrorCode.QUOTA),
        (BEFORE, 1008, NOT_FOUND, Trigger.LINK_REFUSED, ErrorCode.MODEL_UNKNOWN),
        (RESUMING, 1008, NOT_FOUND, Trigger.LINK_REFUSED, ErrorCode.MODEL_UNKNOWN),
        (
            BEFORE,
            1007,
            "Request contains an invalid argument.",
            Trigger.LINK_REFUSED,
            ErrorCode.SETUP_REFUSED,
        ),
        (
            BEFORE,
            1008,
            "Requested entity was not found",
            Trigger.LINK_REFUSED,
            ErrorCode.SETUP_REFUSED,
        ),
        (BEFORE, 1008, "", Trigger.LINK_REFUSED, ErrorCode.SETUP_REFUSED),
        (BEFORE, 1008, FORGOTTEN, Trigger.LINK_REFUSED, ErrorCode.SETUP_REFUSED),
        (RESUMING, 1008, FORGOTTEN, Trigger.HANDLE_REFUSED, ErrorCode.UPSTREAM_LOST),
        (RESUMING, 1007, FORGOTTEN, Trigger.LINK_REFUSED, ErrorCode.SETUP_REFUSED),
        (
            BEFORE,
            1011,
            "Internal error encountered.",
            Trigger.LINK_FAILED,
            ErrorCode.UPSTREAM_UNAVAILABLE,
        ),
        (RESUMING, 1006, "", Trigger.LINK_FAILED, ErrorCode.UPSTREAM_UNAVAILABLE),
        (BEFORE, 1000, "", Trigger.LINK_FAILED, ErrorCode.UPSTREAM_UNAVAILABLE),
        (AFTER, 1000, "The operation was cancelled.", Trigger.LINK_LOST, ErrorCode.UPSTREAM_LOST),
        (
            AFTER,
            1007,
            "Request contains an invalid argument.",
            Trigger.LINK_LOST,
            ErrorCode.UPSTREAM_LOST,
        ),
        (AFTER, 1008, FORGOTTEN, Trigger.LINK_LOST, ErrorCode.UPSTREAM_LOST),
        (AFTER, 1008, NOT_FOUND, Trigger.LINK_LOST, ErrorCode.UPSTREAM_LOST),
        (AFTER, 1011, QUOTA, Trigger.LINK_DENIED, ErrorCode.QUOTA),
        (AFTER, 1008, CREDENTIALS, Trigger.LINK_DENIED, ErrorCode.KEY_REFUSED),
        (AFTER, 1008, CALLERS, Trigger.LINK_DENIED, ErrorCode.KEY_REFUSED),
        (AFTER, 1007, "API key not valid.", Trigger.LINK_DENIED, ErrorCode.KEY_REFUSED),
        (AFTER, 1006, "", Trigger.LINK_LOST, ErrorCode.UPSTREAM_LOST),
    ],
)
def test_judge(
    when: tuple[bool, bool], code: int, reason: str, trigger: Trigger, error: ErrorCode
) -> None:
    """A close is judged by its code, its reason, and when it came."""
    verdict = judge(code, reason, is_set_up=when[0], is_resuming=when[1])
    assert (verdict.trigger, verdict.code) == (trigger, error)


def test_sentence() -> None:
    """The client reads what happened, Gemini's own words, and what to do."""
    verdict = judge(1008, NOT_FOUND, is_set_up=False, is_resuming=False)
    sentence = verdict.sentence(1008, "x" * 200 + "\n")
    assert sentence.startswith("Gemini does not know this model (1008, 'xxx")
    assert sentence.endswith(
        "...); send a config with another model, or with none for the default"
    )
    assert "(1006); " in verdict.sentence(1006, "")
