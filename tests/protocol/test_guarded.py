"""Sessions that ask a circuit breaker: what counts as a sign of life, and what a crowd of them does."""

import heapq
from collections.abc import Sequence
from itertools import count
from typing import Final

import attrs
import pytest

from breakers import LIMITS, NOW, asked, opened, rest_of, stands
from livegate.protocol import Session, SessionOptions, commands, inputs
from livegate.protocol.admission import Admission, Rules, Ticket, Visit
from livegate.protocol.breaker import Breaker, Guarded, State
from livegate.protocol.commands import Event, Log
from livegate.protocol.errors import ErrorCode, Refusal
from livegate.protocol.hello import Hello
from livegate.protocol.inputs import Fault
from livegate.protocol.limits import BreakerLimits, Limits
from livegate.protocol.states import Phase

READY: Final = b'{"setupComplete":{}}'


class Told:
    """A session behind a breaker, and all that it was told to do."""

    def __init__(
        self, breaker: Breaker, now: float, options: SessionOptions | None = None
    ) -> None:
        self.session = Session(options or SessionOptions(), seed=0)
        self.session.start(now)
        self.guarded = Guarded(self.session, breaker)
        self.now = now
        self.given: list[commands.Command] = []
        self.tell(inputs.ClientOpened(1, "192.0.2.7"))

    def tell(self, *events: inputs.Input) -> list[commands.Command]:
        """Tell it what happened; return what it answers."""
        since = len(self.given)
        for event in events:
            self.given += self.guarded.handle(event, self.now)
        return self.given[since:]

    def says(self, text: str) -> list[commands.Command]:
        """Let the client send a frame."""
        return self.tell(inputs.ClientFrame(1, text.encode(), is_text=True))

    @property
    def dials(self) -> list[int]:
        """The links that were to be dialled."""
        return [one.link for one in self.given if isinstance(one, commands.OpenUpstream)]

    @property
    def logged(self) -> list[Event]:
        """The breaker's events, and of links that were never open."""
        wanted = ("breaker.", "upstream.failed", "upstream.held_off")
        lines = [one.event for one in self.given if isinstance(one, Log)]
        return [one for one in lines if one.startswith(wanted)]

    @property
    def phases(self) -> list[object]:
        """The phases that it was logged to enter."""
        lines = [one for one in self.given if isinstance(one, Log)]
        return [one.fields["phase"] for one in lines if one.event is Event.PHASE_CHANGED]

    @property
    def errors(self) -> list[str]:
        """The errors that the client heard."""
        sent = [one.payload for one in self.given if isinstance(one, commands.SendClient)]
        return [one.decode() for one in sent if b'"error"' in one]


TEXT: Final = '{"type":"text","text":"Hello"}'
CONFIG: Final = '{"type":"config","data":{"temperature":0.5}}'
GONE: Final = inputs.UpstreamGone
OPEN: Final = inputs.UpstreamOpened(1)
ACCEPTED: Final = inputs.UpstreamFrame(1, READY)
HANDLE: Final = b'{"sessionResumptionUpdate":{"newHandle":"h","resumable":true}}'
LATE: Final = inputs.DeadlineReached()
DISMISSED: Final = inputs.ClientDismissed(Refusal(ErrorCode.RATE_LIMITED, "too much", 1.0))


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([inputs.DialFailed(1, Fault.REFUSED)], State.OPEN),
        ([inputs.DialFailed(1, Fault.NAME)], State.OPEN),
        ([inputs.DialFailed(1, Fault.TLS)], State.OPEN),
        ([inputs.DialFailed(1, Fault.TIMEOUT)], State.OPEN),
        ([inputs.DialFailed(1, Fault.HTTP)], State.OPEN),
        ([inputs.DialFailed(1, Fault.NETWORK)], State.OPEN),
        ([inputs.DialFailed(1, Fault.FORBIDDEN)], State.CLOSED),
        ([OPEN], State.HALF_OPEN),
        ([OPEN, inputs.UpstreamFrame(1, b"junk")], State.HALF_OPEN),
        ([OPEN, inputs.DialFailed(1, Fault.NETWORK)], State.OPEN),  # as the SDK fails
        ([OPEN, GONE(1, 1006)], State.OPEN),
        ([OPEN, GONE(1, 1011, "Internal error encountered.")], State.OPEN),
        ([OPEN, GONE(1, 1000)], State.OPEN),
        ([OPEN, GONE(1, 1007, "Invalid argument.")], State.CLOSED),
        ([OPEN, GONE(1, 1008, "m is not found for API version v1beta")], State.CLOSED),
        ([OPEN, GONE(1, 1008, "API key not valid.")], State.CLOSED),
        ([OPEN, GONE(1, 1011, "You exceeded your current quota")], State.CLOSED),
        ([OPEN, ACCEPTED], State.CLOSED),
        ([OPEN, ACCEPTED, GONE(1, 1011)], State.CLOSED),
        ([inputs.ClientGone(1)], State.OPEN),
        ([OPEN, DISMISSED], State.OPEN),
        ([OPEN, inputs.ShutdownRequested()], State.OPEN),
        ([GONE(2, 1006), inputs.DialFailed(2, Fault.NAME)], State.HALF_OPEN),
    ],
)
def test_outcomes(events: list[inputs.Input], state: State) -> None:
    """What shows that Gemini is there closes it, what may pass does not, and the rest says nothing."""
    breaker = opened()
    one = Told(breaker, NOW + 2.0)
    one.says(TEXT)
    assert (one.dials, breaker.state) == ([1], State.HALF_OPEN)
    one.tell(*events)
    assert breaker.state is state
    assert (Event.BREAKER_CLOSED in one.logged) is (state is State.CLOSED)


