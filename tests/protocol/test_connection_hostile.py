# pyright: reportPrivateUsage=false
"""Whatever comes, whenever, in whatever pieces: nothing raises, all ends, and ends the same."""

import itertools
import random
import re
from collections.abc import Callable
from typing import Final

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from byte_line import (
    INTERRUPTED,
    READY,
    WITH_SOUND,
    Line,
    frame,
    gemini,
    goodbye,
    head,
    more,
    sound,
    spoken,
    text,
)
from livegate.protocol import commands, inputs
from livegate.protocol.connection import events
from livegate.protocol.inputs import Side

HEAD: Final = head()
ASKING: Final = b'{"type":"text","text":"hi"}'
VALID: Final = [
    text(ASKING),
    text(WITH_SOUND),
    frame(2, b"\0\1" * 40),
    text(b'{"type":', fin=False) + more(b'"ping"}', fin=True),
    frame(9, b"ping"),
    frame(10),
    goodbye(),
    goodbye(1001, b"bye"),
]
FROM_GEMINI: Final = [
    gemini(READY),
    gemini(spoken("hello")),
    gemini(sound(400)),
    gemini(INTERRUPTED),
    gemini(b'{"serverContent":{"turnComplete":true}}'),
    gemini(b'{"goAway":{"timeLeft":"5s"}}'),
    frame(9, b"ping", is_masked=False),
    goodbye(1008, b"API key not valid", is_masked=False),
]
Step = Callable[[Line], object]


# What may happen


@attrs.frozen
class Says:
    """The client says something."""

    data: bytes

    def __call__(self, line: Line) -> None:
        """Let it happen."""
        line.client(self.data)


@attrs.frozen
class Answers:
    """Gemini says something on a link."""

    data: bytes
    link: int

    def __call__(self, line: Line) -> None:
        """Let it happen."""
        line.gemini(self.data, self.link)


@attrs.frozen
class Takes:
    """The operating system takes something, or is told whether to."""

    side: Side
    size: int
    at_once: bool

    def __call__(self, line: Line) -> None:
        """Let it happen."""
        line.takes[self.side] = self.at_once
        for side, link in [one for one in line.untaken if one[0] is self.side]:
            line.take(self.size, side=side, link=link)


@attrs.frozen
class Passes:
    """Time passes."""

    seconds: float

    def __call__(self, line: Line) -> None:
        """Let it happen."""
        line.advance(self.seconds)


@attrs.frozen
class Opens:
    """A link's stream opens; Gemini may accept it."""

    is_accepted: bool

    def __call__(self, line: Line) -> None:
        """Let it happen."""
        for link in sorted(line.connection._links._dialled):
            line.do(inputs.UpstreamOpened(link))
            if self.is_accepted:
                line.gemini(line.accepted(link) + gemini(READY), link)


@attrs.frozen
class Happens:
    """Anything else."""

    event: events.Event

    def __call__(self, line: Line) -> None:
        """Let it happen."""
        line.do(self.event)


