"""Settings: applied, clamped or refused, and what Gemini's setup comes to."""

from collections.abc import Mapping
from typing import Final, cast

import pytest

from livegate.protocol import config
from livegate.protocol.config import Config, Plan

SPOKEN = {"generationConfig": {"responseModalities": ["AUDIO"]}}
TEXT_MODEL = "gemini-live-2.5-flash"


def plan_of(data: dict[str, object], *, maps_retired: bool = True) -> Plan:
    """Return what one config alone comes to."""
    delta = config.parse(data)
    assert not delta.fault, delta.fault
    return config.resolve(Config().merge(delta), maps_retired=maps_retired)


def at(setup: Mapping[str, object], path: str) -> object:
    """Return what stands at a dotted path."""
    *way, last = path.split(".")
    for step in way:
        setup = cast("Mapping[str, object]", setup[step])
    return setup.get(last)


G = "generationConfig"
VOICE = f"{G}.speechConfig.voiceConfig.prebuiltVoiceConfig.voiceName"
VAD = "realtimeInputConfig.automaticActivityDetection"


APPLIED: Final[list[tuple[dict[str, object], str, object]]] = [
    ({"model": TEXT_MODEL}, "model", f"models/{TEXT_MODEL}"),
    ({"model": f"models/{TEXT_MODEL}"}, "model", f"models/{TEXT_MODEL}"),
    ({"temperature": 0}, f"{G}.temperature", 0),
    ({"temperature": 2}, f"{G}.temperature", 2),
    ({"generation_config": {"temperature": 0.7}}, f"{G}.temperature", 0.7),
    ({"generationConfig": {"maxOutputTokens": 5}}, f"{G}.maxOutputTokens", 5),
    ({"max_tokens": 5.0}, f"{G}.maxOutputTokens", 5),
    ({"top_p": 1}, f"{G}.topP", 1),
    ({"topK": 40.0}, f"{G}.topK", 40),
    ({"seed": -(2**31)}, f"{G}.seed", -(2**31)),
    ({"seed": 2**31 - 1}, f"{G}.seed", 2**31 - 1),
    ({"presence_penalty": -2}, f"{G}.presencePenalty", -2),
    ({"frequencyPenalty": 2}, f"{G}.frequencyPenalty", 2),
    ({"media_resolution": "low"}, f"{G}.mediaResolution", "MEDIA_RESOLUTION_LOW"),
    (
        {"media_resolution": "MEDIA_RESOLUTION_HIGH"},
        f"{G}.mediaResolution",
        "MEDIA_RESOLUTION_HIGH",
    ),
    ({"response_modalities": "audio", "voice": "puck"}, VOICE, "Puck"),
    ({"response_modalities": ["AUDIO"], "voiceName": "KORE"}, VOICE, "Kore"),
    ({"language_code": "de-DE"}, f"{G}.speechConfig.languageCode", "de-DE"),
    ({"language": "zh-Hant-TW"}, f"{G}.speechConfig.languageCode", "zh-Hant-TW"),
    (
        {"system_instruction": "Be brief."},
        "systemInstruction",
        {"parts": [{"text": "Be brief."}]},
    ),
    (
        {"systemInstruction": {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]}},
        "systemInstruction",
        {"parts": [{"text": "a"}, {"text": "b"}]},
    ),
    ({"tools": []}, "tools", []),
    ({"tools": {"google_search": {}}}, "tools", [{"googleSearch": {}}]),
    (
        {
            "tools": [
                {"codeExecution": {}, "urlContext": {}},
                {"function_declarations": [{"name": "f"}]},
            ]
        },
        "tools",
        [{"codeExecution": {}, "urlContext": {}}, {"functionDeclarations": [{"name": "f"}]}],
    ),
    ({"vad": {"disabled": True}}, VAD, {"disabled": True}),
    (
        {
            "automatic_activity_detection": {
                "startOfSpeechSensitivity": "HIGH",
                "end_of_speech_sensitivity": "END_SENSITIVITY_LOW",
                "prefix_padding_ms": 0,
                "silence_duration_ms": 100,
            }
        },
        VAD,
        {
            "startOfSpeechSensitivity": "START_SENSITIVITY_HIGH",
            "endOfSpeechSensitivity": "END_SENSITIVITY_LOW",
            "prefixPaddingMs": 0,
            "silenceDurationMs": 100,
        },
    ),
    (
        {"activity_handling": "no_interruption"},
        "realtimeInputConfig.activityHandling",
        "NO_INTERRUPTION",
    ),
    (
        {"turn_coverage": "ALL_INPUT"},
        "realtimeInputConfig.turnCoverage",
        "TURN_INCLUDES_ALL_INPUT",
    ),
    ({"input_transcription": True}, "inputAudioTranscription", {}),
    ({"input_audio_transcription": {}}, "inputAudioTranscription", {}),
    ({"input_transcription": False, "events": "all"}, "inputAudioTranscription", None),
    ({"events": "all"}, "inputAudioTranscription", {}),
    ({"events": ["input_transcript"]}, "inputAudioTranscription", {}),
    ({"events": ["thought"]}, "inputAudioTranscription", None),
    (
        {"response_modalities": ["AUDIO"], "output_audio_transcription": False},
        "outputAudioTranscription",
        None,
    ),
    ({"output_transcription": False}, "outputAudioTranscription", {}),
    ({"model": TEXT_MODEL}, "outputAudioTranscription", None),
    ({"model": TEXT_MODEL}, f"{G}.responseModalities", ["TEXT"]),
    (
        {"model": TEXT_MODEL, "response_modalities": ["TEXT", "AUDIO"]},
        f"{G}.responseModalities",
        ["AUDIO"],
    ),
    ({"model": TEXT_MODEL, "voice": "Puck"}, f"{G}.speechConfig", None),
    ({"response_modalities": ["TEXT"]}, f"{G}.responseModalities", ["AUDIO"]),
    (
        {"model": TEXT_MODEL, "thinking": {"thinking_budget": -1}},
        f"{G}.thinkingConfig",
        {"thinkingBudget": -1},
    ),
    ({"thinking": {"include_thoughts": True}}, f"{G}.thinkingConfig", None),
    (
        {"model": "gemini-3.8-live-extended-thinking"},
        f"{G}.thinkingConfig",
        {"thinkingLevel": "LOW"},
    ),
    (
        {
            "model": "gemini-3.8-live-extended-thinking",
            "thinking_config": {"thinkingLevel": "high"},
        },
        f"{G}.thinkingConfig",
        {"thinkingLevel": "HIGH"},
    ),
    (
        {"model": "gemini-3.1-flash-live-preview", "thinking": {"thinking_level": "MINIMAL"}},
        f"{G}.thinkingConfig",
        {"thinkingLevel": "MINIMAL"},
    ),
    ({"model": "gemini-9-live", "temperature": 1}, "model", "models/gemini-9-live"),
    ({"client_id": "me"}, "client_id", None),
    ({"user_id": "x" * 128}, "user_id", None),
]


