"""What the emulator refuses, with which code and reason, and what it accepts as the SDK sends it."""

import json
from pathlib import Path
from typing import Final

import pytest

from livegate.protocol.emulator import (
    Close,
    Frame,
    Hello,
    Link,
    Options,
    Send,
    Service,
    checks,
    wire,
)

SAMPLES: Final = Path(__file__).parent.parent / "data" / "wire-samples"
PATH: Final = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
DEFAULT: Final = "gemini-3.8-live"
THINKING: Final = "gemini-3.8-live-extended-thinking"
PREVIEW: Final = "gemini-3.1-flash-live-preview"
NATIVE: Final = "gemini-2.5-flash-native-audio-preview-12-2025"
TEXT: Final = "gemini-live-2.5-flash"
INVALID: Final = (1007, "Request contains an invalid argument.")
PRECONDITION: Final = (1007, "Precondition check failed.")
VOICELESS: Final = (1007, "Cannot extract voices from a non-audio request.")
MEDIA_CHUNKS: Final = (
    1007,
    "realtime_input.media_chunks is deprecated. Use audio, video, or text instead.",
)
UNREGISTERED: Final = (
    1008,
    (
        "Method doesn't allow unregistered callers (callers without established identity). "
        "Please use API Key or other form of API c"
    ),
)
Refusal = tuple[int, str] | None


def unknown(name: str, where: str = "") -> tuple[int, str]:
    """Return the refusal of a field."""
    place = f" at '{where}'" if where else ""
    text = f'Invalid JSON payload received. Unknown name "{name}"{place}: Cannot find field.'
    return 1007, text[:123]


def refusal(
    *messages: object, hello: Hello | None = None, service: Service | None = None
) -> Refusal:
    """Return how a link ended that was sent these messages, or None if it is still open."""
    link = Link(service or Service(), hello or Hello(PATH, "key"))
    for at, message in enumerate(messages):
        payload = message if isinstance(message, bytes) else json.dumps(message).encode()
        for command in link.handle(Frame(payload), float(at)):
            if not isinstance(command, Send):
                assert isinstance(command, Close)
                assert at == len(messages) - 1, "an earlier message was refused"
                assert len(command.reason.encode()) <= 123
                return command.code, command.reason
    return None


def setup(model: str = DEFAULT, **fields: object) -> dict[str, object]:
    """Return a setup message."""
    return {"setup": {"model": f"models/{model}", **fields}}


def generation(model: str = DEFAULT, **fields: object) -> dict[str, object]:
    """Return a setup message with a generationConfig."""
    return setup(model, generationConfig=fields)


def equipped(*tools: object) -> dict[str, object]:
    """Return a setup message with tools."""
    return setup(tools=tools)


def speech(**fields: object) -> dict[str, object]:
    """Return a speechConfig with a prebuilt voice."""
    return {"voiceConfig": {"prebuiltVoiceConfig": fields}}


def not_found(model: str, version: str = "v1beta") -> tuple[int, str]:
    """Return the refusal of a model."""
    text = f"{model} is not found for API version {version}, or is not supported for "
    return (
        1008,
        f"{text}bidiGenerateContent. Call ListModels to see the list of available models."[:123],
    )


def not_spoken(modality: str) -> tuple[int, str]:
    """Return the refusal of a modality that the model does not answer in."""
    text = f"The requested combination of response modalities ({modality}) is not supported by "
    return 1007, f"{text}the model. models/{DEFAULT} accepts AUDIO."[:123]


