"""A client's config: judged, merged with what stands, and turned into Gemini's setup.

A config goes through four steps. `parse` refuses what Gemini could never accept, naming every
fault at once. `merge` lays it over the config before, `over` lays both over the operator's.
`resolve` fits the whole to the model, and knows of each setting whether it is applied, clamped or
refused; none is ignored in silence.
"""

from collections.abc import Mapping
from typing import Final

import attrs

from livegate.protocol import _json
from livegate.protocol.errors import shown
from livegate.protocol.profiles import (
    DEFAULT_MODEL,
    RETIRED,
    Profile,
    Thinking,
    bare_name,
    profile_of,
)
from livegate.protocol.settings import (
    GENERATION_KEYS,
    KEYS,
    LABELS,
    Setting,
    canonical,
    nearest,
    snake_case,
)

_MAX_KEYS: Final = 100
"""More settings than exist several times over: a config of junk keys gets one answer."""


@attrs.frozen
class Delta:
    """One `config` frame, judged."""

    values: Mapping[str, object]
    """The table's name -> value as it goes upstream; None returns it to the operator's default."""
    given: Mapping[str, str]
    """The client's own spelling -> the table's name, for the answer."""
    refused: Mapping[str, str]
    """The client's key -> why nothing can come of it."""
    fault: str = ""
    """Why none of it is applied: every setting that Gemini could never accept."""


@attrs.frozen
class Clamped:
    """A setting that became another."""

    asked: object
    got: object
    why: str


@attrs.frozen
class Config:
    """All settings in force: the table's name -> value as it goes upstream."""

    values: Mapping[str, object] = attrs.field(factory=dict[str, object])

    def merge(self, delta: Delta) -> "Config":
        """Return this config with another one laid over it."""
        merged = {**self.values, **delta.values}
        return Config({name: value for name, value in merged.items() if value is not None})

    def over(self, default: "Config") -> "Config":
        """Return this config with another one beneath it, for all that it leaves open."""
        return Config({**default.values, **self.values})

    def text(self, name: str) -> str | None:
        """Return a setting that is a string, or None if it is not set."""
        value = self.values.get(name)
        return value if isinstance(value, str) else None

    def names(self, name: str) -> frozenset[str]:
        """Return a setting that is a list of strings."""
        value = self.values.get(name)
        found = value if _json.is_array(value) else []
        return frozenset(item for item in found if isinstance(item, str))


@attrs.frozen(kw_only=True)
class Delivery:
    """How the client gets sound: the setting `audio`."""

    is_wav: bool = False
    """In a file with a header, not as bare PCM."""
    is_whole: bool = False
    """All of a turn at once, not piece by piece."""
    is_binary: bool = False
    """In binary frames, not as base64."""

    @property
    def is_plain(self) -> bool:
        """Whether sound is passed on as it comes."""
        return not (self.is_wav or self.is_whole or self.is_binary)


@attrs.frozen(kw_only=True)
class Plan:
    """What a config comes to on its model."""

    profile: Profile
    values: Mapping[str, object]
    """The table's name -> what is asked for, by the client or else by the operator."""
    setup: Mapping[str, object]
    """Gemini's `setup`, but for the resumption handle."""
    speaks: bool
    """Gemini answers in sound, and what it says comes as transcription."""
    wants_sound: bool
    """The client gets the sound."""
    delivery: Delivery
    """How it gets it."""
    detects_activity: bool
    """Gemini finds out itself when the user speaks."""
    events: frozenset[str]
    """The frame types that the client asked for besides the original's."""
    says_endings: bool
    """Whether `turn_complete` and `interrupted` are sent: always, unless `events` is `[]`."""
    resumable: bool
    """The session outlives the client's WebSocket for a while."""
    labels: Mapping[str, str | int]
    clamped: Mapping[str, Clamped]
    refused: Mapping[str, str]
    """The table's name -> why."""

    @property
    def model(self) -> str:
        """The model's name without `models/`."""
        return self.profile.name


