"""The server's frames, key by key."""

import json

import pytest

from livegate.protocol import replies
from livegate.protocol.errors import ErrorCode
from livegate.protocol.replies import Reply


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (replies.system("a"), {"type": "system", "data": "a"}),
        (
            replies.config_success({"applied": {"top_p": 1}}),
            {
                "type": "config_success",
                "message": "Configuration acknowledged",
                "applied": {"top_p": 1},
            },
        ),
        (replies.response("a"), {"type": "response", "text": "a"}),
        (
            replies.sound("AAA=", 24000, 3),
            {"type": "audio", "data": "AAA=", "format": "pcm16", "sampleRate": 24000},
        ),
        (
            replies.error(ErrorCode.BAD_JSON, "a"),
            {"type": "error", "data": "a", "code": "bad_json", "retryable": False},
        ),
        (
            replies.error(ErrorCode.UPSTREAM_LOST, "a"),
            {"type": "error", "data": "a", "code": "upstream_lost", "retryable": True},
        ),
        (
            replies.error(ErrorCode.QUOTA, "a"),
            {"type": "error", "data": "a", "code": "quota", "retryable": False, "fatal": True},
        ),
        (
            replies.turn_complete(3, None, None),
            {"type": "turn_complete", "turn": 3, "reason": "COMPLETE"},
        ),
        (
            replies.turn_complete(3, "MAX_TOKENS", {"totalTokenCount": 7}),
            {
                "type": "turn_complete",
                "turn": 3,
                "reason": "MAX_TOKENS",
                "usage": {"totalTokenCount": 7},
            },
        ),
        (replies.interrupted(3), {"type": "interrupted", "turn": 3}),
        (replies.generation_complete(3), {"type": "generation_complete", "turn": 3}),
        (
            replies.input_transcript("a", is_final=True),
            {"type": "input_transcript", "text": "a", "final": True},
        ),
        (
            replies.tool_call("c1", "f", {"x": 1}),
            {"type": "tool_call", "id": "c1", "name": "f", "tool_name": "f", "args": {"x": 1}},
        ),
        (replies.tool_call_cancelled(["c1"]), {"type": "tool_call_cancelled", "ids": ["c1"]}),
        (replies.context_lost("a"), {"type": "context_lost", "reason": "a"}),
        (replies.pong([1]), {"type": "pong", "data": [1]}),
        (replies.reported("usage", {"a": 1}), {"type": "usage", "data": {"a": 1}}),
    ],
    ids=lambda value: value.type if isinstance(value, Reply) else "",
)
def test_frame(reply: Reply, expected: dict[str, object]) -> None:
    """A frame holds what the protocol says, and not a key more."""
    assert json.loads(reply.payload) == expected
    assert reply.type == expected["type"]
    assert reply.turn == (3 if reply.type == "audio" else 0)