SETUPS: Final[list[tuple[object, Refusal]]] = [
    # The model
    ({"setup": {}}, not_found("")),
    ({"setup": {"model": DEFAULT}}, not_found(DEFAULT)),
    (setup("gemini-2.0-flash-exp"), not_found("models/gemini-2.0-flash-exp")),
    (setup("x" * 200), (1008, f"models/{'x' * 116}")),
    (setup("é" * 200), (1008, f"models/{'é' * 58}")),
    # Modalities and voices
    (generation(responseModalities=["TEXT", "AUDIO"]), INVALID),
    (generation(responseModalities=["SMELL"]), INVALID),
    (generation(responseModalities=["TEXT"]), not_spoken("TEXT")),
    (generation(responseModalities=["VIDEO"]), not_spoken("VIDEO")),
    (generation(TEXT, responseModalities=["TEXT"]), None),
    (generation(TEXT, responseModalities=["TEXT"], speechConfig={}), VOICELESS),
    (generation(speechConfig=speech(voiceName="Puck")), VOICELESS),
    (generation(responseModalities=[], speechConfig={}), VOICELESS),
    (generation(responseModalities=["AUDIO"], speechConfig=speech(voiceName="Puck")), None),
    (generation(responseModalities=["AUDIO"], speechConfig=speech(voiceName="puck")), INVALID),
    (generation(responseModalities=["AUDIO"], speechConfig=speech()), INVALID),
    (generation(responseModalities=["AUDIO"], speechConfig={"languageCode": "pt"}), None),
    # Numbers
    (generation(temperature=2), None),
    (generation(temperature=2.1), INVALID),
    (generation(temperature=-0.1), INVALID),
    (generation(temperature="warm"), INVALID),
    (generation(temperature=True), INVALID),
    (generation(temperature=10**400), INVALID),
    (generation(topP=1), None),
    (generation(topP=1.1), INVALID),
    (generation(topK=40.0), None),
    (generation(topK=0), INVALID),
    (generation(maxOutputTokens=1), None),
    (generation(maxOutputTokens=0), INVALID),
    (generation(seed=2**31), INVALID),
    # Names that are not in the list
    (generation(mediaResolution="MEDIA_RESOLUTION_HUGE"), INVALID),
    (setup(realtimeInputConfig={"activityHandling": "SHOUT"}), INVALID),
    (setup(realtimeInputConfig={"turnCoverage": "ALL"}), INVALID),
    (
        setup(realtimeInputConfig={"automaticActivityDetection": {"disabled": "no"}}),
        INVALID,
    ),
    (setup(inputAudioTranscription={"mode": "POETRY"}), INVALID),
    (setup(inputAudioTranscription={"sourceText": "To Ana"}), None),
    (setup(inputAudioTranscription={"sourceText": True}), INVALID),
    # Thinking, by model
    (generation(thinkingConfig={}), INVALID),
    (generation(NATIVE, thinkingConfig={"thinkingBudget": 0}), None),
    (generation(NATIVE, thinkingConfig={"thinkingLevel": "LOW"}), INVALID),
    (generation(PREVIEW, thinkingConfig={"thinkingLevel": "MINIMAL"}), None),
    (generation(PREVIEW, thinkingConfig={"thinkingBudget": 1}), INVALID),
    (generation(PREVIEW, thinkingConfig={"thinkingLevel": "DEEP"}), INVALID),
    (setup(PREVIEW), None),
    (setup(THINKING), INVALID),
    (generation(THINKING, thinkingConfig={}), INVALID),
    (generation(THINKING, thinkingConfig={"thinkingLevel": "MINIMAL"}), INVALID),
    (generation(THINKING, thinkingConfig={"thinkingLevel": "LOW"}), None),
    (
        generation(THINKING, thinkingConfig={"thinkingLevel": "LOW", "thinkingBudget": 1}),
        INVALID,
    ),
    # Extras, by model
    (setup(proactivity={"proactiveAudio": False}), INVALID),
    (setup(proactivity={"proactiveAudio": True}), None),
    (generation(enableAffectiveDialog=True), INVALID),
    (setup(PREVIEW, proactivity={"proactiveAudio": True}), INVALID),
    (setup(PREVIEW, proactivity={"proactiveAudio": False}), None),
    (generation(PREVIEW, enableAffectiveDialog=True), INVALID),
    (equipped({"googleSearch": {}}), None),
    (equipped({"codeExecution": {}}), INVALID),
    (equipped({"urlContext": {}}), INVALID),
    (equipped({"googleMaps": {}}), INVALID),
    (equipped({"functionDeclarations": [{"description": "no name"}]}), INVALID),
    (
        setup(tools=[{"functionDeclarations": [{"name": "f", "behavior": "SLOW"}]}]),
        INVALID,
    ),
    (
        setup(tools=[{"functionDeclarations": [{"name": "f", "behavior": "BLOCKING"}]}]),
        None,
    ),
    # The system instruction
    (setup(systemInstruction={"parts": [{"text": "Hi."}], "role": "system"}), INVALID),
    (setup(systemInstruction={"parts": [{"inlineData": {"data": ""}}]}), INVALID),
    # Resumption and compression
    (
        setup(sessionResumption={"handle": "HANDLE-123"}),
        (1008, "BidiGenerateContent session not found"),
    ),
    (setup(sessionResumption={"handle": None}), INVALID),
    (
        setup(sessionResumption={"transparent": True}),
        unknown("transparent", "setup.session_resumption"),
    ),
    (setup(contextWindowCompression={"triggerTokens": "25600"}), None),
    (setup(contextWindowCompression={"triggerTokens": 25600}), None),
    (setup(contextWindowCompression={"triggerTokens": "many"}), INVALID),
    # Names that nobody knows
    (setup(explicitVadSignal=True), unknown("explicitVadSignal", "setup")),
    (setup(gen_config={}), unknown("gen_config", "setup")),
    (setup(generationConfig={"top-p": 1}), unknown("top-p", "setup.generation_config")),
    (equipped({"functions": []}), unknown("functions", "setup.tools[0]")),
    ({"set_up": {}}, unknown("set_up")),
    ({"a`b": {}}, unknown("a`b")),
    ({"setup": {"a_b` - at `$.c": 1}}, INVALID),
    (setup(labels={"any_thing": "goes"}), None),
    (setup(generation_config={"temperature": 1}, generationConfig={}), INVALID),
    # Shapes
    ({}, INVALID),
    ([], INVALID),
    ("setup", INVALID),
    ({"setup": None}, INVALID),
    ({"setup": []}, INVALID),
    ({"setup": {"model": f"models/{DEFAULT}"}, "clientContent": {}}, INVALID),
    ({"setup": {"model": f"models/{DEFAULT}"}, "clientContent": None}, None),
    (b"", (1007, "Invalid JSON payload received.")),
    (b"{", (1007, "Invalid JSON payload received.")),
    (b'{"setup":\xff}', (1007, "Invalid JSON payload received.")),
    (b"[" * 100_000, (1007, "Invalid JSON payload received.")),
    (b"[" * 101 + b"]" * 101, (1007, "Invalid JSON payload received.")),
    (b"[" * 100 + b"]" * 100, INVALID),
    ({"realtimeInput": {"text": "Hello"}}, (1007, "The first message must be setup.")),
]


