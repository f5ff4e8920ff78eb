"""What a client may wish of Gemini, and every way in which it may write that in a `config`."""

import re
from collections.abc import Mapping
from random import Random
from types import MappingProxyType
from typing import Any, Final

import attrs
from hypothesis import strategies as st

from livegate.protocol import _json
from livegate.protocol.profiles import PROFILES, RETIRED, VOICES

Json = dict[str, Any]
_CAPITALS: Final = re.compile(r"_([a-z])")
_INT32: Final = 2**31 - 1
_NOTHING: Final[Json] = {}


@attrs.frozen(kw_only=True)
class Wishes:
    """What one client asks for; None where it asks for nothing.

    Numbers, enums and declarations are as Gemini names them, without the prefixes of its enums.
    """

    model: str
    response_modalities: frozenset[str] | None = None
    temperature: float | None = None
    max_output_tokens: int | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    media_resolution: str | None = None
    thinking: Json | None = None
    voice: str | None = None
    language: str | None = None
    system_instruction: tuple[str, ...] | None = None
    tools: list[Json] | None = None
    vad: Json | None = None
    activity_handling: str | None = None
    turn_coverage: str | None = None
    input_transcription: bool | None = None
    output_transcription: bool | None = None
    events: tuple[str, ...] | None = None
    app: str | None = None
    handle: str | None = None
    """Not a setting: the conversation that a later link resumes."""


SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "model": ("model",),
        "response_modalities": ("response_modalities",),
        "temperature": ("temperature",),
        "max_output_tokens": ("max_output_tokens", "max_tokens"),
        "top_p": ("top_p",),
        "top_k": ("top_k",),
        "seed": ("seed",),
        "presence_penalty": ("presence_penalty",),
        "frequency_penalty": ("frequency_penalty",),
        "media_resolution": ("media_resolution",),
        "thinking": ("thinking", "thinking_config"),
        "voice": ("voice", "voice_name"),
        "language": ("language", "language_code"),
        "system_instruction": ("system_instruction",),
        "tools": ("tools",),
        "vad": ("vad", "automatic_activity_detection"),
        "activity_handling": ("activity_handling",),
        "turn_coverage": ("turn_coverage",),
        "input_transcription": ("input_transcription", "input_audio_transcription"),
        "output_transcription": ("output_transcription", "output_audio_transcription"),
    }
)
"""Each setting that goes to Gemini, under all its names."""
_MAY_BE_INSIDE: Final = frozenset(
    {
        "response_modalities",
        "temperature",
        "max_output_tokens",
        "top_p",
        "top_k",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "media_resolution",
        "thinking",
    }
)
"""What may stand in `generation_config`."""
PREFIXES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "media_resolution": "MEDIA_RESOLUTION_",
        "turn_coverage": "TURN_INCLUDES_",
        "start_of_speech_sensitivity": "START_SENSITIVITY_",
        "end_of_speech_sensitivity": "END_SENSITIVITY_",
    }
)
_ENUMS: Final = frozenset({*PREFIXES, "activity_handling", "thinking_level"})


def camel(name: str) -> str:
    """Return a name of the SDK's as the wire spells it."""
    return _CAPITALS.sub(lambda found: found[1].upper(), name)


def camel_keys(value: Any) -> Any:
    """Return JSON with all keys in camel case, but for those of a function's result."""
    if _json.is_array(value):
        return [camel_keys(inner) for inner in value]
    if _json.is_object(value):
        return {
            camel(key): inner if key == "response" else camel_keys(inner)
            for key, inner in value.items()
        }
    return value


# What a client wishes


