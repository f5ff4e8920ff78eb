"""Links to Gemini, as a model keeps them: the newest one, and when another has to follow it."""

import enum
from collections.abc import Mapping
from math import inf
from typing import Final

import attrs

from livegate.protocol.replies import CONNECTED, RECONNECTED
from livegate.protocol.testing.line import Line

SLACK_S: Final = 1.25
"""How much later than it was done the machine may see what a gateway has done."""
_SETUP_S: Final = 10.0
_GRACE_S: Final = 1.0
_AGE_S: Final = 480.0
_SESSION_S: Final = 3300.0
_OLD_S: Final = 60.0
_MARGIN_S: Final = 5.0
_PROVEN_S: Final = 30.0
_TROUBLE_S: Final = 30.0
_NOTICE_S: Final = 3.0
_SHORTEST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 8.0


class After(enum.Enum):
    """When another link follows one that has ended."""

    DEMAND = "when there is something for Gemini"
    NOW = "at once"
    PAUSE = "after a pause"


@attrs.define
class Link:
    """The newest connection to Gemini, as Gemini sees it."""

    number: int = 0
    state: str = ""
    """Nothing, `dialling`, `open` (no setupComplete yet) or `ready`."""
    setup: Mapping[str, object] | None = None
    handle: object = None
    is_used: bool = False
    """Something was said on it."""
    is_proven: bool = False
    """Gemini has said something on it."""
    is_announced: bool = False
    """Gemini has said that it will end it."""
    dialled_at: float = 0.0
    ready_at: float = 0.0
    old_at: float = inf
    """When it is to be replaced as soon as may be, announced or not."""
    ends_at: float = inf
    """When it has to have been replaced."""

    def dial(self, now: float) -> None:
        """Begin anew."""
        self.state, self.setup, self.handle = "dialling", None, None
        self.is_used = self.is_proven = self.is_announced = False
        self.old_at = self.ends_at = inf
        self.number += 1
        self.dialled_at = now

    def announce(self, left_s: float, now: float) -> None:
        """Gemini says when it will end it."""
        self.is_announced = True
        self.ends_at = min(self.ends_at, now + max(0.0, left_s - _MARGIN_S))