@pytest.mark.parametrize(("message", "expected"), SETUPS)
def test_setup(message: object, expected: Refusal) -> None:
    """A setup is accepted, or refused with the code and the reason of the real service."""
    assert refusal(message) == expected


def realtime(**fields: object) -> dict[str, object]:
    """Return a realtimeInput."""
    return {"realtimeInput": fields}


def audio(mime_type: str = "audio/pcm;rate=16000", data: str = "AAA=") -> dict[str, object]:
    """Return a realtimeInput with sound."""
    return realtime(audio={"mimeType": mime_type, "data": data})


def said(*turns: object, complete: bool = True) -> dict[str, object]:
    """Return a clientContent."""
    return {"clientContent": {"turns": turns, "turnComplete": complete}}


MANUAL: Final = {"automaticActivityDetection": {"disabled": True}}
EXPLICIT: Final = (
    1007,
    "Explicit activity control is not supported when automatic activity detection is enabled.",
)
CALL: Final = said({"parts": [{"text": "/tool"}]})


def result(*ids: str, **fields: object) -> dict[str, object]:
    """Return a toolResponse."""
    empty: dict[str, object] = {}
    responses = [{"id": one, "response": empty, **fields} for one in ids]
    return {"toolResponse": {"functionResponses": responses}}


MESSAGES: Final[list[tuple[list[object], Refusal]]] = [
    # Order
    ([setup(), setup()], (1007, "setup must be sent once, as the first message.")),
    # clientContent
    ([setup(), said({"parts": [{"text": "Hi"}], "role": "system"})], INVALID),
    ([setup(), said({"parts": [{"text": "Hi"}], "role": "model"})], None),
    ([setup(), said({"parts": [{"executableCode": {"code": "1"}}], "role": "model"})], None),
    ([setup(), said({"parts": [{"codeExecutionResult": {"output": "1"}}]})], None),
    (
        [setup(), said({"parts": [{"toolCall": {"id": "1"}}, {"tool_response": {"id": "1"}}]})],
        None,
    ),
    ([setup(), said({"parts": [{"partMetadata": {"any_thing": 1, "anyThing": 1}}]})], None),
    ([setup(), said({"parts": [{"executableCode": "1"}]})], INVALID),
    ([setup(), said({"parts": [{"inlineData": {"data": "???"}}]})], INVALID),
    ([setup(), said({"parts": [{"inlineData": {"data": "-_8="}}]})], None),
    (
        [setup(), said({"parts": [{"txt": "Hi"}]})],
        unknown("txt", "client_content.turns[0].parts[0]"),
    ),
    ([setup(), said({"parts": [{"text": "x" * 1_000_001}]})], INVALID),
    ([setup(PREVIEW), said({"parts": [{"text": "Hi"}]})], INVALID),
    ([setup(), {"clientContent": {}, "realtimeInput": {}}], INVALID),
    # realtimeInput
    ([setup(), realtime()], INVALID),
    ([setup(), realtime(audioStreamEnd=False)], INVALID),
    ([setup(), realtime(text="Hi", audioStreamEnd=True)], INVALID),
    ([setup(), realtime(text="x" * 1_000_001)], INVALID),
    ([setup(), realtime(audioStreamEnd=True)], None),
    ([setup(), realtime(mediaChunks=[])], MEDIA_CHUNKS),
    ([setup(PREVIEW), realtime(media_chunks=[])], MEDIA_CHUNKS),
    ([setup(NATIVE), realtime(mediaChunks=[{"data": "AAA=", "mimeType": "audio/pcm"}])], None),
    ([setup(NATIVE), realtime(mediaChunks=[{"data": "AAA=", "mimeType": "image/png"}])], None),
    ([setup(NATIVE), realtime(mediaChunks=[{"data": "?", "mimeType": "image/png"}])], INVALID),
    ([setup(), realtime(video={"data": "AAA=", "mimeType": "image/jpeg"})], None),
    ([setup(), realtime(video={"data": "AAA=", "mimeType": "audio/pcm"})], INVALID),
    ([setup(), realtime(video={"data": "?", "mimeType": "image/jpeg"})], INVALID),
    ([setup(), audio()], None),
    ([setup(), audio("audio/pcm; rate=48000")], None),
    ([setup(), audio("audio/pcm;channels=1;RATE=8000")], None),
    ([setup(), audio("audio/pcm;rate=7999")], INVALID),
    ([setup(), audio("audio/pcm;rate=192001")], INVALID),
    ([setup(), audio("audio/pcm;rate=fast")], INVALID),
    ([setup(), audio(f"audio/pcm;rate={'9' * 5000}")], INVALID),
    ([setup(), audio("audio/mp3")], INVALID),
    ([setup(), audio("image/png")], INVALID),
    ([setup(), audio("")], INVALID),
    ([setup(), audio(data="AA-")], INVALID),
    ([setup(), audio(data="ÿÿÿÿ")], INVALID),
    ([setup(), realtime(activityStart={})], EXPLICIT),
    ([setup(), realtime(activityEnd={})], EXPLICIT),
    ([setup(realtimeInputConfig=MANUAL), realtime(activityEnd={})], PRECONDITION),
    ([setup(realtimeInputConfig=MANUAL), realtime(audioStreamEnd=True)], PRECONDITION),
    ([setup(realtimeInputConfig=MANUAL), realtime(activityStart={})], None),
    # toolResponse
    ([setup(), result("call-1-1")], INVALID),
    ([setup(), CALL, result("call-1-2")], INVALID),
    ([setup(), CALL, result("")], INVALID),
    ([setup(), CALL, result("call-1-1", "call-1-1")], INVALID),
    ([setup(), CALL, result("call-1-1", scheduling="LATER")], INVALID),
    ([setup(), CALL, result("call-1-1")], None),
    ([setup(), CALL, result("call-1-1"), result("call-1-1")], INVALID),
    ([setup(), CALL, result("call-1-1", scheduling="SILENT")], None),
    (
        [
            generation(THINKING, thinkingConfig={"thinkingLevel": "LOW"}),
            CALL,
            result("call-1-1", scheduling="SILENT"),
        ],
        INVALID,
    ),
    (
        [
            setup(
                THINKING,
                generationConfig={"thinkingConfig": {"thinkingLevel": "LOW"}},
                tools=[{"functionDeclarations": [{"name": "f", "behavior": "BLOCKING"}]}],
            ),
        ],
        INVALID,
    ),
    # contextUpdate
    ([setup(), {"contextUpdate": {"systemInstruction": {"parts": [{}]}}}], INVALID),
    ([setup(), {"contextUpdate": {"tools": {"tools": [{"googleMaps": {}}]}}}], INVALID),
    ([setup(), {"contextUpdate": {"tools": []}}], INVALID),
]


