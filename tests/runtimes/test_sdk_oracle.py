"""Google's SDK as the oracle of our setups: the same wishes, written for both, come to the same."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any, Final

import attrs
import pytest
from google.genai import types
from hypothesis import given, settings

from livegate.protocol import config, gemini
from livegate.protocol.config import Config
from livegate.protocol.profiles import DEFAULT_MODEL, RETIRED, Profile, Thinking, profile_of
from livegate.protocol.settings import KEYS
from sdk import Sdk
from wishes import PREFIXES, SPELLINGS, Json, Wishes, camel, camel_keys, pens, wishes, written

SAMPLES: Final = Path(__file__).parent.parent / "data" / "wire-samples"
NATIVE: Final = "gemini-2.5-flash-native-audio-preview-12-2025"
pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings(
        # The only way in which the SDK takes penalties.
        "ignore:Setting `LiveConnectConfig.generation_config`:DeprecationWarning"
    ),
]


# The wishes in the SDK's names


def sdk_config(wished: Wishes) -> types.LiveConnectConfig:
    """Return wishes as a user of the SDK would write them."""
    return types.LiveConnectConfig(
        response_modalities=(
            [types.Modality(name) for name in sorted(wished.response_modalities)]
            if wished.response_modalities is not None
            else None
        ),
        temperature=wished.temperature,
        max_output_tokens=wished.max_output_tokens,
        top_p=wished.top_p,
        top_k=wished.top_k,
        seed=wished.seed,
        generation_config=sdk_penalties(wished),
        media_resolution=sdk_enum(types.MediaResolution, "media_resolution", wished),
        thinking_config=(
            types.ThinkingConfig.model_validate(wished.thinking)
            if wished.thinking is not None
            else None
        ),
        speech_config=sdk_speech(wished),
        system_instruction=sdk_instruction(wished),
        tools=(
            [types.Tool.model_validate(tool) for tool in wished.tools]
            if wished.tools is not None
            else None
        ),
        realtime_input_config=sdk_realtime(wished),
        input_audio_transcription=sdk_transcription(wished.input_transcription),
        output_audio_transcription=sdk_transcription(wished.output_transcription),
        session_resumption=(
            types.SessionResumptionConfig(handle=wished.handle)
            if wished.handle is not None
            else None
        ),
    )


def sdk_enum(kind: Callable[[str], Any], name: str, wished: Wishes) -> Any:
    """Return one of the SDK's enums."""
    wish = getattr(wished, name)
    return None if wish is None else kind(PREFIXES.get(name, "") + wish)


def sdk_penalties(wished: Wishes) -> types.GenerationConfig | None:
    """Return the two settings that only the deprecated field has."""
    if wished.presence_penalty is None and wished.frequency_penalty is None:
        return None
    return types.GenerationConfig(
        presence_penalty=wished.presence_penalty, frequency_penalty=wished.frequency_penalty
    )


def sdk_instruction(wished: Wishes) -> types.Content | str | None:
    """Return the instruction: as a string, if it is one."""
    match wished.system_instruction:
        case None:
            return None
        case (text,):
            return text
        case texts:
            return types.Content(parts=[types.Part(text=text) for text in texts])


def sdk_speech(wished: Wishes) -> types.SpeechConfig | None:
    """Return how Gemini shall speak."""
    if wished.voice is None and wished.language is None:
        return None
    prebuilt = types.PrebuiltVoiceConfig(voice_name=wished.voice)
    voice = types.VoiceConfig(prebuilt_voice_config=prebuilt)
    return types.SpeechConfig(
        voice_config=voice if wished.voice is not None else None, language_code=wished.language
    )


def sdk_realtime(wished: Wishes) -> types.RealtimeInputConfig | None:
    """Return how Gemini shall listen."""
    found = types.RealtimeInputConfig(
        activity_handling=sdk_enum(types.ActivityHandling, "activity_handling", wished),
        turn_coverage=sdk_enum(types.TurnCoverage, "turn_coverage", wished),
    )
    if wished.vad is not None:
        spelled = {
            name: PREFIXES[name] + wish if name in PREFIXES else wish
            for name, wish in wished.vad.items()
        }
        found.automatic_activity_detection = types.AutomaticActivityDetection(**spelled)
    return found if found.model_dump(exclude_none=True) else None


def sdk_transcription(wish: bool | None) -> types.AudioTranscriptionConfig | None:  # noqa: FBT001 - a wish
    """Return a transcription that is asked for; the SDK knows no way to say no."""
    return types.AudioTranscriptionConfig() if wish else None


# What may differ, and why


@attrs.frozen
class Difference:
    """A way in which our setup is not the SDK's."""

    why: str
    even_out: Callable[[Json, Wishes, Profile], None]
    """Make the SDK's setup, in place, what ours should be."""


