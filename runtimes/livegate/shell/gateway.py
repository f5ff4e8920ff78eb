"""The gateway of one process; each runtime gives it a relay of its own."""

import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, Protocol, Self

import attrs

from livegate.protocol import inputs
from livegate.protocol.admission import Admission, Rules, Ticket
from livegate.protocol.breaker import Breaker
from livegate.protocol.drain import WAVE, waves
from livegate.protocol.errors import Refusal
from livegate.protocol.hello import Hello
from livegate.protocol.limits import BreakerLimits
from livegate.protocol.pages import Unready
from livegate.shell import logs
from livegate.shell.metrics import Metrics
from livegate.shell.pump import Bell
from livegate.shell.seals import Seals
from livegate.shell.sessions import Maker, Member, Sessions
from livegate.shell.sockets import ClientSocket, Dial
from livegate.shell.target import FAREWELL_S, Target

DRAIN_S: Final = 20.0
"""How long a gateway may take to end: less than the 30 s that Kubernetes gives."""


class Relay(Protocol):
    """One client's socket, session and links."""

    async def run(self) -> None:
        """Serve the client until it has gone or the session has closed it."""

    async def fail(self, code: int) -> None:
        """Close the client's socket after `run` has failed, if it still takes a message."""


@attrs.frozen
class Runtime:
    """What a runtime does for a gateway."""

    new_relay: Callable[[ClientSocket, Ticket, Dial, Sessions], Relay]
    new_bell: Callable[[], Bell]
    refuse: Callable[[ClientSocket, Refusal], Awaitable[None]]
    """Tells a client why it may not begin, and closes."""
    clock: Callable[[], float]
    """Monotonic, in seconds."""
    sleep: Callable[[float], Awaitable[None]]


class Gateway:
    """Serves clients, each with a session of its own, and ends them all together.

    Made as `livegate.trio.Gateway` or `livegate.asyncio.Gateway`. As a context manager it drains
    at the end of its block; so the tasks that serve belong outside of it.
    """

    def __init__(  # noqa: PLR0913 - one for each thing that it is made of
        self,
        target: Target,
        make: Maker,
        dial: Dial,
        runtime: Runtime,
        *,
        rules: Rules,
        breaker: BreakerLimits | None = None,
        drain_s: float = DRAIN_S,
        seals: Seals | None = None,
    ) -> None:
        self.seals = Seals() if seals is None else seals
        """Make the tokens with which clients come back, and open them."""
        self._secrets = (target.key, *self.seals.secrets)
        self._dial = dial
        self._runtime = runtime
        self.admission = Admission(rules)
        """Who is in, and who may come."""
        self.breaker = Breaker(breaker or BreakerLimits(), seed=secrets.randbits(64))
        """Whether its sessions may dial Gemini."""
        self._one_ended = runtime.new_bell()
        self.sessions = Sessions(
            make, self.seals, self.breaker, self.admission.leave, self._one_ended.ring
        )
        """Those that run, and those to come."""
        self._waves_s = max(drain_s - FAREWELL_S, 0) / 2

    @property
    def metrics(self) -> Metrics:
        """What it counts; to be read on the event loop that it runs on."""
        return self.sessions.shared.metrics

    @property
    def unready(self) -> str:
        """Why it would serve no new session, one of `pages.Unready`; empty if it would."""
        return self.sessions.unready or (Unready.FULL if self.admission.is_full else "")

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Drain. Where the block is cancelled all are still told, but nobody is waited for."""
        await self.drain()

    async def serve(self, client: ClientSocket) -> None:
        """Run one client's session until it ends, if it may begin; tell the client if not.

        A fault of ours closes it with 1011.
        """
        ticket = self.admit(client.hello)
        if isinstance(ticket, Refusal):
            await self._runtime.refuse(client, ticket)
            return
        await self._run(self._runtime.new_relay(client, ticket, self._dial, self.sessions))

    def admit(self, hello: Hello) -> Ticket | Refusal:
        """Return the ticket for a session, or why there is none."""
        ticket = self.admission.admit(hello, self._runtime.clock())
        if isinstance(ticket, Refusal):
            logs.write(self.admission.log_of(hello, ticket))
            self.metrics.refused(ticket.code)
        return ticket

    @property
    def is_draining(self) -> bool:
        """Whether whoever still comes is told to go."""
        return self.sessions.is_draining

    async def drain(self) -> None:
        """Close all sessions with 1012, wave by wave, and wait for their ends; admit no more."""
        self.sessions.is_draining = True
        waiting = deque(one for one in self.sessions if one.has_conversation)
        told_at = 0.0
        try:
            for wave_at in waves(len(waiting), self._waves_s, secrets.randbits(64)):
                if wave_at:
                    await self._runtime.sleep(wave_at - told_at)
                told_at = wave_at
                _tell(waiting, WAVE)
        finally:
            _tell(waiting, len(waiting))
        while any(one.has_conversation for one in self.sessions):
            await self._one_ended.heard()

    async def _run(self, relay: Relay) -> None:
        try:
            await relay.run()
        except Exception:  # noqa: BLE001 - the last resort; the client hears no details
            logs.write_fault("session.failed", self._secrets)
            self.metrics.failed()
            await relay.fail(1011)


def _tell(waiting: deque[Member], count: int) -> None:
    """Tell so many sessions to end."""
    for _ in range(min(count, len(waiting))):
        waiting.popleft().feed(inputs.ShutdownRequested())
