"""What a session has carried, in numbers."""

from livegate.protocol.flow import Flow
from livegate.protocol.inputs import Side
from livegate.protocol.limits import Limits
from livegate.protocol.tally import Tally


def test_totals() -> None:
    """All that came is counted for the log."""
    tally = Tally(Flow(Limits()))
    assert tally.totals(2.0)["s"] == 2.0
    tally.began_at = 10.0
    tally.came(Side.CLIENT, 5)
    tally.came(Side.CLIENT, 6)
    tally.came(Side.UPSTREAM, 7)
    tally.heard(0.5)
    tally.heard(0.25)
    tally.spoke(0.12345, 11.0)
    tally.spent({"prompt": 7, "response": 5})
    tally.spent({"prompt": 11, "thoughts": 2})
    assert tally.totals(12.34567) == {
        "s": 2.346,
        "client_frames": 2,
        "client_bytes": 11,
        "client_audio_s": 0.75,
        "upstream_frames": 1,
        "upstream_bytes": 7,
        "upstream_audio_s": 0.123,
        "prompt_tokens": 18,
        "response_tokens": 5,
        "thoughts_tokens": 2,
        "tool_use_prompt_tokens": 0,
    }


def test_queued() -> None:
    """What waits for the client is told as it stands; what waits for Gemini is not in it."""
    flow = Flow(Limits())
    tally = Tally(flow)
    flow.add(Side.CLIENT, 100)
    flow.add(Side.UPSTREAM, 7)
    assert tally.queued_bytes == 100
    flow.sent(Side.CLIENT, 30)
    assert tally.queued_bytes == 70


def test_first_sound() -> None:
    """The first sound after a question says how long the client waited; no other does."""
    tally = Tally(Flow(Limits()))
    assert tally.spoke(1.0, 5.0) is None
    tally.asked(6.0)
    tally.asked(7.0)
    assert tally.spoke(1.0, 7.5) == 0.5
    assert tally.spoke(1.0, 8.0) is None
