# pyright: reportPrivateUsage=false
"""Ten thousand clients lose their WebSockets, wherever it hurts, and come back: what do they get?"""

import random
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Final

import pytest

from livegate.protocol import Limits, SessionOptions
from livegate.protocol.inputs import Side
from livegate.protocol.states import Phase
from returning import Returning, heard, read

CUTS: Final = 1000
"""For each seed of each kind."""
_PER_SESSION: Final = 25
_ROOMY: Final = Limits()
_CRAMPED: Final = Limits(missed_bytes=6000)
_FORMS: Final[tuple[Mapping[str, object], ...]] = (
    {},
    {"response_modalities": ["AUDIO"]},
    {"response_modalities": ["AUDIO"], "audio": {"encoding": "binary"}},
    {"response_modalities": ["AUDIO"], "audio": {"format": "wav"}},
    {"response_modalities": ["AUDIO"], "audio": {"per": "turn", "encoding": "binary"}},
)
_FLAGS: Final = tuple(
    b'{"serverContent":{"%s":true}}' % flag
    for flag in (b"interrupted", b"generationComplete", b"turnComplete")
)


class Walk:
    """One session at random, whose client is cut many times.

    Args:
        seed: Of all that is drawn.
        limits: Of the session.
    """

    def __init__(self, seed: int, limits: Limits) -> None:
        self._rng = rng = random.Random(seed)  # noqa: S311 - to be repeated, not to be guessed
        self.client = Returning(SessionOptions(limits=limits), rng.choice(_FORMS))
        self._told = 0
        self._lost: set[int] = set()
        """Numbers of frames of which the client was told that they may be gone."""
        self._cut_at = 0
        """How many frames there were when the WebSocket was cut last."""
        self.cuts = self.losses = self.muted = self.resent = 0

    def play(self) -> None:
        """Play it to its end, and check all that the client has got."""
        moves: list[Callable[[], None]] = [self._gemini_speaks] * 6
        moves += [self._gemini_is_heard] * 6 + [self._gemini_says_where_it_stands] * 4
        moves += [self._gemini_remembers] * 2 + [self._client_says] * 2
        moves += [self._bytes_move] * 6 + [self._time_passes] * 2 + [self._is_cut] * 8
        while self.cuts < _PER_SESSION:
            self._rng.choice(moves)()
            self._check_flow()
        self.client.take_all()
        self._check()

    # What happens

    def _gemini_speaks(self) -> None:
        self._told += 1
        self.client.hear(read(f"words {self._told} " + "x" * self._rng.choice((0, 10, 3000))))

    def _gemini_is_heard(self) -> None:
        self._told += 1
        size = self._rng.choice((2, 320, 640, 4800))
        self.client.hear(heard(self._told.to_bytes(2) * (size // 2)))

    def _gemini_says_where_it_stands(self) -> None:
        self.client.hear(self._rng.choice(_FLAGS))

    def _gemini_remembers(self) -> None:
        self._told += 1
        update = b'{"sessionResumptionUpdate":{"newHandle":"h-%d","resumable":true}}' % self._told
        self.client.hear(update)

    def _client_says(self) -> None:
        if not self.client.is_away and self.client.session.reading.client:
            self._told += 1
            if self._rng.random() < 0.3:
                self.client.say(type="interrupt")
            else:
                self.client.say(type="ping", data=self._told)

    def _bytes_move(self) -> None:
        self.client.send(self._rng.randrange(30))
        self.client.take(self._rng.randrange(30))

    def _time_passes(self) -> None:
        self.client.wait(self._rng.choice((0.02, 0.5, 3.0)))

    def _is_cut(self) -> None:
        client, rng = self.client, self._rng
        if not client.has_token:
            return
        self.cuts += 1
        self._cut_at = client.twin.frames[-1].seq
        is_gone = rng.random() < 0.9
        if is_gone:  # else the client alone knows of it
            client.cut(rng.choice((1001, 1006, 4000, 4001)))
        for _ in range(rng.choice((0, 1, 3, 12))):
            rng.choice((self._gemini_speaks, self._gemini_is_heard))()
            if rng.random() < 0.2:
                self._gemini_says_where_it_stands()
                self._gemini_remembers()
        self._check_flow()
        if is_gone:
            client.wait(rng.choice((0.0, 1.0, 30.0, 119.9)))
        self._comes_back()

    def _comes_back(self) -> None:
        client = self.client
        has, was_away = client.seq, client.is_away
        sent = client.come_back()
        assert client.answers or client.outbox, "nobody says that it is back"
        owed = {one.seq: one for one in client.twin.frames if one.seq > has}
        assert [one.payload for one in sent] == [owed[one.seq].payload for one in sent]
        seqs = [one.seq for one in sent]
        assert seqs == sorted(set(seqs))
        gone = owed.keys() - {*seqs} - self._taken_back()
        self._lost |= gone
        assert not was_away or max(gone, default=0) <= self._cut_at, "nobody could take it"
        recovered = b'"recovered":true' in client.outbox[0].payload
        assert recovered is (not gone), f"of {gone} the client is told otherwise"
        self.losses += bool(gone)
        self.resent += len(sent)
        assert client.session.phase is not Phase.CLOSED

    def _taken_back(self) -> set[int]:
        """Return the numbers of sound that an interruption behind it has taken back."""
        found, silenced = set[int](), 0
        for one in reversed(self.client.twin.frames):
            if one.type == "interrupted":
                silenced = max(silenced, one.turn)
            elif one.is_sound and one.turn <= silenced:
                found.add(one.seq)
        return found

    # What came of it

    def _check_flow(self) -> None:
        """What is on its way, or waits for the client, counts, and nothing else does."""
        client = self.client
        waits = sum(len(one.payload) for one in client.outbox)
        if client.is_away:
            told, taken_back = client.twin.frames[self._cut_at :], self._taken_back()
            waits = sum(len(one.payload) for one in told if one.seq not in taken_back)
        assert client.session._flow.in_flight(Side.CLIENT) == waits

    def _check(self) -> None:
        """Nothing is lost, doubled, reordered or changed, but for what may be."""
        told = {one.seq: one for one in self.client.twin.frames}
        got = [one.seq for one in self.client.got]
        assert list(told) == list(range(1, len(told) + 1))
        assert all(one < other for one, other in pairwise(got))
        assert all(one.payload == told[one.seq].payload for one in self.client.got)
        missing = told.keys() - {*got}
        taken_back = self._taken_back()
        assert missing <= taken_back | self._lost
        self.muted = len(missing - self._lost)
        silenced = 0
        for one in self.client.got:
            assert not (one.is_sound and one.turn <= silenced), "sound that was to be silent"
            silenced = max(silenced, one.turn if one.type == "interrupted" else 0)


@pytest.mark.parametrize("limits", [_ROOMY, _CRAMPED], ids=["roomy", "cramped"])
@pytest.mark.parametrize("seed", range(5))
def test_cuts(seed: int, limits: Limits) -> None:
    """Cut anywhere, and back at any time, a client misses nothing of which it is not told."""
    walks = [Walk(seed * CUTS + at, limits) for at in range(CUTS // _PER_SESSION)]
    for walk in walks:
        walk.play()
    assert sum(walk.cuts for walk in walks) == CUTS
    assert (sum(walk.losses for walk in walks) > 0) is (limits is _CRAMPED)
    assert sum(walk.resent for walk in walks) > CUTS
    assert sum(walk.muted for walk in walks) > 0
