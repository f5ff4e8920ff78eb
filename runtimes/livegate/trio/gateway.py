"""The gateway of one process, on trio."""

import traceback
from functools import partial

from livegate.protocol import SessionOptions
from livegate.shell.logs import LOGGER
from livegate.shell.sessions import Sessions
from livegate.shell.sockets import ClientSocket, Dial
from livegate.shell.target import Target
from livegate.trio import upstream
from livegate.trio.relay import Bell, Relay


class Gateway:
    """Serves clients, each with a session of its own, and ends them all together.

    Args:
        target: Gemini's address and key.
        options: What holds for every session.
        dial: Opens a link, if not as `livegate.trio.upstream` does.
    """

    def __init__(
        self, target: Target, options: SessionOptions, *, dial: Dial | None = None
    ) -> None:
        self._dial = dial or partial(upstream.dial, target)
        self._key = target.key
        self._sessions = Sessions(options)
        self._one_ended = Bell()

    async def serve(self, client: ClientSocket) -> None:
        """Run one client's session until it ends. A fault of ours closes it with 1011."""
        try:
            await Relay(client, self._dial, self._sessions).run()
        except Exception:  # noqa: BLE001 - the last resort; the client hears no details
            LOGGER.error("session.failed\n%s", self._key.redact(traceback.format_exc()))
            await client.close(1011, "")
        finally:
            self._one_ended.ring()

    async def drain(self) -> None:
        """Close all sessions with 1012 and wait until they have ended."""
        self._sessions.shut_down()
        while len(self._sessions):
            await self._one_ended.heard()
