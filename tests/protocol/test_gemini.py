"""The Live API's JSON, both ways."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from livegate.protocol import gemini
from livegate.protocol.frames import FunctionResponse
from livegate.protocol.gemini import Message
from livegate.protocol.profiles import TextPath

SAMPLES: Final = Path(__file__).parent.parent / "data" / "wire-samples"
SOUND: Final = '{"inlineData":{"mimeType":"audio/pcm;rate=24000","data":"AAEA"}}'
EVERYTHING: Final = (
    '{"goAway":{"timeLeft":"1s"},"sessionResumptionUpdate":{"newHandle":"h","resumable":true},'
    '"usageMetadata":{},"serverContent":{"turnComplete":true,"interrupted":true,'
    '"generationComplete":true,"outputTranscription":{"text":"b"},'
    f'"modelTurn":{{"parts":[{{"text":"a"}},{SOUND}]}}}}}}'
)


def names(*messages: Message) -> str:
    """Return the types of messages, runs of the same one shortened."""
    found: list[str] = []
    for message in messages:
        if not found or found[-1] != type(message).__name__:
            found.append(type(message).__name__)
    return " ".join(found)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("{}", []),
        ('{"setupComplete":{}}', [gemini.SetupComplete()]),
        (
            '{"setupComplete":{},"serverContent":{"turnComplete":true},"toolCall":{"functionCalls":[{}]}}',
            [
                gemini.SetupComplete(),
                gemini.ToolCall("", "", None),
                gemini.TurnComplete(None, None),
            ],
        ),
        ('{"setupComplete":{"sessionId":"x"},"later":[1]}', [gemini.SetupComplete()]),
        ('{"serverContent":{}}', []),
        ('{"serverContent":{"modelTurn":{}}}', []),
        (
            f'{{"serverContent":{{"modelTurn":{{"parts":[{SOUND}]}}}}}}',
            [gemini.Sound("AAEA", 24000)],
        ),
        (
            '{"serverContent":{"modelTurn":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AA"}}]}}}',
            [],
        ),
        (
            '{"serverContent":{"modelTurn":{"parts":[{"text":"a"},{"text":""}]}}}',
            [gemini.ModelText("a")],
        ),
        (
            '{"serverContent":{"modelTurn":{"parts":[{"text":"a","thought":true}]}}}',
            [gemini.Thought("a")],
        ),
        (
            '{"serverContent":{"modelTurn":{"parts":[{"executableCode":{"c":1}},{"codeExecutionResult":{"o":1}}]}}}',
            [gemini.Code({"c": 1}), gemini.CodeResult({"o": 1})],
        ),
        ('{"serverContent":{"outputTranscription":{"text":"a"}}}', [gemini.OutputTranscript("a")]),
        ('{"serverContent":{"outputTranscription":{"text":""}}}', []),
        (
            '{"serverContent":{"inputTranscription":{"text":"a","finished":true}}}',
            [gemini.InputTranscript("a", is_final=True)],
        ),
        (
            '{"serverContent":{"inputTranscription":{"text":"a"}}}',
            [gemini.InputTranscript("a", is_final=False)],
        ),
        ('{"serverContent":{"inputTranscription":{}}}', []),
        ('{"serverContent":{"groundingMetadata":{"g":1}}}', [gemini.Grounding({"g": 1})]),
        ('{"serverContent":{"interrupted":true}}', [gemini.Interrupted()]),
        (
            '{"serverContent":{"interrupted":false,"turnComplete":false,"generationComplete":null}}',
            [],
        ),
        ('{"serverContent":{"generationComplete":true}}', [gemini.GenerationComplete()]),
        (
            '{"serverContent":{"turnComplete":true,"turnCompleteReason":"R"},"usageMetadata":{"u":1}}',
            [gemini.TurnComplete("R", {"u": 1})],
        ),
        ('{"serverContent":{"turnComplete":true}}', [gemini.TurnComplete(None, None)]),
        ('{"usageMetadata":{"u":1}}', [gemini.Usage({"u": 1})]),
        (
            '{"serverContent":{"interrupted":true},"usageMetadata":{"u":1}}',
            [gemini.Interrupted(), gemini.Usage({"u": 1})],
        ),
        (
            '{"toolCall":{"functionCalls":[{"id":"1","name":"f","args":{"a":1}},{"id":"2","name":"g"}]}}',
            [gemini.ToolCall("1", "f", {"a": 1}), gemini.ToolCall("2", "g", None)],
        ),
        ('{"toolCall":{}}', []),
        ('{"toolCallCancellation":{"ids":["1","2"]}}', [gemini.ToolCallCancelled(("1", "2"))]),
        ('{"toolCallCancellation":{}}', [gemini.ToolCallCancelled(())]),
        ('{"voiceActivity":{"v":1}}', [gemini.VoiceActivity({"v": 1})]),
        (
            '{"sessionResumptionUpdate":{"newHandle":"h","resumable":true}}',
            [gemini.Resumable("h")],
        ),
        ('{"sessionResumptionUpdate":{"newHandle":"h","resumable":false}}', []),
        ('{"sessionResumptionUpdate":{"newHandle":"","resumable":true}}', []),
        ('{"sessionResumptionUpdate":{}}', []),
        ('{"goAway":{"timeLeft":"50s"}}', [gemini.GoAway(50.0)]),
        ('{"goAway":{"timeLeft":"9.500s"}}', [gemini.GoAway(9.5)]),
        ('{"goAway":{"timeLeft":"0s"}}', [gemini.GoAway(0.0)]),
        ('{"goAway":{}}', [gemini.GoAway(60.0)]),
        ('{"goAway":{"timeLeft":"soon"}}', [gemini.GoAway(60.0)]),
        ('{"goAway":{"timeLeft":"infs"}}', [gemini.GoAway(60.0)]),
        ('{"goAway":{"timeLeft":"nans"}}', [gemini.GoAway(60.0)]),
        ('{"goAway":{"timeLeft":"-5s"}}', [gemini.GoAway(60.0)]),
        ('{"goAway":{"timeLeft":"1e999s"}}', [gemini.GoAway(60.0)]),
        (
            EVERYTHING,
            [
                gemini.Sound("AAEA", 24000),
                gemini.ModelText("a"),
                gemini.OutputTranscript("b"),
                gemini.Interrupted(),
                gemini.GenerationComplete(),
                gemini.TurnComplete(None, {}),
                gemini.Resumable("h"),
                gemini.GoAway(1.0),
            ],
        ),
    ],
)
def test_decode(raw: str, expected: list[Message]) -> None:
    """A message says each of its parts, content first and what ends a turn after it."""
    assert gemini.decode(raw.encode()) == expected


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff",
        b"not json",
        b"[]",
        b'{"serverContent":[]}',
        b'{"serverContent":{"turnComplete":"yes"}}',
        b'{"serverContent":{"outputTranscription":{"text":"\xff"}}}',
        b'{"usageMetadata":1e400}',
        b"[" * 100_000,
        *(
            shape % (b'{"a":' * 100 + b"1" + b"}" * 100)
            for shape in (
                b'{"usageMetadata":{"a":%b}}',
                b'{"voiceActivity":{"a":%b}}',
                b'{"serverContent":{"groundingMetadata":{"a":%b}}}',
                b'{"serverContent":{"modelTurn":{"parts":[{"executableCode":{"a":%b}}]}}}',
                b'{"serverContent":{"modelTurn":{"parts":[{"codeExecutionResult":{"a":%b}}]}}}',
                b'{"toolCall":{"functionCalls":[{"args":{"a":%b}}]}}',
            )
        ),
    ],
    ids=lambda raw: raw[:40].decode("latin-1"),
)
def test_decode_refuses(raw: bytes) -> None:
    """What is not the Live API's, or nests too deep to be passed on, is refused."""
    with pytest.raises(ValueError, match=r"."):
        gemini.decode(raw)


