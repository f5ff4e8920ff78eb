"""What each close of Gemini's means."""

from typing import Final, TypeAlias

import pytest

from closes import BROKEN, CALLERS, CREDENTIALS, DEADLINE, FORGOTTEN, INVALID, KEY, NO_MODEL, QUOTA
from livegate.protocol.errors import ErrorCode
from livegate.protocol.states import TRANSITIONS, Phase, Trigger
from livegate.protocol.verdicts import TABLES, Stage, judge

Meaning: TypeAlias = tuple[Trigger, ErrorCode]

REFUSES_KEY: Final = (Trigger.LINK_DENIED, ErrorCode.KEY_REFUSED)
NO_QUOTA: Final = (Trigger.LINK_DENIED, ErrorCode.QUOTA)
UNKNOWN: Final = (Trigger.LINK_REFUSED, ErrorCode.MODEL_UNKNOWN)
REFUSED: Final = (Trigger.LINK_REFUSED, ErrorCode.SETUP_REFUSED)
FORGETS: Final = (Trigger.HANDLE_REFUSED, ErrorCode.UPSTREAM_LOST)
FAILED: Final = (Trigger.LINK_FAILED, ErrorCode.UPSTREAM_UNAVAILABLE)
LOST: Final = (Trigger.LINK_LOST, ErrorCode.UPSTREAM_LOST)

# What each means in a link's stages: of a new conversation, resuming with another config, resuming
# with a config that Gemini knows, after setupComplete.
CLOSES: Final[dict[tuple[int, str], tuple[Meaning, Meaning, Meaning, Meaning]]] = {
    (1007, KEY): (REFUSES_KEY, REFUSES_KEY, REFUSES_KEY, REFUSES_KEY),
    (1008, KEY.upper()): (REFUSES_KEY, REFUSES_KEY, REFUSES_KEY, REFUSES_KEY),
    (1007, CREDENTIALS): (REFUSES_KEY, REFUSES_KEY, REFUSES_KEY, REFUSES_KEY),
    (1008, CREDENTIALS): (REFUSES_KEY, REFUSES_KEY, REFUSES_KEY, REFUSES_KEY),
    (1007, CALLERS): (REFUSES_KEY, REFUSES_KEY, REFUSES_KEY, REFUSES_KEY),
    (1008, CALLERS): (REFUSES_KEY, REFUSES_KEY, REFUSES_KEY, REFUSES_KEY),
    (1011, KEY): (FAILED, FAILED, FAILED, LOST),
    (1011, CREDENTIALS): (FAILED, FAILED, FAILED, LOST),
    (1006, CALLERS): (FAILED, FAILED, FAILED, LOST),
    (1011, QUOTA): (NO_QUOTA, NO_QUOTA, NO_QUOTA, NO_QUOTA),
    (1008, QUOTA): (NO_QUOTA, NO_QUOTA, NO_QUOTA, NO_QUOTA),
    (1007, QUOTA): (NO_QUOTA, NO_QUOTA, NO_QUOTA, NO_QUOTA),
    (1013, QUOTA): (NO_QUOTA, NO_QUOTA, NO_QUOTA, NO_QUOTA),
    (1008, NO_MODEL): (UNKNOWN, UNKNOWN, UNKNOWN, LOST),
    (1007, NO_MODEL): (REFUSED, REFUSED, FORGETS, LOST),
    (1011, NO_MODEL): (FAILED, FAILED, FAILED, LOST),
    (1008, FORGOTTEN): (REFUSED, FORGETS, FORGETS, LOST),
    (1007, FORGOTTEN): (REFUSED, FORGETS, FORGETS, LOST),
    (1011, FORGOTTEN): (FAILED, FAILED, FAILED, LOST),
    (1007, INVALID): (REFUSED, REFUSED, FORGETS, LOST),
    (1008, "Requested entity was not found"): (REFUSED, REFUSED, FORGETS, LOST),
    (1007, ""): (REFUSED, REFUSED, FORGETS, LOST),
    (1008, ""): (REFUSED, REFUSED, FORGETS, LOST),
    (1000, ""): (FAILED, FAILED, FAILED, LOST),
    (1000, "The operation was cancelled."): (FAILED, FAILED, FAILED, LOST),
    (1001, ""): (FAILED, FAILED, FAILED, LOST),
    (1006, ""): (FAILED, FAILED, FAILED, LOST),
    (1011, BROKEN): (FAILED, FAILED, FAILED, LOST),
    (1011, DEADLINE): (FAILED, FAILED, FAILED, LOST),
    (1011, INVALID): (FAILED, FAILED, FAILED, LOST),
    (1013, ""): (FAILED, FAILED, FAILED, LOST),
    (4999, "something new"): (FAILED, FAILED, FAILED, LOST),
}


@pytest.mark.parametrize("close", CLOSES, ids=lambda close: f"{close[0]} {close[1][:30]}")
@pytest.mark.parametrize("stage", Stage)
def test_judge(close: tuple[int, str], stage: Stage) -> None:
    """A close is judged by its code, its reason, and how far the link had come."""
    verdict = judge(*close, stage)
    assert (verdict.trigger, verdict.code) == CLOSES[close][list(Stage).index(stage)]


@pytest.mark.parametrize("stage", Stage)
def test_every_row(stage: Stage) -> None:
    """Each row of each table decides about some close, and the last one about all others."""
    table = TABLES[stage]
    assert {judge(*close, stage) for close in CLOSES} == {row.verdict for row in table}
    for at, row in enumerate(table):
        for code in row.codes or {1006}:
            first = next(
                one
                for one in table
                if (not one.codes or code in one.codes) and one.reason in row.reason
            )
            assert table.index(first) == at
        assert row.reason == row.reason.lower()
    assert (table[-1].codes, table[-1].reason) == (frozenset(), "")


@pytest.mark.parametrize("stage", Stage)
def test_may_happen(stage: Stage) -> None:
    """Whatever a close means in a stage may happen in each phase of that stage."""
    phases = [Phase.LIVE, Phase.HANDOVER] if stage is Stage.LIVE else [Phase.SETUP]
    for row in TABLES[stage]:
        for phase in phases:
            assert row.verdict.trigger in TRANSITIONS[phase]


def test_sentence() -> None:
    """The client reads what happened, Gemini's own words, and what to do."""
    verdict = judge(1008, NO_MODEL, Stage.NEW)
    sentence = verdict.sentence(1008, "x" * 200 + "\n")
    assert sentence.startswith("Gemini does not know this model (1008, 'xxx")
    assert sentence.endswith(
        "...); send a config with another model, or with none for the default"
    )
    assert "(1006); " in verdict.sentence(1006, "")


@pytest.mark.parametrize(
    ("model", "hint"),
    [
        ("models/gemini-3.8-life", "; it may know gemini-3.8-live"),
        ("gemini-2.5-flash-native-audio", "; it may know gemini-2.5-flash-native-audio-latest"),
        ("whisper", ""),
        ("", ""),
    ],
)
def test_nearest_model(model: str, hint: str) -> None:
    """A model that Gemini does not know may be one that it does, misspelt."""
    sentence = judge(1008, NO_MODEL, Stage.NEW).sentence(1008, "no", model)
    _, _, rest = sentence.partition("with none for the default")
    assert rest.startswith(hint)
    assert bool(rest) == bool(hint)
    assert "may know" not in judge(1006, "", Stage.LIVE).sentence(1006, "", model)
