"""When another link may take a ready one's place, and when it has to, as a model keeps it."""

from math import inf
from typing import Final

import attrs

from livegate.protocol.testing.answers import Answers
from livegate.protocol.testing.line import Config, Line
from livegate.protocol.testing.links import SLACK_S, Link
from livegate.protocol.testing.past import Past
from livegate.protocol.testing.speaker import Speaker
from livegate.protocol.testing.uplink import Uplink

_ANSWER_S: Final = 60.0
"""How long a config waits for the end of an answer."""
_HANDLE_S: Final = 1.0
"""How long it waits then for the handle."""


@attrs.define
class Handover:
    """Judges when a ready link is replaced."""

    link: Link
    line: Line
    answers: Answers
    past: Past
    speaker: Speaker
    uplink: Uplink
    has_handle: bool = False
    """Gemini has just given a handle."""
    _was_at_boundary: bool = False
    """Another link could have taken over before this."""
    _turned_at: float = -inf
    """When an answer began or ended."""
    _changing_since: float | None = None
    """Since when a config is next in line."""

    def turned(self, now: float) -> None:
        """An answer begins or ends."""
        self._turned_at = now

    def check_replaced(self, now: float) -> None:
        """Raise unless the gateway may close the link.

        Raises:
            AssertionError: There is no reason to, or something would be lost with it.
        """
        link = self.link
        has_reason = self._is_changing or link.is_announced or now >= link.old_at - SLACK_S
        assert has_reason, "a link was closed for nothing"
        if self._is_at_boundary:
            return
        latest = link.ends_at
        if self._is_changing:
            wait_s = _ANSWER_S if self._is_owed else _HANDLE_S
            since = now if self._changing_since is None else self._changing_since
            latest = min(latest, max(since, self._turned_at) + wait_s)
        assert now >= latest - SLACK_S, "a link was closed, and something is lost with it"

    def check(self, now: float, *, is_message: bool, is_timed: bool) -> None:
        """Raise unless the link may go on.

        Args:
            now: The clock.
            is_message: Gemini has just said something.
            is_timed: Time has passed.

        Raises:
            AssertionError: Another had to take over.
        """
        if self.link.state != "ready":
            self._was_at_boundary, self._changing_since = False, None
            return
        was_at_boundary, self._was_at_boundary = self._was_at_boundary, self._is_at_boundary
        if not self._is_changing:
            self._changing_since = None
        elif self._changing_since is None:
            self._changing_since = now
        if self._is_at_boundary:
            assert not self._is_changing, "a config waits for nothing"
            is_due = self.link.is_announced or now > self.link.old_at + SLACK_S
            is_moment = is_message or (is_timed and was_at_boundary)
            assert not (is_due and is_moment), "another link had to take over now"

    @property
    def _is_owed(self) -> bool:
        return bool(self.answers.owed or self.answers.calls)

    @property
    def _is_at_boundary(self) -> bool:
        """Whether another link could take over, and nobody would notice."""
        # The handle behind an answer is a good moment at an open microphone, too.
        is_quiet = self.has_handle or not self.speaker.is_speaking
        is_free = not (self._is_owed or self.uplink.is_active)
        return is_free and self.past.is_covered and is_quiet

    @property
    def _is_changing(self) -> bool:
        """Whether a config is next in line, which may need another link."""
        return bool(self.line.items) and isinstance(self.line.items[0], Config)
