"""An operator's config, as google-genai has it or as clients do."""

import asyncio
import json
from collections.abc import Generator, Mapping
from functools import partial
from typing import Any, Final, cast

import pytest
from google import genai
from google.genai import types
from websockets.sync.client import connect

import running
from livegate.asyncio import upstream
from livegate.asyncio.sdk import Sdk
from livegate.emulator import Emulator, Options
from livegate.protocol import config, gemini
from livegate.shell.settings import settings
from livegate.shell.sockets import Dial
from livegate.shell.target import SettingsError, target

KEY: Final = "canary"
RECEIVE_S: Final = 20.0

VOICE: Final = types.VoiceConfig(
    prebuilt_voice_config=types.PrebuiltVoiceConfig(voice_name="Kore")
)
WEATHER: Final = types.FunctionDeclaration(
    name="get_weather",
    description="Tells it.",
    behavior=types.Behavior.NON_BLOCKING,
    parameters=types.Schema(
        type=types.Type.OBJECT,
        properties={"a_city": types.Schema(type=types.Type.STRING, max_length=9)},
        required=["a_city"],
    ),
)
SPOKEN: Final = [types.Modality.AUDIO]
VAD: Final = types.AutomaticActivityDetection
LIVE_CONFIGS: Final[dict[str, types.LiveConnectConfig]] = {
    "nothing": types.LiveConnectConfig(response_modalities=SPOKEN),
    "temperature": types.LiveConnectConfig(response_modalities=SPOKEN, temperature=0.5),
    "sampling": types.LiveConnectConfig(
        response_modalities=SPOKEN, top_p=0.9, top_k=40, seed=-3, max_output_tokens=100
    ),
    "media resolution": types.LiveConnectConfig(
        response_modalities=SPOKEN, media_resolution=types.MediaResolution.MEDIA_RESOLUTION_LOW
    ),
    "voice": types.LiveConnectConfig(
        response_modalities=SPOKEN, speech_config=types.SpeechConfig(voice_config=VOICE)
    ),
    "language": types.LiveConnectConfig(
        response_modalities=SPOKEN, speech_config=types.SpeechConfig(language_code="de-DE")
    ),
    "voice and language": types.LiveConnectConfig(
        response_modalities=SPOKEN,
        speech_config=types.SpeechConfig(voice_config=VOICE, language_code="pt-BR"),
    ),
    "instruction": types.LiveConnectConfig(
        response_modalities=SPOKEN, system_instruction="Be brief."
    ),
    "instruction in parts": types.LiveConnectConfig(
        response_modalities=SPOKEN,
        system_instruction=types.Content(
            role="user", parts=[types.Part(text="Be brief."), types.Part(text="Be kind.")]
        ),
    ),
    "search": types.LiveConnectConfig(
        response_modalities=SPOKEN, tools=[types.Tool(google_search=types.GoogleSearch())]
    ),
    "functions": types.LiveConnectConfig(
        response_modalities=SPOKEN, tools=[types.Tool(function_declarations=[WEATHER])]
    ),
    "search and functions": types.LiveConnectConfig(
        response_modalities=SPOKEN,
        tools=[
            types.Tool(google_search=types.GoogleSearch()),
            types.Tool(
                function_declarations=[
                    WEATHER,
                    types.FunctionDeclaration(
                        name="g", parameters_json_schema={"type": "object", "default": None}
                    ),
                ]
            ),
        ],
    ),
    "manual": types.LiveConnectConfig(
        response_modalities=SPOKEN,
        realtime_input_config=types.RealtimeInputConfig(
            automatic_activity_detection=VAD(disabled=True)
        ),
    ),
    "detection": types.LiveConnectConfig(
        response_modalities=SPOKEN,
        realtime_input_config=types.RealtimeInputConfig(
            automatic_activity_detection=VAD(
                start_of_speech_sensitivity=types.StartSensitivity.START_SENSITIVITY_LOW,
                end_of_speech_sensitivity=types.EndSensitivity.END_SENSITIVITY_HIGH,
                prefix_padding_ms=20,
                silence_duration_ms=100,
            ),
            activity_handling=types.ActivityHandling.NO_INTERRUPTION,
            turn_coverage=types.TurnCoverage.TURN_INCLUDES_ALL_INPUT,
        ),
    ),
    "transcriptions": types.LiveConnectConfig(
        response_modalities=SPOKEN,
        input_audio_transcription=types.AudioTranscriptionConfig(),
        output_audio_transcription=types.AudioTranscriptionConfig(),
    ),
    "thinking level": types.LiveConnectConfig(
        response_modalities=SPOKEN,
        thinking_config=types.ThinkingConfig(
            thinking_level=types.ThinkingLevel.LOW, include_thoughts=True
        ),
    ),
    "thinking budget": types.LiveConnectConfig(
        response_modalities=SPOKEN, thinking_config=types.ThinkingConfig(thinking_budget=0)
    ),
    "penalties": types.LiveConnectConfig(
        response_modalities=SPOKEN,
        generation_config=types.GenerationConfig(presence_penalty=0.5, frequency_penalty=-1),
    ),
    "all in generation_config": types.LiveConnectConfig(
        generation_config=types.GenerationConfig(
            response_modalities=SPOKEN,
            temperature=0.5,
            speech_config=types.SpeechConfig(voice_config=VOICE),
        ),
    ),
    "text": types.LiveConnectConfig(response_modalities=[types.Modality.TEXT], temperature=1.5),
}
MODELS: Final = {
    "text": "gemini-live-2.5-flash",
    "thinking level": "gemini-3.8-live-extended-thinking",
    "thinking budget": "gemini-2.5-flash-native-audio-preview-12-2025",
}
ADDED: Final = ("contextWindowCompression", "sessionResumption", "outputAudioTranscription")
"""What livegate asks for besides, unless it is asked for already."""


