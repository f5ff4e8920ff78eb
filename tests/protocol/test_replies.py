"""The server's frames, key by key."""

import json
from collections.abc import Collection
from typing import Final

import pytest

from livegate.protocol import SessionOptions, config, replies
from livegate.protocol.config import Config
from livegate.protocol.errors import ErrorCode
from livegate.protocol.replies import Reply
from livegate.protocol.terms import Terms


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
            replies.sound("UklG", 16000, 3, "wav"),
            {"type": "audio", "data": "UklG", "format": "wav", "sampleRate": 16000},
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
        (
            replies.session("lgr1_abc", 7200.4),
            {"type": "session", "token": "lgr1_abc", "resumable": True, "expires_s": 7200},
        ),
        (
            replies.resumed(7, recovered=False),
            {"type": "resumed", "recovered": False, "seq": 7},
        ),
        (
            replies.going_away(120.0, 0.0501),
            {"type": "going_away", "resume_within_s": 120, "retry_after_ms": 51},
        ),
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
    assert reply.is_text


def test_binary_sound() -> None:
    """Sound in bytes is a frame of its own kind: nothing stands before it."""
    assert replies.binary_sound(b"\1\0", 3) == Reply("audio", b"\1\0", 3, is_text=False)


def test_numbered() -> None:
    """A number stands before all else, and a turn where the frame is a piece of one."""
    assert replies.numbered(replies.pong(1), 7).payload == b'{"seq":7,"type":"pong","data":1}'
    spoken = replies.numbered(replies.response("a", 3), 2**40)
    assert spoken.payload == b'{"seq":%d,"turn":3,"type":"response","text":"a"}' % 2**40
    assert (spoken.type, spoken.turn, spoken.is_text) == ("response", 3, True)
    told = replies.numbered(replies.interrupted(3), 8)
    assert told.payload == b'{"seq":8,"type":"interrupted","turn":3}'
    heard = replies.numbered(replies.sound("AAA=", 24000, 3), 9)
    assert heard.payload.startswith(b'{"seq":9,"turn":3,"type":"audio","data":"AAA="')
    assert heard.is_sound


def test_numbered_bytes() -> None:
    """Of sound in bytes the first eight are its number and its turn, big-endian."""
    found = replies.numbered(replies.binary_sound(b"\1\0", 3), 258)
    assert found == Reply("audio", b"\0\0\1\2\0\0\0\3\1\0", 3, is_text=False)
    again = replies.numbered(replies.binary_sound(b"", 3), 2**32 + 5)
    assert again.payload == b"\0\0\0\5\0\0\0\3"


_ALL: Final = frozenset(replies.TYPES)
_ORIGINAL: Final = frozenset({"system", "config_success", "response", "audio", "error"})
_WHATEVER: Final = _ORIGINAL | {"tool_call", "tool_call_cancelled", "pong"}
_ENDINGS: Final = frozenset({"turn_complete", "interrupted"})
_V1: Final = frozenset({"session", "resumed", "going_away"})


@pytest.mark.parametrize(
    ("events", "plain", "v1"),
    [
        (None, _WHATEVER | _ENDINGS, _WHATEVER | _ENDINGS | _V1),
        ([], _WHATEVER, _WHATEVER | _V1),
        (["usage"], _WHATEVER | _ENDINGS | {"usage"}, _WHATEVER | _ENDINGS | _V1 | {"usage"}),
        (["session"], _WHATEVER | _ENDINGS, _WHATEVER | _ENDINGS | _V1),
        (["all"], _ALL - _V1, _ALL),
    ],
    ids=["nothing asked", "none", "one", "not for all", "all"],
)
def test_audience(events: list[str] | None, plain: Collection[str], v1: Collection[str]) -> None:
    """Who gets a frame: by what the client asked for, and by its dialect."""
    asked = {"events": events} if events is not None else {}
    plan = config.resolve(Config({"response_modalities": ["AUDIO"], **asked}))
    for is_v1, expected in ((False, plain), (True, v1)):
        wanted = {
            type_
            for type_ in replies.TYPES
            if replies.is_wanted(Reply(type_, b"{}"), plan, is_v1=is_v1)
        }
        assert wanted == {*expected}


def test_v1_gets_all() -> None:
    """A client of `livegate.v1` that asks for nothing gets everything, one that asks that alone."""
    terms = Terms(SessionOptions(config=Config({"temperature": 1})))
    terms.want_all()
    assert terms.plan.events == {"all"}
    assert terms.plan.values["temperature"] == 1
    assert terms.with_(config.parse({"events": ["usage"]})).events == {"usage"}
    operators = Terms(SessionOptions(config=Config({"events": ["usage"]})))
    operators.want_all()
    assert operators.plan.events == {"usage"}


@pytest.mark.parametrize("is_v1", [True, False])
@pytest.mark.parametrize(
    ("modalities", "is_wanted"), [(["TEXT"], False), (["AUDIO"], True), (["TEXT", "AUDIO"], True)]
)
def test_sound_is_wanted(modalities: list[str], *, is_wanted: bool, is_v1: bool) -> None:
    """Sound, in whatever form, is for those who asked for it; text is for all."""
    plan = config.resolve(Config({"response_modalities": modalities, "events": []}))
    for sound in (replies.sound("AAA=", 24000, 1), replies.binary_sound(b"\1\0", 1)):
        assert replies.is_wanted(sound, plan, is_v1=is_v1) == is_wanted
    assert replies.is_wanted(replies.response("a"), plan, is_v1=is_v1)
