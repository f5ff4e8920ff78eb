"""The gateway of one process, on trio."""

from collections.abc import Callable
from functools import partial
from typing import Self

from trio_websocket import WebSocketConnection

import trio
from livegate.protocol import Session, SessionOptions
from livegate.protocol.admission import Rules
from livegate.protocol.limits import BreakerLimits
from livegate.shell import gateway
from livegate.shell.gateway import DRAIN_S, Runtime
from livegate.shell.identity import Identity, drawn
from livegate.shell.journals import Journals
from livegate.shell.seals import Seals
from livegate.shell.sessions import Maker
from livegate.shell.settings import Settings
from livegate.shell.sockets import ClientSocket, Dial
from livegate.shell.target import SettingsError, Target
from livegate.trio import upstream
from livegate.trio.client import lent
from livegate.trio.relay import Bell, Relay, refuse


class Gateway(gateway.Gateway):
    """Serves clients on trio. `Gateway.of(settings)` makes one of all that the settings say.

    Args:
        target: Gemini's address and key.
        options: What holds for every session.
        rules: Who may come, if not every program, and pages of the same origin.
        dial: Opens a link, if not as `livegate.trio.upstream` does.
        session_type: What a session is, if it is not recorded.
        journals: Where sessions are recorded, if they are.
        identify: Gives a session what differs between sessions, if not chance.
        breaker: When they leave Gemini alone together, since it cannot be reached.
        drain_s: How long `drain` may take; many sessions are ended in waves within that time.
        seals: Made of the secrets that processes share, if clients may come back to another.
    """

    def __init__(  # noqa: PLR0913 - one for each thing that an embedder may decide
        self,
        target: Target,
        options: SessionOptions,
        *,
        rules: Rules | None = None,
        dial: Dial | None = None,
        session_type: type[Session] = Session,
        journals: Journals | None = None,
        identify: Callable[[], Identity] = drawn,
        breaker: BreakerLimits | None = None,
        drain_s: float = DRAIN_S,
        seals: Seals | None = None,
    ) -> None:
        make = Maker(
            options=options,
            runtime="trio",
            session_type=session_type,
            journals=journals,
            identify=identify,
        )
        runtime = Runtime(Relay, Bell, refuse, trio.current_time, trio.sleep)
        dial = dial or partial(upstream.dial, target)
        super().__init__(
            target,
            make,
            dial,
            runtime,
            rules=rules or Rules(),
            breaker=breaker,
            drain_s=drain_s,
            seals=seals,
        )

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return a gateway that does what the settings ask for, whoever brings its clients.

        Raises:
            SettingsError: What they ask for does not run on trio.
        """
        if settings.upstream != "websocket":
            raise SettingsError(
                f"the upstream {settings.upstream} runs on asyncio only: use livegate.asyncio, "
                "or the upstream websocket"
            )
        return cls(
            settings.target,
            settings.session,
            rules=settings.rules,
            session_type=settings.session_type,
            journals=settings.journals,
            breaker=settings.breaker,
            drain_s=settings.drain_s,
            seals=settings.seals,
        )

    async def serve(self, client: ClientSocket | WebSocketConnection) -> None:
        """Run one client's session until it ends, and its connection with it.

        Args:
            client: A connection that the application has accepted, or an `AsgiSocket`.
        """
        if not isinstance(client, WebSocketConnection):
            await super().serve(client)
            return
        async with lent(client) as socket:
            await super().serve(socket)
