"""Google's SDK as the oracle of what we send after the setup."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any, Final, assert_never

import pytest
from google.genai import types
from hypothesis import given, settings
from hypothesis import strategies as st

from livegate.protocol import Limits, audio, config, frames
from livegate.protocol.config import Config, Plan
from livegate.protocol.intake import Intake
from livegate.protocol.profiles import PROFILES, TextPath
from livegate.protocol.uplink import Uplink
from sayings import (
    Ends,
    Picture,
    Results,
    Sound,
    Spell,
    Utterance,
    Words,
    as_frames,
    encoded,
    utterances,
)
from sdk import MemoryLink, Sdk
from wishes import Json, Pen, camel_keys, pens

pytestmark = pytest.mark.long

SAMPLES: Final = Path(__file__).parent.parent / "data" / "wire-samples"
LIMITS: Final = Limits(upstream_chunk_chars=64)
MODELS: Final = (*PROFILES, "gemini-9-live")


# The same, said to both


def our_messages(said: Utterance, pen: Pen, uplink: Uplink, plan: Plan) -> list[Json]:
    """Return what goes to Gemini for this."""
    sent: list[Json] = []
    for payload in as_frames(said, pen):
        frame = frames.decode(payload, LIMITS)
        assert not isinstance(
            frame, frames.ConfigFrame | frames.Interrupt | frames.Ping | frames.Resume
        )
        if isinstance(frame, frames.Audio):
            sound = Intake().take(frame, 0.0)
            assert sound is not None
            sent += joined([json.loads(one) for one in uplink.encode(sound, plan)])
        else:
            sent += [json.loads(one) for one in uplink.encode(frame, plan)]
    return sent


async def say(session: Any, said: Utterance, plan: Plan) -> None:
    """Say this by the SDK's methods, as its documentation has it for the model."""
    match said:
        case Words(text=words) if plan.profile.text_path is TextPath.REALTIME_TEXT:
            await session.send_realtime_input(text=words)
        case Words(text=words):
            content = types.Content(role="user", parts=[types.Part(text=words)])
            await session.send_client_content(turns=content, turn_complete=True)
        case Sound(pcm=pcm, rate=rate):
            blob = types.Blob(data=pcm, mime_type=f"audio/pcm;rate={rate}")
            await session.send_realtime_input(audio=blob)
        case Picture(data=data, mime_type=mime_type):
            blob = types.Blob(data=data, mime_type=mime_type)
            await session.send_realtime_input(video=blob)
        case Ends():
            await session.send_realtime_input(audio_stream_end=True)
        case Spell(pieces=pieces):
            await session.send_realtime_input(activity_start=types.ActivityStart())
            for piece in pieces:
                await say(session, piece, plan)
            await session.send_realtime_input(activity_end=types.ActivityEnd())
        case Results(responses=results):
            given_ = [types.FunctionResponse.model_validate(one) for one in results]
            await session.send_tool_response(
                function_responses=given_ if len(given_) > 1 else given_[0]
            )
        case _:
            assert_never(said)


def sdk_messages(sdk: Sdk, said: list[Utterance], plan: Plan) -> list[list[Json]]:
    """Return what the SDK sends for each of these."""

    async def converse() -> list[list[Json]]:
        link = MemoryLink()
        found: list[list[Json]] = []
        async with sdk.session(link, plan.model) as session:
            for one in said:
                link.sent.clear()
                await say(session, one, plan)
                found.append([*link.sent])
        return found

    return sdk.run(converse())


# What may differ, and why

SILENCE: Final = {"data": audio.silence(1.0), "mimeType": "audio/pcm;rate=16000"}
DIFFERENCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "spelling": "protobuf JSON takes snake case too; the SDK mixes, we send the documented one",
        "alphabet": "the SDK sends URL-safe base64; we pass on what clients send, the common one",
        "pieces": "a long recording is cut, so that no message is too large; joined it is the same",
        "silence": "some models end a turn at silence only: there it stands for audioStreamEnd",
        "nothing": "who takes turns by hand has no stream to end, and Gemini would refuse to",
    }
)


