"""livegate on asyncio: `serve` listens, `App` is for other ASGI servers, `Gateway` for embedders."""

from collections.abc import Awaitable, Callable, Sequence
from socket import socket

from livegate.asyncio import listener
from livegate.asyncio.gateway import Gateway
from livegate.shell.asgi import App, Application, AsgiSocket
from livegate.shell.settings import Settings
from livegate.shell.target import SettingsError

__all__ = ["App", "AsgiSocket", "Gateway", "app", "serve"]


def app(settings: Settings) -> App:
    """Return the gateway as an ASGI application for any asyncio server, or to mount.

    Raises:
        SettingsError: What the settings ask for is not installed.
    """
    return App(Gateway.of(settings), page=settings.page)


async def serve(
    settings: Settings,
    sockets: Sequence[socket],
    until: Callable[[], Awaitable[object]] | None = None,
    *,
    wrap: Callable[[App], Application] | None = None,
    ready: Callable[[], object] = lambda: None,
) -> bool:
    """Serve on bound sockets until asked to end, then close all sessions with 1012.

    Args:
        settings: Gemini's address and key, and what holds for every session.
        sockets: From `livegate.shell.sockets.listen`.
        until: Returns when it is time to end; by default at SIGINT or SIGTERM, and a second
            signal ends it at once, but for hypercorn.
        wrap: Puts another ASGI application around the gateway's; hypercorn serves it then.
        ready: Is called once clients can connect and a signal would be heard.

    Returns:
        Whether all had gone, or had had their 5 s, before `drain_s` and a second signal; under
        hypercorn always True.

    Raises:
        SettingsError: What the settings ask for is not installed, or cannot be used.
    """
    gateway = Gateway.of(settings)
    if wrap is None and settings.listens_itself:
        return await listener.serve(gateway, settings, sockets, until, ready)
    try:
        from livegate.asyncio import asgi_server  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise SettingsError(
            "the server hypercorn needs hypercorn: pip install 'livegate[hypercorn]'"
        ) from None
    inner = App(gateway, page=settings.page)
    served = wrap(inner) if wrap else inner
    await asgi_server.serve(
        gateway,
        settings,
        sockets,
        until=until,
        ready=ready,
        served=served,
        is_alone=wrap is None,
    )
    return True
