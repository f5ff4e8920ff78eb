"""livegate on asyncio: `serve` listens, `App` is for other ASGI servers, `Gateway` for embedders."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from socket import socket
from typing import Any, cast

import hypercorn.asyncio

from livegate.asyncio.gateway import Gateway
from livegate.shell.asgi import App, Application, AsgiSocket
from livegate.shell.listener import hypercorn_config
from livegate.shell.settings import Settings
from livegate.shell.target import SettingsError

__all__ = ["App", "AsgiSocket", "Gateway", "app", "serve"]


def app(settings: Settings) -> App:
    """Return the gateway as an ASGI application for any asyncio server, or to mount.

    Raises:
        SettingsError: What the settings ask for is not installed.
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
        SettingsError: What the settings ask for is not installed.
    """
    gateway = _gateway(settings)
    inner = App(gateway, page=settings.page)
    await hypercorn.asyncio.serve(  # pyright: ignore[reportUnknownMemberType] - see below
        cast("Any", wrap(inner) if wrap else inner),  # hypercorn has types of its own for ASGI
        hypercorn_config(sockets, is_alone=wrap is None),
        shutdown_trigger=partial(_drain_after, until or _signalled, gateway),
    )


def _gateway(settings: Settings) -> Gateway:
    """Return a gateway with the links that the settings ask for."""
    if settings.upstream == "websocket":
        return Gateway(settings.target, settings.session, journals=settings.journals)
    try:
        from livegate.asyncio.sdk import Sdk  # noqa: PLC0415 - an extra, and a second to import
    except ModuleNotFoundError:
        raise SettingsError(
            "the upstream sdk needs google-genai: pip install 'livegate[genai]'"
        ) from None
    sdk = Sdk(settings.target)
    return Gateway(
        settings.target,
        settings.session,
        dial=sdk.dial,
        aclose=sdk.aclose,
        journals=settings.journals,
    )


async def _drain_after(until: Callable[[], Awaitable[None]], gateway: Gateway) -> None:
    await until()
    await gateway.drain()


async def _signalled() -> None:
    loop, signalled = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, signalled.set)
    await signalled.wait()
