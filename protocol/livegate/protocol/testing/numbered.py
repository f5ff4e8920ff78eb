"""The dialect `livegate.v1`: numbers on frames, and what a client gets that comes back.

Seen from the client's end: numbers grow by one, and when it comes back the frames behind the last
one that it has come again, each once and in order. Sound that was taken back is left out. What came
while it was away was seen by nobody; what it must have been the rest of the model says (`owe`).
"""

import struct
from collections import deque
from collections.abc import Mapping
from typing import Final

import attrs

from livegate.protocol import _json, transcript
from livegate.protocol.replies import CONNECTED, RECONNECTED
from livegate.protocol.testing.frames_seen import check_frame
from livegate.protocol.testing.sounds import Pattern
from livegate.protocol.testing.wishes import Wish, is_report_of

_HEAD: Final = struct.Struct(">II")
"""What binary frames begin with: number and turn."""
_GREETINGS: Final = (CONNECTED, RECONNECTED)
_PIECES: Final = frozenset({"response", "audio"})
"""Frames that say of which turn they are a piece."""


@attrs.frozen
class Got:
    """A frame, as it came."""

    seq: int
    type: str
    told: Mapping[str, object]
    """Without its number."""

    @property
    def turn(self) -> int:
        """The turn that it is about, or 0."""
        turn = self.told.get("turn")
        return turn if isinstance(turn, int) else 0


@attrs.frozen
class Due:
    """A frame that must come at some point of what one thing brings."""

    pattern: Pattern
    wish: Wish | None = None
    """The config that it answers."""
    codes: frozenset[str] = frozenset()
    """Of an error, if it may have one or another."""
    is_sure: bool = True
    """It must come, not only may."""

    def is_met_by(self, got: Got) -> bool:
        """Whether this is the frame."""
        is_report = self.wish is None or is_report_of(got.told, self.wish)
        has_code = not self.codes or got.told.get("code") in self.codes
        return transcript.fits(self.pattern, dict(got.told)) and is_report and has_code


@attrs.frozen
class Owed:
    """What one thing that happened while the client was away has for it."""

    answers: tuple[Pattern, ...]
    """In this order."""
    others: tuple[Due, ...]
    """Anywhere between them."""
    tokens: tuple[int, int]
    """How many at least, and at most."""

    def take(self, waiting: deque[Got]) -> list[Got]:
        """Take the frames that it has brought off those that have come.

        Raises:
            AssertionError: One is missing.
        """
        answers, others, tokens = deque(self.answers), list(self.others), 0
        taken: list[Got] = []
        while waiting:
            got = waiting[0]
            met = next((one for one in others if one.is_met_by(got)), None)
            if answers and transcript.fits(answers[0], dict(got.told)):
                answers.popleft()
            elif got.type == "session" and tokens < self.tokens[1]:
                tokens += 1
            elif met is not None:
                others.remove(met)
            elif got.type != "system" or got.told["data"] in _GREETINGS:
                break  # when another notice comes, only those who heard it could tell
            taken.append(waiting.popleft())
        found = f"{waiting[0].told!r:.200}" if waiting else "nothing"
        assert not answers, f"{answers[0]} was missed and had to come, not {found}"
        sure = [one.pattern for one in others if one.is_sure]
        assert not sure, f"{sure[0]} was missed and had to come, not {found}"
        assert tokens >= self.tokens[0], f"a token was missed and had to come, not {found}"
        return taken


