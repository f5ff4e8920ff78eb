"""The sessions of one process: made alike, known while they run, ended together."""

from collections.abc import Callable, Iterator
from typing import Protocol

import attrs

from livegate.protocol import Session, SessionOptions, inputs
from livegate.protocol.admission import Ticket, Visit
from livegate.protocol.breaker import Breaker, Guarded, State
from livegate.protocol.pages import Unready
from livegate.shell.identity import Identity, drawn
from livegate.shell.journals import Journals
from livegate.shell.metrics import Metrics
from livegate.shell.pump import Seat
from livegate.shell.returns import Returns
from livegate.shell.seals import Seals
from livegate.shell.shared import Shared


@attrs.frozen(kw_only=True)
class Maker:
    """Makes sessions."""

    options: SessionOptions
    runtime: str
    session_type: type[Session] = Session
    journals: Journals | None = None
    """Where they are recorded, if they are."""
    identify: Callable[[], Identity] = drawn

    def __call__(self) -> Session:
        """Return a new session, not started yet."""
        identity = self.identify()
        options = attrs.evolve(self.options, session_id=identity.session_id)
        if self.journals is not None:
            return self.journals.session(options, identity, self.runtime)
        return self.session_type(options, seed=identity.seed)


class Member(Protocol):
    """One client's connection, as the gateway that it belongs to knows it."""

    @property
    def has_conversation(self) -> bool:
        """Whether there is a session that has not ended."""
        ...

    def feed(self, event: inputs.ShutdownRequested) -> None:
        """Tell it that the process is about to end."""


class Sessions:
    """The registry behind both runtimes' gateways.

    Args:
        make: Makes them.
        seals: For the tokens of clients that come back.
        breaker: Whether they may dial Gemini.
        leave: Takes back the ticket of one that has ended.
        gone: Is told of each connection that is over.
    """

    def __init__(
        self,
        make: Maker,
        seals: Seals,
        breaker: Breaker,
        leave: Callable[[Ticket], None],
        gone: Callable[[], None],
    ) -> None:
        self._make = make
        self._breaker = breaker
        self._leave = leave
        self._gone = gone
        self._members: set[Member] = set()
        self._running: set[Visit] = set()
        self.is_draining = False
        metrics = Metrics(
            make.runtime,
            lambda: [one.tally for one in self._running],
            lambda: breaker.state is not State.CLOSED,
        )
        self.shared = Shared(metrics, Returns(seals))

    @property
    def unready(self) -> str:
        """Why no new session would be served; empty if it would."""
        if self.is_draining:
            return Unready.DRAINING
        return "" if self._make.options.has_key else Unready.NO_KEY

    def __iter__(self) -> Iterator[Member]:
        return iter(tuple(self._members))

    def new(self, ticket: Ticket, now: float) -> Visit:
        """Return a session with an id and a seed of its own, started, for a client's visit."""
        try:
            session = self._make()
            session.start(now)
        except BaseException:
            self._leave(ticket)
            raise
        visit = Visit(Guarded(session, self._breaker), ticket)
        self._running.add(visit)
        return visit

    def end(self, visit: Visit) -> None:
        """Take note that a session has ended; once more, it does nothing."""
        if visit in self._running:
            self._running.discard(visit)
            self.shared.returns.forget(visit)
            self.shared.metrics.ended(visit.tally)
            self._leave(visit.ticket)

    def join(self, member: Member) -> None:
        """Take note of a connection."""
        self._members.add(member)

    def add(self, seat: Seat, ticket: Ticket) -> None:
        """Tell a session that its client is here; while draining, also that it must go."""
        pump = seat.pump
        self.join(pump)
        pump.feed(inputs.ClientOpened(seat.link, ticket.peer, ticket.client, ticket.is_v1))
        if self.is_draining:
            pump.feed(inputs.ShutdownRequested())

    def forget(self, member: Member) -> None:
        """Forget a connection: it is over."""
        self._members.discard(member)
        self._gone()
