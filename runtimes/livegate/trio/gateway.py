"""The gateway of one process, on trio."""

from collections.abc import Callable
from functools import partial

from trio_websocket import WebSocketConnection

from livegate.protocol import SessionOptions
from livegate.shell import gateway
from livegate.shell.identity import Identity, drawn
from livegate.shell.journals import Journals
from livegate.shell.sessions import Maker
from livegate.shell.sockets import ClientSocket, Dial
from livegate.shell.target import Target
from livegate.trio import upstream
from livegate.trio.client import lent
from livegate.trio.relay import Bell, Relay


class Gateway(gateway.Gateway):
    """Serves clients on trio.

    Args:
        target: Gemini's address and key.
        options: What holds for every session.
        dial: Opens a link, if not as `livegate.trio.upstream` does.
        journals: Where sessions are recorded, if they are.
        identify: Gives a session what differs between sessions, if not chance.
    """

    def __init__(
        self,
        target: Target,
        options: SessionOptions,
        *,
        dial: Dial | None = None,
        journals: Journals | None = None,
        identify: Callable[[], Identity] = drawn,
    ) -> None:
        make = Maker(options=options, runtime="trio", journals=journals, identify=identify)
        super().__init__(target, make, dial or partial(upstream.dial, target), Relay, Bell)

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