def test_decode_depth() -> None:
    """What Gemini reports may nest a hundred levels deep, and the refusal of more says so."""
    shape = b'{"usageMetadata":%b1%b}'
    assert gemini.decode(shape % (b"[" * 100, b"]" * 100))
    with pytest.raises(ValueError, match=r"^it nests deeper than 100 levels$"):
        gemini.decode(shape % (b"[" * 101, b"]" * 101))


def test_decode_says_why() -> None:
    """A refusal says what was expected."""
    with pytest.raises(ValueError, match=r"^Expected `object.*`, got `array`"):
        gemini.decode(b"[]")


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        ("go-away", "GoAway"),
        ("grounding", "Grounding"),
        ("interim-transcription", "InputTranscript"),
        ("parts", "Sound Thought ModelText Code CodeResult"),
        ("resumption", "Resumable"),
        ("setup-complete", "SetupComplete"),
        ("setup-complete-vertex", "SetupComplete"),
        ("tool-cancel", "ToolCall Interrupted ToolCallCancelled TurnComplete"),
        (
            "turn-audio",
            "InputTranscript Sound OutputTranscript Sound OutputTranscript Sound GenerationComplete TurnComplete Resumable",
        ),
        ("turn-audio-bundled-3x", "Sound OutputTranscript GenerationComplete TurnComplete"),
        (
            "turn-extended-thinking",
            "Sound OutputTranscript TurnComplete ToolCall Sound OutputTranscript GenerationComplete TurnComplete",
        ),
        ("turn-interrupted", "Sound OutputTranscript Sound Interrupted TurnComplete"),
        ("turn-reasons", "TurnComplete"),
        ("turn-text", "ModelText GenerationComplete TurnComplete"),
        ("turn-tool-call", "ToolCall Sound OutputTranscript GenerationComplete TurnComplete"),
        ("usage-only", "Usage"),
        ("voice-activity", "VoiceActivity"),
    ],
)
def test_sample(sample: str, expected: str) -> None:
    """A conversation of Gemini's is read message by message."""
    found: list[Message] = []
    for frame in json.loads((SAMPLES / f"server-{sample}.json").read_text())["frames"]:
        found += gemini.decode(json.dumps(frame["json"], indent=2).encode())
    assert names(*found) == expected


