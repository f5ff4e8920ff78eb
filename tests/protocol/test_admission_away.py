"""Sessions that wait for their clients: they take no place that somebody needs to come back."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livegate.protocol import Session, SessionOptions, commands, inputs
from livegate.protocol.admission import Admission, Rules, Ticket, Visit
from livegate.protocol.errors import ErrorCode, Refusal
from livegate.protocol.hello import Hello
from livegate.protocol.tokens import V1, Allowance, Token, digest

HELLO = Hello(authorization="Bearer alice's", subprotocols=(V1,))
READY = b'{"setupComplete":{}}'
RESUMABLE = b'{"type":"config","data":{"resumable":true}}'


def admission(sessions: int, overall: int | None = None) -> Admission:
    """Return one for Alice, who may have so many sessions."""
    alice = Token("alice", digest("alice's"), Allowance(sessions=sessions))
    return Admission(Rules(tokens=(alice,), overall=Allowance(sessions=overall)))


def begun(asked: Admission) -> tuple[Visit, Ticket]:
    """Return a session of Alice's that she can come back to."""
    ticket = asked.admit(HELLO, 0.0)
    assert isinstance(ticket, Ticket)
    session = Session(SessionOptions(), seed=0)
    session.start(0.0)
    visit = Visit(session, ticket)
    for event in (
        inputs.ClientOpened(1, is_v1=True),
        inputs.ClientFrame(1, RESUMABLE, is_text=True),
        inputs.UpstreamOpened(1),
        inputs.UpstreamFrame(1, READY),
        inputs.Sealed("token"),
    ):
        visit.handle(event, 0.0)
    return visit, ticket


def refused(asked: Admission) -> ErrorCode | None:
    """Return why Alice may not begin another session; None if she may."""
    found = asked.admit(HELLO, 0.0)
    if isinstance(found, Refusal):
        return found.code
    asked.leave(found)
    return None


def test_one() -> None:
    """A client that may have one session has room to come back to it, and no more."""
    asked = admission(1)
    visit, ticket = begun(asked)
    assert refused(asked) is ErrorCode.RATE_LIMITED
    visit.handle(inputs.ClientGone(1), 1.0)
    was_away = ticket.is_away
    assert refused(asked) is None
    returning = asked.admit(HELLO, 2.0)
    assert isinstance(returning, Ticket)
    assert refused(asked) is ErrorCode.RATE_LIMITED
    asked.leave(returning)  # its client has moved
    visit.handle(inputs.ClientReturned(2, 3), 2.0)
    assert (was_away, ticket.is_away) == (True, False)
    assert refused(asked) is ErrorCode.RATE_LIMITED


def test_left_behind() -> None:
    """A client that leaves sessions behind has no more than as many again."""
    asked = admission(2)
    visits = [begun(asked)]
    while (code := refused(asked)) is None:
        visits.append(begun(asked))
        visits[-1][0].handle(inputs.ClientGone(1), 1.0)
    assert code is ErrorCode.RATE_LIMITED
    assert len(visits) == 4
    visit, ticket = visits[1]
    visit.handle(inputs.DeadlineReached(), 121.0)
    assert visit.is_over
    asked.leave(ticket)
    assert refused(asked) is None


def test_full() -> None:
    """So it is with a gateway that is full: its clients can come back, up to as many again."""
    asked = admission(5, 2)
    states: list[bool] = []
    for _ in range(4):
        visit, _ = begun(asked)
        states.append(asked.is_full)
        visit.handle(inputs.ClientGone(1), 1.0)
        states.append(asked.is_full)
    assert states == [False, False, False, False, False, False, True, True]
    assert refused(asked) is ErrorCode.OVERLOADED


def test_full_of_clients() -> None:
    """A gateway is full of as many sessions as may be, until the client of one is away."""
    asked = admission(5, 1)
    visit, _ = begun(asked)
    assert refused(asked) is ErrorCode.OVERLOADED
    visit.handle(inputs.ClientGone(1), 1.0)
    assert refused(asked) is None


def test_away_for_good() -> None:
    """A client that has said goodbye is not away."""
    asked = admission(1)
    visit, ticket = begun(asked)
    visit.handle(inputs.ClientGone(1, 1000), 1.0)
    assert visit.is_over
    assert not ticket.is_away


@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.sampled_from(["come", "go", "back", "end"]), st.integers(0, 9))),
)
def test_rule(most: int, steps: list[tuple[str, int]]) -> None:
    """Whoever comes and goes: as many as may be are there, and twice that in all."""
    asked = admission(most)
    tickets: list[Ticket] = []
    for step, which in steps:
        if step == "come":
            active = sum(not one.is_away for one in tickets)
            found = asked.admit(attrs.evolve(HELLO), 0.0)
            assert isinstance(found, Ticket) is (active < most and len(tickets) < 2 * most)
            if isinstance(found, Ticket):
                tickets.append(found)
        elif tickets and step == "end":
            asked.leave(tickets.pop(which % len(tickets)))
        elif tickets:
            tickets[which % len(tickets)].is_away = step == "go"
    for one in tickets:
        asked.leave(one)
    assert refused(asked) is None


@pytest.mark.parametrize(
    ("offered", "selected", "is_v1"),
    [
        ((), None, False),
        ((V1,), V1, True),
        (("chat", V1), V1, True),
        (("livegate.token.alice's",), "livegate.token.alice's", False),
        ((V1, "livegate.token.alice's"), V1, True),
        (("livegate.token.alice's", V1), V1, True),
        (("LIVEGATE.V1", "livegate.v1.1"), None, False),
    ],
)
def test_dialect(offered: tuple[str, ...], selected: str | None, *, is_v1: bool) -> None:
    """Who offers `livegate.v1` speaks it, however its token is presented."""
    found = admission(1).admit(attrs.evolve(HELLO, subprotocols=offered), 0.0)
    assert isinstance(found, Ticket)
    assert (found.subprotocol, found.is_v1) == (selected, is_v1)
    assert found.client == "alice"


def test_token_beside_the_dialect() -> None:
    """A page presents its token and offers the dialect in one header."""
    offered = (V1, "livegate.token.alice's")
    found = admission(1).admit(Hello(subprotocols=offered), 0.0)
    assert isinstance(found, Ticket)
    assert (found.client, found.subprotocol) == ("alice", V1)


def test_too_fast_to_come_back() -> None:
    """A client that has sent too much goes, and goes on nowhere else."""
    alice = Token("alice", digest("alice's"), Allowance(messages_per_minute=1))
    asked = Admission(Rules(tokens=(alice,)))
    told: list[commands.Command] = []
    for _ in range(2):
        ticket = asked.admit(HELLO, 0.0)
        assert isinstance(ticket, Ticket)
        session = Session(SessionOptions(), seed=0)
        session.start(0.0)
        visit = Visit(session, ticket)
        visit.handle(inputs.ClientOpened(1, is_v1=True), 0.0)
        frame = b'{"type":"resume","data":{"session":"t","seq":1}}'
        told = visit.handle(inputs.ClientFrame(1, frame, is_text=True), 0.0)
        assert (commands.Resume("t", 1) in told) is not visit.is_over
        asked.leave(ticket)
    closes = [one.code for one in told if isinstance(one, commands.CloseClient)]
    assert closes == [1013]
