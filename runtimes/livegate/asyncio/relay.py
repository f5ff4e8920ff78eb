"""One session on asyncio: five loops that do the core's I/O, and decide nothing."""

import asyncio
import contextlib
from typing import Final

from livegate.protocol import commands, inputs
from livegate.protocol.inputs import Side
from livegate.shell import faults
from livegate.shell.faults import DialError
from livegate.shell.pump import Pump
from livegate.shell.sessions import Sessions
from livegate.shell.sockets import ClientSocket, Closed, Dial, UpstreamSocket
from livegate.shell.target import CLOSE_GRACE_S, FAREWELL_S

_CLIENT: Final = 1


class Bell:
    """Wakes the loops that wait for it; rung early, it is remembered."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake the loops."""
        self._event.set()

    async def heard(self) -> None:
        """Wait until it has rung since it was last heard."""
        await self._event.wait()
        self._event.clear()


class Relay:
    """A client's socket, a session, and its links to Gemini."""

    def __init__(self, client: ClientSocket, dial: Dial, sessions: Sessions) -> None:
        self._client = client
        self._dial = dial
        self._sessions = sessions
        self._loop = asyncio.get_running_loop()
        self._pump = Pump(sessions.new(self._loop.time()), self, self._loop.time, Bell)
        self._link_tasks: dict[int, asyncio.Task[None]] = {}
        self._open_links: set[int] = set()
        self._is_sending = False
        """Cut short now, the stream ends in the middle of a message."""

    async def run(self) -> None:
        """Serve the client until it has gone or the session has closed it."""
        try:
            async with asyncio.TaskGroup() as self._links:
                await self._run_client()
        finally:
            self._sessions.discard(self._pump)

    async def fail(self, code: int) -> None:
        """Close the client's socket after `run` has failed, if it still takes a message."""
        if not self._is_sending:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL_S):
                    await self._client.close(code, "")

    async def _run_client(self) -> None:
        try:
            async with asyncio.TaskGroup() as loops:
                self._client_task = loops.create_task(self._write_client())
                self._sessions.add(self._pump, _CLIENT, self._client.peer)
                others = [
                    loops.create_task(self._read_client()),
                    loops.create_task(self._keep_time()),
                ]
                await asyncio.wait([self._client_task])
                for other in others:
                    other.cancel()
        finally:
            self._pump.feed(inputs.ClientGone(_CLIENT))

    # What the pump needs done at once

    def open_link(self, link: int) -> None:
        """Begin to dial Gemini."""
        self._link_tasks[link] = self._links.create_task(self._run_link(link))

    def hang_up(self, link: int) -> None:
        """Give a link the grace to send what it has and close; or give up dialling it."""
        grace_s = CLOSE_GRACE_S if link in self._open_links else 0
        self._loop.call_later(grace_s, self._link_tasks[link].cancel)

    def end_client(self, grace_s: float) -> None:
        """Give the client's socket so long to send what it has and close."""
        self._loop.call_later(grace_s, self._client_task.cancel)

    # The loops

    async def _read_client(self) -> None:
        while True:
            while not self._pump.may_read_client:
                await self._pump.may_read.heard()
            message = await self._client.receive()
            if isinstance(message, Closed):
                self._pump.feed(inputs.ClientGone(_CLIENT, message.code, message.reason))
                return
            self._pump.feed(inputs.ClientFrame(_CLIENT, message.payload, message.is_text))

    async def _write_client(self) -> None:
        outbox = self._pump.client
        while not self._pump.is_over:
            if not outbox.items:
                await outbox.bell.heard()
                continue
            item = outbox.items.popleft()
            if isinstance(item, commands.CloseClient):
                await self._client.close(item.code, item.reason)
                return
            self._is_sending = True
            await self._client.send(item.payload, is_text=item.is_text)
            self._is_sending = False
            self._pump.feed(inputs.Sent(Side.CLIENT, _CLIENT, len(item.payload)))

    async def _keep_time(self) -> None:
        while True:
            self._pump.alarm_at = self._pump.deadline
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._pump.alarm_at):
                    await self._pump.alarm.heard()
                    continue
            self._pump.feed(inputs.DeadlineReached())

    async def _run_link(self, link: int) -> None:
        """Dial Gemini, and carry messages both ways until one side ends the link."""
        try:
            async with self._dial() as upstream, asyncio.TaskGroup() as loops:
                self._open_links.add(link)
                self._pump.feed(inputs.UpstreamOpened(link))
                reader = loops.create_task(self._read_upstream(link, upstream))
                await self._write_upstream(link, upstream)
                reader.cancel()
        except* DialError as failed:
            # Alone, or out of a loop: some links are dialled by their setup.
            self._pump.feed(inputs.DialFailed(link, faults.of_dial(failed)))
        finally:
            self._pump.feed(inputs.UpstreamGone(link))  # no news, unless all else has failed
            del self._link_tasks[link], self._pump.links[link]
            self._open_links.discard(link)

    async def _read_upstream(self, link: int, upstream: UpstreamSocket) -> None:
        while True:
            while not self._pump.may_read_upstream:
                await self._pump.may_read.heard()
            message = await upstream.receive()
            if isinstance(message, Closed):
                self._pump.feed(inputs.UpstreamGone(link, message.code, message.reason))
                return
            self._pump.feed(inputs.UpstreamFrame(link, message))

    async def _write_upstream(self, link: int, upstream: UpstreamSocket) -> None:
        outbox = self._pump.links[link]
        while True:
            if not outbox.items:
                await outbox.bell.heard()
                continue
            item = outbox.items.popleft()
            if isinstance(item, commands.CloseUpstream):
                await upstream.close(item.code)
                return
            await upstream.send(item.payload)
            self._pump.feed(inputs.Sent(Side.UPSTREAM, link, len(item.payload)))