@attrs.define
class Numbered:
    """The frames of one client, over all of its WebSockets."""

    last: int = 0
    """The number of the newest frame that it has seen."""
    first_token: int = 0
    """The number of the frame with its first token; 0 while it has none."""
    has_socket_left: bool = False
    """A WebSocket was replaced, and has not been closed yet."""
    _tokens: set[str] = attrs.field(factory=set[str])
    _seen: dict[int, Got] = attrs.field(factory=dict[int, Got])
    _silenced: list[tuple[int, int]] = attrs.field(factory=list[tuple[int, int]])
    """Numbers of frames that take sound back, and up to which turn."""
    _owed: list[Owed] = attrs.field(factory=list[Owed])
    """What has come while the client was away."""
    _asked: int | None = None
    """The number that it has named, while it waits for what it has missed."""
    _recovered: bool | None = None
    """The answer to that."""
    _resent: list[Got] = attrs.field(factory=list[Got])

    def read(self, frame: object) -> tuple[str, Mapping[str, object]] | None:
        """Return a frame's type and the frame, without its number; None if it was sent again.

        Raises:
            AssertionError: It is not what comes next.
        """
        if _json.is_object(frame) and frame.get("type") == "resumed":
            self._resumed(frame)
            return None
        got = _parsed(frame)
        if self._asked is not None:
            assert self._recovered is not None, f"{got.type} came before resumed"
            self._resent.append(got)
            return None
        assert got.seq == self.last + 1, f"the number {got.seq} came behind {self.last}"
        self._note(got)
        return got.type, got.told

    def returns(self, seq: int, *, is_away: bool) -> None:
        """The client comes back, and names the last frame that it has."""
        self._asked, self._recovered, self.has_socket_left = seq, None, not is_away
        self._resent = []

    def owe(self, owed: Owed) -> None:
        """Something happens while the client is away."""
        self._owed.append(owed)

    def check(self) -> None:
        """Raise unless a client that is back has got what it has missed.

        Raises:
            AssertionError: Something is missing, doubled, out of order, or was to be silent.
        """
        if self._asked is None:
            return
        assert not self.has_socket_left, "the WebSocket that was replaced is not closed"
        assert self._recovered is not None, "nobody says that the client is back"
        before = self._asked
        for got in self._resent:
            assert got.seq > before, f"the number {got.seq} came again behind {before}"
            before = got.seq
        self._silenced += [(one.seq, one.turn) for one in self._resent if _takes_back(one)]
        for got in self._resent:
            assert not self._is_taken_back(got), f"sound of turn {got.turn} was to be silent"
        self._check_old([one for one in self._resent if one.seq <= self.last], self._asked)
        self._check_new([one for one in self._resent if one.seq > self.last])
        for got in self._resent:
            self._note(got)
        self._asked = None
        self._owed.clear()

    def _resumed(self, frame: Mapping[str, object]) -> None:
        check_frame(frame)
        assert self._asked is not None, "resumed, but nobody has come back"
        assert self._recovered is None, "resumed twice"
        assert frame["seq"] == self._asked, f"resumed at {frame['seq']}, not at {self._asked}"
        self._recovered = frame["recovered"] is True

    def _note(self, got: Got) -> None:
        if got.seq > self.last:
            self.last = got.seq
            if got.type == "session":
                token = str(got.told["token"])
                assert token not in self._tokens, "a token that was given before"
                self._tokens.add(token)
                self.first_token = self.first_token or got.seq
        self._seen[got.seq] = got
        if _takes_back(got):
            self._silenced.append((got.seq, got.turn))

    def _is_taken_back(self, got: Got) -> bool:
        return got.type == "audio" and any(
            got.seq < seq and got.turn <= turn for seq, turn in self._silenced
        )

    def _check_old(self, resent: list[Got], asked: int) -> None:
        """Raise unless what the client has lost with its WebSocket comes again.

        Raises:
            AssertionError: Something else comes, or it is wrong whether all of it does.
        """
        lost = [self._seen[seq] for seq in range(asked + 1, self.last + 1) if seq in self._seen]
        wanted = [one for one in lost if not self._is_taken_back(one)]
        for got in resent:
            assert self._seen.get(got.seq) == got, f"another frame of the number {got.seq}"
        is_whole = len(resent) == len(wanted)
        assert self._recovered is is_whole, (
            f"{len(resent)} of {len(wanted)} frames came again, and recovered is not {is_whole}"
        )

    def _check_new(self, resent: list[Got]) -> None:
        """Raise unless what the client has never seen is what it was owed.

        Raises:
            AssertionError: Something is missing, nobody has caused it, or numbers are wrong.
        """
        waiting, count, silent = deque(resent), 0, 0
        for owed, taken_back in self._left():
            silent += taken_back
            for got in owed.take(waiting):
                count += 1
                left_out = got.seq - self.last - count
                assert 0 <= left_out <= silent, f"before the number {got.seq} one is missing"
        assert not waiting, f"nothing has caused what was missed: {waiting[0].told!r:.200}"
        newest = resent[-1].seq if resent else self.last
        assert newest - self.last == count + silent, "numbers were left out, or used twice"

    def _left(self) -> list[tuple[Owed, int]]:
        """Return what is owed without sound that was taken back, and how much that was."""
        found: list[tuple[Owed, int]] = []
        silenced = 0
        for owed in reversed(self._owed):
            answers: list[Pattern] = []
            for pattern in reversed(owed.answers):
                turn = pattern.get("turn")
                assert isinstance(turn, int) or pattern["type"] != "audio"
                if isinstance(turn, int) and pattern["type"] == "interrupted":
                    silenced = max(silenced, turn)
                if pattern["type"] != "audio" or not isinstance(turn, int) or turn > silenced:
                    answers.append(pattern)
            taken_back = len(owed.answers) - len(answers)
            found.append((attrs.evolve(owed, answers=tuple(reversed(answers))), taken_back))
        return found[::-1]


def _takes_back(got: Got) -> bool:
    return got.type == "interrupted"


def _parsed(frame: object) -> Got:
    """Return a frame with its number.

    Raises:
        AssertionError: It has none, or no client could make sense of it.
    """
    if isinstance(frame, bytes):
        assert len(frame) > _HEAD.size, "a binary frame with no sound in it"
        seq, turn = _HEAD.unpack_from(frame)
        type_, told = check_frame(frame[_HEAD.size :])
        return Got(seq, type_, {**told, "turn": turn})
    type_, told = check_frame(frame)
    seq = told.get("seq")
    assert isinstance(seq, int), f"a {type_} frame without its number"
    assert "turn" in told or type_ not in _PIECES, f"a {type_} frame without its turn"
    return Got(seq, type_, {key: value for key, value in told.items() if key != "seq"})
