"""What Gemini refuses, with its real codes and reasons.

Source: reports of users of the Live API, by model; `profiles.py` has what differs between them.
"""

from collections.abc import Collection, Sequence
from typing import Final

from livegate.protocol.emulator.wire import (
    Blob,
    ClientContent,
    ClientMessage,
    Content,
    RealtimeInput,
    RefusalError,
    Setup,
    SpeechConfig,
    ThinkingConfig,
    Tool,
    ToolResponse,
    bytes_of,
    invalid,
)
from livegate.protocol.profiles import PROFILES, VOICES, Profile, TextPath, Thinking

_ROLES: Final = (None, "user", "model")
_MAX_TEMPERATURE: Final = 2.0
_RATES: Final = range(8_000, 192_001)
_SILENCE_S: Final = 0.8
_MAX_CONTEXT: Final = 1_000_000
"""Characters that may wait for a turnComplete: more than 131k tokens of context hold."""


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
    is_alias = model.endswith("-latest")  # these names exist on v1beta only
    if profile is None or not model.startswith("models/") or (is_alias and version != "v1beta"):
        raise RefusalError(
            1008,
            f"{model} is not found for API version {version}, or is not supported for "
            "bidiGenerateContent. Call ListModels to see the list of available models.",
        )
    return profile


def modality_of(setup: Setup, profile: Profile) -> str:
    """Return the one modality of the answers, or refuse what was asked for."""
    asked = setup.generation_config.response_modalities or []
    if len(asked) > 1:
        raise invalid()
    if setup.generation_config.speech_config is not None and asked != ["AUDIO"]:
        raise RefusalError(1007, "Cannot extract voices from a non-audio request.")
    modality = asked[0] if asked else "AUDIO"
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
        or not _is_thinking_good(config.thinking_config, profile)
        or not _are_extras_good(setup, profile)
    )
    if is_bad:
        raise invalid()
    check_tools(setup.tools or (), profile)
    if setup.system_instruction is not None:
        check_instruction(setup.system_instruction)


def _is_voice_good(speech: SpeechConfig | None) -> bool:
    voice = speech.voice_config if speech is not None else None
    prebuilt = voice.prebuilt_voice_config if voice is not None else None
    return prebuilt is None or prebuilt.voice_name in VOICES


def _are_extras_good(setup: Setup, profile: Profile) -> bool:
    """Whether proactivity and affective dialog are asked of a model that has them."""
    is_affective = setup.generation_config.enable_affective_dialog
    proactive = setup.proactivity.proactive_audio if setup.proactivity is not None else None
    if profile.name.startswith("gemini-3.8"):  # proactive at all times
        return not is_affective and proactive is not False
    if profile.name.startswith("gemini-3.1"):
        return not is_affective and not proactive
    return True


def _is_thinking_good(asked: ThinkingConfig | None, profile: Profile) -> bool:
    level = asked.thinking_level if asked is not None else None
    budget = asked.thinking_budget if asked is not None else None
    if profile.thinking is Thinking.REFUSED:
        return asked is None
    if profile.thinking is Thinking.BUDGET:
        return level is None
    is_missing = profile.thinking is Thinking.LEVEL_REQUIRED and level in (None, "MINIMAL")
    return budget is None and not is_missing


def check_tools(tools: Collection[Tool], profile: Profile) -> None:
    """Refuse tools that a model does not have, and blocking calls where it never waits."""
    is_38 = profile.name.startswith("gemini-3.8")
    never_waits = profile.thinking is Thinking.LEVEL_REQUIRED
    for tool in tools:
        absent = (tool.code_execution, tool.url_context, tool.google_maps)
        if is_38 and any(one is not None for one in absent):
            raise invalid()
        for declared in tool.function_declarations or ():
            if never_waits and declared.behavior == "BLOCKING":
                raise invalid()


def is_blocking(name: str, tools: Collection[Tool], profile: Profile) -> bool:
    """Whether the model waits for a function's result before it goes on.

    Where calls are NON_BLOCKING unless declared otherwise a model may talk on, but need not:
    this one does so only if told to, or if it is one that never waits.
    """
    declared = (one for tool in tools for one in tool.function_declarations or ())
    said = next((one.behavior for one in declared if one.name == name), None)
    return said != "NON_BLOCKING" and profile.thinking is not Thinking.LEVEL_REQUIRED


def check_instruction(content: Content) -> None:
    """Refuse a system instruction that is not text alone."""
    check_content(content)
    if any(part.text is None for part in content.parts):
        raise invalid()


