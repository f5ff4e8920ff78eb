# pyright: reportPrivateUsage=false
"""Who may begin a session, and how much it may use."""

import base64
from ipaddress import ip_network

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livegate.protocol import Session, SessionOptions, commands, inputs
from livegate.protocol.admission import Admission, Rules, Ticket, Visit
from livegate.protocol.errors import ErrorCode, Refusal
from livegate.protocol.hello import Hello
from livegate.protocol.origins import Allowed
from livegate.protocol.states import Phase
from livegate.protocol.tokens import Allowance, Token, digest

HELLO = Hello(peer="192.0.2.7", local="192.0.2.1", host="voice.example.org")
ALICE = attrs.evolve(HELLO, authorization="Bearer alice's")
BOB = attrs.evolve(HELLO, subprotocols=("chat", "livegate.token.bob's"))
PROXIES = (ip_network("10.0.0.0/8"),)
PING = b'{"type":"ping"}'


def rules(alice: Allowance | None = None, overall: Allowance | None = None) -> Rules:
    """Return rules for two tokens."""
    tokens = (
        Token("alice", digest("alice's"), alice or Allowance()),
        Token("bob", digest("bob's")),
    )
    return Rules(tokens=tokens, overall=overall or Allowance())


def ticket(admission: Admission, hello: Hello = HELLO, now: float = 0.0) -> Ticket:
    """Return the ticket that a client gets."""
    found = admission.admit(hello, now)
    assert isinstance(found, Ticket), found
    return found


def refusal(admission: Admission, hello: Hello = HELLO, now: float = 0.0) -> Refusal:
    """Return why a client gets none."""
    found = admission.admit(hello, now)
    assert isinstance(found, Refusal)
    return found


def test_anybody() -> None:
    """Where no token is asked for and nothing is limited, all come in, for as long as they like."""
    admission = Admission(Rules())
    for hello in (HELLO, ALICE, BOB, Hello()):
        given = ticket(admission, hello)
        assert (given.peer, given.client, given.deadline) == (hello.peer, "", None)
        assert not given.is_limited
        assert given.charge(1_000_000, 1e9, 0.0) is None
        assert given.expired(1e9) is None


def test_tokens() -> None:
    """Where tokens are asked for, a client has to have one of them."""
    admission = Admission(rules())
    assert ticket(admission, ALICE).client == "alice"
    assert ticket(admission, BOB).client == "bob"
    assert ticket(admission, ALICE).subprotocol is None
    assert ticket(admission, BOB).subprotocol == "livegate.token.bob's"
    without = refusal(admission)
    assert without == Refusal(ErrorCode.UNAUTHORIZED, "this gateway wants a client token")
    wrong = refusal(admission, attrs.evolve(HELLO, authorization="Bearer eve's"))
    assert wrong == Refusal(ErrorCode.UNAUTHORIZED, "this gateway knows no such client token")
    assert wrong.close == 1008
    assert refusal(Admission(Rules(tokens=())), ALICE) == wrong


def test_order() -> None:
    """The first thing that is wrong is told: origin, token, room in all, room of the token."""
    admission = Admission(rules(Allowance(sessions=1), Allowance(sessions=1)))
    first = ticket(admission, ALICE)
    page = attrs.evolve(HELLO, origin="https://evil.com")
    assert refusal(admission, page).code is ErrorCode.ORIGIN_REFUSED
    assert refusal(admission).code is ErrorCode.UNAUTHORIZED
    assert refusal(admission, ALICE).code is ErrorCode.OVERLOADED
    admission.leave(first)
    admission = Admission(rules(Allowance(sessions=1), Allowance(sessions=2)))
    ticket(admission, ALICE)
    assert refusal(admission, ALICE).code is ErrorCode.RATE_LIMITED


