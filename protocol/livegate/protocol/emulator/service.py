"""What all links of one emulated Gemini share: its memory, its books, and who came."""

import re
from typing import Final

import attrs

from livegate.protocol.emulator.answers import SCENARIOS
from livegate.protocol.emulator.speech import Recording

HANDLE_LIFE_S: Final = 2 * 3600.0
"""How long a resumption handle is good (Live API, session management)."""
_MAX_HANDLES: Final = 1_000
_MAX_RECORDS: Final = 1_000
_PATH: Final = re.compile(
    r".*/ws/google\.ai\.generativelanguage\.(v1|v1beta|v1alpha)"
    r"\.GenerativeService\.BidiGenerateContent(?:Constrained)?"
)


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
    """How long a link may last; its end is announced 50 s before, or at half its life."""
    max_record_bytes: int = 64 * 1024 * 1024
    """How much is kept in all `Record`s, for tests; those of the oldest links go first."""

    def __attrs_post_init__(self) -> None:
        if not self.pace >= 0:
            raise ValueError(f"pace must be 0 or more, got {self.pace}")
        if not self.link_life_s > 0:
            raise ValueError(f"link_life_s must be more than 0, got {self.link_life_s}")
        if self.scenario is not None and self.scenario not in SCENARIOS:
            raise ValueError(f"no scenario {self.scenario!r}: one of {', '.join(SCENARIOS)}")


@attrs.define
class Record:
    """What one link received."""

    path: str
    setup: dict[str, object] | None = None
    """The first message's `setup`, in camelCase."""
    messages: list[dict[str, object]] = attrs.field(factory=list[dict[str, object]])
    """All later messages, in camelCase."""
    audio: bytearray = attrs.field(factory=bytearray)
    """All PCM, in order."""
    is_open: bool = True
    kept_bytes: int = 0
    """How much memory all this takes, as it came."""


@attrs.frozen
class Hello:
    """A WebSocket handshake."""

    path: str
    key: str = ""
    """From the header x-goog-api-key, or from the query."""


@attrs.frozen
class Conversation:
    """What a resumption handle stands for."""

    model: str
    said: tuple[str, ...]
    """What the user said."""
    until: float


class Service:
    """One emulated Gemini."""

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self.received: list[Record] = []
        self.links_open = 0
        self.links_peak = 0
        self.links_total = 0
        self._kept_bytes = 0
        self._handles_total = 0
        self._conversations: dict[str, Conversation] = {}

    @staticmethod
    def version(path: str) -> str | None:
        """Return the API version that a path asks for, or None if nothing is there."""
        found = _PATH.fullmatch(path.partition("?")[0])
        return found[1] if found else None

    def opened(self, hello: Hello) -> Record:
        """Count a link, and begin its record."""
        self.links_open += 1
        self.links_total += 1
        self.links_peak = max(self.links_peak, self.links_open)
        record = Record(hello.path)
        self.received.append(record)
        self._forget()
        return record

    def closed(self, record: Record) -> None:
        """Count a link's end."""
        record.is_open = False
        self.links_open -= 1

    def keeps(self, record: Record, size: int) -> bool:
        """Return whether there is room for so much more of a link, and take it."""
        if self._kept_bytes + size > self.options.max_record_bytes:
            return False
        self._kept_bytes += size
        record.kept_bytes += size
        return True

    def _forget(self) -> None:
        """Drop the oldest records of ended links, to leave the newest half of the room."""
        while not self.received[0].is_open and (
            len(self.received) > _MAX_RECORDS
            or self._kept_bytes > self.options.max_record_bytes // 2
        ):
            self._kept_bytes -= self.received.pop(0).kept_bytes

    def new_handle(self, model: str, said: tuple[str, ...], now: float) -> str:
        """Return a handle for a conversation as it stands; forget the oldest."""
        self._handles_total += 1
        handle = f"handle-{self._handles_total}-{now:.3f}"  # unlike those of the last run
        self._conversations[handle] = Conversation(model, said, now + HANDLE_LIFE_S)
        if len(self._conversations) > _MAX_HANDLES:
            del self._conversations[next(iter(self._conversations))]
        return handle

    def conversation(self, handle: str, now: float) -> Conversation | None:
        """Return what a handle stands for, if it is known and not too old."""
        found = self._conversations.get(handle)
        return found if found is not None and found.until > now else None