def test_late() -> None:
    """A setup that is not accepted in time has failed, wherever it hangs."""
    for events in ([], [OPEN]):
        breaker = opened(attrs.evolve(LIMITS, probe_s=11.0))
        one = Told(breaker, NOW + 2.0)
        one.says(TEXT)
        one.tell(*events)
        one.now += 9.9
        one.tell(LATE)
        assert stands(breaker) is State.HALF_OPEN
        one.now += 0.1
        one.tell(LATE)
        assert (breaker.state, one.session.phase) == (State.OPEN, Phase.RETRYING)
        assert 2.0 < rest_of(breaker, one.now) <= 4.0


@pytest.mark.parametrize(
    "events", [[inputs.DialFailed(1, Fault.REFUSED)], [OPEN, GONE(1, 1006)], [OPEN, LATE]]
)
def test_hopeless(events: list[inputs.Input]) -> None:
    """That a session gives up with its last attempt is no sign of life."""
    breaker = opened()
    one = Told(breaker, NOW + 2.0, SessionOptions(limits=Limits(setup_s=0.0, retrying_s=0.1)))
    one.says(TEXT)
    one.tell(*events)
    assert (one.session.phase, breaker.state) == (Phase.CLOSED, State.OPEN)


def test_not_needed() -> None:
    """Nor is it that a session does without a link that failed."""
    breaker = Breaker(LIMITS, seed=7)
    one = Told(breaker, NOW)
    one.says(TEXT)
    one.tell(OPEN, ACCEPTED, inputs.UpstreamFrame(1, b'{"serverContent":{"turnComplete":true}}'))
    for _ in range(LIMITS.failures):
        number = asked(breaker, NOW)
        breaker.failed(number, number, NOW)
    one.now += 2.0
    one.tell(GONE(1, 1006))
    assert (one.dials, stands(breaker)) == ([1, 2], State.HALF_OPEN)
    one.tell(inputs.DialFailed(2, Fault.REFUSED))
    assert (one.session.phase, stands(breaker)) == (Phase.UNLINKED, State.OPEN)


def test_left_alone() -> None:
    """Who leaves, or is sent away, makes nobody rest for longer."""
    for event in (inputs.ClientGone(1), DISMISSED, inputs.ShutdownRequested()):
        breaker = opened()
        one = Told(breaker, NOW + 2.0)
        one.says(TEXT)
        one.tell(event)
        assert rest_of(breaker, one.now) == LIMITS.rest_s


def test_held_off() -> None:
    """While it is open a link fails before it is asked for, and a later one is dialled."""
    breaker = opened(attrs.evolve(LIMITS, rest_s=0.6))
    one = Told(breaker, NOW)
    one.says(TEXT)
    assert one.dials == []
    assert not [cmd for cmd in one.given if isinstance(cmd, commands.CloseUpstream)]
    assert one.logged == [Event.UPSTREAM_HELD_OFF]
    assert one.phases == ["unlinked", "dialing", "retrying"]
    assert not one.errors
    one.says(TEXT)
    one.now += 0.6
    one.tell(LATE)
    assert (one.dials, breaker.state) == ([2], State.HALF_OPEN)
    one.tell(inputs.UpstreamOpened(2), inputs.UpstreamFrame(2, READY))
    assert one.logged == [Event.UPSTREAM_HELD_OFF, Event.BREAKER_CLOSED]
    assert not one.errors


