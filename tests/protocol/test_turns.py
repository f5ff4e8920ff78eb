"""An answer, piece by piece, where a transcript would be long-winded."""

import json
from typing import Final

import pytest

from livegate.protocol import Limits, RemoteProtocolError, config, frames, gemini
from livegate.protocol.config import Config
from livegate.protocol.turns import Turns

PLAN: Final = config.resolve(Config())


def test_text_is_kept_up_to_its_limit() -> None:
    """Text of a speaking model waits for its transcription while it fits, and no longer."""
    turns = Turns(Limits(free_json_bytes=4))
    assert turns.hear(gemini.ModelText("four"), PLAN) == []
    [shown] = turns.hear(gemini.ModelText("!"), PLAN)
    assert json.loads(shown.payload) == {"type": "response", "text": "four!"}


def test_oldest_call_is_forgotten() -> None:
    """Calls wait for their results up to a limit; then the oldest waits no longer."""
    turns = Turns(Limits(pending_calls=2))
    for id_ in ("c1", "c2", "c3"):
        turns.hear(gemini.ToolCall(id_, "f", {}), PLAN)
    with pytest.raises(RemoteProtocolError, match="no tool_call with id 'c1' waits for this"):
        turns.settle(frames.ToolResponse((frames.FunctionResponse("c1", None, {}),)))
    [cancelled, _] = turns.link_ended()
    assert json.loads(cancelled.payload)["ids"] == ["c2", "c3"]
