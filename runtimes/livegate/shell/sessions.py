"""The sessions of one process: made alike, known while they run, ended together."""

from collections.abc import Callable

import attrs

from livegate.protocol import Session, SessionOptions, inputs
from livegate.shell.identity import Identity, drawn
from livegate.shell.journals import Journals
from livegate.shell.pump import Pump


@attrs.frozen(kw_only=True)
class Maker:
    """Makes sessions."""

    options: SessionOptions
    runtime: str
    journals: Journals | None = None
    """Where they are recorded, if they are."""
    identify: Callable[[], Identity] = drawn

    def __call__(self) -> Session:
        """Return a new session, not started yet."""
        identity = self.identify()
        options = attrs.evolve(self.options, session_id=identity.session_id)
        if self.journals is not None:
            return self.journals.session(options, identity, self.runtime)
        return Session(options, seed=identity.seed)


class Sessions:
    """The registry behind both runtimes' gateways."""

    def __init__(self, make: Maker) -> None:
        self._make = make
        self._pumps: set[Pump] = set()
        self.is_draining = False

    def __len__(self) -> int:
        return len(self._pumps)

    def new(self, now: float) -> Session:
        """Return a session with an id and a seed of its own, started."""
        session = self._make()
        session.start(now)
        return session

    def add(self, pump: Pump, client: int, peer: str) -> None:
        """Tell a session that its client is here; while draining, also that it must go."""
        self._pumps.add(pump)
        pump.feed(inputs.ClientOpened(client, peer))
        if self.is_draining:
            pump.feed(inputs.ShutdownRequested())

    def discard(self, pump: Pump) -> None:
        """Forget a session: it has ended."""
        self._pumps.discard(pump)

    def shut_down(self) -> None:
        """Tell every session, and every one that still comes, to end."""
        self.is_draining = True
        for pump in list(self._pumps):
            pump.feed(inputs.ShutdownRequested())