def joined(messages: list[Json]) -> list[Json]:
    """Return the pieces of one recording as one message: `pieces`."""
    blobs = [message["realtimeInput"]["audio"] for message in messages]
    assert all(len(blob["data"]) <= LIMITS.upstream_chunk_chars for blob in blobs)
    [mime_type] = {blob["mimeType"] for blob in blobs}
    data = "".join(blob["data"] for blob in blobs)
    return [{"realtimeInput": {"audio": {"data": data, "mimeType": mime_type}}}]


def plain(message: Json) -> Json:
    """Return a message of the SDK's as we write it: `spelling` and `alphabet`."""
    found: Json = camel_keys(message)
    media = {"audio", "video"} & {*found.get("realtimeInput", ())}
    for blob in (found["realtimeInput"][key] for key in media):
        blob["data"] = encoded(base64.urlsafe_b64decode(blob["data"]))
    return found


def expected(sent: list[Json], said: Utterance, plan: Plan) -> list[Json]:
    """Return what ours should be where the SDK sent this: `silence` and `nothing`."""
    if not isinstance(said, Ends):
        return [plain(message) for message in sent]
    assert sent == [{"realtime_input": {"audioStreamEnd": True}}]
    if not plan.detects_activity:
        return []
    if not plan.profile.hears_stream_end:
        return [{"realtimeInput": {"audio": SILENCE}}]
    return [plain(message) for message in sent]


def plan_for(model: str, *, by_hand: bool) -> Plan:
    """Return the plan of a session."""
    return config.resolve(Config({"model": model, "vad": {"disabled": by_hand}}))


PLANS: Final = [plan_for(model, by_hand=by_hand) for model in MODELS for by_hand in (False, True)]


@pytest.mark.timeout(300)  # busy machines take their time for so many
@given(st.sampled_from(PLANS), st.lists(utterances, min_size=1, max_size=3), pens)
@settings(max_examples=2_000, deadline=None)
def test_messages(sdk: Sdk, plan: Plan, said: list[Utterance], pen: Random) -> None:
    """However a client says something, Gemini is told what the SDK would tell it."""
    said = [one for one in said if not (plan.detects_activity and isinstance(one, Spell))]
    uplink = Uplink(LIMITS)
    ours = [our_messages(one, Pen(pen), uplink, plan) for one in said]
    theirs = sdk_messages(sdk, said, plan)
    assert ours == [expected(sent, one, plan) for sent, one in zip(theirs, said, strict=True)]


# What the SDK was recorded to send

PLAN: Final = plan_for("gemini-2.5-flash-native-audio-preview-12-2025", by_hand=False)
BY_HAND: Final = plan_for(PLAN.model, by_hand=True)
BYTES: Final = bytes(range(32)) * 2
SUNNY: Final[Json] = {
    "id": "function-call-1",
    "name": "get_weather",
    "response": {"output": "sunny"},
    "scheduling": "INTERRUPT",
    "will_continue": True,
}
FAILED: Final[Json] = {"id": "function-call-2", "name": "f", "response": {"error": "no"}}
JPEG: Final = b"\xff\xd8\xff\xd9"


def recorded(name: str) -> Json:
    """Return a recorded message."""
    [frame] = json.loads((SAMPLES / f"{name}.json").read_text())["frames"]
    return dict(frame["json"])


