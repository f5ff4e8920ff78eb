"""What each Gemini Live model accepts, as data.

The gateway reads these rows to adapt a client's wishes before Gemini refuses them;
the emulator reads the same rows to refuse what the real service refuses.
"""

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs


class TextPath(enum.Enum):
    """Which Live API message carries a user's text turn."""

    CLIENT_CONTENT = "clientContent"
    """`clientContent{turns, turnComplete: true}`: ordered, deterministic."""
    REALTIME_TEXT = "realtimeInput.text"
    """`realtimeInput{text}`: the only way in mid-session on 3.1."""


class Thinking(enum.Enum):
    """Which form of `generationConfig.thinkingConfig` a model takes."""

    REFUSED = "refused"
    """Any thinkingConfig closes the link with 1007."""
    BUDGET = "thinkingBudget"
    LEVEL = "thinkingLevel"
    LEVEL_REQUIRED = "thinkingLevel, required"
    """Absent or MINIMAL closes the link with 1007."""


@attrs.frozen(kw_only=True)
class Profile:
    """One model's rules. Source: Live API model pages and release notes."""

    name: str
    """Without the `models/` prefix."""
    modalities: tuple[str, ...] = ("AUDIO",)
    """Each a possible sole entry of `responseModalities`."""
    text_path: TextPath = TextPath.CLIENT_CONTENT
    thinking: Thinking = Thinking.REFUSED
    hears_stream_end: bool = True
    """Whether `realtimeInput.audioStreamEnd` ends a spoken turn; else only trailing silence does."""
    history_ends_with_user: bool = False
    """Whether initial history (`historyConfig`) may not end with the model's turn, as users say."""


DEFAULT_MODEL: Final = "gemini-3.8-live"

PROFILES: Final[Mapping[str, Profile]] = MappingProxyType(
    {
        profile.name: profile
        for profile in (
            Profile(name=DEFAULT_MODEL, hears_stream_end=False),
            Profile(
                name="gemini-3.8-live-extended-thinking",
                hears_stream_end=False,
                thinking=Thinking.LEVEL_REQUIRED,
            ),
            Profile(
                name="gemini-3.1-flash-live-preview",
                text_path=TextPath.REALTIME_TEXT,
                thinking=Thinking.LEVEL,
            ),
            Profile(
                name="gemini-2.5-flash-native-audio-preview-12-2025",
                thinking=Thinking.BUDGET,
                history_ends_with_user=True,
            ),
            Profile(
                name="gemini-2.5-flash-native-audio-latest",
                thinking=Thinking.BUDGET,
                history_ends_with_user=True,
            ),
            # The one model that still answers in TEXT: a cascade of speech and language models.
            Profile(
                name="gemini-live-2.5-flash",
                modalities=("AUDIO", "TEXT"),
                thinking=Thinking.BUDGET,
                history_ends_with_user=True,
            ),
        )
    }
)

# Names that Gemini closes with 1008 since the dates of its deprecation page
# (2.0 Live: 2025-12-09, all of 2.0: 2026-06-01). All of them mean "the default" today.
RETIRED: Final[frozenset[str]] = frozenset(
    {
        "gemini-2.0-flash",
        "gemini-2.0-flash-exp",
        "gemini-2.0-flash-001",
        "gemini-2.0-flash-live-001",
        "gemini-live-2.5-flash-preview",
        "gemini-2.5-flash-preview-native-audio-dialog",
        "gemini-2.5-flash-exp-native-audio-thinking-dialog",
    }
)

# Live API, PrebuiltVoiceConfig.voiceName.
VOICES: Final[tuple[str, ...]] = (
    "Achernar",
    "Achird",
    "Algenib",
    "Algieba",
    "Alnilam",
    "Aoede",
    "Autonoe",
    "Callirrhoe",
    "Charon",
    "Despina",
    "Enceladus",
    "Erinome",
    "Fenrir",
    "Gacrux",
    "Iapetus",
    "Kore",
    "Laomedeia",
    "Leda",
    "Orus",
    "Pulcherrima",
    "Puck",
    "Rasalgethi",
    "Sadachbia",
    "Sadaltager",
    "Schedar",
    "Sulafat",
    "Umbriel",
    "Vindemiatrix",
    "Zephyr",
    "Zubenelgenubi",
)


def bare_name(model: str) -> str:
    """Return a model's name without the `models/` prefix that the wire wants."""
    return model.removeprefix("models/")


def profile_of(model: str) -> Profile:
    """Return the rules for `model`, with or without `models/`.

    A model that no row names gets the default model's neighbourly rules: speech only, text as
    clientContent, audioStreamEnd understood. Gemini itself has the last word.
    """
    name = bare_name(model)
    return PROFILES.get(name) or Profile(name=name)
