"""What the emulated Gemini has heard, link by link, and what it remembers of each session."""

import math
from collections.abc import Iterable
from typing import TypeAlias

import attrs

Turn: TypeAlias = tuple[str, str]
"""Who said it, `user` or `model`, and what."""


@attrs.frozen
class Text:
    """A piece of text."""

    text: str
    link: int
    """The number of the link by which it came."""
    role: str = "user"
    """`user`, or `model` for what was answered, as far as it left."""
    is_seeded: bool = False
    """It came as initial history."""


@attrs.frozen
class Sound:
    """A stretch of sound with nothing else in between, however it was cut into messages."""

    pcm: bytes = attrs.field(repr=False)
    """16-bit little-endian mono."""
    rate: int
    link: int


@attrs.frozen
class Picture:
    """A picture."""

    data: str = attrs.field(repr=False)
    """In base64, as it came."""
    mime_type: str
    link: int


@attrs.frozen
class Result:
    """A function's result."""

    call: str
    """The call's id."""
    response: object
    link: int


Item: TypeAlias = Text | Sound | Picture | Result


@attrs.define
class _Stretch:
    """Where in a record's audio a stretch of sound is."""

    start: int
    stop: int
    rate: int


@attrs.frozen
class Place:
    """How far somebody has listened to a link."""

    items: int
    audio_bytes: int
    """What was heard after these is left out, even if it came before one of the items."""


@attrs.define(eq=False)
class Session:
    """A conversation, over all its links."""

    number: int
    """1, 2, 3, ... in the order in which they were set up."""
    model: str
    ends_at: float = math.inf
    """When its last link is cut, and none of its handles is good any more."""
    is_forgotten: bool = False

    def end_at(self, at: float) -> None:
        """End then, if not before."""
        self.ends_at = min(self.ends_at, at)

    def forget(self) -> None:
        """Let nobody go on from here."""
        self.is_forgotten = True


@attrs.frozen
class Handle:
    """What a resumption handle stands for."""

    name: str
    session: Session
    link: int
    """The number of the link that gave it."""
    place: Place
    said: tuple[Turn, ...]
    until: float


@attrs.define
class Record:
    """What one link received."""

    path: str
    number: int = 0
    """1, 2, 3, ... in the order in which they came."""
    setup: dict[str, object] | None = None
    """The first message's `setup`, in camelCase."""
    messages: list[dict[str, object]] = attrs.field(factory=list[dict[str, object]])
    """All later messages, in camelCase."""
    audio: bytearray = attrs.field(factory=bytearray)
    """All PCM, in order."""
    is_open: bool = True
    """Until the WebSocket's end."""
    is_connected: bool = True
    """Until TCP's end."""
    is_whole: bool = True
    """Whether there was room to keep all of this."""
    kept_bytes: int = 0
    """How much memory all this takes, as it came."""
    session: Session | None = None
    """Known from setupComplete on."""
    follows: Handle | None = None
    """What it was resumed from."""
    handles: list[str] = attrs.field(factory=list[str])
    """The resumption handles that it gave, in order."""
    _heard: list[Text | Picture | Result | _Stretch] = attrs.field(
        factory=list[Text | Picture | Result | _Stretch]
    )

    def hear(self, item: Text | Picture | Result) -> None:
        """Take note of what was said."""
        self._heard.append(item)

    def hear_sound(self, pcm: bytes, rate: int) -> None:
        """Take note of sound."""
        start = len(self.audio)
        self.audio += pcm
        last = self._heard[-1] if self._heard else None
        if isinstance(last, _Stretch) and last.rate == rate:
            last.stop = len(self.audio)
        else:
            self._heard.append(_Stretch(start, len(self.audio), rate))

    def unhear_seed(self) -> None:
        """Forget the initial history."""
        self._heard = [one for one in self._heard if not (isinstance(one, Text) and one.is_seeded)]

    @property
    def place(self) -> Place:
        """Where the link has come to."""
        return Place(len(self._heard), len(self.audio))

    def upto(self, place: Place) -> list[Item]:
        """Return all that was heard before a place."""
        found: list[Item] = []
        for one in self._heard[: place.items]:
            if not isinstance(one, _Stretch):
                found.append(one)
            elif pcm := bytes(self.audio[one.start : min(one.stop, place.audio_bytes)]):
                found.append(Sound(pcm, one.rate, self.number))
        return found


@attrs.frozen
class Memory:
    """What the service remembers of a session.

    That is what its newest link has heard, and before that what the handle covers from which this
    link was resumed, and so on back to the session's first. What came after a handle, by the link
    that gave it, is forgotten when another link goes on from there.
    """

    session: int
    links: tuple[int, ...]
    """The links by which it was heard, in order: each was resumed from the one before."""
    items: tuple[Item, ...]
    """All that was said, in order."""
    handles: tuple[str, ...]
    """The handles that were given for it, in order: `Service.covered` tells what each covers."""
    is_whole: bool
    """Whether all of it was kept: see `Options.max_record_bytes`."""

    @property
    def turns(self) -> tuple[Turn, ...]:
        """All text, with who said it."""
        return tuple((one.role, one.text) for one in self.items if isinstance(one, Text))

    @property
    def texts(self) -> tuple[str, ...]:
        """All text of the user's, initial history included."""
        return tuple(text for role, text in self.turns if role == "user")

    @property
    def sound(self) -> bytes:
        """All sound, in order, at whatever rates."""
        return b"".join(one.pcm for one in self.items if isinstance(one, Sound))


def line_of(record: Record, upto: Handle | None, known: Iterable[Record]) -> Memory:
    """Return what is remembered by a link, over all links that it goes back to.

    Args:
        record: The link, which has been set up.
        upto: A handle that it gave, if not all of it is meant.
        known: All links whose records are still kept.
    """
    numbered = {one.number: one for one in known}
    links: list[int] = []
    items: list[Item] = []
    handles: list[str] = []
    at: Record | None = record
    is_whole = True
    while at is not None:
        given = at.handles if upto is None else at.handles[: at.handles.index(upto.name) + 1]
        links.insert(0, at.number)
        items[:0] = at.upto(at.place if upto is None else upto.place)
        handles[:0] = given
        is_whole = is_whole and at.is_whole
        if at.follows is None:
            break
        upto = at.follows
        at = numbered.get(upto.link)
    session = record.session.number if record.session else 0
    return Memory(session, tuple(links), tuple(items), tuple(handles), is_whole and at is not None)
