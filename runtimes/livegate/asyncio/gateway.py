"""The gateway of one process, on asyncio."""

from collections.abc import Awaitable, Callable
from functools import partial

from websockets.asyncio.server import ServerConnection

from livegate.asyncio import upstream
from livegate.asyncio.client import lent
from livegate.asyncio.relay import Bell, Relay
from livegate.protocol import SessionOptions
from livegate.shell import gateway
from livegate.shell.identity import Identity, drawn
from livegate.shell.journals import Journals
from livegate.shell.sessions import Maker
from livegate.shell.sockets import ClientSocket, Dial
from livegate.shell.target import Target


class Gateway(gateway.Gateway):
    """Serves clients on asyncio.

    Args:
        target: Gemini's address and key.
        options: What holds for every session.
        dial: Opens a link, if not as `livegate.asyncio.upstream` does.
        aclose: Ends what `dial` needs, once no session is left.
        journals: Where sessions are recorded, if they are.
        identify: Gives a session what differs between sessions, if not chance.
    """

    def __init__(  # noqa: PLR0913 - one for each thing that an embedder may decide
        self,
        target: Target,
        options: SessionOptions,
        *,
        dial: Dial | None = None,
        aclose: Callable[[], Awaitable[None]] | None = None,
        journals: Journals | None = None,
        identify: Callable[[], Identity] = drawn,
    ) -> None:
        make = Maker(options=options, runtime="asyncio", journals=journals, identify=identify)
        super().__init__(target, make, dial or partial(upstream.dial, target), Relay, Bell)
        self._aclose = aclose

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
