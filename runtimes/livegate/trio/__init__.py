"""livegate on trio: `serve` listens, `App` is for other ASGI servers, `Gateway` for embedders."""

import signal
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from socket import socket
from typing import Any, cast

import hypercorn.trio

import trio
from livegate.shell.asgi import App, Application, AsgiSocket
from livegate.shell.listener import hypercorn_config
from livegate.shell.settings import Settings
from livegate.shell.target import SettingsError
from livegate.trio.gateway import Gateway

__all__ = ["App", "AsgiSocket", "Gateway", "app", "serve"]


def app(settings: Settings) -> App:
    """Return the gateway as an ASGI application for hypercorn's trio worker, or to mount.

    Raises:
        SettingsError: What the settings ask for does not run on trio.
    """
    return App(_gateway(settings), page=settings.page)


async def serve(
    settings: Settings,
    sockets: Sequence[socket],
    until: Callable[[], Awaitable[None]] | None = None,
    *,
    wrap: Callable[[App], Application] | None = None,
) -> None:
    """Serve on bound sockets until asked to end, then close all sessions with 1012.

    Args:
        settings: Gemini's address and key, and what holds for every session.
        sockets: From `livegate.shell.sockets.listen`.
        until: Returns when it is time to end; by default at SIGINT or SIGTERM.
        wrap: Puts another ASGI application around the gateway's.

    Raises:
        SettingsError: What the settings ask for does not run on trio.
    """
    gateway = _gateway(settings)
    inner = App(gateway, page=settings.page)
    await hypercorn.trio.serve(  # pyright: ignore[reportUnknownMemberType] - see below
        cast("Any", wrap(inner) if wrap else inner),  # hypercorn has types of its own for ASGI
        hypercorn_config(sockets, is_alone=wrap is None),
        shutdown_trigger=partial(_drain_after, until or _signalled, gateway),
    )


def _gateway(settings: Settings) -> Gateway:
    """Return a gateway with the links that the settings ask for."""
    if settings.upstream != "websocket":
        raise SettingsError(
            f"the upstream {settings.upstream} runs on asyncio only: use livegate.asyncio, "
            "or the upstream websocket"
        )
    return Gateway(settings.target, settings.session, journals=settings.journals)


async def _drain_after(until: Callable[[], Awaitable[None]], gateway: Gateway) -> None:
    await until()
    await gateway.drain()


async def _signalled() -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            return
