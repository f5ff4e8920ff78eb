"""A client that is away: what the gateway must keep for it, while nobody sees what it does.

What else is checked follows from what the client gets; while it gets nothing, this foretells it.
"""

from math import inf
from typing import Final

import attrs

from livegate.protocol.errors import FATAL
from livegate.protocol.replies import RECONNECTED
from livegate.protocol.testing.downlink import REFUSALS, UNHEARD, Downlink
from livegate.protocol.testing.line import Config
from livegate.protocol.testing.numbered import Due, Owed
from livegate.protocol.testing.sounds import Pattern

_RESUME_S: Final = 120.0
_ODD_S: Final = 0.00037
"""Added to each step of the clock, so that no two spans that begin with a step end at once."""


@attrs.define
class Absence:
    """Goes on in place of a client that is away."""

    down: Downlink
    until: float = inf
    """When its session ends without it."""
    is_on: bool = False
    _others: list[Due] = attrs.field(factory=list[Due])

    def begin(self, now: float) -> None:
        """The client has lost its WebSocket."""
        self.is_on, self.until = True, now + _RESUME_S

    def end(self) -> None:
        """The client is back, or its session is over."""
        self.is_on, self.until = False, inf

    def step_of(self, seconds: float, now: float) -> float:
        """Return how long time may pass at once, so that it is known what comes first."""
        left = self.until - now
        if left <= 2 * _ODD_S:
            return 2 * _ODD_S
        return min(seconds + _ODD_S, left - _ODD_S)

    def answer(self) -> bool:
        """Answer what must be answered before Gemini gets anything else.

        The link is ready. Returns whether there was anything.
        """
        down = self.down
        if down.batch.cue == "accept":
            self._greet()
        if down.past.tells_loss:
            if down.answers.terms.wants("context_lost"):
                self._add("context_lost")
            down.past.tells_loss = False
        if self._is_config_next:
            self._answer_config()
        elif down.line.has_broken_head:
            self._others.append(Due({"type": "error"}, codes=UNHEARD))
            down.leg.link.is_used = True
            down.speaker.heard(down.line.give())
        else:
            return False
        return True

    def _greet(self) -> None:
        leg = self.down.leg
        if leg.greeting or leg.may_greet:
            pattern: Pattern = {"type": "system", "data": leg.greeting or RECONNECTED}
            self._others.append(Due(pattern, is_sure=bool(leg.greeting)))
        leg.greeting, leg.may_greet = "", False

    @property
    def _is_config_next(self) -> bool:
        """Whether a config can be answered as things stand."""
        line = self.down.line
        if line.unanswered or not line.items:
            return bool(line.unanswered)
        head = line.items[0]
        if not isinstance(head, Config):
            return False
        return head.wish is None or not self.down.book.needs_another_link(head.wish)

    def _answer_config(self) -> None:
        down = self.down
        wish = down.line.answered_config()
        if wish is None:
            self._add("error", code="bad_config")
        else:
            self._others.append(Due({"type": "config_success"}, wish))
        down.batch.answered(is_good=wish is not None, may_return=down.book.is_resumable)
        down.book.accept(down.leg.link.setup)
        down.answers.terms = down.book.terms()

    def owe(self, now: float) -> bool:
        """Keep what has come of what happened; return whether that has ended the session."""
        down, batch = self.down, self.down.batch
        if down.watch.has_given_up(now):
            self._give_up(now)
        for code in batch.due.elements():
            if code not in FATAL:
                self._add("error", code=code)
        down.leg.unheard(now)
        assert down.numbered is not None, "a client that cannot come back is waited for"
        down.numbered.owe(Owed(tuple(batch.expected), tuple(self._others), batch.tokens_due))
        self._others.clear()
        is_over = down.closed_with is not None or down.leg.is_given_up(now)
        down.closed_with = None
        return is_over

    def _give_up(self, now: float) -> None:
        """Gemini does not answer."""
        down = self.down
        self._add("error", code="no_answer")
        given_up: list[Pattern] = down.answers.given_up()
        if down.batch.expected:  # a call was given up as well, and which came first cannot be told
            self._others += [Due(one) for one in given_up]
        else:
            down.batch.expected += given_up
        down.watch.gave_up(now, is_awaited=down.answers.is_awaited)

    def drop(self) -> None:
        """Take note of a setup that Gemini has refused, before another link is dialled."""
        for code in REFUSALS & self.down.batch.due.keys():
            del self.down.batch.due[code]
            self._refuse(code)

    def _refuse(self, code: str) -> None:
        """Each good config hears why, and what waits is dropped."""
        down = self.down
        is_told = False
        while down.line.unanswered:
            is_good = down.line.answered_config() is not None
            is_told |= is_good
            self._add("error", code=code if is_good else "bad_config")
        if not is_told:
            self._add("error", code=code)
        down.speaker.dropped()
        down.line.drop(code)
        down.book.take_back()

    def _add(self, type_: str, **fields: object) -> None:
        self._others.append(Due({"type": type_, **fields}))
