"""What peers say: pools for the random walk, and hypothesis strategies made of them."""

import json
from typing import Final

from hypothesis import strategies as st

from livegate.protocol.frames import TYPES
from livegate.protocol.inputs import Fault
from livegate.protocol.testing import strategies as shipped

CONFIGS: Final[tuple[dict[str, object], ...]] = (
    {},
    {"temperature": 0.1},
    {"temperature": 0.2},
    {"temperature": None, "topP": 0.5},
    {"voice": "puck", "response_modalities": ["TEXT", "AUDIO"]},
    {"response_modalities": ["TEXT"]},
    {"model": "gemini-live-2.5-flash"},
    {"model": "gemini-3.1-flash-live-preview"},
    {"model": "gemini-2.0-flash-exp"},
    {"model": None},
    {"events": "all"},
    {"events": []},
    {"audio": {"format": "wav"}, "response_modalities": ["AUDIO"]},
    {"audio": {"encoding": "binary"}},
    {"audio": None},
    {"vad": {"disabled": True}},
    {"vad": None},
    {"generation_config": {"temperature": 0.1, "maxTokens": 7, "nonsense": 1}, "resumable": True},
    {"max_tokens": 7, "generation_config": {"max_output_tokens": 7}},
    {"unknown.temperature": 1},
)
BAD_CONFIGS: Final[tuple[dict[str, object], ...]] = (
    {"temperature": 99},
    {"voice": "Nobody"},
    {"response_modalities": []},
    {"audio": {"per": "minute"}},
    {"generation_config": 7},
    {"temperature": 0.1, "generation_config": {"temperature": 0.2}},
    {f"key{number}": 1 for number in range(101)},
)
_PCM: Final = "AAEAAQABAAE="
FRAMES: Final[tuple[tuple[bytes, bool], ...]] = (
    (b'{"type":"audio","data":"%b"}' % _PCM.encode(), True),
    (b'{"type":"audio","data":{"b64":"%b","sample_rate":48000}}' % _PCM.encode(), True),
    (bytes(640), False),
    (b'{"type":"audio_end"}', True),
    (b'{"type":"activity_start"}', True),
    (b'{"type":"activity_end"}', True),
    (b'{"type":"image","data":"/9j/2Q=="}', True),
    (b'{"type":"interrupt"}', True),
    (b'{"type":"ping","data":[1,{"a":null}]}', True),
    (b'{"type":"tool_response","data":{"id":"c1","response":{"r":1}}}', True),
    (b'{"type":"tool_response","data":[{"id":"c2","name":"f","response":{}}]}', True),
)
JUNK: Final[tuple[tuple[bytes, bool], ...]] = (
    (b'{"type":"audio","data":"GkXfo59ChoEB"}', True),
    (b'{"type":"tool_response","data":{"id":"nobody","response":{}}}', True),
    (b'{"type":"resume"}', True),
    *((one.payload, one.is_text) for one in shipped.NONSENSE),
)


def _content(**fields: object) -> bytes:
    return json.dumps({"serverContent": fields}).encode()


def _parts(*parts: dict[str, object]) -> bytes:
    return _content(modelTurn={"parts": list(parts)})


