"""What Gemini knows of a conversation, as a model keeps it, and what another link must be told."""

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from livegate.protocol import _json, gemini
from livegate.protocol.testing.frames_seen import part_of, parts_of

_USER: Final = "user"
_MODEL: Final = "model"
_TAIL_BYTES: Final = 2 * 32_000
"""Sound of which nobody need be told that Gemini may have missed it."""
_TRIES: Final = 3


@attrs.define
class Past:
    """The newest handle, what it stands for, and all that was said as text."""

    handle: str = ""
    model: str = ""
    """Whose handle it is."""
    is_covered: bool = True
    """The handle stands for all that was said, but for sound behind the last answer."""
    tells_loss: bool = False
    """The client must still be told that Gemini has forgotten something."""
    _has_begun: bool = False
    """Anything was said."""
    _refusals: int = 0
    """Links in a row that Gemini ended when it was to resume."""
    _frames: int = 0
    """Texts, pictures and results that no handle stands for."""
    _sound: int = 0
    """Bytes of sound that no handle stands for."""
    _tail: tuple[int, int] = (0, 0)
    """What of the two came since the last answer has ended."""
    _said: list[tuple[str, str]] = attrs.field(factory=list[tuple[str, str]])

    # What is said

    def told(self, *, frames: int = 0, sound: int = 0) -> None:
        """Gemini gets content."""
        self._has_begun, self.is_covered = True, False
        self._frames += frames
        self._sound += sound
        self._tail = self._tail[0] + frames, self._tail[1] + sound

    def asked(self, text: str) -> None:
        """Gemini gets a text."""
        self._said.append((_USER, text))

    def heard(self, texts: Iterable[str], heard: str, *, is_output: bool) -> None:
        """Gemini says something, and what it has heard."""
        if is_output:
            self._has_begun, self.is_covered = True, False
        self._said += [(_MODEL, text) for text in texts]
        self._said += [(_USER, heard)] if heard else []

    def ended(self) -> None:
        """An answer ends."""
        self._tail = (0, 0)

    def renewed(self, handle: str, model: str, *, is_idle: bool) -> None:
        """Gemini gives a handle; between two answers it stands for all up to the last one."""
        self.handle, self.model = handle, model
        if is_idle:
            self._frames, self._sound = self._tail
            self.is_covered = not self._frames

    # What another link gets

    def check_setup(self, setup: Mapping[str, object], model: str) -> str | None:
        """Return the handle of a setup for this model.

        Raises:
            AssertionError: It is not the newest one, or what was said is not announced without.
        """
        handle = part_of(setup, "sessionResumption", "handle") or None
        wanted = self.handle if self.handle and self.model == model else None
        assert handle == wanted, f"the handle had to be {wanted}, not {handle}"
        is_seeded = "historyConfig" in setup
        assert is_seeded == (not handle and bool(self.words)), "historyConfig is wrong"
        return handle

    def forget(self) -> None:
        """Gemini does not know the handle."""
        self.handle = ""

    def refused(self) -> None:
        """A link that was to resume has ended before it was ready: it may be tried thrice."""
        self._refusals += 1
        if self._refusals >= _TRIES:
            self.forget()

    def accepted(self, *, is_resumed: bool) -> None:
        """Gemini accepts a setup."""
        self._refusals = 0
        if is_resumed:
            self.tells_loss = not self.is_covered or self._sound > _TAIL_BYTES
        else:
            self.forget()
            self.tells_loss, self._has_begun = self._has_begun, bool(self.words)
        self.is_covered, self._frames, self._sound, self._tail = True, 0, 0, (0, 0)

    @property
    def words(self) -> list[tuple[str, str]]:
        """All that was said, without its spaces: who, and what until somebody else speaks."""
        return _joined(self._said)

    def check_history(self, body: Mapping[str, object]) -> None:
        """Raise unless a `clientContent` tells all that was said before.

        Raises:
            AssertionError: Something is missing, or was never said.
        """
        turns = body.get("turns")
        said = [_turn_of(turn) for turn in (turns if _json.is_array(turns) else [])]
        told = _joined(one for one in said if one[1] != gemini.GOES_ON)
        assert told == self.words, f"Gemini is told {told}, and {self.words} was said"


def _joined(said: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for role, text in said:
        if not (words := "".join(text.split())):
            continue
        if found and found[-1][0] == role:
            words = found.pop()[1] + words
        found.append((role, words))
    return found


def _turn_of(turn: object) -> tuple[str, str]:
    """Return who says what in one turn of a history."""
    assert _json.is_object(turn), f"{turn!r:.200} is no turn"
    return str(turn.get("role")), "".join(part_of(part, "text") for part in parts_of(turn))
