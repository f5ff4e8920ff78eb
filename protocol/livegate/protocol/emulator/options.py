"""How Gemini is played."""

import math

import attrs

from livegate.protocol.emulator.answers import SCENARIOS
from livegate.protocol.emulator.faults import Fate
from livegate.protocol.emulator.speech import Recording


@attrs.frozen(kw_only=True)
class Options:
    """How Gemini is played."""

    pace: float = 1.0
    """1: sound leaves four times as fast as it plays, and turnComplete when it has been played;
    0: everything at once."""
    scenario: str | None = None
    """How every turn is answered, whatever its text."""
    recordings: tuple[Recording, ...] = ()
    """What is heard in these is known; all else is `[speech N s]`."""
    keys: frozenset[str] | None = None
    """The good API keys; None: any but an empty one."""
    setup_delay_s: float = 0.0
    """How long setupComplete takes."""
    link_life_s: float = 600.0
    """How long a link may last; then it is closed with 1011."""
    go_away_s: float = 50.0
    """How long before that goAway comes, but no sooner than at half its life; users have seen 50
    and 60."""
    session_life_s: float = math.inf
    """How long a conversation may last, over all its links: it is closed with 1011, without a
    goAway, and cannot be resumed. 3.8 has been seen to do so after 58 minutes."""
    age_scale: float = 1.0
    """What links, sessions and handles live, and what goAway says, is multiplied by it: with
    0.01, ten minutes are six seconds."""
    fates: tuple[Fate, ...] = ()
    """What awaits the first links whose setup is good."""
    lingering: int = 0
    """So many resumes are refused with 1011 while an older link of the session is open, which it
    is until its TCP connection has ended."""
    unheard_every: int = 0
    """Every so many-th text of realtimeInput is neither heard nor answered; 0: all are. On 3.1
    it is about every 20th."""
    pong_delay_s: float = 0.0
    """How late pings are answered, where users have seen 30 s; infinity: never."""
    max_record_bytes: int = 64 * 1024 * 1024
    """How much is kept in all `Record`s, for tests; those of the oldest links go first."""

    def __attrs_post_init__(self) -> None:
        for name in ("pace", "go_away_s", "lingering", "unheard_every", "pong_delay_s"):
            value: float = getattr(self, name)
            if not value >= 0:
                raise ValueError(f"{name} must be 0 or more, got {value}")
        for name in ("link_life_s", "session_life_s", "age_scale"):
            value = getattr(self, name)
            if not value > 0:
                raise ValueError(f"{name} must be more than 0, got {value}")
        if self.scenario is not None and self.scenario not in SCENARIOS:
            raise ValueError(f"no scenario {self.scenario!r}: one of {', '.join(SCENARIOS)}")

    def aged(self, seconds: float) -> float:
        """Return how long a life of so many seconds lasts here."""
        return seconds * self.age_scale
