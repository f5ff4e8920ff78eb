"""What Gemini remembers of the conversation, and how another link can get at it.

Source: Live API, SessionResumptionConfig and SessionResumptionUpdate. A handle names a state of
one model's session; what was said after that state is lost to a link that resumes with it.
"""

import enum


class Loss(enum.Enum):
    """What of the conversation another link does not know. The value is for the client."""

    NOTHING = ""
    LATEST = "Gemini may have forgotten what was said last"
    ALL = "the conversation starts anew"


class Memory:
    """The newest resumption handle, and whether it covers all that was said."""

    def __init__(self) -> None:
        self._handle: str | None = None
        self._model = ""
        self._has_history = False
        self._is_covered = True
        self._is_resuming = False

    @property
    def is_covered(self) -> bool:
        """Whether another link of the same model would know all that this one does."""
        return self._is_covered

    @property
    def is_resuming(self) -> bool:
        """Whether the newest link was asked to resume."""
        return self._is_resuming

    def spoke(self) -> None:
        """Take note that something was said that no handle knows yet."""
        self._has_history = True
        self._is_covered = False

    def renew(self, handle: str, model: str, *, is_idle: bool) -> None:
        """Keep a new handle; between two turns it covers all that was said."""
        self._handle = handle
        self._model = model
        self._is_covered = self._is_covered or is_idle

    def forget(self) -> None:
        """Drop the handle: Gemini does not know it."""
        self._handle = None

    def handle_for(self, model: str) -> str | None:
        """Return the handle with which a link of `model` is to be set up, if any."""
        self._is_resuming = self._handle is not None and self._model == model
        return self._handle if self._is_resuming else None

    def accepted(self) -> Loss:
        """Gemini accepted that setup; return what the new link does not know."""
        was_covered, self._is_covered = self._is_covered, True
        if self._is_resuming:
            return Loss.NOTHING if was_covered else Loss.LATEST
        had_history, self._has_history = self._has_history, False
        self._handle = None
        return Loss.ALL if had_history else Loss.NOTHING