@pytest.mark.parametrize(
    ("name", "said", "plan"),
    [
        ("client-content-content", Words("Hello, how are you?"), PLAN),
        ("realtime-audio", Sound(BYTES, 16_000), PLAN),
        ("realtime-audio-base64-altchars", Sound(b"\xfb\xff\xfe\xff", 16_000), PLAN),
        ("realtime-audio-stream-end", Ends(), PLAN),
        (
            "realtime-text",
            Words("Hello"),
            plan_for("gemini-3.1-flash-live-preview", by_hand=False),
        ),
        ("realtime-video", Picture(JPEG, "image/jpeg"), PLAN),
        ("tool-response-scheduling", Results((SUNNY, FAILED)), PLAN),
    ],
)
def test_sample(sdk: Sdk, name: str, said: Utterance, plan: Plan) -> None:
    """The SDK says it as it was recorded, and so does a client of ours."""
    [[sent]] = sdk_messages(sdk, [said], plan)
    assert sent == recorded(name)
    assert our_messages(said, Pen(None), Uplink(LIMITS), plan) == [plain(recorded(name))]


def test_samples_of_activity(sdk: Sdk) -> None:
    """An activity begins and ends as it was recorded."""
    spell = Spell(())
    [sent] = sdk_messages(sdk, [spell], BY_HAND)
    assert sent == [recorded("realtime-activity-start"), recorded("realtime-activity-end")]
    ours = our_messages(spell, Pen(None), Uplink(LIMITS), BY_HAND)
    assert ours == [plain(message) for message in sent]


FILE: Final = "https://generativelanguage.googleapis.com/v1beta/files/abc"
WEATHER: Final[Json] = {
    "name": "get_weather",
    "description": "Weather for a city",
    "parameters": {
        "type": "OBJECT",
        "properties": {"city": {"type": "STRING", "description": "City name"}},
        "required": ["city"],
    },
}


def turn(role: str, *parts: Json) -> Json:
    """Return a turn for the SDK."""
    return {"role": role, "parts": [*parts]}


@pytest.mark.parametrize(
    ("name", "method", "arguments"),
    [
        (
            "client-content-filedata",
            "send_client_content",
            {"turns": turn("user", {"file_data": {"file_uri": FILE, "mime_type": "image/png"}})},
        ),
        (
            "client-content-history",
            "send_client_content",
            {
                "turns": [
                    turn("user", {"text": "Capital of France?"}),
                    turn("model", {"text": "Paris."}),
                ],
                "turn_complete": False,
            },
        ),
        (
            "client-content-image",
            "send_client_content",
            {
                "turns": turn(
                    "user",
                    {"inline_data": {"data": b"\xff\xd8\xff\xfb", "mime_type": "image/jpeg"}},
                    {"text": "What is this?"},
                )
            },
        ),
        ("client-content-only-turn-complete", "send_client_content", {}),
        (
            "context-update-instruction",
            "send_context_update",
            {"system_instruction": "You are terse."},
        ),
        (
            "context-update-tools",
            "send_context_update",
            {"tools": [{"function_declarations": [WEATHER]}]},
        ),
        ("context-update-tools-clear", "send_context_update", {"tools": []}),
        (
            "realtime-media",
            "send_realtime_input",
            {"media": {"data": BYTES, "mime_type": "audio/pcm;rate=16000"}},
        ),
        ("deprecated-send-audio", "send", {"input": {"data": BYTES, "mime_type": "audio/pcm"}}),
        ("deprecated-send-empty", "send", {}),
        ("deprecated-send-text", "send", {"input": "Hello", "end_of_turn": True}),
        ("deprecated-send-text-no-eot", "send", {"input": "Hello"}),
    ],
)
@pytest.mark.filterwarnings("ignore:The `session.send` method is deprecated:DeprecationWarning")
def test_sdk_sends_sample(sdk: Sdk, name: str, method: str, arguments: Json) -> None:
    """What no client of ours can say, the SDK says as it was recorded, for the emulator to hear."""

    async def converse() -> list[Json]:
        link = MemoryLink()
        async with sdk.session(link) as session:
            link.sent.clear()
            await getattr(session, method)(**arguments)
        return link.sent

    assert sdk.run(converse()) == [recorded(name)]