@pytest.mark.parametrize(("messages", "expected"), MESSAGES)
def test_message(messages: list[object], expected: Refusal) -> None:
    """The last of these messages is accepted, or refused with the real code and reason."""
    assert refusal(*messages) == expected


def test_context_of_nothing() -> None:
    """Turns without a character in them fill the context too."""
    with pytest.raises(wire.RefusalError):
        checks.check_context([""] * 1_000_001)


def test_before_setup_complete() -> None:
    """Whatever comes before setupComplete is refused."""
    slow = Service(Options(setup_delay_s=60.0))
    expected = (1007, "Nothing may be sent before setupComplete.")
    assert refusal(setup(), realtime(text="Hi"), service=slow) == expected


@pytest.mark.parametrize(
    ("key", "good", "expected"),
    [
        ("anything", None, None),
        ("good", frozenset({"good"}), None),
        ("bad", frozenset({"good"}), (1007, "API key not valid. Please pass a valid API key.")),
        (
            "",
            None,
            UNREGISTERED,
        ),
    ],
)
def test_key(key: str, good: frozenset[str] | None, expected: Refusal) -> None:
    """A missing or bad key is refused after the handshake, at setup."""
    service = Service(Options(keys=good))
    assert refusal(setup(), hello=Hello(PATH, key), service=service) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (PATH, "v1beta"),
        (f"/{PATH}", "v1beta"),
        (f"{PATH}?key=abc", "v1beta"),
        (f"/proxy/{PATH}", "v1beta"),
        (PATH.replace("v1beta", "v1"), "v1"),
        (PATH.replace("v1beta", "v1alpha"), "v1alpha"),
        (f"{PATH.replace('v1beta', 'v1alpha')}Constrained", "v1alpha"),
        (PATH.replace("v1beta", "v2"), None),
        (f"{PATH}/more", None),
        (PATH[1:], None),
        ("/", None),
        ("/" * 10_000, None),
        ("/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent", None),
    ],
)
def test_path(path: str, expected: str | None) -> None:
    """The Live API is at its paths, for three versions, behind any prefix and any more slashes."""
    assert Service.version(path) == expected