@pytest.fixture(scope="module")
def played() -> Generator[Emulator, None, None]:
    """Gemini, with TLS."""
    with Emulator(options=Options(pace=0), tls=True) as emulator:
        yield emulator


@pytest.mark.parametrize("name", LIVE_CONFIGS)
@pytest.mark.filterwarnings("ignore:Setting `LiveConnectConfig.generation_config`")
def test_live_connect_config(played: Emulator, name: str) -> None:
    """A config makes the same setup as a default, on either upstream, as in the SDK alone."""
    given, model = LIVE_CONFIGS[name], MODELS.get(name, "gemini-3.8-live")
    session = settings(config=given, model=model).session
    setup = config.resolve(session.config, default_model=session.default_model).setup
    there = target(played.url, KEY, played.ca_file)

    async def send(dial: Dial) -> None:
        async with dial() as link:
            await link.send(gemini.encode_setup(setup, None))
            assert await link.receive() == b'{"setupComplete":{}}'

    async def run() -> None:
        sdk = Sdk(there)
        await send(partial(upstream.dial, there))
        await send(sdk.dial)
        await sdk.aclose()
        client = genai.Client(
            api_key=KEY,
            http_options=types.HttpOptions(
                api_version="v1beta",
                base_url=played.url.replace("wss:", "https:"),
                async_client_args={"ssl": there.ssl_context, "proxy": None},
            ),
        )
        async with client.aio.live.connect(model=model, config=given.model_copy(deep=True)):
            pass
        await client.aio.aclose()
        client.close()

    asyncio.run(run())
    ours, by_sdk, sdk_alone = (_plain(one.setup or {}) for one in played.service.received[-3:])
    assert by_sdk == ours
    assert sdk_alone == {
        key: value for key, value in ours.items() if key in sdk_alone or key not in ADDED
    }


def _plain(setup: Mapping[str, object]) -> dict[str, Any]:
    """Return a setup without what the SDK adds or spells otherwise, to no effect."""
    found = json.loads(json.dumps(setup).replace("max_length", "maxLength"))
    found.get("systemInstruction", {}).pop("role", None)
    return cast("dict[str, Any]", found)


SAME: Final = types.LiveConnectConfig(
    response_modalities=SPOKEN,
    temperature=0.5,
    speech_config=types.SpeechConfig(voice_config=VOICE, language_code="de-DE"),
    realtime_input_config=types.RealtimeInputConfig(
        automatic_activity_detection=VAD(disabled=True),
        turn_coverage=types.TurnCoverage.TURN_INCLUDES_ALL_INPUT,
    ),
    input_audio_transcription=types.AudioTranscriptionConfig(),
    generation_config=types.GenerationConfig(temperature=0.5, presence_penalty=1),
)


@pytest.mark.parametrize(
    "given",
    [
        SAME,
        SAME.model_dump(exclude_none=True),
        SAME.model_dump(exclude_none=True, by_alias=True, mode="json"),
        {
            "response_modalities": ["AUDIO"],
            "generation_config": {"temperature": 0.5, "presence_penalty": 1},
            "voice": "kore",
            "language": "de-DE",
            "vad": {"disabled": True},
            "turnCoverage": "all_input",
            "input_transcription": True,
            "top_p": None,
        },
    ],
    ids=["object", "names", "aliases", "like a client's"],
)
def test_forms(given: Any) -> None:
    """A config may be an object of the SDK's, the same as a mapping, or like a client's."""
    assert settings(config=given).session.config == settings(config=SAME).session.config


