"""A client's content as Gemini's messages, model by model, and forgotten cases."""

import json
from collections.abc import Callable
from typing import Final, cast

import pytest

from livegate.protocol import Limits, Session, SessionOptions, config, frames, inputs, uplink
from livegate.protocol.config import Config
from livegate.protocol.gemini import Message
from livegate.protocol.timers import TimerTable
from livegate.protocol.turns import Turns

PLAN: Final = config.resolve(Config())


@pytest.mark.parametrize(
    ("model", "text_by", "ends_by"),
    [
        ("gemini-3.8-live", "clientContent", "audio"),
        ("gemini-3.8-live-extended-thinking", "clientContent", "audio"),
        ("gemini-3.1-flash-live-preview", "realtimeInput", "audioStreamEnd"),
        ("gemini-2.5-flash-native-audio-preview-12-2025", "clientContent", "audioStreamEnd"),
        ("gemini-2.5-flash-native-audio-latest", "clientContent", "audioStreamEnd"),
        ("gemini-live-2.5-flash", "clientContent", "audioStreamEnd"),
        ("gemini-9-live", "clientContent", "audioStreamEnd"),
    ],
)
def test_model(model: str, text_by: str, ends_by: str) -> None:
    """Each model gets text, and the end of speech, in the form that it hears."""
    plan = config.resolve(Config({"model": model}))
    [text] = uplink.Uplink(Limits()).encode(frames.Text("hi"), plan)
    assert list(json.loads(text)) == [text_by]
    [end] = uplink.Uplink(Limits()).encode(frames.AudioEnd(), plan)
    assert list(json.loads(end)["realtimeInput"]) == [ends_by]


@pytest.mark.parametrize(
    ("model", "modalities", "expected"),
    [
        ("gemini-3.8-live", ["TEXT"], ["AUDIO"]),
        ("gemini-3.8-live-extended-thinking", ["TEXT"], ["AUDIO"]),
        ("gemini-3.1-flash-live-preview", ["TEXT"], ["AUDIO"]),
        ("gemini-2.5-flash-native-audio-preview-12-2025", ["TEXT"], ["AUDIO"]),
        ("gemini-2.5-flash-native-audio-latest", ["TEXT"], ["AUDIO"]),
        ("gemini-live-2.5-flash", ["TEXT"], ["TEXT"]),
        ("gemini-live-2.5-flash", ["AUDIO"], ["AUDIO"]),
    ],
)
def test_modalities(model: str, modalities: list[str], expected: list[str]) -> None:
    """No model is asked for a modality that it would close the link for."""
    plan = config.resolve(Config({"model": model, "response_modalities": modalities}))
    setup = json.loads(json.dumps(plan.setup))
    assert setup["generationConfig"]["responseModalities"] == expected


@pytest.mark.parametrize(
    ("model", "thinking", "is_taken"),
    [
        ("gemini-3.8-live", {"includeThoughts": True}, False),
        ("gemini-9-live", {"includeThoughts": True}, False),
        ("gemini-3.8-live-extended-thinking", {"thinkingLevel": "MEDIUM"}, True),
        ("gemini-3.1-flash-live-preview", {"thinkingLevel": "MINIMAL"}, True),
        ("gemini-3.1-flash-live-preview", {"includeThoughts": True}, True),
        ("gemini-2.5-flash-native-audio-preview-12-2025", {"thinkingBudget": 0}, True),
        ("gemini-2.5-flash-native-audio-latest", {"thinkingBudget": 0}, True),
        ("gemini-live-2.5-flash", {"thinkingBudget": 0}, True),
    ],
)
def test_thinking(model: str, thinking: dict[str, object], *, is_taken: bool) -> None:
    """A model gets the thinking settings that it takes, and no others."""
    plan = config.resolve(Config({"model": model, "thinking": thinking}))
    assert ("thinking" not in plan.refused) == is_taken


@pytest.mark.parametrize(
    "forgotten",
    [
        lambda: started().handle(cast("inputs.Input", None), 0.0),
        lambda: Turns(Limits(), TimerTable()).hear(cast("Message", None), PLAN),
        lambda: uplink.Uplink(Limits()).encode(cast("frames.Content", None), PLAN),
    ],
)
def test_forgotten_case(forgotten: Callable[[], object]) -> None:
    """A kind of value that nobody handles fails loudly instead of vanishing."""
    with pytest.raises(AssertionError, match="unreachable"):
        forgotten()


def started() -> Session:
    """Return a session that has begun."""
    session = Session(SessionOptions(), seed=0)
    session.start(0.0)
    return session