_sizes = st.sampled_from([1, 7, 1000, 70_000])
steps: Final[st.SearchStrategy[Step]] = st.one_of(
    st.builds(Says, st.binary(max_size=40)),
    st.builds(Says, st.sampled_from(VALID)),
    st.builds(Says, st.sampled_from(VALID).flatmap(lambda one: st.just(one[: len(one) // 2]))),
    st.builds(Answers, st.binary(max_size=40), st.sampled_from([1, 2, 9])),
    st.builds(Answers, st.sampled_from(FROM_GEMINI), st.sampled_from([1, 1, 2])),
    st.builds(Takes, st.sampled_from(Side), _sizes, st.booleans()),
    st.builds(Passes, st.sampled_from([0.0, 0.5, 1.0, 5.0, 18.0, 60.0, 1000.0])),
    st.builds(Opens, st.booleans()),
    st.builds(
        Happens,
        st.sampled_from(
            [
                events.StreamEnded(Side.UPSTREAM, 1),
                events.StreamEnded(Side.UPSTREAM, 2),
                inputs.DialFailed(1, inputs.Fault.NETWORK),
                inputs.DialFailed(2, inputs.Fault.FORBIDDEN),
                inputs.DeadlineReached(),
                inputs.ShutdownRequested(),
            ]
        ),
    ),
)
beginnings: Final[st.SearchStrategy[tuple[Step, ...]]] = st.sampled_from(
    [
        (),
        (Says(HEAD[:30]),),
        (Says(HEAD),),
        (Says(HEAD + text(WITH_SOUND)), Opens(is_accepted=True)),
        (Says(HEAD + goodbye()),),
        (Takes(Side.CLIENT, 1, at_once=False), Says(HEAD + goodbye())),
        (Says(HEAD + b"\xff\xff"),),
        (Says(b"GET / HTTP/1.0\r\n\r\n"),),
    ]
)


@pytest.mark.parametrize("ends", [True, False], ids=["ends", "stays"])
@given(begun=beginnings, then=st.lists(steps, max_size=12))
def test_anything(*, ends: bool, begun: tuple[Step, ...], then: list[Step]) -> None:
    """Nothing raises, and when the client has ended, or after a while, nothing is left."""
    line = Line()
    for step in (*begun, *then):
        step(line)
    if ends:
        line.end()
        assert line.is_cut
        line.advance(0.5)
    else:
        line.advance(1000)
        assert line.is_cut
    assert line.is_done()


@given(data=st.binary(max_size=400), cuts=st.lists(st.integers(0, 400), max_size=8))
def test_any_cut(data: bytes, cuts: list[int]) -> None:
    """A client is understood the same, however its bytes are cut."""
    whole, cut = Line(), Line()
    data = HEAD + text(ASKING) + data
    whole.client(data)
    bounds = [0, *sorted(cuts), len(data)]
    for start, end in itertools.pairwise(bounds):
        cut.client(data[start:end])
    assert [one for one in cut.heard if not isinstance(one, inputs.Sent)] == [
        one for one in whole.heard if not isinstance(one, inputs.Sent)
    ]
    assert cut.frames == whole.frames


# Valid bytes, mutated


def flipped(data: bytes, at: int, rng: random.Random) -> bytes:
    """Flip a bit."""
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def inserted(data: bytes, at: int, rng: random.Random) -> bytes:
    """Insert some bytes."""
    return data[:at] + rng.randbytes(rng.randrange(1, 5)) + data[at:]


def deleted(data: bytes, at: int, rng: random.Random) -> bytes:
    """Delete some bytes."""
    return data[:at] + data[at + rng.randrange(1, 5) :]


def duplicated(data: bytes, at: int, rng: random.Random) -> bytes:
    """Say a part again."""
    return data[:at] + data[max(0, at - rng.randrange(1, 20)) :]


def truncated(data: bytes, at: int, _: random.Random) -> bytes:
    """Break off."""
    return data[:at]


MUTATIONS: Final = (flipped, inserted, deleted, duplicated, truncated)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Change bytes in one to three places."""
    for _ in range(rng.randrange(1, 4)):
        data = rng.choice(MUTATIONS)(data, rng.randrange(len(data)), rng) or b"\0"
    return data


def mutant_client(rng: random.Random) -> Line:
    """Let a client's handshake or frames be mutated."""
    line = Line()
    frames = b"".join(rng.choices(VALID, k=3))
    is_head = rng.random() < 0.5
    data = mutated(HEAD, rng) + frames if is_head else HEAD + mutated(frames, rng)
    at = rng.randrange(len(data))
    line.client(data[:at])
    line.client(data[at:])
    return line


def mutant_gemini(rng: random.Random) -> Line:
    """Let Gemini's handshake or messages be mutated."""
    line = Line()
    line.client(HEAD + text(WITH_SOUND))
    line.do(inputs.UpstreamOpened(1))
    messages = b"".join(rng.choices(FROM_GEMINI, k=3))
    if rng.random() < 0.3:
        line.gemini(mutated(line.accepted(), rng) + messages)
    else:
        line.gemini(line.accepted() + mutated(messages, rng))
    return line


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("begin", "count"), [(mutant_client, 18_500), (mutant_gemini, 1_500)], ids=["client", "gemini"]
)
def test_mutants(begin: Callable[[random.Random], Line], count: int) -> None:
    """Nor does anything raise, or stay, where valid bytes were mutated in 20,000 ways."""
    rng = random.Random(count)  # noqa: S311 - no secret
    for number in range(count):
        line = begin(rng)
        if number % 10:
            line.end()
            line.advance(0.5)
        else:
            line.advance(1000)
        assert line.is_done()


# Replay


def decoded(line: Line) -> list[object]:
    """Return all that a connection did, without what is drawn at random or read off a clock."""
    told = re.sub(rb"Date: [^\r]*", b"", bytes(line.given[Side.CLIENT, 1]))
    links = sorted(link for side, link in line.given if side is Side.UPSTREAM)
    said = [line.sent_to_gemini(link) for link in links]
    return [*map(repr, line.actions), told, *said]


def test_replay() -> None:
    """The same that happens leads to the same, but for masks, keys and dates."""
    script: list[Step] = [
        Says(HEAD + text(WITH_SOUND)),
        Opens(is_accepted=True),
        Says(text(ASKING)),
        Takes(Side.CLIENT, 1, at_once=False),
        *(Answers(one, 1) for one in FROM_GEMINI[:-1] * 3),
        Takes(Side.CLIENT, 10_000, at_once=True),
        Happens(events.StreamEnded(Side.UPSTREAM, 1)),
        Passes(1.0),
        Says(text(ASKING)),
        Opens(is_accepted=True),
        Passes(25.0),
        Says(b"\xff\xff"),
        Passes(60.0),
    ]
    one, other = Line(), Line()
    for step in script:
        step(one)
        step(other)
    assert decoded(one) == decoded(other)
    assert commands.OpenUpstream(2) in one.actions
    assert one.is_done()
