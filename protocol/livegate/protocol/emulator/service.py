"""What all links of one emulated Gemini share: its memory, its books, and who came."""

import re
from typing import Final

import attrs

from livegate.protocol.emulator.faults import Faults
from livegate.protocol.emulator.memory import Handle, Memory, Place, Record, Session, Turn, line_of
from livegate.protocol.emulator.options import Options

HANDLE_LIFE_S: Final = 2 * 3600.0
"""How long a resumption handle is good (Live API, session management)."""
_MAX_HANDLES: Final = 1_000
_MAX_RECORDS: Final = 1_000
_PATH: Final = re.compile(
    r".*/ws/google\.ai\.generativelanguage\.(v1|v1beta|v1alpha)"
    r"\.GenerativeService\.BidiGenerateContent(?:Constrained)?"
)


@attrs.frozen
class Hello:
    """A WebSocket handshake."""

    path: str
    key: str = ""
    """From the header x-goog-api-key, or from the query."""


class Service:
    """One emulated Gemini."""

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self.received: list[Record] = []
        self.links_open = 0
        self.links_peak = 0
        self.links_total = 0
        self.faults = Faults(
            fates=self.options.fates,
            lingering=self.options.lingering,
            unheard_every=self.options.unheard_every,
            pong_delay_s=self.options.pong_delay_s,
        )
        """What goes wrong from now on; it may be changed at any time."""
        self._kept_bytes = 0
        self._sessions_total = 0
        self._handles_total = 0
        self._handles: dict[str, Handle] = {}

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
        record = Record(hello.path, self.links_total)
        self.received.append(record)
        self._forget()
        return record

    def closed(self, record: Record) -> None:
        """Count the end of a link's WebSocket."""
        record.is_open = False
        self.links_open -= 1

    def is_lingering(self, session: Session) -> bool:
        """Whether TCP has not ended for some link of a session."""
        return any(one.is_connected and one.session is session for one in self.received)

    def keeps(self, record: Record, size: int) -> bool:
        """Return whether there is room for so much more of a link, and take it."""
        if self._kept_bytes + size > self.options.max_record_bytes:
            record.is_whole = False
            return False
        self._kept_bytes += size
        record.kept_bytes += size
        return True

    def _forget(self) -> None:
        """Drop the oldest records of ended links, to leave the newest half of the room."""
        while not self.received[0].is_connected and (
            len(self.received) > _MAX_RECORDS
            or self._kept_bytes > self.options.max_record_bytes // 2
        ):
            self._kept_bytes -= self.received.pop(0).kept_bytes

    def begin_session(self, model: str, now: float) -> Session:
        """Begin a conversation."""
        self._sessions_total += 1
        life_s = self.options.aged(self.options.session_life_s)
        return Session(self._sessions_total, model, now + life_s)

    def new_handle(
        self, record: Record, session: Session, place: Place, said: tuple[Turn, ...], now: float
    ) -> str:
        """Return a handle for a conversation as it stands; forget the oldest."""
        self._handles_total += 1
        name = f"handle-{self._handles_total}-{now:.3f}"  # unlike those of the last run
        until = now + self.options.aged(HANDLE_LIFE_S)
        self._handles[name] = Handle(name, session, record.number, place, said, until)
        record.handles.append(name)
        if len(self._handles) > _MAX_HANDLES:
            del self._handles[next(iter(self._handles))]
        return name

    def handle(self, name: str, now: float) -> Handle | None:
        """Return what a handle stands for, if it is known, not too old and not forgotten."""
        found = self._handles.get(name)
        is_good = found is not None and found.until > now and not found.session.is_forgotten
        return found if is_good else None

    # What tests ask, and do

    def memory(self, session: int | None = None) -> Memory:
        """Return what is remembered of a session, as its newest link has it.

        Args:
            session: Its number; by default the newest.

        Raises:
            LookupError: No link of it is known, or none has been set up.
        """
        kept = [*self.received]
        numbers = [one.session.number for one in kept if one.session is not None]
        wanted = max(numbers, default=0) if session is None else session
        links = [one for one in kept if one.session is not None and one.session.number == wanted]
        if not links:
            raise LookupError(f"no link of session {wanted} is known, of {len(kept)} links")
        return line_of(links[-1], None, kept)

    def covered(self, handle: str) -> Memory:
        """Return what a handle covers: what a link remembers that is resumed from it.

        That is all that was said before it was given, but for speech that was still going on, and
        for text that nothing had asked about.

        Raises:
            LookupError: It was never given, or too long ago.
        """
        kept = [*self.received]
        found = self._handles.get(handle)
        links = [one for one in kept if found is not None and one.number == found.link]
        if not links:
            raise LookupError(f"no handle {handle!r} is known")
        return line_of(links[0], found, kept)

    def forget(self) -> None:
        """Refuse all handles of the sessions that there are: nobody goes on from them any more."""
        of_links = [one.session for one in [*self.received] if one.session is not None]
        of_handles = [one.session for one in [*self._handles.values()]]
        for session in of_links + of_handles:
            session.forget()