def without_role(setup: Json, _wished: Wishes, _profile: Profile) -> None:
    """Drop the role of a system instruction."""
    if "systemInstruction" in setup:
        assert setup["systemInstruction"].pop("role", "user") == "user"


def with_model(setup: Json, wished: Wishes, profile: Profile) -> None:
    """Name the model of today."""
    setup["model"] = f"models/{profile.name}"
    assert wished.model in RETIRED or wished.model == profile.name


def with_one_modality(setup: Json, wished: Wishes, profile: Profile) -> None:
    """Ask for the one modality that the model has."""
    asked = wished.response_modalities or frozenset()
    is_written = "TEXT" in profile.modalities and "AUDIO" not in asked
    setup.setdefault("generationConfig", {})["responseModalities"] = [
        "TEXT" if is_written else "AUDIO"
    ]


def without_voice_for_text(setup: Json, _wished: Wishes, _profile: Profile) -> None:
    """Drop the voice where nothing is spoken."""
    if setup["generationConfig"]["responseModalities"] == ["TEXT"]:
        setup["generationConfig"].pop("speechConfig", None)


def with_fitting_thought(setup: Json, wished: Wishes, profile: Profile) -> None:
    """Drop thinking settings for another kind of model, and set the level that one needs."""
    asked = wished.thinking or {}
    has_level, has_budget = "thinking_level" in asked, "thinking_budget" in asked
    fits = {
        Thinking.REFUSED: False,
        Thinking.BUDGET: not has_level,
        Thinking.LEVEL: not has_budget,
        Thinking.LEVEL_REQUIRED: not has_budget
        and asked.get("thinking_level", "MINIMAL") != "MINIMAL",
    }[profile.thinking]
    if not fits:
        setup["generationConfig"].pop("thinkingConfig", None)
        if profile.thinking is Thinking.LEVEL_REQUIRED:
            setup["generationConfig"]["thinkingConfig"] = {"thinkingLevel": "LOW"}


def with_readable_speech(setup: Json, wished: Wishes, _profile: Profile) -> None:
    """Ask for the transcription of what is spoken."""
    speaks = setup["generationConfig"]["responseModalities"] == ["AUDIO"]
    is_only_read = "AUDIO" not in (wished.response_modalities or ())
    if speaks and (is_only_read or wished.output_transcription is not False):
        setup["outputAudioTranscription"] = {}


def with_heard_input(setup: Json, wished: Wishes, _profile: Profile) -> None:
    """Ask for the transcription of what is heard, for clients that want its frames."""
    wants = {"all", "input_transcript"} & {*(wished.events or ())}
    if wants and wished.input_transcription is None:
        setup["inputAudioTranscription"] = {}


def with_long_life(setup: Json, _wished: Wishes, _profile: Profile) -> None:
    """Ask for compression and for resumption."""
    setup["contextWindowCompression"] = {"slidingWindow": {}}
    setup.setdefault("sessionResumption", {})


DIFFERENCES: Final = (
    Difference(
        "Gemini does not ask who says a system instruction; the SDK may tell", without_role
    ),
    Difference("a retired model is refused: its name means the default one", with_model),
    Difference("Gemini takes exactly one modality, and most models only speak", with_one_modality),
    Difference("Gemini refuses a voice for text (1007)", without_voice_for_text),
    Difference("Gemini refuses thinking settings of other models (1007)", with_fitting_thought),
    Difference("clients read what is said, unless they take its sound", with_readable_speech),
    Difference("frames that were asked for need a transcription to come of", with_heard_input),
    Difference("without these a session ends after 15 minutes, or with its link", with_long_life),
)
"""What ours says otherwise on purpose, in the order in which one follows from the other."""


def plain(setup: Json) -> Json:
    """Return a setup in one spelling of all that means the same.

    Protobuf JSON takes keys in snake case and in camel case: the SDK sends both, we send the
    documented one, and declarations as the client wrote them. The types of a schema may be in
    small letters too. All tools together are what counts; the SDK puts functions last, as one.
    """
    tools = [(camel(key), inner) for tool in setup.get("tools", ()) for key, inner in tool.items()]
    return {
        **{key: camel_keys(inner) for key, inner in setup.items() if key != "tools"},
        "tools": [tool for tool in tools if tool[0] != "functionDeclarations"],
        "functions": [
            plain_declaration(one)
            for key, inner in tools
            if key == "functionDeclarations"
            for one in inner
        ],
    }


def plain_declaration(declared: Json) -> Json:
    """Return a declaration in one spelling; a JSON schema's keys are the caller's own."""
    return {
        camel(key): plain_schema(inner) if key in {"parameters", "response"} else inner
        for key, inner in declared.items()
    }