def test_sessions_in_all() -> None:
    """A full gateway says how many it takes, and when to come again."""
    admission = Admission(Rules(overall=Allowance(sessions=2)))
    first, second = ticket(admission), ticket(admission)
    full = refusal(admission)
    assert full == Refusal(
        ErrorCode.OVERLOADED, "this gateway has as many sessions as it may: 2", 5.0
    )
    assert full.close == 1013
    admission.leave(first)
    admission.leave(first)
    third = ticket(admission)
    assert refusal(admission) == full
    admission.leave(second)
    admission.leave(third)


def test_sessions_of_a_token() -> None:
    """A token that is used up leaves the others alone, and is free again when a session ends."""
    admission = Admission(rules(Allowance(sessions=1)))
    first = ticket(admission, ALICE)
    assert refusal(admission, ALICE) == Refusal(
        ErrorCode.RATE_LIMITED, "this client has as many sessions as it may: 1", 5.0
    )
    for _ in range(3):
        ticket(admission, BOB)
    admission.leave(first)
    admission.leave(first)
    ticket(admission, ALICE)
    assert refusal(admission, ALICE).code is ErrorCode.RATE_LIMITED


def test_ticket_of_another() -> None:
    """A ticket of another gateway's frees no place here."""
    admission, other = (Admission(Rules(overall=Allowance(sessions=1))) for _ in range(2))
    ticket(admission)
    admission.leave(ticket(other))
    assert refusal(admission).code is ErrorCode.OVERLOADED


@pytest.mark.parametrize(
    ("own", "overall", "age_s"),
    [(None, None, None), (60, None, 60), (None, 90, 90), (60, 90, 60), (120, 90, 90)],
)
def test_age(own: float | None, overall: float | None, age_s: float | None) -> None:
    """A session may get as old as both the token and the gateway allow."""
    admission = Admission(rules(Allowance(session_age_s=own), Allowance(session_age_s=overall)))
    given = ticket(admission, ALICE, 1000.0)
    if age_s is None:
        assert given.deadline is None
        assert not given.is_limited
        return
    assert given.is_limited
    assert given.deadline == 1000.0 + age_s
    assert given.expired(999.0 + age_s) is None
    assert given.expired(1000.0 + age_s) == Refusal(
        ErrorCode.SESSION_AGE, f"a session of this client may last {age_s} s", 0.0
    )


def test_messages() -> None:
    """A minute's messages may come at once; then it is told how long until they are made up."""
    admission = Admission(rules(Allowance(messages_per_minute=60)))
    given = ticket(admission, ALICE, 1000.0)
    assert given.is_limited
    assert given.charge(60, 1e6, 1000.0) is None
    over = given.charge(2, 0.0, 1000.0)
    assert over is not None
    assert over == Refusal(
        ErrorCode.RATE_LIMITED, "this client may send 60 messages a minute", 2.0
    )
    assert over.close == 1013
    assert given.charge(0, 0.0, 1001.0) == attrs.evolve(over, retry_after_s=1.0)
    assert given.charge(0, 0.0, 1002.0) is None
    assert given.charge(61, 0.0, 2000.0) == attrs.evolve(over, retry_after_s=1.0)


def test_audio() -> None:
    """Sound is counted in seconds as it plays."""
    admission = Admission(rules(overall=Allowance(audio_s_per_minute=30)))
    given = ticket(admission, BOB)
    assert given.charge(1_000, 30.0, 0.0) is None
    assert given.charge(1, 1.0, 0.0) == Refusal(
        ErrorCode.OVERLOADED, "all clients together may send 30 seconds of audio a minute", 2.0
    )


