"""What was said, as text: for a Gemini that has forgotten it.

Source: Live API, HistoryConfig: the first clientContent of a link may hold the conversation so far.
"""

from collections import deque
from typing import Final

USER: Final = "user"
MODEL: Final = "model"
_CHUNK_CHARS: Final = 1024


class History:
    """The latest texts and transcripts, each with who said it.

    Args:
        most: How many bytes of text are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._chunks: deque[tuple[str, str, bool]] = deque()
        """Role and text; whether it goes on with the chunk before."""
        self._size = 0
        self._goes_on = False

    def __bool__(self) -> bool:
        return bool(self.turns)

    def said(self, role: str, text: str) -> None:
        """Keep the next piece of what somebody says, its end if it is long; the oldest give way."""
        size = len(text.encode())
        if size > self._most:
            text = text.encode()[size - self._most :].decode(errors="ignore")
            size = len(text.encode())
        before, chunk, goes_on = self._chunks[-1] if self._chunks else ("", "", False)
        joins = self._goes_on and before == role
        if joins and len(chunk) < _CHUNK_CHARS:
            self._chunks[-1] = (role, chunk + text, goes_on)
        else:
            self._chunks.append((role, text, joins))
        self._goes_on = True
        self._size += size
        while self._size > self._most:
            self._size -= len(self._chunks.popleft()[1].encode())

    def ended(self) -> None:
        """Take note that a turn has ended."""
        self._goes_on = False

    @property
    def turns(self) -> list[tuple[str, str]]:
        """All that is kept, in order: role and text."""
        found: list[tuple[str, str]] = []
        for role, text, goes_on in self._chunks:
            if goes_on and found:
                text = found.pop()[1] + text  # noqa: PLW2901 - one turn
            found.append((role, text))
        return [(role, text.strip()) for role, text in found if text.strip()]
