"""What must come in time, as a model keeps it: Gemini's answers, and the results of its calls."""

from math import inf
from typing import Final

import attrs

from livegate.protocol.testing.links import SLACK_S

_ANSWER_S: Final = 30.0
_CALL_S: Final = 120.0
_ROUNDING_S: Final = 1e-6


@attrs.define
class Watch:
    """Since when Gemini is silent, and the client owes results."""

    _silent_since: float = inf
    _called_at: dict[str, float] = attrs.field(factory=dict[str, float])

    def listen(self, now: float, *, is_awaited: bool) -> None:
        """Gemini was asked, or has said something; another answer may be awaited."""
        self._silent_since = now if is_awaited else inf

    def called(self, call: str, now: float) -> None:
        """Gemini calls a function, or gets a part of its result."""
        self._called_at[call] = now

    def returned(self, call: str) -> None:
        """A call is settled, one way or the other."""
        self._called_at.pop(call, None)

    def link_ended(self) -> None:
        """Nothing is owed any more."""
        self._silent_since = inf
        self._called_at.clear()

    def is_late(self, call: str, now: float) -> bool:
        """Whether a call may be given up."""
        return now >= self._called_at.get(call, inf) + _CALL_S - _ROUNDING_S

    def has_given_up(self, now: float) -> bool:
        """Return whether an answer must have been given up by now."""
        return now >= self._silent_since + _ANSWER_S

    def gave_up(self, now: float, *, is_awaited: bool) -> None:
        """Raise unless an answer may be given up; another may be awaited then.

        Raises:
            AssertionError: Nobody waits for one, or it may still come.
        """
        due = self._silent_since + _ANSWER_S
        assert now >= due - _ROUNDING_S, "an answer was given up for nothing"
        self._silent_since = due if is_awaited else inf

    def check(self, now: float) -> None:
        """Raise unless all that is owed may still come.

        Raises:
            AssertionError: Somebody waits for too long.
        """
        is_early = now < self._silent_since + _ANSWER_S + SLACK_S
        assert is_early, "Gemini does not answer, and the client is not told"
        for call, at in self._called_at.items():
            is_early = now < at + _CALL_S + SLACK_S
            assert is_early, f"{call} is not answered, and Gemini is not told"