def test_rates_are_shared() -> None:
    """Sessions of one token, and after one another, have one rate; all together have another."""
    admission = Admission(
        rules(Allowance(messages_per_minute=10), Allowance(messages_per_minute=20))
    )
    first, second = ticket(admission, ALICE), ticket(admission, ALICE)
    assert first.charge(6, 0.0, 0.0) is None
    assert second.charge(4, 0.0, 0.0) is None
    admission.leave(first)
    over = ticket(admission, ALICE).charge(1, 0.0, 0.0)
    assert over is not None
    assert (over.code, over.retry_after_s) == (ErrorCode.RATE_LIMITED, 6.0)
    bob = ticket(admission, BOB)
    assert bob.charge(9, 0.0, 0.0) is None
    full = bob.charge(1, 0.0, 0.0)
    assert full is not None
    assert (full.code, full.retry_after_s) == (ErrorCode.OVERLOADED, 3.0)


def test_longest_wait() -> None:
    """Who is over several limits is told of the one that takes longest."""
    limits = Allowance(messages_per_minute=60, audio_s_per_minute=60)
    admission = Admission(rules(limits, Allowance(messages_per_minute=6)))
    given = ticket(admission, ALICE)
    first = given.charge(7, 65.0, 0.0)
    assert first is not None
    assert (first.code, first.retry_after_s) == (ErrorCode.OVERLOADED, 10.0)
    second = given.charge(0, 50.0, 0.0)
    assert second is not None
    assert (second.code, second.retry_after_s) == (ErrorCode.RATE_LIMITED, 55.0)


SPENDING = st.lists(st.tuples(st.integers(0, 30), st.floats(0, 90)), max_size=30)


@given(SPENDING)
def test_rate_holds(steps: list[tuple[int, float]]) -> None:
    """Whoever comes back when told to has never had more than the rate and one minute's worth."""
    admission = Admission(Rules(overall=Allowance(messages_per_minute=60)))
    given, now, sent = ticket(admission), 0.0, 0
    for frames, pause_s in steps:
        now += pause_s
        sent += frames
        over = given.charge(frames, 0.0, now)
        if over is None:
            assert sent <= 60 + now + 1e-6
        else:
            assert over.retry_after_s is not None
            now += over.retry_after_s + 1e-6
            assert given.charge(0, 0.0, now) is None
    assert given.charge(0, 0.0, now - 1000.0) is None  # a clock that goes back gives nothing


def test_behind_a_proxy() -> None:
    """A trusted proxy tells the client's address, and the scheme of its page."""
    proxied = attrs.evolve(
        HELLO,
        peer="10.0.0.1",
        origin="https://voice.example.org",
        forwarded_for="203.0.113.5, 198.51.100.9",
        forwarded_proto="https",
    )
    admission = Admission(Rules(trusted_proxies=PROXIES))
    assert ticket(admission, proxied).peer == "198.51.100.9"
    plain = attrs.evolve(proxied, forwarded_proto="http")
    why = refusal(admission, plain)
    assert why.code is ErrorCode.ORIGIN_REFUSED
    assert admission.log_of(plain, why) == commands.Log(
        commands.Level.INFO,
        commands.Event.CLIENT_REFUSED,
        {"peer": "198.51.100.9", "code": "origin_refused", "why": why.message},
    )
    untrusted = Admission(Rules())
    assert ticket(untrusted, plain).peer == "10.0.0.1"
    encrypted = attrs.evolve(plain, is_tls=True, origin="http://voice.example.org")
    assert refusal(untrusted, encrypted).code is ErrorCode.ORIGIN_REFUSED


def test_allowed() -> None:
    """What the operator allows of origins is allowed."""
    page = attrs.evolve(HELLO, origin="https://app.example")
    ticket(Admission(Rules(allowed=Allowed(origins=("https://app.example",)))), page)


# Connections without a session


def test_waiting() -> None:
    """An address may have so many connections that wait, and no more."""
    admission = Admission(Rules(waiting_per_address=2))
    assert [admission.arrive("192.0.2.7") for _ in range(4)] == [True, True, False, False]
    assert admission.arrive("192.0.2.8")
    admission.settle("192.0.2.7")
    assert [admission.arrive("192.0.2.7") for _ in range(2)] == [True, False]
    roomy = Admission(Rules(waiting_per_address=3))
    for _ in range(3):
        assert roomy.arrive("192.0.2.7")
    roomy.settle("192.0.2.7")
    assert [roomy.arrive("192.0.2.7") for _ in range(2)] == [True, False]