def parse(data: Mapping[str, object]) -> Delta:
    """Judge one config; if any of it is at fault, nothing of it is left but the fault."""
    values: dict[str, object] = {}
    given: dict[str, str] = {}
    refused: dict[str, str] = {}
    faults: list[str] = []
    flat = _flattened(data, faults)
    if len(flat) > _MAX_KEYS:
        return _faulty(f"config has {len(flat)} keys; there are {len(KEYS)} settings")
    for spelling, key, value, keys in flat:
        name = canonical(key, keys)
        if name is None:
            refused[spelling] = f"unknown setting{nearest(snake_case(key), keys)}"
            continue
        try:
            checked = None if value is None else keys[name].check(value)
        except ValueError as error:
            faults.append(f"{spelling} {error}")
            continue
        if name in values and values[name] != checked:
            first = next(earlier for earlier, known in given.items() if known == name)
            faults.append(f"{spelling} contradicts {first}")
        values[name] = checked
        given[spelling] = name
    return _faulty("; ".join(faults)) if faults else Delta(values, given, refused)


def _faulty(fault: str) -> Delta:
    return Delta({}, {}, {}, fault)


def _flattened(
    data: Mapping[str, object], faults: list[str]
) -> list[tuple[str, str, object, Mapping[str, Setting]]]:
    """Return (spelling, key, value, where to look it up), `generation_config` opened up."""
    found: list[tuple[str, str, object, Mapping[str, Setting]]] = []
    for key, value in data.items():
        if snake_case(key) != "generation_config":
            found.append((key, key, value, KEYS))
        elif _json.is_object(value):
            found += [(f"{key}.{inner}", inner, value[inner], GENERATION_KEYS) for inner in value]
        elif value is not None:
            faults.append(f"{key} must be an object, got {shown(value)}")
    return found


def resolve(
    config: Config, *, default_model: str = DEFAULT_MODEL, maps_retired: bool = True
) -> Plan:
    """Fit a config to its model."""
    clamped: dict[str, Clamped] = {}
    refused: dict[str, str] = {}
    profile = _profile(config, default_model, clamped, maps_retired=maps_retired)
    asked = config.names("response_modalities")
    modality = _modality(asked, profile, clamped)
    if modality != "AUDIO":
        for name in config.values.keys() & {"voice", "language"}:
            refused[name] = f"{profile.name} was asked for text, and text has no voice"
    _fit_thinking(config, profile, refused)
    is_read_only = modality == "AUDIO" and "AUDIO" not in asked
    if is_read_only and config.values.get("output_transcription") is False:
        refused["output_transcription"] = "without it there would be no answer to read"
    vad = config.values.get("vad")
    asked_events = config.values.get("events")
    return Plan(
        profile=profile,
        values=config.values,
        setup=_setup(config, profile, modality, refused),
        speaks=modality == "AUDIO",
        wants_sound="AUDIO" in asked,
        delivery=_delivery(config.values.get("audio")),
        detects_activity=not (_json.is_object(vad) and vad.get("disabled")),
        events=config.names("events"),
        says_endings=asked_events != [],
        resumable=config.values.get("resumable") is True,
        labels={
            name: value
            for name in LABELS
            if isinstance(value := config.values.get(name), str | int)
        },
        clamped=clamped,
        refused=refused,
    )


def _delivery(value: object) -> Delivery:
    parts: Mapping[str, object] = value if _json.is_object(value) else {}
    return Delivery(
        is_wav=parts.get("format") == "wav",
        is_whole=parts.get("per") == "turn",
        is_binary=parts.get("encoding") == "binary",
    )


def _profile(
    config: Config, default_model: str, clamped: dict[str, Clamped], *, maps_retired: bool
) -> Profile:
    asked = config.text("model")
    if asked is None:
        return profile_of(default_model)
    if maps_retired and bare_name(asked) in RETIRED:
        clamped["model"] = Clamped(
            bare_name(asked), bare_name(default_model), f"{bare_name(asked)} is retired"
        )
        return profile_of(default_model)
    return profile_of(asked)


