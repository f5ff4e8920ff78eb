"""What one thing that happens must bring the client at once, and what it has brought."""

from collections import Counter
from collections.abc import Mapping

import attrs

from livegate.protocol import transcript
from livegate.protocol.testing.sounds import Pattern


@attrs.define
class Batch:
    """All that comes of one thing that a peer does, or of a moment that passes."""

    cue: str = ""
    """What it comes from."""
    expected: list[Pattern] = attrs.field(factory=list[Pattern])
    """The frames of an answer that must come, in order."""
    due: Counter[str] = attrs.field(factory=Counter[str])
    """Errors that must come, so many of each."""
    errors: Counter[str] = attrs.field(factory=Counter[str])
    """Errors that have come."""
    handles: int = 0
    """How many Gemini has given."""
    tokens: int = 0
    """How many have come."""
    _configs: int = 0
    """How many were answered, well or not."""
    _has_token: bool = False
    """One of them well, when the client asked for tokens."""
    _could_return: bool = False
    """The client asked for tokens at any time."""
    _may_return_since: bool = False
    """It did when this began."""
    _got: list[Mapping[str, object]] = attrs.field(factory=list[Mapping[str, object]])
    """The frames of an answer that have come."""

    def begin(self, cue: str, *, may_return: bool) -> None:
        """Something else happens.

        Args:
            cue: What it is.
            may_return: The client's config asks for tokens.
        """
        self.cue = cue
        self._could_return = self._may_return_since = may_return
        self.handles = self._configs = self.tokens = 0
        self._has_token = False
        for one in (self.expected, self.due, self.errors, self._got):
            one.clear()

    def answered(self, *, is_good: bool, may_return: bool) -> None:
        """A config is answered, with which the client may ask for tokens."""
        self._configs += 1
        self._has_token |= is_good and may_return
        self._could_return |= may_return

    def got(self, frame: Mapping[str, object]) -> None:
        """A frame of an answer comes."""
        self._got.append(frame)

    @property
    def tokens_due(self) -> tuple[int, int]:
        """How many tokens it must bring, and how many it may."""
        must = self._has_token or (self.handles > 0 and self._may_return_since)
        return int(must), self.handles + self._configs if self._could_return else 0

    def check(self) -> None:
        """Raise unless the client has got what it had to get.

        Raises:
            AssertionError: It has not, or more than that.
        """
        told = [*map(dict, self._got)]
        wanted = self.expected
        assert len(told) == len(wanted), f"{wanted} had to come, not {told!r:.500}"
        for one, got in zip(wanted, told, strict=True):
            assert transcript.fits(one, got), f"{one} had to come, not {got!r:.200}"
        must, may = self.tokens_due
        assert must <= self.tokens <= may, f"{self.tokens} tokens came, and {must} had to"
        for code, count in self.due.items():
            assert self.errors[code] >= count, f"{code} was not reported"
