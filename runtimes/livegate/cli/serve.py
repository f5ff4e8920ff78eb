"""`livegate serve`: the gateway, for as long as it is wanted."""

import asyncio
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
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
@options.journal
@options.journal_media
@options.journal_max_mb
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
    journal: Path | None,
    journal_max_mb: float,
    *,
    emulated: bool,
    journal_media: bool,
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
            settings = Settings(
                target=gemini.target,
                session=gemini.session,
                upstream=upstream,
                journal=journal,
                journal_media=journal_media,
                journal_max_mb=journal_max_mb,
            )
            run(gemini, settings, runtime, host, port, log_level)
    except (SettingsError, OSError) as error:
        raise options.failed(error) from None


def run(
    gemini: options.Gemini,
    settings: Settings,
    runtime: str,
    host: str,
    port: int,
    log_level: str,
    *,
    wrap: Callable[[App], Application] | None = None,
) -> None:
    """Serve until told to end.

    Raises:
        SettingsError: The runtime or the upstream is not installed.
        OSError: The address cannot be had, or journals cannot be written.
    """
    face = options.face(runtime, settings.upstream)
    if settings.journals is not None:
        settings.journals.prepare()
    sockets = listen(host, port)
    logs.set_up(log_level, gemini.target.key.value)
    _announce(gemini, settings, runtime, host, sockets)
    if runtime == "trio":
        import trio  # noqa: PLC0415 - an extra

        trio.run(partial(face.serve, settings, sockets, wrap=wrap))
    else:
        asyncio.run(face.serve(settings, sockets, wrap=wrap))
    click.echo("ended: every client was told", err=True)


def _announce(
    gemini: options.Gemini,
    settings: Settings,
    runtime: str,
    host: str,
    sockets: Sequence[socket],
) -> None:
    shown = f"[{host}]" if ":" in host else host
    where = f"{shown}:{sockets[0].getsockname()[1]}"
    for title, text in (
        ("page", f"http://{where}/"),
        ("websocket", f"ws://{where}{PATH}"),
        ("gemini", gemini.words + (", by google-genai" if settings.upstream == "sdk" else "")),
        ("API key", gemini.key_words),
        ("model", gemini.session.default_model),
        *([("journals", str(settings.journal))] if settings.journal else []),
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
