"""`livegate serve`: the gateway, for as long as it is wanted."""

import asyncio
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from socket import socket

import click

from livegate.cli import options
from livegate.shell import logs
from livegate.shell.asgi import PATH, App, Application
from livegate.shell.settings import Settings, Upstream
from livegate.shell.sockets import listen
from livegate.shell.target import SettingsError


@click.command()
@options.runtime
@options.upstream
@options.host
@options.port(8000)
@options.log_level
@options.gemini_url
@options.model
@options.emulated
@click.pass_obj
def serve(
    from_file: Mapping[str, str],
    runtime: str,
    upstream: Upstream,
    host: str,
    port: int,
    log_level: str,
    gemini_url: str | None,
    model: str,
    *,
    emulated: bool,
) -> None:
    """Run the gateway: a WebSocket, and a page to try it.

    It ends at Ctrl+C or SIGTERM, after telling its clients.
    """
    if upstream == "sdk" and runtime == "trio":
        raise click.UsageError("--upstream sdk runs on asyncio only: leave out --runtime trio")
    try:
        with options.gemini(
            from_file,
            emulated=emulated,
            gemini_url=gemini_url,
            model=model,
            tls=upstream == "sdk",
        ) as gemini:
            page = "gemini_live_demo.html"
            run(gemini, runtime, host, port, log_level, page=page, upstream=upstream)
    except (SettingsError, OSError) as error:
        raise options.failed(error) from None


def run(
    gemini: options.Gemini,
    runtime: str,
    host: str,
    port: int,
    log_level: str,
    *,
    page: str,
    upstream: Upstream = "websocket",
    wrap: Callable[[App], Application] | None = None,
) -> None:
    """Serve until told to end.

    Raises:
        SettingsError: The runtime or the upstream is not installed, or cannot go there.
        OSError: The address cannot be had.
    """
    face = options.face(runtime, upstream)
    settings = Settings(target=gemini.target, session=gemini.session, page=page, upstream=upstream)
    sockets = listen(host, port)
    logs.set_up(log_level, gemini.target.key.value)
    _announce(gemini, runtime, upstream, host, sockets)
    if runtime == "trio":
        import trio  # noqa: PLC0415 - an extra

        trio.run(partial(face.serve, settings, sockets, wrap=wrap))
    else:
        asyncio.run(face.serve(settings, sockets, wrap=wrap))
    click.echo("ended: every client was told", err=True)


def _announce(
    gemini: options.Gemini,
    runtime: str,
    upstream: Upstream,
    host: str,
    sockets: Sequence[socket],
) -> None:
    shown = f"[{host}]" if ":" in host else host
    where = f"{shown}:{sockets[0].getsockname()[1]}"
    for title, text in (
        ("page", f"http://{where}/"),
        ("websocket", f"ws://{where}{PATH}"),
        ("gemini", gemini.words + (", by google-genai" if upstream == "sdk" else "")),
        ("API key", gemini.key_words),
        ("model", gemini.session.default_model),
        ("to end", "Ctrl+C"),
    ):
        click.echo(f"  {title:<10} {text}", err=True)
    click.echo(f"livegate is listening, on {runtime}", err=True)
    click.echo(exposure(sockets[0].getsockname()[0]), err=True, nl=False)


def exposure(address: str) -> str:
    """Return a warning where others than this machine's own programs can connect."""
    if ipaddress.ip_address(address).is_loopback:
        return ""
    return "warning: whoever reaches this address uses your API key; see the README, on trust\n"
