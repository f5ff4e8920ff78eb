"""The sessions of one process: made alike, known while they run, ended together."""

import secrets

import attrs

from livegate.protocol import Session, SessionOptions, inputs
from livegate.shell.pump import Pump


class Sessions:
    """The registry behind both runtimes' gateways."""

    def __init__(self, options: SessionOptions) -> None:
        self._options = options
        self._pumps: set[Pump] = set()
        self.is_draining = False

    def __len__(self) -> int:
        return len(self._pumps)

    def new(self, now: float) -> Session:
        """Return a session with an id and a seed of its own, started."""
        options = attrs.evolve(self._options, session_id=secrets.token_hex(4))
        session = Session(options, seed=secrets.randbits(64))
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