@pytest.mark.parametrize(
    ("data", "path", "value"),
    APPLIED,
)
def test_applied(data: dict[str, object], path: str, value: object) -> None:
    """Each setting reaches its place in Gemini's setup, in Gemini's spelling."""
    assert at(plan_of(data).setup, path) == value


@pytest.mark.parametrize(
    ("data", "key", "why"),
    [
        ({"temprature": 1}, "temprature", "unknown setting; did you mean temperature?"),
        ({"zzz": 1}, "zzz", "unknown setting"),
        ({"x.temperature": 1}, "x.temperature", "unknown setting; did you mean temperature?"),
        ({"generation_config": {"voice": "Puck"}}, "generation_config.voice", "unknown setting"),
        (
            {"resumable": True},
            "resumable",
            "it needs a WebSocket with the subprotocol livegate.v1",
        ),
        ({"model": TEXT_MODEL, "voice": "Puck"}, "voice", "text has no voice"),
        ({"model": TEXT_MODEL, "languageCode": "de"}, "languageCode", "text has no voice"),
        (
            {"thinking": {"thinking_level": "LOW"}},
            "thinking",
            "gemini-3.8-live takes no thinking settings",
        ),
        (
            {"model": TEXT_MODEL, "thinking": {"thinking_level": "LOW"}},
            "thinking",
            "takes thinking_budget, not",
        ),
        (
            {"model": "gemini-3.1-flash-live-preview", "thinking": {"thinking_budget": 1}},
            "thinking",
            "takes thinking_level, not",
        ),
        (
            {
                "model": "gemini-3.8-live-extended-thinking",
                "thinking": {"thinking_level": "MINIMAL"},
            },
            "thinking",
            "needs thinking_level LOW, MEDIUM or HIGH",
        ),
        (
            {"model": "gemini-3.8-live-extended-thinking", "thinking": {"include_thoughts": True}},
            "thinking",
            "needs thinking_level",
        ),
        (
            {
                "model": "gemini-2.5-flash-native-audio-latest",
                "thinking": {"thinking_level": "LOW"},
            },
            "thinking",
            "takes thinking_budget",
        ),
        (
            {
                "model": "gemini-2.5-flash-native-audio-preview-12-2025",
                "thinking": {"thinking_level": "LOW"},
            },
            "thinking",
            "takes thinking_budget",
        ),
        ({"output_transcription": False}, "output_transcription", "no answer to read"),
    ],
)
def test_refused(data: dict[str, object], key: str, why: str) -> None:
    """What this model or version does not do is refused by name; nothing else of it is."""
    report = config.report(config.parse(data), plan_of(data))
    refused = cast("Mapping[str, object]", report["refused"])
    assert list(refused) == [key]
    assert why in str(refused[key])


