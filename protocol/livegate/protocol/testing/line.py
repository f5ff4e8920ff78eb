"""What waits between a client and Gemini, in one line, as a model keeps it."""

from collections import deque
from typing import Final

import attrs

from livegate.protocol.testing.wishes import Book, Wish

_ROOM: Final = 140 * 1024
"""Bytes that may wait for Gemini before a gateway may stop reading the client."""
_LEAST: Final = 512
_SILENCE: Final = 44 * 1024
"""What an end of speech may take: a second of silence."""
_BYTES_PER_S: Final = 32_000


@attrs.frozen
class Content:
    """Something that Gemini must get once, in order."""

    text: str = ""
    sound: str = ""
    """Base64."""
    image: str = ""
    is_end: bool = False
    """The end of speech."""

    @property
    def seconds(self) -> float:
        """How long the sound plays."""
        return len(self.sound) * 3 // 4 / _BYTES_PER_S


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

    def __bool__(self) -> bool:
        return bool(self.items or self.unanswered)

    @property
    def has_room(self) -> bool:
        """Whether the client may say more without being held up."""
        content = [one for one in self.items if isinstance(one, Content)]
        sizes = [len(one.sound) + _SILENCE * one.is_end for one in content]
        return sum(sizes) + _LEAST * (len(self.items) + len(self.unanswered)) < _ROOM

    @property
    def has_sound(self) -> bool:
        """Whether speech waits."""
        return any(isinstance(one, Content) and one.sound for one in self.items)

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

    def give(self) -> None:
        """Take out what Gemini has got."""
        self.items.popleft()

    def give_sound(self, head: Content, sound: str) -> None:
        """Take out a piece of sound, which may be a part of what the client sent.

        Raises:
            AssertionError: It is not the next piece.
        """
        assert head.sound.startswith(sound), f"not the next sound: {sound:.80}"
        rest = head.sound.removeprefix(sound)
        self.items.popleft()
        if rest:
            self.items.appendleft(Content(sound=rest))

    def drop(self, code: str) -> None:
        """A link was never set up: what waited is dropped, and a good config has its answer.

        Raises:
            AssertionError: It had to be a bad one's.
        """
        self.items = deque(one for one in self.items if isinstance(one, Config))
        if any(self.unanswered):
            assert self.unanswered.popleft() is not None, f"a bad config is answered with {code}"
