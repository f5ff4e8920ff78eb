"""What a client may wish for, and the setup that Gemini must get for it.

A small part of all settings, enough to tell a right merge from a wrong one.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs

from livegate.protocol import _json
from livegate.protocol.profiles import DEFAULT_MODEL, PROFILES, RETIRED
from livegate.protocol.testing.answers import Terms
from livegate.protocol.testing.sounds import form_of

_GENERATION: Final = "generationConfig"


@attrs.frozen
class Wish:
    """One good config."""

    data: Mapping[str, object]
    """`config.data` as the client spells it."""
    settings: Mapping[str, object]
    """The same, name by name; None takes a setting back."""
    keys: frozenset[str]
    """The client's own spelling of each key: what the answer must list."""


_PATHS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "temperature": (_GENERATION, "temperature"),
        "top_p": (_GENERATION, "topP"),
        "max_output_tokens": (_GENERATION, "maxOutputTokens"),
        "voice": (
            _GENERATION,
            "speechConfig",
            "voiceConfig",
            "prebuiltVoiceConfig",
            "voiceName",
        ),
        "vad": ("realtimeInputConfig", "automaticActivityDetection", "disabled"),
        "system_instruction": ("systemInstruction", "parts"),
    }
)


@attrs.define
class Book:
    """The settings of one session: those in force, and those that Gemini has accepted."""

    is_v1: bool = False
    """The client speaks `livegate.v1`."""
    _kept: dict[str, object] = attrs.field(factory=dict[str, object])
    _accepted: dict[str, object] = attrs.field(factory=dict[str, object])
    _known: Mapping[str, object] = attrs.field(factory=dict[str, object])
    """The newest setup that Gemini has accepted."""

    def merge(self, wish: Wish) -> None:
        """Lay a config over what is in force."""
        merged = {**self._kept, **wish.settings}
        self._kept = {name: value for name, value in merged.items() if value is not None}

    def accept(self, setup: Mapping[str, object] | None) -> None:
        """Take note that Gemini has accepted all that is in force, by this setup."""
        self._accepted, self._known = dict(self._kept), setup or {}

    def is_changed(self, setup: Mapping[str, object] | None) -> bool:
        """Whether a setup asks for anything that Gemini has not accepted yet."""
        return _terms_of(setup or {}) != _terms_of(self._known)

    def take_back(self) -> None:
        """Take note that Gemini has refused what is in force."""
        self._kept = dict(self._accepted)

    def terms(self) -> Terms:
        """Return what the config in force means for the client."""
        names = self._kept.get("response_modalities")
        asked = names if _json.is_array(names) else []
        events = self._kept.get("events", ["all"] if self.is_v1 else [])
        return Terms(
            speaks="AUDIO" in asked or "TEXT" not in self._modalities,
            wants_sound="AUDIO" in asked,
            form=form_of(self._kept.get("audio")),
            is_manual=self._kept.get("vad") is True,
            events=frozenset(str(one) for one in (events if _json.is_array(events) else [])),
            is_numbered=self.is_v1,
        )

    def check_setup(self, setup: Mapping[str, object]) -> None:
        """Raise unless Gemini's setup is what the config in force asks for.

        Raises:
            AssertionError: A setting is missing, wrong, or was never asked for.
        """
        assert setup.get("model") == f"models/{self.model}", f"the model is {setup.get('model')}"
        assert b"null" not in _json.encode(setup), f"null is no setting: {setup}"
        speaks = self.terms().speaks
        modalities = _at(setup, (_GENERATION, "responseModalities"))
        assert modalities == ["AUDIO" if speaks else "TEXT"], f"asked Gemini for {modalities}"
        for name, path in _PATHS.items():
            wanted = self._kept.get(name)
            if name == "voice" and not speaks:
                wanted = None
            if name == "system_instruction" and wanted is not None:
                wanted = [{"text": wanted}]
            got = _at(setup, path)
            assert got == wanted, f"{name} should be {wanted!r}, and is {got!r}"

    def needs_another_link(self, wish: Wish) -> bool:
        """Return whether another setup follows from this config than from what is in force."""
        other = Book(self.is_v1, dict(self._kept))
        other.merge(wish)
        return other._asked() != self._asked()

    def _asked(self) -> object:
        """Return all that a setup says of the settings."""
        terms = self.terms()
        named = {name: self._kept.get(name) for name in _PATHS if terms.speaks or name != "voice"}
        return self.model, terms.speaks, terms.wants("input_transcript"), named

    @property
    def is_resumable(self) -> bool:
        """Whether the client wants to be able to come back."""
        return self.is_v1 and self._kept.get("resumable") is True

    @property
    def model(self) -> str:
        """The model in force, without `models/`."""
        asked = self._kept.get("model")
        return asked if isinstance(asked, str) and asked not in RETIRED else DEFAULT_MODEL

    @property
    def _modalities(self) -> tuple[str, ...]:
        profile = PROFILES.get(self.model)
        return profile.modalities if profile else ("AUDIO",)


def is_report_of(report: Mapping[str, object], wish: Wish) -> bool:
    """Whether a `config_success` speaks of each key of this config, once."""
    told: list[str] = []
    for part in ("applied", "clamped", "refused"):
        rows = report.get(part)
        told += rows if _json.is_object(rows) else [part]
    return sorted(told) == sorted(wish.keys)


def _terms_of(setup: Mapping[str, object]) -> dict[str, object]:
    """Return a setup without what it says of the conversation so far."""
    past = ("sessionResumption", "historyConfig")
    return {name: value for name, value in setup.items() if name not in past}


def _at(setup: Mapping[str, object], path: tuple[str, ...]) -> object:
    found: object = setup
    for step in path:
        found = found.get(step) if _json.is_object(found) else None
    return found
