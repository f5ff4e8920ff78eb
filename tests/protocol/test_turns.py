"""An answer, piece by piece, where a transcript would be long-winded."""

import json
from collections.abc import Iterable
from typing import Final

import pytest

from livegate.protocol import Limits, RemoteProtocolError, config, frames, gemini
from livegate.protocol.config import Config
from livegate.protocol.replies import Reply
from livegate.protocol.states import TURNS, Turn, TurnTrigger
from livegate.protocol.timers import TimerTable
from livegate.protocol.turns import Turns

PLAN: Final = config.resolve(Config())
SPEAKING: Final = config.resolve(
    Config({"response_modalities": ["AUDIO"], "audio": {"per": "turn"}})
)
SOUND: Final = gemini.Sound("AAEAAQ==", 24_000)


def told(replies: Iterable[Reply]) -> list[object]:
    """Return what a client reads in frames."""
    return [json.loads(one.payload) for one in replies]


def answer(id_: str) -> frames.ToolResponse:
    """Return the result of a call."""
    return frames.ToolResponse((frames.FunctionResponse(id_, None, {}),))


def test_text_is_kept_up_to_its_limit() -> None:
    """Text of a speaking model waits for its transcription while it fits, and no longer."""
    turns = Turns(Limits(free_json_bytes=4), TimerTable())
    assert turns.hear(gemini.ModelText("four"), PLAN) == []
    [shown] = turns.hear(gemini.ModelText("!"), PLAN)
    assert json.loads(shown.payload) == {"type": "response", "text": "four!"}


def test_oldest_call_is_forgotten() -> None:
    """Calls wait for their results up to a limit; then the oldest waits no longer."""
    turns = Turns(Limits(pending_calls=2), TimerTable())
    for id_ in ("c1", "c2", "c3"):
        turns.hear(gemini.ToolCall(id_, "f", {}), PLAN)
    with pytest.raises(RemoteProtocolError, match="no tool_call with id 'c1' waits for this"):
        turns.settle(answer("c1"))
    [cancelled, *_] = told(turns.link_ended())
    assert cancelled == {"type": "tool_call_cancelled", "ids": ["c2", "c3"]}
    assert not turns.has_calls


def test_late_calls() -> None:
    """A call is given up when it has waited for so long, to the instant, and not before."""
    timers = TimerTable()
    turns = Turns(Limits(), timers)
    for id_, timers.now in [("c1", 0.1), ("c2", 0.1), ("c3", 0.3)]:
        turns.hear(gemini.ToolCall(id_, "look", {}), PLAN)
    assert [turns.called_at] == [0.1]
    assert turns.drop_calls(120.0) == ()
    timers.now = 0.1 + 120.0  # of which no more than 120 s can be taken, as floats have it
    assert 0.1 + 120.0 - 120.0 < 0.1
    failed = {"error": "the function did not return in time"}
    assert turns.drop_calls(120.0) == (
        frames.FunctionResponse("c1", "look", failed),
        frames.FunctionResponse("c2", "look", failed),
    )
    assert [turns.called_at] == [0.3]
    turns.settle(answer("c3"))
    assert [turns.called_at] == [None]


def test_call_goes_on() -> None:
    """A result that is to be continued leaves the call open; a cancelled one waits no more."""
    turns = Turns(Limits(), TimerTable())
    turns.hear(gemini.ToolCall("c1", "look", {}), PLAN)
    more = frames.FunctionResponse("c1", None, {}, will_continue=True)
    turns.settle(frames.ToolResponse((more,)))
    found = [turns.has_calls]
    turns.hear(gemini.ToolCallCancelled(("c1", "c9")), PLAN)
    assert [*found, turns.has_calls] == [True, False]


def test_given_up() -> None:
    """A turn that is given up ends, with the sound that came; the next one is the next."""
    turns = Turns(Limits(), TimerTable())
    turns.step(TurnTrigger.ASK)
    assert turns.hear(SOUND, SPEAKING) == []
    turns.step(TurnTrigger.ASK)
    sound, end = told(turns.give_up())
    assert sound == {"type": "audio", "data": "AAEAAQ==", "format": "pcm16", "sampleRate": 24_000}
    assert end == {"type": "turn_complete", "turn": 1, "reason": "NO_ANSWER"}
    assert (turns.state, turns.number, turns.completed) == (Turn.USER, 2, 1)
    assert told(turns.give_up()) == [{"type": "turn_complete", "turn": 2, "reason": "NO_ANSWER"}]
    assert (turns.state, turns.number) == (Turn.IDLE, 3)


@pytest.mark.parametrize("state", Turn)
def test_table(state: Turn) -> None:
    """Whatever happens in whatever state is in the table; the link's end ends all."""
    assert set(TURNS[state]) == set(TurnTrigger)
    assert TURNS[state][TurnTrigger.LINK_ENDED] is Turn.IDLE