def test_held_off_at_first() -> None:
    """Each of those that were held off before they ever dialled counts as one that fails."""
    breaker = opened()
    several = [Told(breaker, NOW) for _ in range(LIMITS.failures)]
    for one in several:
        one.says(TEXT)
    breaker.succeeded(NOW)
    for one in several:
        assert stands(breaker) is State.CLOSED
        one.now += 0.5
        one.tell(LATE, inputs.DialFailed(2, Fault.REFUSED))
        assert one.dials == [2]
    assert stands(breaker) is State.OPEN


def test_next_link() -> None:
    """What accepts one setup and opens the next link at once is heard, and asked, in this order."""
    breaker = opened()
    one = Told(breaker, NOW + 2.0)
    one.says(TEXT)
    one.tell(OPEN)
    one.says(CONFIG)
    one.says(TEXT)
    one.tell(ACCEPTED, inputs.UpstreamFrame(1, b'{"serverContent":{"turnComplete":true}}'))
    one.tell(inputs.UpstreamFrame(1, HANDLE))
    assert (one.dials, breaker.state) == ([1, 2], State.CLOSED)
    one.tell(inputs.UpstreamOpened(2), GONE(2, 1008, "Session not found"))  # of the handle
    assert one.dials == [1, 2, 3]
    one.tell(inputs.UpstreamOpened(3))
    one.says('{"type":"config","data":{"temperature":0.7}}')
    one.tell(GONE(3, 1007, "Invalid argument."))
    assert (one.dials, breaker.state) == ([1, 2, 3, 4], State.CLOSED)


def test_old_links() -> None:
    """Whoever has a link goes on with it, and nothing on it speaks of new ones."""
    breaker = Breaker(attrs.evolve(LIMITS, failures=1), seed=7)
    one, other = Told(breaker, NOW), Told(breaker, NOW)
    one.says(TEXT)
    one.tell(OPEN, ACCEPTED)
    other.says(TEXT)
    other.tell(inputs.DialFailed(1, Fault.REFUSED))
    one.tell(inputs.UpstreamFrame(1, b'{"serverContent":{"turnComplete":true}}'), LATE)
    assert stands(breaker) is State.OPEN
    one.now = other.now = NOW + 2.0
    other.says(TEXT)
    other.tell(LATE)
    one.tell(GONE(1, 1011), inputs.ClientGone(1))
    assert stands(breaker) is State.HALF_OPEN


def test_relinks_at_once() -> None:
    """A setup that is accepted only to be replaced was accepted."""
    breaker = opened()
    one = Told(breaker, NOW + 2.0)
    one.says('{"type":"config","data":{"temperature":0.1}}')
    one.tell(OPEN)
    one.says(CONFIG)
    assert stands(breaker) is State.HALF_OPEN
    one.tell(ACCEPTED)
    assert (one.dials, breaker.state, one.session.phase) == ([1, 2], State.CLOSED, Phase.DIALING)


def test_one_client_cuts_off_no_other() -> None:
    """A session whose every link fails is slowed by its own pauses, and by nothing else."""
    breaker = Breaker(LIMITS, seed=7)
    one = Told(breaker, NOW)
    for link in range(1, 11):
        one.says(TEXT)
        one.tell(LATE)
        one.tell(inputs.DialFailed(link, Fault.REFUSED))
        one.now += 10.0
        one.tell(LATE)
    assert len(one.dials) == 4
    assert one.session.phase is Phase.CLOSED
    assert stands(breaker) is State.CLOSED
    others = [Told(breaker, one.now) for _ in range(2)]
    for other in others:
        other.says(TEXT)
        other.tell(inputs.DialFailed(1, Fault.REFUSED))
    assert [other.logged for other in others] == [
        [Event.UPSTREAM_FAILED],
        [Event.UPSTREAM_FAILED, Event.BREAKER_OPENED],
    ]