def plain_schema(schema: Json) -> Json:
    """Return a schema of Gemini's own kind in one spelling; its properties' names are data."""
    found: Json = {}
    for key, inner in schema.items():
        match camel(key):
            case "type":
                found["type"] = inner.upper()
            case "properties":
                found["properties"] = {name: plain_schema(one) for name, one in inner.items()}
            case "items":
                found["items"] = plain_schema(inner)
            case "anyOf":
                found["anyOf"] = [plain_schema(one) for one in inner]
            case name:
                found[name] = inner
    return found


# The oracle


def our_setup(data: Json, handle: str | None) -> Json:
    """Return the setup for a client's config."""
    delta = config.parse(data)
    assert delta.fault == ""
    plan = config.resolve(Config().merge(delta))
    message = json.loads(gemini.encode_setup(plan.setup, handle))
    assert list(message) == ["setup"]
    return dict(message["setup"])


def expected_setup(sent: Json, wished: Wishes) -> Json:
    """Return what ours should be where the SDK sent this."""
    found = plain(sent)
    profile = profile_of(DEFAULT_MODEL if wished.model in RETIRED else wished.model)
    for difference in DIFFERENCES:
        difference.even_out(found, wished, profile)
    return found


@pytest.mark.timeout(300)  # busy machines take their time for so many
@given(wishes, pens)
@settings(max_examples=2_000, deadline=None)
def test_setup(sdk: Sdk, wished: Wishes, pen: Random) -> None:
    """However a client writes what it wishes, Gemini is told what the SDK would tell it."""
    sent = sdk.setup(wished.model, sdk_config(wished))
    ours = our_setup(written(wished, pen), wished.handle)
    assert plain(ours) == expected_setup(sent, wished)
    documented = {key: inner for key, inner in ours.items() if key != "tools"}
    assert camel_keys(documented) == documented


def test_every_setting_is_wished() -> None:
    """No setting that goes to Gemini is left out of the comparison."""
    assert {name for name, row in KEYS.items() if row.path} == {*SPELLINGS}
    assert {name for row in SPELLINGS.values() for name in row} == {
        name for key in SPELLINGS for name in (key, *KEYS[key].aliases)
    }


# What the SDK was recorded to send

FUNCTION: Final[Json] = {
    "name": "f",
    "description": "d",
    "parameters_json_schema": {"type": "object", "properties": {"x": {"type": "integer"}}},
    "response_json_schema": {"type": "object"},
}
SAMPLING: Final[Json] = {"temperature": 0.7, "max_output_tokens": 1000}
SPOKEN: Final[Json] = {"response_modalities": frozenset({"AUDIO"})}
WRITTEN: Final[Json] = {"response_modalities": frozenset({"TEXT"})}
RECORDED: Final[Mapping[str, Json]] = MappingProxyType(
    {
        "both-modalities": {"response_modalities": frozenset({"AUDIO", "TEXT"})},
        "empty": {},
        "media-resolution": {"top_p": 0.9, "top_k": 40, "media_resolution": "LOW", "seed": 7},
        "none": {},
        "resumption-handle": {"handle": "HANDLE-123"},
        "resumption-new": {},
        "seed-generation-config-dict": {**SPOKEN, **SAMPLING},
        "seed-generation-config-object": {**WRITTEN, **SAMPLING},
        "system-instruction-content": {"system_instruction": ("Be brief.", "Speak English.")},
        "system-instruction-str": {"system_instruction": ("Be brief.",)},
        "text": {**WRITTEN, **SAMPLING},
        "thinking": {"thinking": {"include_thoughts": True, "thinking_budget": 0}},
        "thinking-level": {"thinking": {"thinking_level": "LOW"}},
        "tools-json-schema": {"tools": [{"function_declarations": [FUNCTION]}]},
        "transcription": {**SPOKEN, "input_transcription": True, "output_transcription": True},
        "vad-manual": {"vad": {"disabled": True}},
        "voice": {**SPOKEN, "voice": "Puck", "language": "en-US"},
    }
)
"""The recorded setups that a client of ours can wish for."""


def recorded(path: Path) -> Json:
    """Return a recorded setup."""
    [frame] = json.loads(path.read_text())["frames"]
    return dict(frame["json"]["setup"])


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("setup-*.json")), ids=lambda path: path.stem)
def test_sdk_sends_sample(sdk: Sdk, path: Path) -> None:
    """A recorded setup, read as a config of the SDK's, is sent as it was recorded."""
    setup = recorded(path)
    rest = {key: inner for key, inner in setup.items() if key not in {"model", "generationConfig"}}
    asked = types.LiveConnectConfig.model_validate({**rest, **setup.get("generationConfig", {})})
    assert plain(sdk.setup(setup["model"], asked)) == plain(setup)


@pytest.mark.parametrize("name", RECORDED)
def test_sample(name: str) -> None:
    """A client that wishes what was recorded gets a setup like it."""
    setup = recorded(SAMPLES / f"setup-{name}.json")
    wished = Wishes(model=NATIVE, **RECORDED[name])
    assert plain(our_setup(written(wished), wished.handle)) == expected_setup(setup, wished)
