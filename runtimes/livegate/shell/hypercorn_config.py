"""How hypercorn is run when livegate runs it."""

import logging
from collections.abc import Sequence
from socket import socket
from typing import Final

from hypercorn.config import Config

from livegate.shell.settings import Settings

# Ours is the limit that clients are told of; hypercorn counts characters, and tells the application nothing.
_MAX_MESSAGE: Final = 64 * 1024 * 1024


def hypercorn_config(settings: Settings, sockets: Sequence[socket], *, is_alone: bool) -> Config:
    """Return hypercorn's settings for bound sockets, which it takes over.

    Args:
        settings: With the certificate to show, if any.
        sockets: Where it listens.
        is_alone: Only our own application is served.
    """
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