def test_waiting_is_forgotten() -> None:
    """An address where nothing waits takes no memory, however often it settles."""
    admission = Admission(Rules(waiting_per_address=1))
    for at in range(1000):
        assert admission.arrive(f"192.0.2.{at}")
        admission.settle(f"192.0.2.{at}")
        admission.settle(f"192.0.2.{at}")
        admission.settle("never here")
    assert dict(admission._waiting) == {}
    assert [admission.arrive("192.0.2.1") for _ in range(2)] == [True, False]


@pytest.mark.parametrize("peer", ["10.0.0.1", "::ffff:10.0.0.1", ""])
def test_waiting_at_a_proxy(peer: str) -> None:
    """Who stands for many is not counted as one."""
    admission = Admission(Rules(trusted_proxies=PROXIES, waiting_per_address=1))
    assert all(admission.arrive(peer) for _ in range(10))
    admission.settle(peer)
    assert dict(admission._waiting) == {}


@given(st.lists(st.sampled_from(["alice", "bob", "leave", "leave again", "nobody"]), max_size=60))
def test_counts(steps: list[str]) -> None:
    """Whatever comes and goes, there are as many sessions as have begun and not ended."""
    admission = Admission(rules(Allowance(sessions=2), Allowance(sessions=4)))
    present: list[Ticket] = []
    gone: list[Ticket] = []
    for step in steps:
        if step.startswith("leave"):
            which = present if step == "leave" else gone
            if which:
                gone.append(which.pop(0))
                admission.leave(gone[-1])
            continue
        hello = {"alice": ALICE, "bob": BOB, "nobody": HELLO}[step]
        own = sum(one.client == "alice" for one in present)
        may = len(present) < 4 and (step == "bob" or (step == "alice" and own < 2))
        found = admission.admit(hello, 0.0)
        assert isinstance(found, Ticket) is may
        if isinstance(found, Ticket):
            present.append(found)
    for one in present:
        admission.leave(one)
    assert admission._tickets == set()
    assert not any(admission._sessions.values())


# Visits


def visit(
    admission: Admission, hello: Hello = HELLO, now: float = 1000.0
) -> tuple[Visit, Session]:
    """Return a visit whose client has just come, and its session."""
    session = Session(SessionOptions(), seed=0)
    session.start(now)
    one = Visit(session, ticket(admission, hello, now))
    one.handle(inputs.ClientOpened(1, "192.0.2.7"), now)
    return one, session


def said(given: list[commands.Command]) -> list[str]:
    """Return the texts that go to the client, and the close, in order."""
    found = [one for one in given if isinstance(one, commands.SendClient | commands.CloseClient)]
    return [
        one.payload.decode() if isinstance(one, commands.SendClient) else str(one.code)
        for one in found
    ]


def ping(at: float, one: Visit) -> list[str]:
    """Send a ping; return what came."""
    return said(one.handle(inputs.ClientFrame(1, PING, is_text=True), at))


def test_visit_without_limits() -> None:
    """Without limits a visit is its session, for ever."""
    one, session = visit(Admission(Rules()))
    assert one.deadline == session.deadline == 1000.3
    assert one.reading == session.reading
    for _ in range(1000):
        assert len(ping(1000.1, one)) == 1
    one.handle(inputs.DeadlineReached(), 1e9)
    assert session.phase is not Phase.CLOSED


def test_visit_counts_messages() -> None:
    """One message too many is answered, then the client is told why it has to go."""
    one, session = visit(Admission(Rules(overall=Allowance(messages_per_minute=3))))
    for _ in range(3):
        assert len(ping(1000.0, one)) == 1
    assert ping(1000.0, one) == [
        '{"type":"pong","data":null}',
        (
            '{"type":"error","data":"all clients together may send 3 messages a minute",'
            '"code":"overloaded","retryable":true,"fatal":true,"retry_after_ms":20000}'
        ),
        "1013",
    ]
    assert session.phase is Phase.CLOSED
    assert ping(1000.0, one) == []
    assert [one.deadline] == [None]


