"""How a process is asked to end."""

import contextlib
import signal
from collections.abc import Awaitable, Callable, Generator
from typing import Final

import trio

_ASKING: Final = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def signals() -> Generator[Callable[[], Awaitable[object]], None, None]:
    """Yield what waits for the next SIGINT or SIGTERM; one that came before counts, too."""
    # What nobody has waited for trio raises again at the end: then it is for nobody.
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _ASKING}
    try:
        with trio.open_signal_receiver(*_ASKING) as received:
            yield received.__anext__
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
