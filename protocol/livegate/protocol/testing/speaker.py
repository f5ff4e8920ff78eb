"""A client's speech: what Gemini must get of it, and where it ends."""

import math
from typing import Final

import attrs

from livegate.protocol.testing.line import END, Content, Line

_PAUSE_S: Final = 1.0
_BYTES_PER_S: Final = 32_000


@attrs.define
class Speaker:
    """What the client has said aloud, as raw PCM or in recordings; its end is put in line, too."""

    line: Line
    is_speaking: bool = False
    takes_plain: bool = True
    """Sound that says nothing of itself is PCM; else it may belong to a recording."""
    is_plain: bool = False
    """PCM runs, so that what follows it is PCM unless it is clearly something else."""
    is_recording: bool = False
    """A recording may go on."""
    is_refused: bool = False
    """The recording is refused, and so is what follows it."""
    is_sounding: bool = False
    """Gemini has got sound that nothing has ended yet."""
    flush_at: float = math.inf
    """When the sound that came last has stopped for long enough to count as ended."""
    _half: bytes = b""
    """Half a sample waits for its other half."""
    _plays_until: float = -math.inf
    _heard_until: float = -math.inf
    """The same, for what Gemini has got since it was last told of an end."""
    _last: int = 0
    """Counts what was said."""

    def says(self, pcm: bytes, now: float) -> None:
        """The client sends PCM, cut anywhere."""
        self._half, pcm = _cut(self._half + pcm)
        self.takes_plain = self.is_plain = True
        self.is_recording = self.is_refused = False
        if pcm:
            self._say(Content(sound=pcm))
            self._plays_until = now + len(pcm) / _BYTES_PER_S
            self._listen()

    def records(self, pcm: bytes, now: float, *, is_first: bool, is_whole: bool) -> None:
        """The client sends a piece of a recording, which has so much sound in it."""
        if is_first:
            self._half = b""
        self.takes_plain = self.is_plain = self.is_refused = False
        self.is_recording = not is_whole
        until = now + len(pcm) / _BYTES_PER_S
        self._say(Content(sound=pcm, is_piece=True, came_at=now, until=until))
        self.flush_at = math.inf
        if is_whole:
            self.line.items.append(Content(is_end=True, closes=self._last))

    def records_badly(self, now: float) -> None:
        """The client sends a recording that nothing can be made of."""
        self._half = b""
        self.takes_plain = self.is_plain = self.is_recording = self.is_refused = False
        closes = self._last + 1
        self._say(Content(is_piece=True, is_broken=True, closes=closes, came_at=now, until=now))
        self.flush_at = math.inf

    def asks(self) -> None:
        """The client sends a text: what follows a refused recording may be something else."""
        if self.is_refused:
            self.is_refused, self.takes_plain = False, True

    def ends(self, *, is_said: bool) -> None:
        """The speaker has finished."""
        self._half = b""
        self.is_plain = False
        if is_said:
            self.takes_plain, self.is_recording, self.is_refused = True, False, False
        self.hush()

    def hush(self) -> None:
        """Nobody speaks any more."""
        self.is_speaking, self.flush_at, self._plays_until = False, math.inf, -math.inf

    def dropped(self) -> None:
        """What waited was thrown away: a recording without its beginning is none."""
        self.is_recording = False
        self.hush()

    def heard(self, item: Content) -> None:
        """Take note that Gemini has got all there is of an item, or knows that there is none."""
        self.is_sounding = not item.is_end and (self.is_sounding or item.sound != b"")
        if item.is_end:
            self._heard_until = -math.inf
            if item.closes == self._last:
                self.takes_plain = True
                self.hush()
            return
        if item.is_broken:
            self.is_refused = item.closes == self._last
            if self.is_refused and self._plays_until == -math.inf:
                self.hush()
        if item.is_piece:
            if item.sound or self._plays_until > -math.inf:
                self._plays_until = max(self._plays_until, item.until)
            self._heard_until = max(self._heard_until, item.until)
            if self.line.has_piece_after(self._heard_until + _PAUSE_S) and not self._is_manual:
                self.line.items.appendleft(END)
            self._listen()

    def _say(self, content: Content) -> None:
        self._last += 1
        self.is_speaking = True
        self.line.items.append(content)

    def _listen(self) -> None:
        """Wait for a pause, once it is known how long everything plays."""
        if self._plays_until > -math.inf and not self.line.has_pieces:
            self.flush_at = self.flush_at if self._is_manual else self._plays_until + _PAUSE_S

    @property
    def _is_manual(self) -> bool:
        return self.line.book.terms().is_manual


def _cut(pcm: bytes) -> tuple[bytes, bytes]:
    """Return half a sample that is left over, if any, and the whole ones before it."""
    size = len(pcm) - len(pcm) % 2
    return pcm[size:], pcm[:size]