def _modality(asked: frozenset[str], profile: Profile, clamped: dict[str, Clamped]) -> str:
    """Return the one modality to ask Gemini for; it takes exactly one (1007 otherwise)."""
    if "AUDIO" in asked:
        if "TEXT" in asked:
            clamped["response_modalities"] = Clamped(
                sorted(asked),
                ["AUDIO"],
                "Gemini takes one modality; the text is the transcription of the sound",
            )
        return "AUDIO"
    if "TEXT" in profile.modalities:
        return "TEXT"
    if asked:
        clamped["response_modalities"] = Clamped(
            ["TEXT"],
            ["AUDIO"],
            f"{profile.name} only speaks; the text is the transcription of its sound",
        )
    return "AUDIO"


def _fit_thinking(config: Config, profile: Profile, refused: dict[str, str]) -> None:
    """Refuse a thinking setting that this model would close the link for."""
    thinking = config.values.get("thinking")
    if not _json.is_object(thinking):
        return
    if profile.thinking is Thinking.REFUSED:
        refused["thinking"] = f"{profile.name} takes no thinking settings"
    elif profile.thinking is Thinking.BUDGET and "thinkingLevel" in thinking:
        refused["thinking"] = f"{profile.name} takes thinking_budget, not thinking_level"
    elif profile.thinking is not Thinking.BUDGET and "thinkingBudget" in thinking:
        refused["thinking"] = f"{profile.name} takes thinking_level, not thinking_budget"
    elif profile.thinking is Thinking.LEVEL_REQUIRED and (
        thinking.get("thinkingLevel", "MINIMAL") == "MINIMAL"
    ):
        refused["thinking"] = f"{profile.name} needs thinking_level LOW, MEDIUM or HIGH"


def _setup(
    config: Config, profile: Profile, modality: str, refused: Mapping[str, str]
) -> Mapping[str, object]:
    """Return Gemini's setup: what is applied, and the documented additions."""
    setup: dict[str, object] = {
        # Without compression a session ends after 15 minutes of sound.
        "contextWindowCompression": {"slidingWindow": {}},
    }
    wants_input = bool(config.names("events") & {"all", "input_transcript"})
    for name, is_default in (
        ("output_transcription", modality == "AUDIO"),
        ("input_transcription", wants_input),
    ):
        if is_default if name in refused else config.values.get(name, is_default):
            _place(setup, KEYS[name].path, {})
    if profile.thinking is Thinking.LEVEL_REQUIRED:
        _place(setup, KEYS["thinking"].path, {"thinkingLevel": "LOW"})
    for name, value in config.values.items():
        if name not in refused and not isinstance(value, bool):
            _place(setup, KEYS[name].path, value)
    _place(setup, KEYS["model"].path, f"models/{profile.name}")
    _place(setup, KEYS["response_modalities"].path, [modality])
    return setup


def _place(setup: dict[str, object], path: tuple[str, ...], value: object) -> None:
    """Put `value` where `path` leads, making the objects on the way; an empty path is nowhere."""
    if not path:
        return
    *way, last = path
    inner: dict[str, object] = setup
    for step in way:
        found = inner.get(step)
        below = dict(found) if _json.is_object(found) else {}
        inner[step] = below
        inner = below
    inner[last] = value


def report(delta: Delta, plan: Plan, *, is_v1: bool = False) -> Mapping[str, object]:
    """Return what became of each key of one config: `applied`, `clamped`, `refused`."""
    applied: dict[str, object] = {}
    clamped: dict[str, object] = {}
    refused: dict[str, object] = dict(delta.refused)
    for spelling, name in delta.given.items():
        if name == "resumable" and not is_v1:
            refused[spelling] = "it needs a WebSocket with the subprotocol livegate.v1"
        elif name in plan.refused:
            refused[spelling] = plan.refused[name]
        elif name in plan.clamped:
            row = plan.clamped[name]
            clamped[spelling] = {"from": row.asked, "to": row.got, "why": row.why}
        else:
            value = delta.values[name]
            applied[spelling] = plan.values.get(name) if value is None else value
    return {"applied": applied, "clamped": clamped, "refused": refused}
