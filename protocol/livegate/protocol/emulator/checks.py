"""What Gemini refuses, with its real codes and reasons.

Source: reports of users of the Live API, by model; `profiles.py` has what differs between them.
"""

from typing import Final

from livegate.protocol.emulator.wire import (
    Blob,
    Content,
    Proactivity,
    RefusalError,
    Setup,
    SpeechConfig,
    ThinkingConfig,
    ToolResponse,
    bytes_of,
    invalid,
)
from livegate.protocol.profiles import PROFILES, VOICES, Profile, TextPath, Thinking

_ROLES: Final = (None, "user", "model")
_LEVELS: Final = ("MINIMAL", "LOW", "MEDIUM", "HIGH")
_MAX_TEMPERATURE: Final = 2.0
_RATES: Final = range(8_000, 192_001)


def check_key(key: str, good: frozenset[str] | None) -> None:
    """Refuse a caller without a key, or with one that is not good.

    The real service accepts the upgrade all the same, and closes then.
    """
    if not key:
        raise RefusalError(
            1008,
            "Method doesn't allow unregistered callers (callers without established identity). "
            "Please use API Key or other form of API consumer identity to call this API.",
        )
    if good is not None and key not in good:
        raise RefusalError(1007, "API key not valid. Please pass a valid API key.")


def profile_for(model: str, version: str) -> Profile:
    """Return the model's rules, or refuse a model that is not served."""
    profile = PROFILES.get(model.removeprefix("models/"))
    if profile is None or not model.startswith("models/"):
        raise RefusalError(
            1008,
            f"{model} is not found for API version {version}, or is not supported for "
            "bidiGenerateContent. Call ListModels to see the list of available models.",
        )
    return profile


def modality_of(setup: Setup, profile: Profile) -> str:
    """Return the one modality of the answers, or refuse what was asked for."""
    asked = setup.generation_config.response_modalities or ["AUDIO"]
    speech = setup.generation_config.speech_config
    if len(asked) != 1:
        raise invalid()
    modality = asked[0]
    if modality not in ("TEXT", "AUDIO"):
        raise invalid()
    if speech is not None and modality != "AUDIO":
        raise RefusalError(1007, "Cannot extract voices from a non-audio request.")
    if modality not in profile.modalities:
        raise RefusalError(
            1007,
            f"The requested combination of response modalities ({modality}) is not supported by "
            f"the model. models/{profile.name} accepts {', '.join(profile.modalities)}.",
        )
    return modality


def check_settings(setup: Setup, profile: Profile) -> None:
    """Refuse values that are out of range, unknown, or not for this model."""
    config = setup.generation_config
    is_bad = (
        (config.temperature is not None and not 0 <= config.temperature <= _MAX_TEMPERATURE)
        or (config.top_p is not None and not 0 <= config.top_p <= 1)
        or (config.max_output_tokens is not None and config.max_output_tokens <= 0)
        or (config.top_k is not None and config.top_k < 1)
        or not _is_voice_good(config.speech_config)
        or not _is_proactivity_good(setup.proactivity, profile)
        or not _is_thinking_good(config.thinking_config, profile)
    )
    if is_bad:
        raise invalid()
    if setup.system_instruction is not None:
        check_content(setup.system_instruction)


def _is_voice_good(speech: SpeechConfig | None) -> bool:
    voice = speech.voice_config if speech is not None else None
    prebuilt = voice.prebuilt_voice_config if voice is not None else None
    return prebuilt is None or prebuilt.voice_name in VOICES


def _is_proactivity_good(asked: Proactivity | None, profile: Profile) -> bool:
    """Whether a model whose proactivity is always on was left alone with it."""
    is_off = asked is not None and asked.proactive_audio is False
    return not (is_off and profile.name.startswith("gemini-3.8"))


def _is_thinking_good(asked: ThinkingConfig | None, profile: Profile) -> bool:
    level = asked.thinking_level if asked is not None else None
    match profile.thinking:
        case Thinking.REFUSED:
            return asked is None
        case Thinking.BUDGET:
            return level is None
        case Thinking.LEVEL:
            return asked is None or (asked.thinking_budget is None and level in (None, *_LEVELS))
        case Thinking.LEVEL_REQUIRED:
            return level in _LEVELS[1:] and asked is not None and asked.thinking_budget is None


def check_content(content: Content) -> None:
    """Refuse roles that the Developer API does not know, and data that is no base64."""
    if content.role not in _ROLES:
        raise invalid()
    for part in content.parts:
        if part.inline_data is not None:
            bytes_of(part.inline_data)


def check_turns(profile: Profile, *, is_seeding: bool) -> None:
    """Refuse ordered turns in mid-session where a model takes realtime text only."""
    if profile.text_path is TextPath.REALTIME_TEXT and not is_seeding:
        raise invalid()


def rate_of(blob: Blob) -> int:
    """Return the declared rate of a piece of sound in Hz, or refuse what is no sound."""
    kind, _, rate = blob.mime_type.partition(";rate=")
    if not kind.startswith("audio/") or (rate and not rate.isdecimal()):
        raise invalid()
    hertz = int(rate or 16_000)
    if hertz not in _RATES:
        raise invalid()
    return hertz


def check_media_chunks(chunks: list[Blob] | None, profile: Profile) -> None:
    """Refuse the deprecated field on models of generation 3."""
    if chunks is not None and profile.name.startswith("gemini-3"):
        raise RefusalError(
            1007, "realtime_input.media_chunks is deprecated. Use audio, video, or text instead."
        )


def check_tool_response(response: ToolResponse, pending: set[str]) -> None:
    """Refuse results that no call waits for, or that name none."""
    for one in response.function_responses:
        if one.id not in pending:
            raise invalid()
