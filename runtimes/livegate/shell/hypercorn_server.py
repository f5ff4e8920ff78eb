"""hypercorn, run by livegate, on either runtime."""

import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from socket import socket
from typing import Final, TypeAlias

from hypercorn.config import Config

from livegate.shell.asgi import Application
from livegate.shell.gateway import Gateway
from livegate.shell.settings import Settings

# Ours is the limit that clients are told of; hypercorn counts characters, and tells the application nothing.
_MAX_MESSAGE: Final = 64 * 1024 * 1024
_Until: TypeAlias = Callable[[], Awaitable[object]]


async def serve(  # noqa: PLR0913 - what `serve` of a runtime was given, sorted out
    run: Callable[..., Awaitable[None]],
    signals: Callable[[], AbstractContextManager[_Until]],
    gateway: Gateway,
    settings: Settings,
    sockets: Sequence[socket],
    *,
    until: _Until | None,
    ready: Callable[[], object],
    served: Application,
    is_alone: bool,
) -> None:
    """Serve an application until asked to end; end the gateway's sessions first.

    Args:
        run: hypercorn's own `serve`, of the runtime.
        signals: The runtime's.
        gateway: Whose sessions are ended.
        settings: With the certificate to show, if any.
        sockets: Where it listens.
        until: Returns when it is time to end, if not at a signal.
        ready: Is called once a signal would be heard.
        served: The application.
        is_alone: It is our own.
    """
    _ = settings.ssl_context  # says what is wrong with it before it is announced
    with contextlib.ExitStack() as stack:
        asked = until or stack.enter_context(signals())
        ready()
        config = _config(settings, sockets, is_alone=is_alone)
        await run(served, config, shutdown_trigger=partial(_drain_after, asked, gateway))


async def _drain_after(until: _Until, gateway: Gateway) -> None:
    await until()
    await gateway.drain()


def _config(settings: Settings, sockets: Sequence[socket], *, is_alone: bool) -> Config:
    """Return hypercorn's settings for bound sockets, which it takes over."""
    config = Config()
    config.bind = [f"fd://{one.detach()}" for one in sockets]
    config.websocket_max_message_size = _MAX_MESSAGE
    # Its pings are never checked for pongs, and keep a closed connection's task until the next.
    config.websocket_ping_interval = None
    if is_alone:
        # What waits there is not in our count of bytes in flight; but other applications may not
        # read all of a request, and then hypercorn waits for ever.
        config.max_app_queue_size = 1
    config.keep_alive_timeout = 5.0
    config.graceful_timeout = 1.0
    config.include_server_header = False
    if settings.tls_cert is not None:
        config.certfile = str(settings.tls_cert)
        config.keyfile = str(settings.tls_key or settings.tls_cert)
    config.errorlog = logging.getLogger("hypercorn")
    return config
