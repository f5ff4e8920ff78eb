"""The frames that a client may have missed when its WebSocket broke."""

from collections import deque
from typing import Final

import attrs

from livegate.protocol.replies import Reply

_COST: Final = 240
"""What a frame costs at least, however short: its objects in memory."""


@attrs.frozen
class Kept:
    """One frame."""

    seq: int
    reply: Reply

    @property
    def size(self) -> int:
        """What it costs, in bytes."""
        return len(self.reply.payload) + _COST


class Missed:
    """The newest frames, numbered, as far back as there is room.

    Args:
        most: How many bytes.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: deque[Kept] = deque()
        self._size = 0
        self._gone = 0
        """The number of the last frame that is not kept any more, though it may be missed."""
        self._gone_sound = self._gone_turn = 0
        """The number of the last sound likewise, which may still be taken back; and its turn."""
        self._sounds = 0
        """How many of those that are kept are to be heard."""
        self._held = 0
        """From which number on all are kept; 0 for none."""

    def append(self, seq: int, reply: Reply) -> None:
        """Keep a frame; the oldest give way to it."""
        kept = Kept(seq, reply)
        self._kept.append(kept)
        self._size += kept.size
        self._sounds += reply.is_sound
        while self._size > self._most and self._kept[0].seq < (self._held or seq):
            oldest = self._kept.popleft()
            self._size -= oldest.size
            if oldest.reply.is_sound:
                self._sounds -= 1
                self._gone_sound, self._gone_turn = oldest.seq, oldest.reply.turn
            else:
                self._gone = oldest.seq

    def begin(self, seq: int) -> None:
        """Keep what comes after this number."""
        self._gone = seq

    def hold(self, seq: int) -> None:
        """Let none go from this number on: nobody takes them."""
        self._held = seq

    def drop_sound(self, turn: int) -> int:
        """Forget sound that is not to be heard any more; return how many bytes of it were held."""
        if self._gone_turn <= turn:
            self._gone_sound = 0
        if not self._sounds:
            return 0  # a client that interrupts all the time costs no more than another
        kept, dropped = deque[Kept](), 0
        for one in self._kept:
            if one.reply.is_sound and one.reply.turn <= turn:
                self._size -= one.size
                self._sounds -= 1
                dropped += len(one.reply.payload) if self._held and one.seq >= self._held else 0
            else:
                kept.append(one)
        self._kept = kept
        return dropped

    def after(self, seq: int) -> tuple[bool, list[Reply]]:
        """Return whether nothing is missing after this number, and all that is kept."""
        is_whole = seq >= max(self._gone, self._gone_sound)
        return is_whole, [one.reply for one in self._kept if one.seq > seq]