ENCODED: Final[list[tuple[Callable[[], bytes], object]]] = [
    (
        lambda: gemini.encode_setup({"model": "m"}, None),
        {"setup": {"model": "m", "sessionResumption": {}}},
    ),
    (
        lambda: gemini.encode_setup({"model": "m"}, "h"),
        {"setup": {"model": "m", "sessionResumption": {"handle": "h"}}},
    ),
    (
        lambda: gemini.encode_text('"é\n', TextPath.CLIENT_CONTENT),
        {
            "clientContent": {
                "turns": [{"role": "user", "parts": [{"text": '"é\n'}]}],
                "turnComplete": True,
            }
        },
    ),
    (
        lambda: gemini.encode_text("a", TextPath.REALTIME_TEXT),
        {"realtimeInput": {"text": "a"}},
    ),
    (
        lambda: gemini.encode_audio("AA==", 8000),
        {"realtimeInput": {"audio": {"data": "AA==", "mimeType": "audio/pcm;rate=8000"}}},
    ),
    (
        lambda: gemini.encode_image("AA==", "image/png"),
        {"realtimeInput": {"video": {"data": "AA==", "mimeType": "image/png"}}},
    ),
    (gemini.encode_stream_end, {"realtimeInput": {"audioStreamEnd": True}}),
    (gemini.encode_activity_start, {"realtimeInput": {"activityStart": {}}}),
    (gemini.encode_activity_end, {"realtimeInput": {"activityEnd": {}}}),
    (
        lambda: gemini.encode_tool_response(
            (
                FunctionResponse("1", "f", {"a": 1}, "SILENT", will_continue=False),
                FunctionResponse("2", None, {}),
            )
        ),
        {
            "toolResponse": {
                "functionResponses": [
                    {
                        "id": "1",
                        "name": "f",
                        "response": {"a": 1},
                        "scheduling": "SILENT",
                        "willContinue": False,
                    },
                    {"id": "2", "response": {}},
                ]
            }
        },
    ),
]


@pytest.mark.parametrize(
    ("encode", "expected"),
    ENCODED,
)
def test_encode(encode: Callable[[], bytes], expected: object) -> None:
    """What goes to Gemini is the documented camelCase."""
    assert json.loads(encode()) == expected


def test_sample_sound_is_whole() -> None:
    """The sound of a sample arrives as base64 of 16-bit samples."""
    for frame in json.loads((SAMPLES / "server-turn-audio.json").read_text())["frames"]:
        for message in gemini.decode(json.dumps(frame["json"]).encode()):
            if isinstance(message, gemini.Sound):
                assert len(base64.b64decode(message.data, validate=True)) % 2 == 0
                assert message.rate == 24000


NONE: Final = {"prompt": 0, "response": 0, "thoughts": 0, "tool_use_prompt": 0}


@pytest.mark.parametrize(
    ("usage", "more"),
    [
        (None, {}),
        (7, {}),
        ([], {}),
        ({}, {}),
        ({"totalTokenCount": 9, "cachedContentTokenCount": 4}, {}),
        ({"promptTokenCount": 147, "responseTokenCount": 36}, {"prompt": 147, "response": 36}),
        ({"candidatesTokenCount": 5}, {"response": 5}),
        (
            {"thoughtsTokenCount": 2, "toolUsePromptTokenCount": 3},
            {"thoughts": 2, "tool_use_prompt": 3},
        ),
        ({"promptTokenCount": 0, "responseTokenCount": 2**31 - 1}, {"response": 2**31 - 1}),
        ({"promptTokenCount": -1, "responseTokenCount": 2**31}, {}),
        ({"promptTokenCount": True, "responseTokenCount": 1.5}, {}),
        ({"promptTokenCount": "7", "responseTokenCount": None}, {}),
        ({"promptTokenCount": [7], "thoughtsTokenCount": 2}, {"thoughts": 2}),
    ],
)
def test_tokens(usage: object, more: dict[str, int]) -> None:
    """Each kind of token is counted once, by whichever name; what is no count is none."""
    assert gemini.tokens(usage) == {**NONE, **more}