def test_nothing_else_changes() -> None:
    """It carries, reads and wakes as its session does, in a visit too."""
    session = Session(SessionOptions(), seed=0)
    session.start(NOW)
    guarded = Guarded(session, Breaker(LIMITS, seed=7))
    ticket = Admission(Rules()).admit(Hello(), NOW)
    assert isinstance(ticket, Ticket)
    visit = Visit(guarded, ticket)
    visit.handle(inputs.ClientOpened(1), NOW)
    assert visit.deadline == guarded.deadline == session.deadline == NOW + 0.3
    assert visit.tally is guarded.tally is session.tally
    assert visit.reading == guarded.reading == session.reading
    assert visit.read_since == guarded.read_since == session.read_since
    assert visit.is_over is guarded.is_over is session.is_over is False


# Many of them


@attrs.frozen(order=True)
class Due:
    """What happens to a session, and when."""

    at: float
    order: int
    who: int = attrs.field(order=False)
    what: inputs.Input = attrs.field(order=False)


class Crowd:
    """Sessions whose clients talk on and on, and a Gemini that is down and then back."""

    _text = inputs.ClientFrame(1, TEXT.encode(), is_text=True)

    def __init__(self, sessions: int, limits: BreakerLimits) -> None:
        self.now = NOW
        self.breaker = Breaker(limits, seed=3)
        self.guarded: list[Guarded] = []
        self.sessions: list[Session] = []
        self.dialled_at: list[float] = []
        self.logged: list[Event] = []
        self._is_up = False
        self._due: list[Due] = []
        self._wakes_at: dict[int, float] = {}
        self._order = count()
        for who in range(sessions):
            session = Session(SessionOptions(limits=Limits(retrying_s=600.0)), seed=who)
            session.start(NOW)
            self.sessions.append(session)
            self.guarded.append(Guarded(session, self.breaker))
            self._at(NOW + who / 10, who, inputs.ClientOpened(1))
            self._at(NOW + who / 10, who, self._text)

    def run(self, until: float, *, is_up: bool) -> None:
        """Let time pass."""
        self._is_up = is_up
        while self._due and self._due[0].at <= until:
            due = heapq.heappop(self._due)
            self.now = due.at
            for command in self.guarded[due.who].handle(due.what, self.now):
                self._do(due.who, command)
            deadline = self.sessions[due.who].deadline
            if deadline is not None and self._wakes_at.get(due.who) != deadline:
                self._wakes_at[due.who] = deadline
                self._at(deadline, due.who, LATE)
        self.now = until

    @property
    def phases(self) -> Sequence[Phase]:
        """How each session stands."""
        return [one.phase for one in self.sessions]

    def _at(self, at: float, who: int, what: inputs.Input) -> None:
        heapq.heappush(self._due, Due(at, next(self._order), who, what))

    def _do(self, who: int, command: commands.Command) -> None:
        match command:
            case commands.OpenUpstream(link=link):
                self.dialled_at.append(self.now)
                if self._is_up:
                    self._at(self.now + 0.1, who, inputs.UpstreamOpened(link))
                    self._at(self.now + 0.2, who, inputs.UpstreamFrame(link, READY))
                else:
                    self._at(self.now + 0.1, who, inputs.DialFailed(link, Fault.REFUSED))
            case commands.SendClient(payload=payload) if b'"upstream_unavailable"' in payload:
                self._at(self.now, who, self._text)
            case Log(event=event):
                self.logged.append(event)
            case _:
                pass


def test_crowd() -> None:
    """Two hundred patient sessions dial a Gemini that is down no more than one does, and all come back."""
    limits = BreakerLimits()
    crowd = Crowd(200, limits)
    crowd.run(NOW + 120.0, is_up=False)
    # Five to open it; then one after each rest, of which the shortest are .5, 1, 2, 4, 8, 15 s.
    assert 8 < len(crowd.dialled_at) <= 20
    assert crowd.logged.count(Event.UPSTREAM_HELD_OFF) > 1000
    assert crowd.logged.count(Event.BREAKER_OPENED) == 1
    assert Phase.LIVE not in crowd.phases
    back = crowd.now
    crowd.run(back + limits.rest_max_s + 2 * Limits().retry_max_s + 1.0, is_up=True)
    assert {*crowd.phases} == {Phase.LIVE}
    assert crowd.logged.count(Event.BREAKER_CLOSED) == 1
    assert len([at for at in crowd.dialled_at if at > back]) == 200