def test_visit_counts_audio() -> None:
    """Sound is charged by the seconds in it, once."""
    allowance = Allowance(audio_s_per_minute=2)
    one, session = visit(Admission(rules(allowance)), ALICE)
    second = base64.b64encode(bytes(32_000)).decode()
    frame = inputs.ClientFrame(1, f'{{"type":"audio","data":"{second}"}}'.encode(), is_text=True)
    assert said(one.handle(frame, 1000.0)) == []
    assert said(one.handle(frame, 1000.0)) == []
    assert len(ping(1000.0, one)) == 1
    assert said(one.handle(frame, 1000.0))[-1] == "1013"
    assert session.phase is Phase.CLOSED


def test_visit_that_is_late() -> None:
    """When its time is over a session ends with 4103, whatever the shell tells it then."""
    admission = Admission(Rules(overall=Allowance(session_age_s=60)))
    one, session = visit(admission)
    one.handle(inputs.DeadlineReached(), 1000.3)
    one.handle(inputs.UpstreamOpened(1), 1001.0)
    one.handle(inputs.UpstreamFrame(1, b'{"setupComplete":{}}'), 1002.0)
    assert session.deadline == 1482.0
    assert one.deadline == 1060.0
    assert said(one.handle(inputs.DeadlineReached(), 1059.9)) == []
    assert said(one.handle(inputs.DeadlineReached(), 1060.0)) == [
        (
            '{"type":"error","data":"a session of this client may last 60 s",'
            '"code":"session_age","retryable":true,"fatal":true,"retry_after_ms":0}'
        ),
        "4103",
    ]
    assert [one.deadline] == [None]
    assert one.handle(inputs.DeadlineReached(), 2000.0) == []
    other, _ = visit(admission, now=1000.0)
    assert other.deadline == 1000.3
    assert ping(1060.0, other)[-1] == "4103"


def test_visit_that_has_ended() -> None:
    """A session that has ended otherwise stays ended, and its age wakes nobody for ever."""
    one, _ = visit(Admission(Rules(overall=Allowance(session_age_s=60))))
    one.handle(inputs.ClientGone(1), 1001.0)
    assert one.deadline == 1060.0
    assert one.handle(inputs.DeadlineReached(), 1060.0) == []
    assert [one.deadline] == [None]


def test_who_asks_for_no_session() -> None:
    """What is for clients alone is for whoever has a token, where tokens are asked for."""
    assert Admission(Rules()).knows(HELLO)
    closed = Admission(Rules(tokens=(Token("alice", digest("alice's")),)))
    assert [closed.knows(one) for one in (HELLO, ALICE)] == [False, True]
    assert not closed.knows(attrs.evolve(HELLO, authorization="Bearer bob's"))


def test_name() -> None:
    """The gateway goes by names of this machine where only this machine can connect."""
    admission = Admission(Rules())
    here = Hello(local="127.0.0.1", host="localhost:8000")
    assert admission.is_named(here)
    assert not admission.is_named(attrs.evolve(here, host="evil.example"))


def test_full() -> None:
    """It is full while there are as many sessions as there may be."""
    assert not Admission(Rules()).is_full
    admission = Admission(rules(overall=Allowance(sessions=1)))
    given = ticket(admission, ALICE)
    assert refusal(admission, ALICE).code is ErrorCode.OVERLOADED
    admission.leave(given)
    assert not admission.is_full


def test_tally() -> None:
    """A visit tells what its session has carried."""
    visit = Visit(Session(SessionOptions(), seed=0), ticket(Admission(Rules())))
    assert visit.tally.frames[inputs.Side.CLIENT] == 0