@attrs.define
class Leg:
    """One link after the other, and what the client is told of them."""

    line: Line
    """What waits for one."""
    link: Link = attrs.field(factory=Link)
    after: After = After.DEMAND
    greeting: str = CONNECTED
    """What the client must hear at the next setupComplete, if anything."""
    is_unsure: bool = False
    """Whether the last one had lasted long enough to be a good one cannot be told."""
    opened_at: float = inf
    """When the client came, if it is served without having said anything."""
    may_be_over: bool = False
    """Gemini may have been given up, which ends the session; only the client is told."""
    may_greet: bool = False
    """The client may hear at the next setupComplete that there is a link again."""
    _failed_at: float = -inf
    _trouble_since: float | None = None
    """Since when no link has been of any use, without the time in which one was ready."""
    _is_told: bool = False
    """The client has heard that Gemini is tried again."""
    _may_be_told: bool = False
    """It may have come while the client was away."""
    _must_tell: bool = False
    _session_since: float = 0.0
    """When what Gemini takes for one session began."""

    # What Gemini does

    def accepted(self, now: float) -> None:
        """Gemini accepts the setup."""
        link = self.link
        link.state, link.ready_at = "ready", now
        if not link.handle or now >= self._session_since + _SESSION_S:
            self._session_since = now
        link.old_at = min(now + _AGE_S, self._session_since + _SESSION_S)
        link.ends_at = link.old_at + _OLD_S

    def proved(self) -> None:
        """Gemini says something: whatever was wrong is over."""
        self.link.is_used = self.link.is_proven = True
        self._recover()

    def lost(self, now: float) -> None:
        """Gemini ends the link when it is ready."""
        link = self.link
        link.state = ""
        lasted_s = now - link.dialled_at
        if not (self.line or link.is_used):
            self._recover()
        elif link.is_proven or lasted_s >= _PROVEN_S + SLACK_S:
            self._recover()
            self.after = After.NOW
        elif lasted_s > _PROVEN_S - SLACK_S:
            self.is_unsure = True
        else:
            if self._trouble_since is not None:
                self._trouble_since += now - link.ready_at
            self._try_again(now, since=now)
            # With nobody waiting it need not be tried any longer than it may be.
            self.is_unsure = not (self.line or self.greeting) and self.may_give_up(now)

    def failed(self, now: float) -> None:
        """The link comes to nothing before it is ready, for a reason that may pass."""
        self.link.state = ""
        if self.line or self.greeting or self.may_greet:
            self._try_again(now, since=self.link.dialled_at)
            self.is_unsure |= not (self.line or self.greeting)
        else:
            self._recover()

    def refused(self) -> None:
        """Gemini refuses the setup."""
        self.link.state = ""
        self._recover()

    def forgot(self) -> None:
        """Gemini does not know the conversation that was to be resumed."""
        self.link.state = ""
        self.after = After.NOW

    # What the gateway does

    def dialled(self, now: float) -> None:
        """Raise unless it is time for another link.

        Raises:
            AssertionError: There is one, or nobody needs one, or not yet.
        """
        assert not self.link.state, "two links at a time"
        if self.after is After.DEMAND and not self.is_unsure:
            is_first = not self.link.number and self.opened_at < inf
            assert self.line or is_first, "a dial for nothing"
        if self.after is After.PAUSE and not self.is_unsure:
            has_paused = now >= self._failed_at + _SHORTEST_PAUSE_S
            assert has_paused, "tried again without a pause"
        self.after, self.may_be_over = After.DEMAND, False
        self.link.dial(now)
        self.line.absorb()

    def given_up(self, now: float) -> None:
        """Raise unless the gateway may close a link that is not ready.

        Raises:
            AssertionError: Gemini has more time than this.
        """
        link = self.link
        is_late = now >= link.dialled_at + _SETUP_S - SLACK_S
        since = self._trouble_since
        is_late |= since is not None and now >= since + _TROUBLE_S - SLACK_S
        assert is_late or self.is_unsure, "a link that was given up too early"
        self.failed(now)

    def replaced(self) -> None:
        """The gateway closes a link that is ready."""
        link = self.link
        link.state = ""
        self._recover()
        self.after = After.NOW if self.line or link.is_used else After.DEMAND

    def noticed(self, now: float) -> bool:
        """The client hears a notice; return whether it may be told of trouble by now."""
        since = self._trouble_since
        is_right = since is not None and now >= since + _NOTICE_S - SLACK_S and not self._is_told
        if is_right or self.is_unsure:
            self._is_told, self._must_tell = True, False
            self.greeting = self.greeting or RECONNECTED
            return True
        return False

    def greeted(self, notice: str) -> None:
        """Raise unless the client may be told that there is a link, and by this notice.

        Raises:
            AssertionError: It may not.
        """
        is_right = notice == self.greeting or (self.may_greet and notice == RECONNECTED)
        assert is_right, f"{notice}, and not {self.greeting or 'nothing'}"
        self.greeting, self.may_greet = "", False

    def unheard(self, now: float) -> None:
        """Nobody is there to hear a notice: it may have been given, or must have been."""
        since = self._trouble_since
        may_tell = since is not None and now >= since + _NOTICE_S - SLACK_S and not self._is_told
        if self._must_tell:
            self._is_told, self._must_tell = True, False
            self.greeting = self.greeting or RECONNECTED
        elif may_tell and self._failed_at == now:
            self._may_be_told = self.may_greet = True
            self.is_unsure |= not (self.line or self.greeting)

    def is_given_up(self, now: float) -> bool:
        """Return whether Gemini must have been given up: it may have been, and is not tried."""
        is_late = now >= self._failed_at + _LONGEST_PAUSE_S + SLACK_S
        return self.may_be_over and is_late and not self.is_unsure

    def may_give_up(self, now: float) -> bool:
        """Whether nobody need wait any longer."""
        since = self._trouble_since
        least_s = _TROUBLE_S - _LONGEST_PAUSE_S - SLACK_S
        return self.is_unsure or (since is not None and now >= since + least_s)

    def check(self, now: float, *, is_heard: bool) -> None:
        """Raise unless there is a link, or a reason why not.

        Args:
            now: The clock.
            is_heard: The client is there, so that it is known what it was told.

        Raises:
            AssertionError: One is missing, or is kept for too long.
        """
        link = self.link
        if link.state == "ready":
            assert not self.greeting, f"the client was not told: {self.greeting}"
            assert now <= link.ends_at + SLACK_S, "a link that had to be replaced by now is kept"
            self.may_greet = False
            return
        if self.is_unsure or (self.may_be_over and not is_heard):
            return
        if link.state:
            is_early = now < link.dialled_at + _SETUP_S + SLACK_S
            assert is_early, "a link that is never given up"
        elif self.after is After.NOW:
            raise AssertionError("another link had to be opened at once")
        elif self.after is After.PAUSE:
            is_early = now < self._failed_at + _LONGEST_PAUSE_S + SLACK_S
            assert is_early, "Gemini is not tried again"
        elif link.number:
            assert not self.line, f"nobody dials Gemini for what waits: {self.line}"
        else:
            is_quiet = now < self.opened_at + _GRACE_S and not self.line
            assert is_quiet, "a client that is never served"
        assert not self._must_tell, "the client is not told why nothing comes"
        since = self._trouble_since
        is_early = since is None or now < since + _TROUBLE_S + SLACK_S
        assert is_early, "Gemini is tried for ever"

    def _try_again(self, now: float, *, since: float) -> None:
        self._failed_at, self.after = now, After.PAUSE
        if self._trouble_since is None:
            self._trouble_since = since
        is_long = now >= self._trouble_since + _NOTICE_S + SLACK_S
        self._must_tell = is_long and not (self._is_told or self._may_be_told)
        self.may_be_over = self.may_give_up(now)

    def _recover(self) -> None:
        """Forget what was wrong."""
        self._trouble_since = None
        self._is_told = self._may_be_told = self._must_tell = False
        self.after, self.is_unsure, self.may_be_over = After.DEMAND, False, False
