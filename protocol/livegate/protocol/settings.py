"""Every setting a client may give in `config`: its names, what it may be, where Gemini wants it.

Source: Live API reference, BidiGenerateContentSetup and GenerationConfig; names are those of
google-genai's LiveConnectConfig. A check returns the value as it goes upstream, or raises
ValueError with what was expected. What a model or this version does not allow is decided later,
in `config.resolve`; here is what Gemini could never accept.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

import attrs

from livegate.protocol import _json
from livegate.protocol.errors import shown
from livegate.protocol.profiles import VOICES, bare_name

_MAX_INT32: Final = 2**31 - 1
_MAX_LABEL: Final = 128
_MODEL: Final = re.compile(r"(models/)?[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")  # RFC 5646, in short
_UPPER: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

Check = Callable[[object], object]


@attrs.frozen
class Setting:
    """One key of `config.data`."""

    check: Check
    path: tuple[str, ...] = ()
    """Where it stands under Gemini's `setup`; empty if it never goes there."""
    aliases: tuple[str, ...] = ()


def _fail(expected: str, got: object) -> ValueError:
    return ValueError(f"must be {expected}, got {shown(got)}")


def _number(low: float, high: float) -> Check:
    def check(value: object) -> object:
        if not _json.is_number(value) or not low <= value <= high:
            raise _fail(f"a number from {low:g} to {high:g}", value)
        return value

    return check


def _integer(low: int, high: int) -> Check:
    def check(value: object) -> object:
        if not _json.is_number(value) or not low <= value <= high or value != int(value):
            raise _fail(f"a whole number from {low} to {high}", value)
        return int(value)

    return check


def _boolean(value: object) -> object:
    if not isinstance(value, bool):
        raise _fail("true or false", value)
    return value


def _word(*words: str) -> Check:
    """Return a check for one of a few words of ours."""

    def check(value: object) -> object:
        word = value.lower() if isinstance(value, str) else None
        if word not in words:
            raise _fail(f"one of {', '.join(words)}", value)
        return word

    return check


def _enum(*names: str, prefix: str = "") -> Check:
    """Return a check for an enum of Gemini's; its common prefix may be left out."""

    def check(value: object) -> object:
        name = value.upper().removeprefix(prefix) if isinstance(value, str) else None
        if name not in names:
            raise _fail(f"one of {', '.join(names)}", value)
        return prefix + name

    return check


def _language(value: object) -> object:
    if not isinstance(value, str) or not _LANGUAGE.fullmatch(value):
        raise _fail("a language tag such as en-US", value)
    return value


def _voice(value: object) -> object:
    """Return the voice as Gemini spells it; people do not care about capitals."""
    if isinstance(value, str):
        for voice in VOICES:
            if voice.lower() == value.lower():
                return voice
        near = nearest(value.capitalize(), VOICES)
        raise ValueError(f"is no voice: {shown(value)}{near or '; one is Puck'}")
    raise _fail("the name of a voice", value)


def _modalities(value: object) -> object:
    names = value if _json.is_array(value) else [value]
    found = [name.upper() for name in names if isinstance(name, str)]
    if not found or len(found) < len(names) or not set(found) <= {"TEXT", "AUDIO"}:
        raise _fail('["TEXT"], ["AUDIO"] or both', value)
    return sorted(set(found))


def _instruction(value: object) -> object:
    """Return a Content (Live API, systemInstruction) for text or for a Content of text parts."""
    texts = _texts(value)
    if not texts or not all(text.strip() for text in texts) or "\0" in "".join(texts):
        raise _fail("text, or a Content with text parts", value)
    return {"parts": [{"text": text} for text in texts]}


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = value.get("parts") if _json.is_object(value) else None
    found = [
        part.get("text") if _json.is_object(part) else None
        for part in (parts if _json.is_array(parts) else [])
    ]
    texts = [text for text in found if isinstance(text, str)]
    return texts if len(texts) == len(found) else []


_TOOLS: Final = {
    "function_declarations": "functionDeclarations",
    "google_search": "googleSearch",
    "code_execution": "codeExecution",
    "url_context": "urlContext",
}