@pytest.mark.parametrize(
    ("data", "key", "said"),
    [
        (
            {"response_modalities": ["TEXT", "AUDIO"]},
            "response_modalities",
            {
                "from": ["AUDIO", "TEXT"],
                "to": ["AUDIO"],
                "why": "Gemini takes one modality; the text is the transcription of the sound",
            },
        ),
        (
            {"responseModalities": ["TEXT"]},
            "responseModalities",
            {
                "from": ["TEXT"],
                "to": ["AUDIO"],
                "why": "gemini-3.8-live only speaks; the text is the transcription of its sound",
            },
        ),
        *(
            (
                {"model": f"models/{name}"},
                "model",
                {"from": name, "to": "gemini-3.8-live", "why": f"{name} is retired"},
            )
            for name in (
                "gemini-2.0-flash",
                "gemini-2.0-flash-exp",
                "gemini-2.0-flash-001",
                "gemini-2.0-flash-live-001",
                "gemini-live-2.5-flash-preview",
                "gemini-2.5-flash-preview-native-audio-dialog",
                "gemini-2.5-flash-exp-native-audio-thinking-dialog",
            )
        ),
    ],
)
def test_clamped(data: dict[str, object], key: str, said: dict[str, object]) -> None:
    """What becomes another value is told with both, and why."""
    report = config.report(config.parse(data), plan_of(data))
    assert report["clamped"] == {key: said}


def test_retired_unmapped() -> None:
    """The operator may leave retired names to Gemini, but has to say so."""
    plan = plan_of({"model": "gemini-2.0-flash"}, maps_retired=False)
    assert (plan.model, plan.clamped) == ("gemini-2.0-flash", {})
    assert config.resolve(Config({"model": "gemini-2.0-flash"})).model == "gemini-3.8-live"


@pytest.mark.parametrize(
    ("data", "wants_sound", "speaks"),
    [
        ({}, False, True),
        ({"response_modalities": ["AUDIO"]}, True, True),
        ({"response_modalities": ["TEXT"]}, False, True),
        ({"response_modalities": ["TEXT", "AUDIO"]}, True, True),
        ({"model": TEXT_MODEL}, False, False),
        ({"model": TEXT_MODEL, "response_modalities": ["AUDIO"]}, True, True),
    ],
)
def test_modality(data: dict[str, object], *, wants_sound: bool, speaks: bool) -> None:
    """Gemini is asked for the one modality it has, and the client gets what it asked for."""
    plan = plan_of(data)
    assert (plan.wants_sound, plan.speaks) == (wants_sound, speaks)


def test_whole_setup() -> None:
    """The setup is what was applied and the documented additions, and nothing else."""
    addition: dict[str, object] = {
        "contextWindowCompression": {"slidingWindow": {}},
        "outputAudioTranscription": {},
    }
    assert plan_of({}).setup == {"model": "models/gemini-3.8-live", **SPOKEN, **addition}
    assert plan_of({"app": "a", "zzz": 1, "events": []}).setup == plan_of({}).setup