_SOUND: Final[dict[str, object]] = {
    "inlineData": {"mimeType": "audio/pcm;rate=24000", "data": "AAEA"}
}
GEMINI: Final[tuple[bytes, ...]] = (
    _parts(_SOUND),
    _parts({"text": "PART"}),
    _parts({"text": "THOUGHT", "thought": True}, _SOUND, {"executableCode": {"code": "1"}}),
    _content(outputTranscription={"text": "SAID"}),
    _content(inputTranscription={"text": "heard", "finished": True}),
    _content(modelTurn={"parts": [_SOUND, {"text": "PART"}]}, generationComplete=True),
    _content(interrupted=True),
    _content(interrupted=True, turnComplete=True),
    _content(turnComplete=True),
    _content(turnComplete=True),
    _content(turnComplete=True, outputTranscription={"text": "SAID"}),
    b'{"sessionResumptionUpdate":{"newHandle":"h","resumable":true}}',
    b'{"sessionResumptionUpdate":{"newHandle":"i","resumable":true}}',
    b'{"sessionResumptionUpdate":{}}',
    (
        b'{"serverContent":{"turnComplete":true},"usageMetadata":{"n":1},'
        b'"sessionResumptionUpdate":{"newHandle":"j","resumable":true},"goAway":{"timeLeft":"5s"}}'
    ),
    b'{"goAway":{"timeLeft":"50s"}}',
    b'{"toolCall":{"functionCalls":[{"id":"c1","name":"f","args":{}},{"id":"c2","name":"f"}]}}',
    b'{"toolCallCancellation":{"ids":["c2"]}}',
    b'{"usageMetadata":{"totalTokenCount":5}}',
    b'{"setupComplete":{}}',
)
ENDING: Final[tuple[bytes, ...]] = (
    _content(outputTranscription={"text": "SAID"}),
    _content(turnComplete=True),
    _content(turnComplete=True),
    b'{"sessionResumptionUpdate":{"newHandle":"k","resumable":true}}',
    b'{"goAway":{"timeLeft":"50s"}}',
)
"""How a link ends that Gemini ends in good order."""
ENDLESS: Final[tuple[bytes, ...]] = (
    _parts(_SOUND),
    b'{"goAway":{"timeLeft":"900s"}}',
    b'{"goAway":{"timeLeft":"3s"}}',
)
GEMINI_JUNK: Final[tuple[bytes, ...]] = (
    b"",
    b"\xff",
    b"not json",
    b"[]",
    b'{"serverContent":[]}',
    b'{"goAway":{"timeLeft":"infs"}}',
    b'{"goAway":{"timeLeft":7}}',
    b'{"usageMetadata":' + b'{"a":' * 985 + b"1" + b"}" * 985 + b"}",
    b'{"toolCall":{"functionCalls":[{"id":null}]}}',
    b'{"sessionResumptionUpdate":{"newHandle":"","resumable":true}}',
)
CLOSES: Final = tuple((end.code, end.reason) for end in shipped.LINK_ENDS)
FAULTS: Final = tuple(Fault)

# The same for hypothesis, which also makes up its own.
json_values: Final[st.SearchStrategy[object]] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
json_frames: Final = st.dictionaries(
    st.sampled_from(["data", "text", "mime_type", "model", "temperature", "extra"]),
    json_values,
    max_size=3,
).flatmap(
    lambda fields: st.sampled_from(sorted(TYPES)).map(
        lambda kind: json.dumps({"type": kind, **fields}).encode("utf-8", "replace")
    )
)
client_junk: Final = st.one_of(
    st.sampled_from(JUNK),
    st.tuples(st.binary(max_size=50), st.booleans()),
    st.tuples(
        st.text(max_size=50).map(lambda text: text.encode("utf-8", "replace")), st.just(value=True)
    ),
)
_SERVER_KEYS: Final = [
    "setupComplete",
    "serverContent",
    "toolCall",
    "toolCallCancellation",
    "usageMetadata",
    "goAway",
    "sessionResumptionUpdate",
    "voiceActivity",
]
_server_content: Final = st.dictionaries(
    st.sampled_from(
        [
            "modelTurn",
            "outputTranscription",
            "inputTranscription",
            "groundingMetadata",
            "interrupted",
            "generationComplete",
            "turnComplete",
            "turnCompleteReason",
        ]
    ),
    st.booleans() | st.just({"text": "SAID"}) | st.just({"parts": [_SOUND]}) | json_values,
)
gemini_junk: Final = st.one_of(
    st.sampled_from(GEMINI_JUNK),
    st.binary(max_size=50),
    st.dictionaries(st.sampled_from(_SERVER_KEYS), json_values | _server_content, max_size=3).map(
        lambda message: json.dumps(message).encode("utf-8", "replace")
    ),
)
setting_names: Final = st.sampled_from(
    [
        "model",
        "temperature",
        "topP",
        "top_k",
        "seed",
        "max_tokens",
        "maxOutputTokens",
        "voice",
        "voiceName",
        "language",
        "events",
        "tools",
        "vad",
        "thinking",
        "system_instruction",
        "responseModalities",
        "output_transcription",
        "app",
        "client_id",
        "resumable",
        "audio",
        "labels",
        "x.temperature",
        "generation_config.seed",
    ]
) | st.text(max_size=12)
_NOTHING: Final[dict[str, object]] = {}
_LIKELY: Final[tuple[object, ...]] = (
    0,
    1,
    0.5,
    "Puck",
    "all",
    "en-US",
    "gemini-live-2.5-flash",
    "gemini-2.0-flash",
    ["AUDIO"],
    ["TEXT"],
    {"disabled": True},
    {"thinking_budget": 5},
    [{"google_search": _NOTHING}],
)
_flat: Final[st.SearchStrategy[dict[str, object]]] = st.dictionaries(
    setting_names, json_values | st.sampled_from(_LIKELY), max_size=5
)


@st.composite
def configs(draw: st.DrawFn) -> dict[str, object]:
    """Return a config, with or without a generation_config."""
    config = draw(_flat)
    if draw(st.booleans()):
        config["generation_config"] = draw(_flat)
    return config