def _tools(value: object) -> object:
    """Return tools under the wire's names; what is inside a declaration is the caller's."""
    tools = value if _json.is_array(value) else [value]
    found: list[object] = []
    for tool in tools:
        if not _json.is_object(tool) or not tool:
            raise _fail("a list of tools", value)
        renamed: dict[str, object] = {}
        for key, inner in tool.items():
            name = snake_case(key)
            if name not in _TOOLS:
                raise ValueError(f"has an unknown tool {shown(key)}{nearest(name, _TOOLS)}")
            if name == "function_declarations":
                _check_declarations(inner)
            renamed[_TOOLS[name]] = inner
        found.append(renamed)
    return found


def _check_declarations(value: object) -> None:
    for declaration in value if _json.is_array(value) else [None]:
        name = declaration.get("name") if _json.is_object(declaration) else None
        if not isinstance(name, str) or not name:
            raise ValueError("has function_declarations that are not a list of named functions")


def _group(**members: Setting) -> Check:
    """Return a check for an object of Gemini's, member by member."""

    def check(value: object) -> object:
        if not _json.is_object(value):
            raise _fail(f"an object of {', '.join(members)}", value)
        found: dict[str, object] = {}
        for key, inner in value.items():
            name = snake_case(key)
            if name not in members:
                raise ValueError(f"has an unknown key {shown(key)}{nearest(name, members)}")
            try:
                found[members[name].path[0]] = members[name].check(inner)
            except ValueError as error:
                raise ValueError(f"has {name} that {error}") from None
        return found

    return check


def _switch(value: object) -> object:
    """Return true or false; an empty object is how the Live API itself says true."""
    return True if value == {} else _boolean(value)


def _model(value: object) -> object:
    """Return a model's name as the wire wants it, with `models/`."""
    if not isinstance(value, str) or not _MODEL.fullmatch(value):
        raise _fail("the name of a model", value)
    return f"models/{bare_name(value)}"


def _events(value: object) -> object:
    if value == "all":
        return ["all"]
    names = [name for name in value if isinstance(name, str)] if _json.is_array(value) else []
    if not _json.is_array(value) or len(names) < len(value):
        raise _fail('a list of frame types, or "all"', value)
    return names


_audio_parts: Final = _group(
    format=Setting(_word("pcm16", "wav"), ("format",)),
    per=Setting(_word("piece", "turn"), ("per",)),
    encoding=Setting(_word("base64", "binary"), ("encoding",)),
)


def _audio(value: object) -> object:
    """Return how sound is to come, in full: files of single pieces would play all at once."""
    parts = _audio_parts(value)
    given: Mapping[str, object] = parts if _json.is_object(parts) else {}
    form = given.get("format", "pcm16")
    per = "turn" if form == "wav" else "piece"
    return {"format": form, "per": per, "encoding": "base64", **given}


def _label(value: object) -> object:
    is_text = isinstance(value, str | int) and not isinstance(value, bool)
    if not is_text or len(str(value)) > _MAX_LABEL:
        raise _fail(f"a string of at most {_MAX_LABEL} characters", value)
    return value


_GENERATION: Final = "generationConfig"
_SPEECH: Final = (_GENERATION, "speechConfig")
_DETECTION: Final = ("realtimeInputConfig", "automaticActivityDetection")

