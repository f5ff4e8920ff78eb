"""What Gemini remembers of the conversation, and how another link can get at it.

Source: Live API, SessionResumptionConfig and SessionResumptionUpdate. A handle names a state of
one model's session; what was said after that state is lost to a link that resumes with it.
"""

import enum

import attrs


class Loss(enum.Enum):
    """What of the conversation another link does not know. The value is for the client."""

    NOTHING = ""
    LATEST = "Gemini may have forgotten what was said last"
    SOUND = "Gemini had to start anew and knows the conversation from its text alone"
    ALL = "the conversation starts anew"


@attrs.frozen
class Unsaved:
    """What Gemini has of the client and no handle knows."""

    frames: int = 0
    """Texts, pictures and results."""
    audio_s: float = 0.0

    def __add__(self, other: "Unsaved") -> "Unsaved":
        return Unsaved(self.frames + other.frames, self.audio_s + other.audio_s)

    def __bool__(self) -> bool:
        return bool(self.frames or self.audio_s)


class Memory:
    """The newest resumption handle, and whether it covers all that was said.

    Args:
        tail_s: How much sound may be missing without anybody being told, in seconds.
    """

    def __init__(self, tail_s: float) -> None:
        self._tail_s = tail_s
        self._handle: str | None = None
        self._model = ""
        self._has_history = False
        self._is_covered = True
        """But for sound that came after an answer."""
        self._unsaved = Unsaved()
        self._tail = Unsaved()
        """The part of it that came since the last answer has ended."""
        self._is_resuming = False

    @property
    def is_covered(self) -> bool:
        """Whether another link of the same model would know all that this one does.

        Sound that came between an answer's end and its handle does not count: at an open microphone
        there always is some.
        """
        return self._is_covered

    @property
    def is_resuming(self) -> bool:
        """Whether the newest link was asked to resume."""
        return self._is_resuming

    def heard(self) -> None:
        """Take note that Gemini said something, which no handle knows yet."""
        self._has_history = True
        self._is_covered = False

    def told(self, what: Unsaved) -> None:
        """Take note that Gemini was told something, which no handle knows yet."""
        self.heard()
        self._unsaved += what
        self._tail += what

    def ended(self) -> None:
        """Take note that an answer has ended: the next handle covers all up to here."""
        self._tail = Unsaved()

    def renew(self, handle: str, model: str, *, is_idle: bool) -> None:
        """Keep a new handle; between two turns it covers all up to the last answer's end."""
        self._handle = handle
        self._model = model
        if is_idle:
            self._unsaved = self._tail
            self._is_covered = not self._unsaved.frames

    def forget(self) -> None:
        """Drop the handle: Gemini does not know it."""
        self._handle = None

    def adopt(self, handle: str | None, model: str) -> None:
        """Go on with a conversation that was held elsewhere."""
        self._handle, self._model = handle, model
        self._has_history = True

    def handle_of(self, model: str) -> str | None:
        """Return the handle with which a link of `model` could resume the conversation, if any."""
        return self._handle if self._model == model else None

    def handle_for(self, model: str) -> str | None:
        """Return the same, for a link that is to be set up with it now."""
        handle = self.handle_of(model)
        self._is_resuming = handle is not None
        return handle

    def accepted(self, *, is_seeded: bool) -> tuple[Loss, Unsaved]:
        """Gemini accepted that setup; return what the new link does not know.

        Args:
            is_seeded: It was told what was said before, as text.
        """
        was_covered = self._is_covered and self._unsaved.audio_s <= self._tail_s
        lost, self._unsaved = self._unsaved, Unsaved()
        self._tail, self._is_covered = Unsaved(), True
        if self._is_resuming:
            return (Loss.NOTHING if was_covered else Loss.LATEST), lost
        had_history, self._has_history = self._has_history, is_seeded
        self._handle = None
        if not had_history:
            return Loss.NOTHING, lost
        return (Loss.SOUND if is_seeded else Loss.ALL), lost
