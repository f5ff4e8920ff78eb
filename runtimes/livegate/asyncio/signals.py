"""How a process is asked to end."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Generator
from typing import Final

_ASKING: Final = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def signals() -> Generator[Callable[[], Awaitable[object]], None, None]:
    """Yield what waits for the next SIGINT or SIGTERM; one that came before counts, too."""
    loop, came = asyncio.get_running_loop(), asyncio.Semaphore(0)
    for number in _ASKING:
        loop.add_signal_handler(number, came.release)
    try:
        yield came.acquire
    finally:
        for number in _ASKING:
            loop.remove_signal_handler(number)