def check_content(content: Content) -> None:
    """Refuse roles that the Developer API does not know, and data that is no base64."""
    if content.role not in _ROLES:
        raise invalid()
    for part in content.parts:
        if part.inline_data is not None:
            bytes_of(part.inline_data)


def check_turns(content: ClientContent, profile: Profile, *, is_seeding: bool) -> None:
    """Refuse ordered turns in mid-session where a model takes realtime text only."""
    if profile.text_path is TextPath.REALTIME_TEXT and not is_seeding:
        raise invalid()
    for turn in content.turns:
        check_content(turn)


def check_history(roles: Sequence[str | None], profile: Profile) -> None:
    """Refuse initial history that ends with the model's turn, where a model cannot go on from it.

    Live API, HistoryConfig: it may end with model content; users of 2.5 say that there it may not.
    """
    if profile.history_ends_with_user and roles and roles[-1] == "model":
        raise invalid()


def check_awaited(message: ClientMessage, profile: Profile) -> None:
    """Refuse all but clientContent until the initial history has ended.

    Live API, HistoryConfig: the server waits for it, until a turnComplete. 2.5 does not.
    """
    if message.client_content is None and not _is_25(profile):
        raise invalid()


def _is_25(profile: Profile) -> bool:
    return "2.5" in profile.name


def check_context(texts: Collection[str]) -> None:
    """Refuse more than the context window holds."""
    if sum(len(text) + 1 for text in texts) > _MAX_CONTEXT:
        raise invalid()


def rate_of(blob: Blob) -> int:
    """Return the declared rate of a piece of sound in Hz, or refuse what is not PCM."""
    kind, *declared = blob.mime_type.lower().replace(" ", "").split(";")
    rates = [one.removeprefix("rate=") for one in declared if one.startswith("rate=")]
    rate = rates[0] if rates else "16000"
    # A number is compared as text first: int() has its own ideas of very long ones.
    if kind != "audio/pcm" or len(rate) > len("192000") or not rate.isdecimal():
        raise invalid()
    if int(rate) not in _RATES:
        raise invalid()
    return int(rate)


def is_image(blob: Blob) -> bool:
    """Whether a piece of media is a picture; refuse it if it is one and not base64."""
    is_one = blob.mime_type.startswith("image/")
    if is_one:
        bytes_of(blob)
    return is_one


def check_realtime(realtime: RealtimeInput, profile: Profile) -> None:
    """Refuse a message that says more than one thing, or nothing, or in a deprecated way."""
    if realtime.media_chunks is not None and profile.name.startswith("gemini-3"):
        raise RefusalError(
            1007, "realtime_input.media_chunks is deprecated. Use audio, video, or text instead."
        )
    given = (
        realtime.audio,
        realtime.video,
        realtime.text,
        realtime.media_chunks,
        realtime.activity_start,
        realtime.activity_end,
        realtime.audio_stream_end or None,
    )
    if len(given) - given.count(None) != 1:
        raise invalid()
    if realtime.video is not None and not is_image(realtime.video):
        raise invalid()


def check_activity(realtime: RealtimeInput, *, is_manual: bool, is_active: bool) -> None:
    """Refuse activity messages that the kind of activity detection has no place for."""
    is_explicit = realtime.activity_start is not None or realtime.activity_end is not None
    if is_explicit and not is_manual:
        raise RefusalError(
            1007,
            "Explicit activity control is not supported when automatic activity detection is "
            "enabled.",
        )
    is_end_of_nothing = realtime.activity_end is not None and not is_active
    if is_end_of_nothing or (realtime.audio_stream_end and is_manual):
        raise RefusalError(1007, "Precondition check failed.")


def check_tool_response(
    response: ToolResponse, pending: Collection[str], profile: Profile
) -> None:
    """Refuse results that no call waits for, or that name none, or one twice."""
    ids = [one.id for one in response.function_responses]
    never_waits = profile.thinking is Thinking.LEVEL_REQUIRED
    for one in response.function_responses:
        if one.id not in pending or ids.count(one.id) > 1:
            raise invalid()
        if never_waits and one.scheduling is not None:
            raise invalid()


def silence_s(setup: Setup, profile: Profile) -> float:
    """Return the silence that ends a spoken turn."""
    detection = setup.realtime_input_config.automatic_activity_detection
    asked_ms = detection.silence_duration_ms if detection is not None else None
    if not asked_ms or profile.name.startswith("gemini-3.1"):  # which ignores it
        return _SILENCE_S
    return asked_ms / 1000