def test_generation_config() -> None:
    """All that Gemini keeps under generationConfig may be given there."""
    given_values: dict[str, object] = {
        "response_modalities": ["AUDIO"],
        "temperature": 1,
        "max_output_tokens": 2,
        "top_p": 0.5,
        "top_k": 3,
        "seed": 4,
        "presence_penalty": 1.5,
        "frequency_penalty": -1.5,
        "media_resolution": "MEDIUM",
        "thinking": {"thinking_budget": 5},
    }
    model = "gemini-2.5-flash-native-audio-latest"
    plan = plan_of({"model": model, "generation_config": given_values})
    assert plan.setup["generationConfig"] == {
        "responseModalities": ["AUDIO"],
        "temperature": 1,
        "maxOutputTokens": 2,
        "topP": 0.5,
        "topK": 3,
        "seed": 4,
        "presencePenalty": 1.5,
        "frequencyPenalty": -1.5,
        "mediaResolution": "MEDIA_RESOLUTION_MEDIUM",
        "thinkingConfig": {"thinkingBudget": 5},
    }
    assert plan_of({"model": model, **given_values}).setup == plan.setup
    in_group = {"max_tokens": 2, "thinking_config": {"thinking_budget": 5}}
    assert not config.parse({"generation_config": in_group}).refused


@pytest.mark.parametrize("key", ["temperature", "max_tokens", "top_p", "top_k", "seed"])
@pytest.mark.parametrize("value", ["x", -(2**40), {}])
def test_generation_config_faulty(key: str, value: object) -> None:
    """What is checked beside generation_config is checked inside."""
    assert config.parse({"generation_config": {key: value}}).fault


@pytest.mark.parametrize(
    "key",
    [
        "presence_penalty",
        "frequency_penalty",
        "media_resolution",
        "thinking",
        "response_modalities",
    ],
)
def test_generation_config_faulty_type(key: str) -> None:
    """So is what is given more rarely."""
    assert config.parse({"generation_config": {key: 99}}).fault


def test_merge() -> None:
    """A config adds to the one before; null takes a setting back."""
    first, second = (
        config.parse({"temperature": 1, "top_p": 0.5}),
        config.parse({"temperature": None}),
    )
    merged = Config().merge(first).merge(second)
    assert merged == Config({"top_p": 0.5})
    assert config.report(second, config.resolve(merged))["applied"] == {"temperature": None}


def test_same_setting_twice() -> None:
    """A setting given twice alike is reported under both spellings."""
    data: dict[str, object] = {"max_tokens": 5, "generation_config": {"maxOutputTokens": 5.0}}
    applied = config.report(config.parse(data), plan_of(data))["applied"]
    assert applied == {"max_tokens": 5, "generation_config.maxOutputTokens": 5}


@pytest.mark.parametrize("nothing", [{}, {"generation_config": {}}, {"generation_config": None}])
def test_nothing(nothing: dict[str, object]) -> None:
    """A config of nothing changes nothing."""
    assert plan_of(nothing) == plan_of({})


def test_labels() -> None:
    """Labels are kept for the log, each under its own name."""
    names = ("app", "client_id", "device", "user_id", "session_id", "request_id")
    data: dict[str, object] = {name: f"{name}!" for name in names}
    assert plan_of(data).labels == data


@pytest.mark.parametrize("asked", [True, False])
def test_resumable(*, asked: bool) -> None:
    """Whether the session outlives its client's WebSocket is for a client of `livegate.v1` to say."""
    delta = config.parse({"resumable": asked})
    plan = config.resolve(Config().merge(delta))
    assert plan.resumable is asked
    assert plan.setup == plan_of({}).setup
    report = config.report(delta, plan, is_v1=True)
    assert report == {"applied": {"resumable": asked}, "clamped": {}, "refused": {}}


def test_not_resumable() -> None:
    """Nobody has to come back who has not asked for it, or has taken it back."""
    assert not plan_of({}).resumable
    both = Config().merge(config.parse({"resumable": True}))
    assert not config.resolve(both.merge(config.parse({"resumable": None}))).resumable
    assert "true or false" in config.parse({"resumable": "yes"}).fault
