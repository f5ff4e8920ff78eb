"""hypercorn, run by livegate, on asyncio."""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from socket import socket
from typing import Any, cast

import hypercorn.asyncio

from livegate.asyncio.gateway import Gateway
from livegate.asyncio.signals import signals
from livegate.shell.asgi import Application
from livegate.shell.hypercorn_config import hypercorn_config
from livegate.shell.settings import Settings


async def serve(  # noqa: PLR0913 - what `livegate.asyncio.serve` was given, sorted out
    gateway: Gateway,
    settings: Settings,
    sockets: Sequence[socket],
    until: Callable[[], Awaitable[object]] | None,
    ready: Callable[[], object],
    *,
    served: Application,
    is_alone: bool,
) -> None:
    """Serve an application until asked to end; end the gateway's sessions first."""
    _ = settings.ssl_context  # says what is wrong with it before it is announced
    with contextlib.ExitStack() as stack:
        asked = until or stack.enter_context(signals())
        ready()
        await hypercorn.asyncio.serve(  # pyright: ignore[reportUnknownMemberType] - see below
            cast("Any", served),  # hypercorn has types of its own for ASGI
            hypercorn_config(settings, sockets, is_alone=is_alone),
            shutdown_trigger=partial(_drain_after, asked, gateway),
        )


async def _drain_after(until: Callable[[], Awaitable[object]], gateway: Gateway) -> None:
    await until()
    await gateway.drain()