# Accepted beside one another and inside `generation_config`.
GENERATION_KEYS: Final[Mapping[str, Setting]] = MappingProxyType(
    {
        "response_modalities": Setting(_modalities, (_GENERATION, "responseModalities")),
        "temperature": Setting(_number(0, 2), (_GENERATION, "temperature")),
        "max_output_tokens": Setting(
            _integer(1, _MAX_INT32), (_GENERATION, "maxOutputTokens"), aliases=("max_tokens",)
        ),
        "top_p": Setting(_number(0, 1), (_GENERATION, "topP")),
        "top_k": Setting(_integer(1, _MAX_INT32), (_GENERATION, "topK")),
        "seed": Setting(_integer(-_MAX_INT32 - 1, _MAX_INT32), (_GENERATION, "seed")),
        "presence_penalty": Setting(_number(-2, 2), (_GENERATION, "presencePenalty")),
        "frequency_penalty": Setting(_number(-2, 2), (_GENERATION, "frequencyPenalty")),
        "media_resolution": Setting(
            _enum("LOW", "MEDIUM", "HIGH", prefix="MEDIA_RESOLUTION_"),
            (_GENERATION, "mediaResolution"),
        ),
        "thinking": Setting(
            _group(
                thinking_budget=Setting(_integer(-1, _MAX_INT32), ("thinkingBudget",)),
                thinking_level=Setting(
                    _enum("MINIMAL", "LOW", "MEDIUM", "HIGH"), ("thinkingLevel",)
                ),
                include_thoughts=Setting(_boolean, ("includeThoughts",)),
            ),
            (_GENERATION, "thinkingConfig"),
            aliases=("thinking_config",),
        ),
    }
)

KEYS: Final[Mapping[str, Setting]] = MappingProxyType(
    {
        "model": Setting(_model, ("model",)),
        **GENERATION_KEYS,
        "voice": Setting(
            _voice,
            (*_SPEECH, "voiceConfig", "prebuiltVoiceConfig", "voiceName"),
            aliases=("voice_name",),
        ),
        "language": Setting(_language, (*_SPEECH, "languageCode"), aliases=("language_code",)),
        "system_instruction": Setting(_instruction, ("systemInstruction",)),
        "tools": Setting(_tools, ("tools",)),
        "vad": Setting(
            _group(
                disabled=Setting(_boolean, ("disabled",)),
                start_of_speech_sensitivity=Setting(
                    _enum("HIGH", "LOW", prefix="START_SENSITIVITY_"),
                    ("startOfSpeechSensitivity",),
                ),
                end_of_speech_sensitivity=Setting(
                    _enum("HIGH", "LOW", prefix="END_SENSITIVITY_"), ("endOfSpeechSensitivity",)
                ),
                prefix_padding_ms=Setting(_integer(0, _MAX_INT32), ("prefixPaddingMs",)),
                silence_duration_ms=Setting(_integer(0, _MAX_INT32), ("silenceDurationMs",)),
            ),
            _DETECTION,
            aliases=("automatic_activity_detection",),
        ),
        "activity_handling": Setting(
            _enum("START_OF_ACTIVITY_INTERRUPTS", "NO_INTERRUPTION"),
            ("realtimeInputConfig", "activityHandling"),
        ),
        "turn_coverage": Setting(
            _enum(
                "ONLY_ACTIVITY",
                "ALL_INPUT",
                "AUDIO_ACTIVITY_AND_ALL_VIDEO",
                prefix="TURN_INCLUDES_",
            ),
            ("realtimeInputConfig", "turnCoverage"),
        ),
        "input_transcription": Setting(
            _switch, ("inputAudioTranscription",), aliases=("input_audio_transcription",)
        ),
        "output_transcription": Setting(
            _switch, ("outputAudioTranscription",), aliases=("output_audio_transcription",)
        ),
        "events": Setting(_events),
        "resumable": Setting(_boolean),
        "audio": Setting(_audio),
        **{
            label: Setting(_label)
            for label in ("app", "client_id", "device", "user_id", "session_id", "request_id")
        },
    }
)

LABELS: Final = ("app", "client_id", "device", "user_id", "session_id", "request_id")
"""For the log; never sent to Gemini."""


def snake_case(key: str) -> str:
    """Return a key in the spelling of the tables: `maxOutputTokens` is `max_output_tokens`."""
    return _UPPER.sub("_", key).lower()


def canonical(key: str, keys: Mapping[str, Setting]) -> str | None:
    """Return the table's name for a key in any spelling, or None if there is none."""
    name = snake_case(key)
    if name in keys:
        return name
    return next((known for known, row in keys.items() if name in row.aliases), None)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean X?`, or nothing if no known name is near."""
    close = difflib.get_close_matches(name, list(known))
    return f"; did you mean {close[0]}?" if close else ""
