# pyright: reportPrivateUsage=false
"""Frames that may be missed: which are kept, which are gone, and whether that is told."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livegate.protocol import replies
from livegate.protocol.missed import Missed
from livegate.protocol.replies import Reply

ROOMY = 10**9
COST = 240
"""What a frame costs besides its bytes."""


def said(size: int = 10) -> Reply:
    """Return a frame that is no sound."""
    return Reply("response", b"x" * size, 1)


def heard(turn: int, size: int = 10) -> Reply:
    """Return a frame of sound."""
    return replies.binary_sound(b"x" * size, turn)


def filled(most: int, *frames: Reply) -> Missed:
    """Return what keeps frames from number 1 on."""
    missed = Missed(most)
    for seq, reply in enumerate(frames, 1):
        missed.append(seq, reply)
    return missed


def test_after() -> None:
    """What comes after a number is given, in order, as often as it is asked for."""
    frames = [said(size) for size in range(5)]
    missed = filled(ROOMY, *frames)
    for seq in (*range(7), *range(7)):
        assert missed.after(seq) == (True, frames[seq:])


def test_nothing() -> None:
    """Where nothing was said nothing is missed."""
    assert Missed(0).after(0) == (True, [])


def test_before_the_token() -> None:
    """What was said before there was a token is gone."""
    missed = Missed(ROOMY)
    missed.begin(3)
    missed.append(4, said())
    assert [missed.after(seq)[0] for seq in range(6)] == [False, False, False, True, True, True]
    assert missed.after(0)[1] == [said()]


@pytest.mark.parametrize(
    ("most", "left"),
    [(3 * (COST + 10), 3), (3 * (COST + 10) - 1, 2), (COST + 10, 1), (COST, 1), (0, 1)],
)
def test_room(most: int, left: int) -> None:
    """The oldest give way, as few as may be; the newest never does."""
    frames = [said() for _ in range(5)]
    missed = filled(most, *frames)
    assert missed.after(5 - left) == (True, frames[-left:])
    assert missed.after(4 - left) == (False, frames[-left:])
    assert missed.after(0) == (False, frames[-left:])


def test_one_that_fills_all() -> None:
    """A frame for which there is no room at all is kept until there is another one."""
    missed = filled(100, said(10_000))
    assert missed.after(0) == (True, [said(10_000)])
    missed.append(2, said(1))
    assert missed.after(0) == (False, [said(1)])


def test_hold() -> None:
    """From a number on all are kept, until nobody needs that any more."""
    frames = [said() for _ in range(6)]
    missed = filled(2 * (COST + 10), *frames[:2])
    missed.hold(3)
    for seq in range(3, 7):
        missed.append(seq, frames[seq - 1])
    assert missed.after(2) == (True, frames[2:])
    assert missed.after(1) == (False, frames[2:])
    missed.hold(0)
    missed.append(7, said(1))
    assert missed.after(5) == (True, [frames[5], said(1)])
    assert missed.after(4) == (False, [frames[5], said(1)])


def test_taken_back() -> None:
    """Sound that is not to be heard any more is forgotten, and nobody misses it."""
    frames = [heard(1), said(), heard(2), heard(3), replies.interrupted(2)]
    missed = filled(ROOMY, *frames)
    assert missed.drop_sound(0) == 0
    assert missed.after(0) == (True, frames)
    assert missed.drop_sound(2) == 0  # it is on its way, and counted there
    assert missed.after(0) == (True, [frames[1], frames[3], frames[4]])
    missed.drop_sound(3)
    assert missed.after(0) == (True, [frames[1], frames[4]])


def test_taken_back_while_held() -> None:
    """Of what nobody takes it is told how much of it was sound."""
    missed = filled(ROOMY, heard(1, 100), said(1))
    missed.hold(3)
    missed.append(3, heard(1, 20))
    missed.append(4, said(3))
    missed.append(5, heard(1, 4))
    missed.append(6, heard(2, 5))
    assert missed.drop_sound(1) == 24
    assert missed.drop_sound(1) == 0
    assert missed.drop_sound(2) == 5


def test_room_of_what_was_taken_back() -> None:
    """Sound that was taken back leaves its room to others."""
    missed = filled(2 * (COST + 10), heard(1), heard(1))
    missed.drop_sound(1)
    missed.append(3, said())
    missed.append(4, said())
    assert missed.after(0) == (True, [said(), said()])
    missed.append(5, said())
    assert missed.after(2)[0] is False


@pytest.mark.parametrize(("turn", "is_whole"), [(1, False), (2, True), (3, True)])
def test_gone_and_taken_back(turn: int, *, is_whole: bool) -> None:
    """Sound that had to give way is not missed any more once it was taken back."""
    missed = filled(COST + 10, heard(1), heard(2), said())
    assert missed.after(0) == (False, [said()])
    missed.drop_sound(turn)
    assert missed.after(0) == (is_whole, [said()])


def test_gone_for_another_reason() -> None:
    """Who misses other frames than sound that was taken back is told."""
    missed = filled(COST + 10, said(), heard(1), heard(1))
    missed.drop_sound(1)
    assert missed.after(0) == (False, [])
    assert missed.after(1) == (True, [])


def test_cost_of_interrupting() -> None:
    """Where no sound is kept, nothing is looked through."""
    missed = filled(ROOMY, said(), heard(1))
    before = missed._kept
    missed.drop_sound(1)
    kept = missed._kept
    assert kept is not before
    for _ in range(3):
        missed.drop_sound(1)
    assert missed._kept is kept
    missed.append(3, heard(2))
    missed.drop_sound(2)
    assert missed.after(0) == (True, [said()])
    missed = filled(COST + 10, heard(1), said())  # the sound has given way
    kept = missed._kept
    missed.drop_sound(1)
    assert missed._kept is kept


@attrs.define
class Model:
    """The same, as one would write it who has all the time and room in the world."""

    most: int
    frames: dict[int, Reply] = attrs.field(factory=dict[int, Reply])
    gone: dict[int, Reply] = attrs.field(factory=dict[int, Reply])
    held: int = 0

    def append(self, seq: int, reply: Reply) -> None:
        """Keep a frame."""
        self.frames[seq] = reply
        while sum(len(one.payload) + COST for one in self.frames.values()) > self.most:
            oldest = min(self.frames)
            if oldest >= (self.held or seq):
                break
            self.gone[oldest] = self.frames.pop(oldest)

    def drop_sound(self, turn: int) -> int:
        """Forget sound."""
        muted = {seq: one for seq, one in self.frames.items() if one.is_sound and one.turn <= turn}
        self.frames = {seq: one for seq, one in self.frames.items() if seq not in muted}
        self.gone = {
            seq: one for seq, one in self.gone.items() if not (one.is_sound and one.turn <= turn)
        }
        return sum(len(one.payload) for seq, one in muted.items() if 0 < self.held <= seq)

    def after(self, seq: int) -> tuple[bool, list[Reply]]:
        """Return whether all is there, and what is."""
        rest = [self.frames[one] for one in sorted(self.frames) if one > seq]
        return not any(one > seq for one in self.gone), rest


@given(
    st.sampled_from([0, 300, 1000, 5000, ROOMY]),
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(["say", "hear"]), st.integers(0, 600)),
            st.tuples(st.sampled_from(["turn", "hold", "release"]), st.just(0)),
            st.tuples(st.just("drop"), st.integers(-2, 0)),
        ),
        max_size=60,
    ),
)
def test_model(most: int, steps: list[tuple[str, int]]) -> None:
    """Whatever is said, held and taken back, what is kept is what should be."""
    missed, model, seq, turn = Missed(most), Model(most), 0, 1
    for step, value in steps:
        match step:
            case "say" | "hear":
                seq += 1
                frame = said(value) if step == "say" else heard(turn, value)
                missed.append(seq, frame)
                model.append(seq, frame)
            case "turn":
                turn += 1
            case "hold" | "release":
                model.held = seq + 1 if step == "hold" else 0
                missed.hold(model.held)
            case _:
                assert missed.drop_sound(turn + value) == model.drop_sound(turn + value)
        for has in range(seq + 2):
            assert missed.after(has) == model.after(has)
    assert missed._size == sum(len(one.payload) + COST for one in model.frames.values())