@pytest.mark.parametrize(
    ("version", "model", "is_found"),
    [
        ("v1beta", "gemini-2.5-flash-native-audio-latest", True),
        ("v1", "gemini-2.5-flash-native-audio-latest", False),
        ("v1alpha", "gemini-2.5-flash-native-audio-latest", False),
        ("v1", DEFAULT, True),
    ],
)
def test_version(version: str, model: str, *, is_found: bool) -> None:
    """The names that end in -latest exist on v1beta only, and the refusal names the version."""
    found = refusal(setup(model), hello=Hello(PATH.replace("v1beta", version), "key"))
    assert found == (None if is_found else not_found(f"models/{model}", version))


def test_model_of_a_path_without_version() -> None:
    """A link that came by another path is one of v1beta."""
    assert refusal(setup("x"), hello=Hello("", "key")) == not_found("models/x")


# Vertex, its express mode and ephemeral tokens are other services: they have no samples here.
REFUSED: Final = {
    "setup-avatar": (1007, "The requested combination of response modalities (VIDEO) is not "),
    "setup-both-modalities": INVALID,
    "setup-replicated-voice": VOICELESS,
    "setup-resumption-handle": (1008, "BidiGenerateContent session not found"),
    "setup-seed-generation-config-object": (1007, "The requested combination of response mod"),
    "setup-text": (1007, "The requested combination of response modalities (TEXT) is not "),
    "setup-thinking-level": INVALID,
    "tool-response": INVALID,  # no call waits for it
    "tool-response-scheduling": INVALID,  # no call waits for it
}


def samples() -> list[Path]:
    """Return the client's messages as the SDK sent them."""
    return sorted(path for path in SAMPLES.glob("*.json") if not path.name.startswith("server-"))


@pytest.mark.parametrize("path", samples(), ids=lambda path: path.stem)
def test_sdk_sample(path: Path) -> None:
    """What the official SDK sends is read, and accepted where the model's rules allow it."""
    frames = [frame["json"] for frame in json.loads(path.read_text())["frames"]]
    for frame in frames:
        wire.read(json.dumps(frame).encode())
    is_activity = path.stem.startswith("realtime-activity")
    opening = setup(NATIVE, realtimeInputConfig=MANUAL if is_activity else {})
    before = [] if path.stem.startswith("setup-") else [opening]
    if path.stem == "realtime-activity-end":
        before.append(realtime(activityStart={}))
    found = refusal(*before, *frames)
    expected = REFUSED.get(path.stem)
    assert (found and found[0]) == (expected and expected[0])
    assert (found[1] if found else "").startswith(expected[1] if expected else "")


def test_sdk_samples_are_there() -> None:
    """The samples are of each kind of message."""
    kinds = {path.stem.split("-")[0] for path in samples()}
    assert kinds == {"client", "context", "deprecated", "realtime", "setup", "tool"}
