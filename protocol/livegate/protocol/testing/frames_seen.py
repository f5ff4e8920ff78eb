"""What each frame to a client must look like, whatever the conversation."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from livegate.protocol import _json
from livegate.protocol.errors import CLOSES, FATAL, RETRYABLE, ErrorCode

_NUMBER: Final = (int, float)
_ANY: Final = (dict, list, str, int, float, bool, type(None))
SHAPES: Final[Mapping[str, Mapping[str, type | tuple[type, ...]]]] = MappingProxyType(
    {
        "system": {"data": str},
        "config_success": {"message": str, "applied": dict, "clamped": dict, "refused": dict},
        "response": {"text": str},
        "audio": {"data": str, "format": str, "sampleRate": int},
        "error": {"data": str, "code": str, "retryable": bool},
        "turn_complete": {"turn": int, "reason": str},
        "interrupted": {"turn": int},
        "generation_complete": {"turn": int},
        "input_transcript": {"text": str, "final": bool},
        "tool_call": {"id": str, "name": str, "tool_name": str},
        "tool_call_cancelled": {"ids": list},
        "context_lost": {"reason": str},
        "pong": {"data": _ANY},
        "thought": {"data": str},
        "code": {"data": dict},
        "code_result": {"data": dict},
        "grounding": {"data": dict},
        "usage": {"data": dict},
        "voice_activity": {"data": dict},
    }
)
"""Frame type -> the keys it must have; more are allowed."""


def check_frame(frame: object) -> tuple[str, Mapping[str, object]]:
    """Return a frame's type and the frame.

    Raises:
        AssertionError: No client could make sense of it.
    """
    assert _json.is_object(frame), f"a frame that is no JSON object: {frame!r:.200}"
    type_ = frame.get("type")
    assert isinstance(type_, str), f"a frame without a type: {frame!r:.200}"
    assert type_ in SHAPES, f"a frame of unknown type {type_!r}"
    for key, kind in SHAPES[type_].items():
        assert key in frame, f"a {type_} frame without {key}"
        is_flag = isinstance(frame[key], bool) and kind is int
        assert isinstance(frame[key], kind), f"{type_}.{key} is {frame[key]!r:.200}"
        assert not is_flag, f"{type_}.{key} is {frame[key]!r}"
    if type_ == "error":
        _check_error(frame)
    return type_, frame


def _check_error(frame: Mapping[str, object]) -> None:
    code = ErrorCode(str(frame["code"]))
    assert frame["retryable"] == (code in RETRYABLE), f"{code} is said to be retryable wrongly"
    assert (frame.get("fatal") is True) == (code in FATAL), f"{code}: fatal is wrong"
    assert frame["data"], f"an error {code} without a sentence"


def check_close(code: int) -> None:
    """Raise unless a client may be closed with this code.

    Raises:
        AssertionError: The table of close codes has no such row.
    """
    assert code in CLOSES, f"closed with {code}, which no table knows"
