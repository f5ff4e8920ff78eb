"""`livegate serve`: the gateway, for as long as it is wanted."""

import asyncio
import contextlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from socket import socket

import click

from livegate.cli import admission, environment, options
from livegate.cli import listening as listening_options
from livegate.protocol.addresses import is_loopback
from livegate.shell import logs
from livegate.shell.asgi import PATH
from livegate.shell.logs import Form
from livegate.shell.settings import Settings, Upstream
from livegate.shell.sockets import listen
from livegate.shell.target import SettingsError


@click.command()
@options.runtime
@options.upstream
@options.host
@options.port(8000)
@options.log_level
@options.log_format
@options.gemini_url
@options.model
@options.emulated
@options.journal
@options.journal_media
@options.journal_max_mb
@listening_options.options
@admission.options
@click.pass_obj
def serve(
    from_file: Mapping[str, str],
    runtime: str,
    upstream: Upstream,
    host: str,
    port: int,
    log_level: str,
    log_format: Form,
    gemini_url: str | None,
    model: str,
    journal: Path | None,
    journal_max_mb: float,
    *,
    asked: admission.Asked,
    emulated: bool,
    journal_media: bool,
    listening: listening_options.Listening,
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
                rules=asked.rules(emulated=emulated),
                upstream=upstream,
                journal=journal,
                journal_media=journal_media,
                journal_max_mb=journal_max_mb,
                seals=environment.seals(),
            )
            settings = listening.applied_to(settings)
            with opened(host, port, reuse_port=listening.reuse_port) as sockets:
                run(gemini, settings, asked, runtime, host, sockets, log_level, log_format)
    except (SettingsError, OSError) as error:
        raise options.failed(error) from None


@contextlib.contextmanager
def opened(
    host: str, port: int, *, reuse_port: bool = False
) -> Generator[Sequence[socket], None, None]:
    """Listen for as long as the block runs; see `livegate.shell.sockets.listen`."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(one) for one in listen(host, port, reuse_port=reuse_port)]


def run(
    gemini: options.Gemini,
    settings: Settings,
    asked: admission.Asked,
    runtime: str,
    host: str,
    sockets: Sequence[socket],
    log_level: str,
    log_format: Form = "text",
) -> None:
    """Serve until told to end.

    Raises:
        SettingsError: The runtime, the server or the upstream is not installed, or everybody could
            come in and nobody said that they may.
        OSError: Journals cannot be written.
    """
    face = options.face(runtime, settings)
    if settings.journals is not None:
        settings.journals.prepare()
    asked.check_exposure(one.getsockname()[0] for one in sockets)
    logs.set_up(log_level, settings.secrets, log_format)
    say = partial(click.echo, err=True) if log_format == "text" else _log

    def ready() -> None:
        for line in _announced(gemini, settings, asked, runtime, host, sockets):
            say(line)

    serve = partial(face.serve, settings, sockets, ready=ready)
    if runtime == "trio":
        import trio  # noqa: PLC0415 - an extra

        is_told = trio.run(serve)
    else:
        is_told = asyncio.run(serve())
    say("ended: every client was told" if is_told else "ended: some were cut")


def _log(line: str) -> None:
    """Say something where everything else is a line of the log, too."""
    logs.LOGGER.info(" ".join(line.split()))


def _announced(
    gemini: options.Gemini,
    settings: Settings,
    asked: admission.Asked,
    runtime: str,
    host: str,
    sockets: Sequence[socket],
) -> Iterator[str]:
    """Yield what to say before the first client comes."""
    is_anywhere = host in {"0.0.0.0", "::"}  # noqa: S104 - nothing is bound
    shown = "localhost" if is_anywhere else f"[{host}]" if ":" in host else host
    secure = "s" if settings.tls_cert else ""
    where = f"{shown}:{sockets[0].getsockname()[1]}"
    for title, text in (
        ("page", f"http{secure}://{where}/" + is_anywhere * ", and at this machine's addresses"),
        ("websocket", f"ws{secure}://{where}{PATH}"),
        ("gemini", gemini.words + (", by google-genai" if settings.upstream == "sdk" else "")),
        ("API key", gemini.key_words),
        ("model", gemini.session.default_model),
        ("clients", asked.words),
        *([("journals", str(settings.journal))] if settings.journal else []),
        ("to end", "Ctrl+C"),
    ):
        yield f"  {title:<10} {text}"
    yield f"livegate is listening, on {runtime}"
    if settings.rules.tokens is None and (warning := exposure(sockets[0].getsockname()[0])):
        yield warning


def exposure(address: str) -> str:
    """Return a warning where others than this machine's own programs can connect."""
    if is_loopback(address):
        return ""
    return "warning: whoever reaches this address uses your API key; see docs/access.md"