NOT_CARRIED: Final[list[tuple[dict[str, Any], str]]] = [
    ({"proactivity": {"proactive_audio": True}}, "proactivity: unknown setting"),
    ({"enable_affective_dialog": True}, "enable_affective_dialog: unknown setting"),
    ({"history_config": {}}, "history_config: unknown setting"),
    ({"avatar_config": {}}, "avatar_config: unknown setting"),
    ({"safety_settings": []}, "safety_settings: unknown setting"),
    ({"translation_config": {}}, "translation_config: unknown setting"),
    ({"labels": {"a": "b"}}, "labels: unknown setting"),
    ({"explicit_vad_signal": True}, "explicit_vad_signal: unknown setting"),
    ({"session_resumption": {}}, "session_resumption: livegate resumes"),
    ({"context_window_compression": {}}, "context_window_compression: livegate always asks"),
    ({"http_options": {"headers": {"a": "b"}}}, "http_options: the address and the key are"),
    ({"generation_config": {"candidate_count": 1}}, "generation_config.candidate_count: unk"),
    (
        {"speech_config": {"voice_config": {"voice": "speaker-7"}}},
        "speech_config.voice_config.voice: unknown setting",
    ),
    (
        {"speech_config": {"voice_config": {"replicated_voice_config": {}}}},
        "speech_config.voice_config.replicated_voice_config: unknown setting",
    ),
    (
        {"speech_config": {"multi_speaker_voice_config": {}}},
        "speech_config.multi_speaker_voice_config: unknown setting",
    ),
    (
        {"realtime_input_config": {"interim_transcript_timestamp_enabled": True}},
        "realtime_input_config.interim_transcript_timestamp_enabled: unknown setting",
    ),
    (
        {"input_audio_transcription": {"language_codes": ["de"]}},
        "input_audio_transcription must be true or false",
    ),
    ({"tools": [{"google_maps": {}}]}, "tools has an unknown tool 'google_maps'"),
    ({"temperature": 99, "top_p": 7}, "temperature must be .*; top_p must be"),
    (
        {"temperature": 1, "generation_config": {"temperature": 0.5}},
        "generation_config.temperature contradicts temperature",
    ),
]


@pytest.mark.parametrize(
    ("given", "says"), NOT_CARRIED, ids=[says.partition(":")[0] for _, says in NOT_CARRIED]
)
def test_not_carried(given: dict[str, Any], says: str) -> None:
    """What livegate cannot carry is named, with the reason, and never ignored."""
    with pytest.raises(SettingsError, match=f"the default config is not usable: .*{says}"):
        settings(config=given)


def test_what_is_no_json() -> None:
    """A function in Python is no declaration: the SDK would call it, livegate asks the client."""
    given = types.LiveConnectConfig(tools=[lambda: None])
    with pytest.raises(SettingsError, match=r"holds what is no JSON .* be a FunctionDeclaration"):
        settings(config=given)


@pytest.mark.parametrize(
    ("model", "given", "says"),
    [
        ("gemini-3.8-live", {"thinking": {"thinking_level": "LOW"}}, "thinking: gemini-3.8-live "),
        ("gemini-live-2.5-flash", {"voice": "Puck"}, "voice: .* text has no voice"),
        ("gemini-3.8-live", {"model": "models/x"}, "two default models are given: gemini.* and x"),
        (None, {"speech_config": "Kore"}, "speech_config: unknown setting"),
        (None, {"temprature": 1}, "temprature: unknown setting; did you mean temperature"),
    ],
)
def test_wrong_default(model: str | None, given: dict[str, Any], says: str) -> None:
    """A default that its own model would refuse, or that nobody knows, is no default."""
    with pytest.raises(SettingsError, match=says):
        settings(config=given, model=model)


def test_model() -> None:
    """The default model may be said in the config; it is no setting to take back."""
    session = settings(config={"model": "models/gemini-live-2.5-flash", "seed": 1}).session
    assert session.default_model == "gemini-live-2.5-flash"
    assert session.config.values == {"seed": 1}


@pytest.mark.parametrize("runtime", running.RUNTIMES)
def test_clients_get_it(played: Emulator, runtime: str) -> None:
    """A client that asks for nothing speaks on the operator's terms, on either runtime."""
    asked = settings(KEY, played.url, config=SAME, ca_file=played.ca_file)
    with running.gateway(runtime, asked) as gateway, connect(gateway.url) as client:
        client.send('{"type":"config","data":{"language":null,"seed":7}}')
        while (frame := json.loads(client.recv(RECEIVE_S)))["type"] != "config_success":
            pass
    assert frame["applied"] == {"language": "de-DE", "seed": 7}
    setup = cast("dict[str, Any]", played.service.received[-1].setup)
    assert setup["generationConfig"] == {
        "responseModalities": ["AUDIO"],
        "temperature": 0.5,
        "presencePenalty": 1,
        "seed": 7,
        "speechConfig": {
            "voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}},
            "languageCode": "de-DE",
        },
    }
