"""An asyncio event loop whose time passes only when there is nothing else to do."""

import asyncio
import selectors
from collections.abc import Mapping


class _Selector(selectors.DefaultSelector):
    """Never waits: where it would, it lets the loop know that it is idle, or time pass."""

    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready now."""
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self.loop.wake_idle():
            return ready
        if timeout is None:
            raise RuntimeError("every task waits for another")
        self.loop.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop with a clock of its own, which starts at 1000 s."""

    def __init__(self) -> None:
        selector = _Selector()
        selector.loop = self
        self.now = 1000.0
        self._idle: list[asyncio.Future[None]] = []
        super().__init__(selector)

    def time(self) -> float:
        """Return the loop's time in seconds."""
        return self.now

    async def until_idle(self) -> None:
        """Wait until every other task waits for something, without letting time pass."""
        future = self.create_future()
        self._idle.append(future)
        await future

    def wake_idle(self) -> bool:
        """Wake those who wait for idleness; return whether there were any."""
        idle, self._idle = self._idle, []
        for future in idle:
            if not future.done():
                future.set_result(None)
        return bool(idle)


def raise_unhandled(loop: asyncio.AbstractEventLoop, context: Mapping[str, object]) -> None:
    """Let an exception that nobody awaits fail the test."""
    raise RuntimeError(f"{loop}: {context}")
