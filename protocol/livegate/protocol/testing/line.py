"""What waits between a client and Gemini, in one line, as a model keeps it."""

from base64 import b64decode
from collections import deque
from typing import Final

import attrs

from livegate.protocol.testing.wishes import Book, Wish

_ROOM: Final = 140 * 1024
"""Bytes that may wait for Gemini before a gateway may stop reading the client."""
_LEAST: Final = 512
_SILENCE: Final = 44 * 1024
"""What an end of speech may take: a second of silence."""


@attrs.frozen
class Content:
    """Something that Gemini must get once, in order."""

    text: str = ""
    sound: bytes = b""
    """PCM."""
    image: str = ""
    is_end: bool = False
    """The end of speech."""
    closes: int = 0
    """What was said last before this end, if nobody had to say that it is one."""
    is_piece: bool = False
    """It comes in a piece of a recording, which may have no sound in it."""
    is_broken: bool = False
    """Nothing can be made of it: an error tells so."""
    came_at: float = 0.0
    """When a recording's piece came."""
    until: float = 0.0
    """When it will have been played, if it is played as it comes."""


END: Final = Content(is_end=True)


@attrs.frozen
class Config:
    """A config that must be answered once, in order; a bad one has no wish."""

    wish: Wish | None


@attrs.define
class Line:
    """Content that Gemini must get, and configs that must be answered."""

    book: Book
    items: deque[Content | Config] = attrs.field(factory=deque["Content | Config"])
    """In the order they came."""
    unanswered: deque[Wish | None] = attrs.field(factory=deque["Wish | None"])
    """Configs that the gateway has put in force, or tries to."""
    done: int = 0
    """How many of either have left it."""

    def __bool__(self) -> bool:
        return bool(self.items or self.unanswered)

    @property
    def has_room(self) -> bool:
        """Whether the client may say more without being held up."""
        content = [one for one in self.items if isinstance(one, Content)]
        sizes = [len(one.sound) * 4 // 3 + _SILENCE * one.is_end for one in content]
        return sum(sizes) + _LEAST * (len(self.items) + len(self.unanswered)) < _ROOM

    @property
    def has_sound(self) -> bool:
        """Whether speech waits."""
        return self.has_pieces or any(isinstance(one, Content) and one.sound for one in self.items)

    @property
    def has_pieces(self) -> bool:
        """Whether recordings wait."""
        return any(isinstance(one, Content) and one.is_piece for one in self.items)

    def has_piece_after(self, moment: float) -> bool:
        """Return whether a recording's piece is next that came later than this."""
        head = self.items[0] if self.items else None
        return isinstance(head, Content) and head.is_piece and head.came_at > moment

    @property
    def has_broken_head(self) -> bool:
        """Whether a recording is next that nothing can be made of."""
        head = self.items[0] if self.items else None
        return isinstance(head, Content) and head.is_broken

    def take_back(self) -> None:
        """Take out what came last: it was refused."""
        last = self.items.pop()
        assert isinstance(last, Content), "a config was refused for what it is not"
        if last.closes and last.is_end:
            self.items.pop()

    def absorb(self) -> None:
        """Put the configs at the head of the line in force."""
        while self.items and isinstance(self.items[0], Config):
            self._absorb_one()

    def _absorb_one(self) -> None:
        head = self.items.popleft()
        assert isinstance(head, Config)
        self.unanswered.append(head.wish)
        if head.wish is not None:
            self.book.merge(head.wish)

    def answered_config(self) -> Wish | None:
        """Return the config that is answered now."""
        if not self.unanswered and self.items and isinstance(self.items[0], Config):
            self._absorb_one()
        self.done += 1
        if self.unanswered:
            return self.unanswered.popleft()
        waiting = [one for one in self.items if isinstance(one, Config)]
        assert waiting, "an answer to a config, but no config waits"
        self.items.remove(waiting[0])
        assert waiting[0].wish is None, "a config was answered before the content before it"
        return None

    def next_content(self, kind: str) -> Content:
        """Return what Gemini must get next.

        Raises:
            AssertionError: Nothing, or a config has to be answered first.
        """
        assert self.items, f"{kind} that nobody sent, or that was sent before"
        head = self.items[0]
        assert isinstance(head, Content), f"content overtook a config: {kind}"
        assert not self.unanswered, "content was sent before the config before it was answered"
        return head

    def give(self) -> Content:
        """Take out what Gemini has got, or what there is nothing of for it."""
        given = self.items.popleft()
        assert isinstance(given, Content)
        self.done += 1
        return given

    def give_sound(self, sound: str) -> list[Content]:
        """Take out a piece of sound, in base64; return what is all given with it.

        It may be a part of what the client sent at once, or go beyond it.

        Raises:
            AssertionError: It is not the next piece.
        """
        given: list[Content] = []
        pcm = b64decode(sound)
        while pcm:
            head = self.next_content("sound")
            assert head.sound or head.is_piece, f"not sound, but {head} comes next"
            size = min(len(head.sound), len(pcm))
            assert head.sound[:size] == pcm[:size], f"not the next sound: {pcm!r:.80}"
            pcm = pcm[size:]
            self.items.popleft()
            if size < len(head.sound):
                self.items.appendleft(attrs.evolve(head, sound=head.sound[size:]))
            else:
                given.append(head)
        return given

    def drop(self, code: str) -> None:
        """A link was never set up: what waited is dropped, and a good config has its answer.

        Raises:
            AssertionError: It had to be a bad one's.
        """
        self.items = deque(one for one in self.items if isinstance(one, Config))
        if any(self.unanswered):
            assert self.unanswered.popleft() is not None, f"a bad config is answered with {code}"
