"""The operator's config: google-genai's `LiveConnectConfig`, or a mapping like a client's.

Whatever has pydantic's `model_dump` will do, so nothing here imports google. The SDK nests what a
client's config has flat: its groups are opened, and what is in them is judged as a client's is.
Nothing is dropped: what livegate cannot carry is an error that names it.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeAlias, cast

from livegate.protocol import config
from livegate.protocol.config import Config
from livegate.protocol.settings import snake_case
from livegate.shell.target import SettingsError


class LiveConnectConfig(Protocol):
    """What is needed of `google.genai.types.LiveConnectConfig`."""

    def model_dump(self, *, mode: str, by_alias: bool, exclude_none: bool) -> dict[str, Any]:
        """Return it as JSON has it."""
        ...


DefaultConfig: TypeAlias = LiveConnectConfig | Mapping[str, object]

# Each group of the SDK's -> the members that a client's config has too; None: it has them all.
_GROUPS: Final[Mapping[str, frozenset[str] | None]] = MappingProxyType(
    {
        "generation_config": None,
        "speech_config": frozenset({"voice_config", "language_code"}),
        "voice_config": frozenset({"prebuilt_voice_config"}),
        "prebuilt_voice_config": frozenset({"voice_name"}),
        "realtime_input_config": frozenset(
            {"automatic_activity_detection", "activity_handling", "turn_coverage"}
        ),
    }
)
_OURS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "http_options": "the address and the key are given to settings() themselves",
        "session_resumption": "livegate resumes each session by itself",
        "context_window_compression": "livegate always asks for it, as Gemini does it by default",
    }
)
"""What nobody else can set, and why."""


def read(given: DefaultConfig) -> Config:
    """Return the operator's config as the core's.

    Raises:
        SettingsError: Any of it is wrong, or more than livegate can carry; the text names it all.
    """
    faults: list[str] = []
    flat: dict[str, object] = {}
    places: dict[str, str] = {}
    for place, value in _members(_dumped(given)):
        name = place.rpartition(".")[2]
        if name in flat and flat[name] != value:
            faults.append(f"{place} contradicts {places[name]}")
        elif not _is_carried(place):
            faults.append(f"{place}: unknown setting")
        else:
            flat[name], places[name] = value, place
    delta = config.parse(flat)
    for name, why in delta.refused.items():
        faults.append(f"{places[name]}: {_OURS.get(name, why)}")
    if delta.fault:
        faults.append(delta.fault)
    if faults:
        raise SettingsError(f"the default config is not usable: {'; '.join(faults)}")
    return Config().merge(delta)


def _dumped(given: DefaultConfig) -> Mapping[str, object]:
    if isinstance(given, Mapping):
        return given
    try:
        # By alias: Gemini's own spelling, also deep inside of tools.
        return given.model_dump(mode="json", by_alias=True, exclude_none=True)
    except ValueError as error:
        raise SettingsError(
            f"the default config is not usable: it holds what is no JSON ({error}); "
            "a Python function among the tools has to be a FunctionDeclaration"
        ) from None


def _members(group: Mapping[str, object], place: str = "") -> Iterator[tuple[str, object]]:
    """Yield each setting, and where it stands: `speech_config.language_code`."""
    for key, value in group.items():
        name = snake_case(key)
        if name in _GROUPS and isinstance(value, dict):
            members = cast("dict[str, object]", value)  # isinstance tells no members
            yield from _members(members, f"{place}{name}.")
        elif value is not None:
            yield f"{place}{name}", value


def _is_carried(place: str) -> bool:
    """Whether a client's config has a member of a group; no other group has its name."""
    way, _, name = place.rpartition(".")
    members = _GROUPS.get(way.rpartition(".")[2])
    return members is None or name in members
