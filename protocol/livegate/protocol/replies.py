"""What the gateway says to clients: every server frame, and who gets it.

A client that asked for nothing gets the original's five types, and the few without which it
could not tell that an answer has ended, must stop, or waits for it. `config.data.events` asks
for more.
"""

import enum
import math
import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs

from livegate.protocol import _json
from livegate.protocol.config import Plan
from livegate.protocol.errors import FATAL, RETRYABLE, ErrorCode, Refusal

CONNECTED: Final = "Connected to Gemini Live"
RECONNECTED: Final = "Reconnected to Gemini Live"
LOST: Final = "LOST"
"""The reason of a turn that ended with its link."""
NO_ANSWER: Final = "NO_ANSWER"
"""The reason of a turn in which Gemini never said anything."""


class Audience(enum.Enum):
    """Who gets frames of a type, in words."""

    ALL = "everybody"
    NOT_NONE = "everybody, unless `events` is `[]`"
    ASKED = 'whose `events` name it, or are `"all"`; of `livegate.v1` everybody, by default'
    V1 = "everybody of `livegate.v1`"


@attrs.frozen
class Kind:
    """One row of the table of server frames."""

    meaning: str
    audience: Audience


TYPES: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "system": Kind("a notice in words: connected, or what has changed", Audience.ALL),
        "config_success": Kind("a config is in force, and what became of it", Audience.ALL),
        "response": Kind("a piece of the answer to read", Audience.ALL),
        "audio": Kind("a piece of the answer to hear, or all of it", Audience.ALL),
        "error": Kind("something went wrong, and what helps", Audience.ALL),
        "turn_complete": Kind("the answer has ended", Audience.NOT_NONE),
        "interrupted": Kind("stop playing: the answer is over before its end", Audience.NOT_NONE),
        "generation_complete": Kind("nothing more is to come of this answer", Audience.ASKED),
        "tool_call": Kind("a function to run; it needs a config with `tools`", Audience.ALL),
        "tool_call_cancelled": Kind("calls that need no answer any more", Audience.ALL),
        "pong": Kind("the answer to a `ping`", Audience.ALL),
        "input_transcript": Kind("a piece of what Gemini heard", Audience.ASKED),
        "thought": Kind("a piece of what Gemini thought, as text", Audience.ASKED),
        "code": Kind("code that Gemini runs", Audience.ASKED),
        "code_result": Kind("what that code came to", Audience.ASKED),
        "grounding": Kind("what an answer rests on", Audience.ASKED),
        "usage": Kind("tokens used so far", Audience.ASKED),
        "voice_activity": Kind("when Gemini hears somebody speak", Audience.ASKED),
        "context_lost": Kind("Gemini has forgotten what was said, or some of it", Audience.ASKED),
        "session": Kind(
            "how to come back: a token, new each time Gemini remembers more", Audience.V1
        ),
        "resumed": Kind("the client is back; what it has missed follows", Audience.V1),
        "going_away": Kind(
            "the gateway is about to close: come back, with the token", Audience.V1
        ),
    }
)
"""Every type; a session gives out no other."""


@attrs.frozen
class Reply:
    """One frame for the client."""

    type: str
    payload: bytes
    turn: int = 0
    """The turn that it is a piece of, if it is one of an answer's words or sounds; else 0."""
    is_text: bool = True
    """Whether it is JSON; sound may be bytes."""

    @property
    def is_sound(self) -> bool:
        """Whether it is to be heard."""
        return self.type == "audio"


def is_wanted(reply: Reply, plan: Plan, *, is_v1: bool) -> bool:
    """Whether a client with this config, of this dialect, gets this frame."""
    if reply.is_sound:
        return plan.wants_sound
    audience = TYPES[reply.type].audience
    if audience is Audience.V1:
        return is_v1
    return (
        audience is Audience.ALL
        or (audience is Audience.NOT_NONE and plan.says_endings)
        or reply.type in plan.events
        or "all" in plan.events
    )


def _reply(type_: str, **fields: object) -> Reply:
    return Reply(type_, _json.encode({"type": type_, **fields}))


def numbered(reply: Reply, seq: int) -> Reply:
    """Return a frame as clients of `livegate.v1` get it: with its number, and its turn."""
    if not reply.is_text:
        return attrs.evolve(
            reply, payload=struct.pack(">II", seq % 2**32, reply.turn) + reply.payload
        )
    turn = b'"turn":%d,' % reply.turn if reply.turn else b""
    return attrs.evolve(reply, payload=b'{"seq":%d,%b%b' % (seq, turn, reply.payload[1:]))


def system(text: str) -> Reply:
    """Return a notice in words."""
    return _reply("system", data=text)


def config_success(report: Mapping[str, object]) -> Reply:
    """Return the answer to a config that is in force."""
    return _reply("config_success", message="Configuration acknowledged", **report)


def response(text: str, turn: int = 0) -> Reply:
    """Return a piece of the answer to read."""
    return attrs.evolve(_reply("response", text=text), turn=turn)


def sound(data: str, rate: int, turn: int, form: str = "pcm16") -> Reply:
    """Return some of the answer to hear: base64 of this form, `rate` in Hz."""
    payload = _json.encode({"type": "audio", "data": data, "format": form, "sampleRate": rate})
    return Reply("audio", payload, turn)


def binary_sound(data: bytes, turn: int) -> Reply:
    """Return some of the answer to hear, as bytes and nothing else."""
    return Reply("audio", data, turn, is_text=False)


def error(code: ErrorCode, message: str, retry_after_s: float | None = None) -> Reply:
    """Return an error, with what the client may do about it."""
    more: dict[str, object] = {"fatal": True} if code in FATAL else {}
    if retry_after_s is not None:
        more["retry_after_ms"] = math.ceil(retry_after_s * 1000)
    return _reply("error", data=message, code=code.value, retryable=code in RETRYABLE, **more)


def refused(refusal: Refusal) -> Reply:
    """Return why a client may not begin, or not go on."""
    return error(refusal.code, refusal.message, refusal.retry_after_s)


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


def session(token: str, expires_s: float) -> Reply:
    """Return how to come back."""
    return _reply("session", token=token, resumable=True, expires_s=round(expires_s))


def resumed(seq: int, *, recovered: bool) -> Reply:
    """Return that a client is back: frames go on after this number; maybe not all that there were.

    It has no number of its own.
    """
    return _reply("resumed", recovered=recovered, seq=seq)


def going_away(resume_within_s: float, retry_after_s: float) -> Reply:
    """Return that the gateway will close this WebSocket."""
    ms = math.ceil(retry_after_s * 1000)
    return _reply("going_away", resume_within_s=round(resume_within_s), retry_after_ms=ms)


def pong(data: object) -> Reply:
    """Return the answer to a `ping`."""
    return _reply("pong", data=data)


def reported(type_: str, data: object) -> Reply:
    """Return what Gemini reports besides the answer: `thought`, `usage`, `grounding`, ..."""
    return _reply(type_, data=data)
