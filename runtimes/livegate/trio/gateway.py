"""The gateway of one process, on trio."""

from functools import partial

from trio_websocket import WebSocketConnection

from livegate.protocol import SessionOptions
from livegate.shell import gateway
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
    """

    def __init__(
        self, target: Target, options: SessionOptions, *, dial: Dial | None = None
    ) -> None:
        dial = dial or partial(upstream.dial, target)
        super().__init__(target, options, dial, Relay, Bell)

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
