"""An answer, piece by piece, where a transcript would be long-winded."""

import json
from typing import Final

from livegate.protocol import Limits, config, gemini
from livegate.protocol.config import Config
from livegate.protocol.turns import Turns

PLAN: Final = config.resolve(Config())


def test_text_is_kept_up_to_its_limit() -> None:
    """Text of a speaking model waits for its transcription while it fits, and no longer."""
    turns = Turns(Limits(free_json_bytes=4))
    assert turns.hear(gemini.ModelText("four"), PLAN) == []
    [shown] = turns.hear(gemini.ModelText("!"), PLAN)
    assert json.loads(shown.payload) == {"type": "response", "text": "four!"}
