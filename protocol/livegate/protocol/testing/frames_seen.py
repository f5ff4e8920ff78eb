"""What each frame to a client must look like, whatever the conversation; what Gemini gets."""

import base64
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from livegate.protocol import _json
from livegate.protocol.errors import CLOSES, FATAL, RETRYABLE, ErrorCode
from livegate.protocol.testing.sounds import check_wav

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
        "session": {"token": str, "resumable": bool, "expires_s": int},
        "resumed": {"recovered": bool, "seq": int},
        "going_away": {"resume_within_s": int, "retry_after_ms": int},
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
    """Return a frame's type and the frame; a binary one is the `data` of sound.

    Raises:
        AssertionError: No client could make sense of it.
    """
    if isinstance(frame, bytes):
        assert frame, "a binary frame with no sound in it"
        return "audio", {"type": "audio", "data": frame}
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
    if type_ == "audio" and frame["format"] == "wav":
        check_wav(base64.b64decode(str(frame["data"])), frame["sampleRate"])
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


def part_of(body: Mapping[str, object], *path: str) -> str:
    """Return the text at the end of a path in a message to Gemini, or none."""
    found: object = body
    for step in path:
        found = found.get(step) if _json.is_object(found) else None
    return found if isinstance(found, str) else ""


def text_of(body: Mapping[str, object]) -> str:
    """Return the text of a user's turn, by either path."""
    turns = body.get("turns")
    if not _json.is_array(turns):
        return part_of(body, "text")
    return "".join(part_of(part, "text") for turn in turns for part in parts_of(turn))


def parts_of(turn: object) -> list[Mapping[str, object]]:
    """Return the parts of a turn, those that are objects."""
    parts = turn.get("parts") if _json.is_object(turn) else None
    return [one for one in (parts if _json.is_array(parts) else []) if _json.is_object(one)]
