"""The gateway of one process; each runtime gives it a relay of its own."""

import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from livegate.shell.logs import LOGGER
from livegate.shell.pump import Bell
from livegate.shell.sessions import Maker, Sessions
from livegate.shell.sockets import ClientSocket, Dial
from livegate.shell.target import Target


class Relay(Protocol):
    """One client's socket, session and links."""

    async def run(self) -> None:
        """Serve the client until it has gone or the session has closed it."""

    async def fail(self, code: int) -> None:
        """Close the client's socket after `run` has failed, if it still takes a message."""


class Gateway:
    """Serves clients, each with a session of its own, and ends them all together.

    Made as `livegate.trio.Gateway` or `livegate.asyncio.Gateway`. As a context manager it drains
    at the end of its block; so the tasks that serve belong outside of it.
    """

    def __init__(
        self,
        target: Target,
        make: Maker,
        dial: Dial,
        new_relay: Callable[[ClientSocket, Dial, Sessions], Relay],
        new_bell: Callable[[], Bell],
    ) -> None:
        self._key = target.key
        self._dial = dial
        self._new_relay = new_relay
        self._sessions = Sessions(make)
        self._one_ended = new_bell()

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
        """Run one client's session until it ends. A fault of ours closes it with 1011."""
        relay = self._new_relay(client, self._dial, self._sessions)
        try:
            await relay.run()
        except Exception:  # noqa: BLE001 - the last resort; the client hears no details
            LOGGER.error("session.failed\n%s", self._key.redact(traceback.format_exc()))
            await relay.fail(1011)
        finally:
            self._one_ended.ring()

    async def drain(self) -> None:
        """Close all sessions with 1012 and wait until they have ended; admit no more."""
        self._sessions.shut_down()
        while len(self._sessions):
            await self._one_ended.heard()