def _some_of(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries(_NOTHING, optional=fields)


_words: Final = st.sampled_from(["a", 'Say "no".', "é {}", "two\nlines", " x "])
_names: Final = st.sampled_from(["city", "a_name", "aName", "type", "any_of", "properties"])
_scalars: Final = st.sampled_from(["", "a_b", True, 0, -(2**53), 0.1, 1e300])
free_json: Final[st.SearchStrategy[Any]] = st.one_of(
    _scalars,
    st.none(),
    st.lists(_scalars | st.none(), max_size=2),
    st.dictionaries(_names, _scalars | st.none(), max_size=2),
    st.dictionaries(_names, st.dictionaries(_names, st.lists(_scalars, max_size=2), max_size=2)),
)
free_objects: Final = st.dictionaries(_names, free_json, max_size=3)
_leaf_schemas: Final[st.SearchStrategy[Json]] = st.sampled_from(
    [
        {},
        {"type": "STRING", "description": "a", "max_length": 9, "pattern": "^a_b$"},
        {"type": "NUMBER", "minimum": 0.5, "maximum": 1.5, "nullable": True},
        {"type": "INTEGER", "format": "int32", "default": 7, "example": {"a_b": 1}},
        {"type": "BOOLEAN", "title": "a_b"},
        {"type": "STRING", "format": "enum", "enum": ["a_b", "cD"]},
    ]
)


def _schemas_of(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    """Return schemas of arrays, of objects and of alternatives."""
    properties = st.dictionaries(_names, inner, max_size=2)
    return st.one_of(
        inner,
        inner.map(lambda one: {"type": "ARRAY", "items": one, "max_items": 3}),
        st.lists(inner, max_size=2).map(lambda some: {"any_of": some}),
        properties.map(
            lambda found: {"type": "OBJECT", "properties": found, "required": sorted(found)}
        ),
    )


_schemas: Final = _schemas_of(_schemas_of(_leaf_schemas))
_no_schemas: Final = st.just(_NOTHING)


def _declaration(name: str, *parts: Json) -> Json:
    return {"name": name, **{key: value for part in parts for key, value in part.items()}}


_declarations: Final = st.builds(
    _declaration,
    _names,
    st.sampled_from([{}, {"behavior": "BLOCKING"}, {"behavior": "NON_BLOCKING"}]),
    _no_schemas | _words.map(lambda words: {"description": words}),
    _no_schemas
    | _schemas.map(lambda schema: {"parameters": schema})
    | free_objects.map(lambda schema: {"parameters_json_schema": schema}),
    _no_schemas
    | _leaf_schemas.map(lambda schema: {"response": schema})
    | free_objects.map(lambda schema: {"response_json_schema": schema}),
)
_builtin_tools: Final[st.SearchStrategy[Json]] = st.sampled_from(
    [
        {"google_search": {}},
        {"code_execution": {}},
        {"url_context": {}},
        {"google_search": {}, "code_execution": {}},
        {"function_declarations": [{"name": "f"}], "url_context": {}},
    ]
)
_tools: Final[st.SearchStrategy[Json]] = _builtin_tools | st.lists(
    _declarations, min_size=1, max_size=2
).map(lambda declared: {"function_declarations": declared})
_int32: Final = st.integers(0, _INT32)


def _perhaps(wish: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | wish


wishes: Final[st.SearchStrategy[Wishes]] = st.builds(
    Wishes,
    model=st.sampled_from([*PROFILES, *sorted(RETIRED)[:1], "gemini-9-live"]),
    response_modalities=_perhaps(
        st.sampled_from([{"AUDIO"}, {"TEXT"}, {"AUDIO", "TEXT"}]).map(frozenset)
    ),
    temperature=_perhaps(st.floats(0, 2)),
    max_output_tokens=_perhaps(st.integers(1, _INT32)),
    top_p=_perhaps(st.floats(0, 1)),
    top_k=_perhaps(st.integers(1, _INT32)),
    seed=_perhaps(st.integers(-_INT32 - 1, _INT32)),
    presence_penalty=_perhaps(st.floats(-2, 2)),
    frequency_penalty=_perhaps(st.floats(-2, 2)),
    media_resolution=_perhaps(st.sampled_from(["LOW", "MEDIUM", "HIGH"])),
    thinking=_perhaps(
        _some_of(
            thinking_budget=st.integers(-1, _INT32),
            thinking_level=st.sampled_from(["MINIMAL", "LOW", "MEDIUM", "HIGH"]),
            include_thoughts=st.booleans(),
        )
    ),
    voice=_perhaps(st.sampled_from(VOICES)),
    language=_perhaps(st.sampled_from(["en-US", "de", "cmn-Hans-CN", "es-419"])),
    system_instruction=_perhaps(st.lists(_words, min_size=1, max_size=2).map(tuple)),
    tools=_perhaps(st.lists(_tools, max_size=3)),
    vad=_perhaps(
        _some_of(
            disabled=st.booleans(),
            start_of_speech_sensitivity=st.sampled_from(["HIGH", "LOW"]),
            end_of_speech_sensitivity=st.sampled_from(["HIGH", "LOW"]),
            prefix_padding_ms=_int32,
            silence_duration_ms=_int32,
        )
    ),
    activity_handling=_perhaps(
        st.sampled_from(["START_OF_ACTIVITY_INTERRUPTS", "NO_INTERRUPTION"])
    ),
    turn_coverage=_perhaps(
        st.sampled_from(["ONLY_ACTIVITY", "ALL_INPUT", "AUDIO_ACTIVITY_AND_ALL_VIDEO"])
    ),
    input_transcription=_perhaps(st.booleans()),
    output_transcription=_perhaps(st.booleans()),
    events=_perhaps(st.sampled_from([("all",), ("input_transcript",), ("usage",), ()])),
    app=_perhaps(_words),
    handle=_perhaps(_words),
)
pens: Final = st.randoms(use_true_random=True)
"""Decide how things are written; drawing each choice would take longer than the test."""


# How it may write that


class Pen:
    """Writes each thing in one of the ways that a client may choose."""

    def __init__(self, random: Random | None) -> None:
        self._random = random

    def one_of(self, *ways: Any) -> Any:
        """Choose; without a dice the first."""
        return self._random.choice(ways) if self._random else ways[0]

    def key(self, *names: str) -> str:
        """Write a key, in snake case or in camel case."""
        name = self.one_of(*names)
        return str(self.one_of(name, camel(name)) if "_" in name else name)

    def keys(self, value: Json) -> Json:
        """Write an object, every key in its own case."""
        return {self.key(name): inner for name, inner in value.items()}

    def value(self, name: str, wish: Any) -> Any:
        """Write the value of a setting."""
        match name:
            case "model":
                return self.one_of(wish, f"models/{wish}")
            case "response_modalities":
                return self._modalities(sorted(wish))
            case "voice":
                return self.one_of(wish, wish.lower(), wish.upper())
            case "system_instruction":
                return self._instruction(wish)
            case "tools":
                tools = [self._tool(tool) for tool in wish]
                return self.one_of(tools, tools[0]) if len(tools) == 1 else tools
            case "thinking" | "vad":
                return {self.key(key): self.value(key, inner) for key, inner in wish.items()}
            case "input_transcription" | "output_transcription" if wish:
                return self.one_of(wish, _NOTHING)
            case "events":
                return self.one_of("all", ["all"]) if wish == ("all",) else list(wish)
            case _ if name in _ENUMS:
                spelled = self.one_of(wish, PREFIXES.get(name, "") + wish)
                return self.one_of(spelled, spelled.lower())
            case _ if isinstance(wish, int) and not isinstance(wish, bool):
                return self.one_of(wish, float(wish))  # a double holds any int32
            case _:
                return wish

    def _modalities(self, names: list[str]) -> Any:
        spelled = self.one_of(names, names[::-1], [name.lower() for name in names])
        return self.one_of(spelled, spelled[0]) if len(names) == 1 else spelled

    def _instruction(self, texts: tuple[str, ...]) -> Any:
        content: Json = {"parts": [{"text": text} for text in texts]}
        whole = self.one_of(content, {"role": "user", **content})
        return self.one_of(whole, texts[0]) if len(texts) == 1 else whole

    def _tool(self, tool: Json) -> Json:
        return {
            self.key(name): [self._declaration(one) for one in inner]
            if name == "function_declarations"
            else inner
            for name, inner in tool.items()
        }

    def _declaration(self, declared: Json) -> Json:
        return self.keys(
            {
                name: self._schema(inner) if name in {"parameters", "response"} else inner
                for name, inner in declared.items()
            }
        )

    def _schema(self, schema: Json) -> Json:
        def written(name: str, inner: Any) -> Any:
            match name:
                case "type":
                    return self.one_of(inner, inner.lower())
                case "items":
                    return self._schema(inner)
                case "any_of":
                    return [self._schema(one) for one in inner]
                case "properties":
                    return {key: self._schema(one) for key, one in inner.items()}
                case _:
                    return inner

        return self.keys({name: written(name, inner) for name, inner in schema.items()})


def written(wished: Wishes, random: Random | None = None) -> Json:
    """Return the `config.data` of a client that wishes this."""
    pen = Pen(random)
    config: Json = {}
    inside: Json = {}
    for field in attrs.fields(Wishes):
        name, wish = field.name, getattr(wished, field.name)
        if wish is None or name == "handle":
            continue
        place = pen.one_of(config, inside) if name in _MAY_BE_INSIDE else config
        place[pen.key(*SPELLINGS.get(name, (name,)))] = pen.value(name, wish)
    if inside:
        config[pen.key("generation_config")] = inside
    return config
