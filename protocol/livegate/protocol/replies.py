"""What the gateway says to clients: every server frame, and who gets it.

A client that asked for nothing gets the original's five types, and the few without which it
could not tell that an answer has ended, must stop, or waits for it. `config.data.events` asks
for more.
"""

from collections.abc import Mapping
from typing import Final

import attrs

from livegate.protocol import _json
from livegate.protocol.config import Plan
from livegate.protocol.errors import FATAL, RETRYABLE, ErrorCode

CONNECTED: Final = "Connected to Gemini Live"
RECONNECTED: Final = "Reconnected to Gemini Live"
LOST: Final = "LOST"
"""The reason of a turn that ended with its link."""

_ORIGINAL: Final = frozenset({"system", "config_success", "response", "audio", "error"})
_ENDINGS: Final = frozenset({"turn_complete", "interrupted"})
_ANSWERS: Final = frozenset({"tool_call", "tool_call_cancelled", "pong"})
"""Sent because the client configured tools, or asked."""


@attrs.frozen
class Reply:
    """One frame for the client."""

    type: str
    payload: bytes
    turn: int = 0
    """The turn whose sound this is; 0 for all else."""


def is_wanted(reply: Reply, plan: Plan) -> bool:
    """Whether a client with this config gets this frame."""
    return (
        reply.type in _ORIGINAL
        or reply.type in _ANSWERS
        or (reply.type in _ENDINGS and plan.says_endings)
        or reply.type in plan.events
        or "all" in plan.events
    )


def _reply(type_: str, **fields: object) -> Reply:
    return Reply(type_, _json.encode({"type": type_, **fields}))


def system(text: str) -> Reply:
    """Return a notice in words."""
    return _reply("system", data=text)


def config_success(report: Mapping[str, object]) -> Reply:
    """Return the answer to a config that is in force."""
    return _reply("config_success", message="Configuration acknowledged", **report)


def response(text: str) -> Reply:
    """Return a piece of the answer to read."""
    return _reply("response", text=text)


def sound(data: str, rate: int, turn: int) -> Reply:
    """Return a piece of the answer to hear: base64 as Gemini sent it, `rate` in Hz."""
    payload = _json.encode({"type": "audio", "data": data, "format": "pcm16", "sampleRate": rate})
    return Reply("audio", payload, turn)


def error(code: ErrorCode, message: str) -> Reply:
    """Return an error, with what the client may do about it."""
    fatal = {"fatal": True} if code in FATAL else {}
    return _reply("error", data=message, code=code.value, retryable=code in RETRYABLE, **fatal)


def turn_complete(turn: int, reason: str | None, usage: object) -> Reply:
    """Return the end of an answer; `usage` is Gemini's usageMetadata, if it came along."""
    told = {"usage": usage} if usage is not None else {}
    return _reply("turn_complete", turn=turn, reason=reason or "COMPLETE", **told)


def interrupted(turn: int) -> Reply:
    """Return the order to stop playing this turn and to throw away what is queued."""
    return _reply("interrupted", turn=turn)


def generation_complete(turn: int) -> Reply:
    """Return that all of an answer has been sent, though it may still be playing."""
    return _reply("generation_complete", turn=turn)


def input_transcript(text: str, *, is_final: bool) -> Reply:
    """Return a piece of what Gemini heard."""
    return _reply("input_transcript", text=text, final=is_final)


def tool_call(id_: str, name: str, args: object) -> Reply:
    """Return a function to run; `tool_name` is the original server's name for `name`."""
    return _reply("tool_call", id=id_, name=name, tool_name=name, args=args)


def tool_call_cancelled(ids: list[str]) -> Reply:
    """Return calls to forget."""
    return _reply("tool_call_cancelled", ids=ids)


def context_lost(reason: str) -> Reply:
    """Return that Gemini had to start anew."""
    return _reply("context_lost", reason=reason)


def pong(data: object) -> Reply:
    """Return the answer to a `ping`."""
    return _reply("pong", data=data)


def reported(type_: str, data: object) -> Reply:
    """Return what Gemini reports besides the answer: `thought`, `usage`, `grounding`, ..."""
    return _reply(type_, data=data)
