"""The gateway of one process, on asyncio."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Self

from websockets.asyncio.server import ServerConnection

from livegate.asyncio import upstream
from livegate.asyncio.client import lent
from livegate.asyncio.relay import Bell, Relay, refuse
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


class Gateway(gateway.Gateway):
    """Serves clients on asyncio. `Gateway.of(settings)` makes one of all that the settings say.

    Args:
        target: Gemini's address and key.
        options: What holds for every session.
        rules: Who may come, if not every program, and pages of the same origin.
        dial: Opens a link, if not as `livegate.asyncio.upstream` does.
        aclose: Ends what `dial` needs, once no session is left.
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
        aclose: Callable[[], Awaitable[None]] | None = None,
        session_type: type[Session] = Session,
        journals: Journals | None = None,
        identify: Callable[[], Identity] = drawn,
        breaker: BreakerLimits | None = None,
        drain_s: float = DRAIN_S,
        seals: Seals | None = None,
    ) -> None:
        make = Maker(
            options=options,
            runtime="asyncio",
            session_type=session_type,
            journals=journals,
            identify=identify,
        )
        runtime = Runtime(
            Relay, Bell, refuse, lambda: asyncio.get_running_loop().time(), asyncio.sleep
        )
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
        self._aclose = aclose

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return a gateway that does what the settings ask for, whoever brings its clients.

        Raises:
            SettingsError: What they ask for is not installed.
        """
        dial = aclose = None
        if settings.upstream == "sdk":
            try:
                from livegate.asyncio.sdk import Sdk  # noqa: PLC0415 - an extra, a second to import
            except ModuleNotFoundError:
                raise SettingsError(
                    "the upstream sdk needs google-genai: pip install 'livegate[genai]'"
                ) from None
            sdk = Sdk(settings.target)
            dial, aclose = sdk.dial, sdk.aclose
        return cls(
            settings.target,
            settings.session,
            dial=dial,
            aclose=aclose,
            rules=settings.rules,
            session_type=settings.session_type,
            journals=settings.journals,
            breaker=settings.breaker,
            drain_s=settings.drain_s,
            seals=settings.seals,
        )

    async def drain(self) -> None:
        """Close all sessions with 1012 and wait until they have ended; admit no more."""
        await super().drain()
        if self._aclose is not None:
            await self._aclose()

    async def serve(self, client: ClientSocket | ServerConnection) -> None:
        """Run one client's session until it ends, and its connection with it.

        Args:
            client: A connection that the application has accepted, or an `AsgiSocket`.
        """
        if not isinstance(client, ServerConnection):
            await super().serve(client)
            return
        async with lent(client) as socket:
            await super().serve(socket)
