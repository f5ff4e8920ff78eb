"""What goes wrong with the emulated Gemini from now on: scenarios and tests change it at any time."""

from collections import deque
from collections.abc import Iterable
from typing import Final

import attrs

_MAX_FATES: Final = 1_000


@attrs.frozen(kw_only=True)
class Fate:
    """How a link ends that has yet to come: by default it is cut before its setupComplete."""

    after_s: float | None = None
    """How long after setupComplete; None: in place of it."""
    code: int = 1006
    """1006 cuts the connection without a word."""
    reason: str = ""


QUOTA: Final = Fate(
    code=1011,
    reason="You exceeded your current quota, please check your plan and billing details. "
    "For more information on this error, head to the documentation.",
)
"""What HTTP calls 429: the Live API closes with it as soon as it has the setup."""


class Faults:
    """What a service does to its links; any thread may change it, and sees it at once.

    Args:
        fates: What awaits the first links whose setup is good.
        lingering: As of `linger`.
        unheard_every: As of `miss_texts`.
        pong_delay_s: As of `delay_pongs`.
    """

    def __init__(
        self,
        fates: Iterable[Fate] = (),
        *,
        lingering: int = 0,
        unheard_every: int = 0,
        pong_delay_s: float = 0.0,
    ) -> None:
        self._fates = deque(fates, _MAX_FATES)
        self._lingering = lingering
        self._unheard_every = unheard_every
        self._texts = 0
        self.pong_delay_s = pong_delay_s
        """How late pings are answered."""

    # What tests and scenarios do

    def doom(self, links: int, fate: Fate) -> None:
        """Let the next links whose setup is good end in this way, after those already doomed."""
        self._fates.extend([fate] * links)

    def linger(self, resumes: int) -> None:
        """Refuse so many resumes with 1011 while an older link of the session is open.

        It is until its TCP connection has ended.
        """
        self._lingering = resumes

    def miss_texts(self, every: int) -> None:
        """Neither hear nor answer each so many-th text of realtimeInput; 0: miss none."""
        self._unheard_every = every

    def delay_pongs(self, seconds: float) -> None:
        """Answer pings so late; infinity: never."""
        self.pong_delay_s = seconds

    # What links ask

    def take_fate(self) -> Fate | None:
        """Return what awaits the link that has come."""
        return self._fates.popleft() if self._fates else None

    def refuses_resume(self) -> bool:
        """Return whether to refuse a session that still has an open link, and count it."""
        is_refused = self._lingering > 0
        self._lingering -= is_refused
        return is_refused

    def misses_text(self) -> bool:
        """Return whether the text of realtimeInput that has come is not heard, and count it."""
        self._texts += 1
        return self._unheard_every > 0 and self._texts % self._unheard_every == 0
