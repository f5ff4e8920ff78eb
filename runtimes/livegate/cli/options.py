"""Options that several commands have, and what they come to."""

import contextlib
import functools
import importlib
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeVar, cast

import attrs
import click

from livegate.cli import environment
from livegate.protocol import SessionOptions
from livegate.protocol.profiles import DEFAULT_MODEL, bare_name
from livegate.shell.journals import DEFAULT_MAX_MB
from livegate.shell.logs import FORMS
from livegate.shell.settings import UPSTREAMS, Settings
from livegate.shell.target import SettingsError, Target, target

_F = TypeVar("_F", bound=Callable[..., object])

RUNTIMES: Final = ("asyncio", "trio")
LEVELS: Final = ("debug", "info", "warning")
EMULATOR_KEY: Final = "any-key-is-good"  # it is cut out of the log: no word that stands there


def port(default: int) -> Callable[[_F], _F]:
    """Return the option for a listening port."""
    return click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=default,
        envvar="LIVEGATE_PORT",
        show_envvar=True,
        help="0 takes a free one.",
    )


host = click.option(
    "--host",
    default="localhost",
    envvar="LIVEGATE_HOST",
    show_envvar=True,
    help="localhost is 127.0.0.1 and ::1.",
)
runtime = click.option(
    "--runtime",
    type=click.Choice(RUNTIMES),
    default=RUNTIMES[0],
    envvar="LIVEGATE_RUNTIME",
    show_envvar=True,
    help="What the gateway runs on.",
)
upstream = click.option(
    "--upstream",
    type=click.Choice(UPSTREAMS),
    default=UPSTREAMS[0],
    envvar="LIVEGATE_UPSTREAM",
    show_envvar=True,
    help="What links to Gemini are made with; sdk is google-genai, on asyncio only.",
)
log_level = click.option(
    "--log-level",
    type=click.Choice(LEVELS),
    default="info",
    envvar="LIVEGATE_LOG_LEVEL",
    show_envvar=True,
    help="How much is logged; never a payload or a key.",
)
log_format = click.option(
    "--log-format",
    type=click.Choice(FORMS),
    default=FORMS[0],
    envvar="LIVEGATE_LOG_FORMAT",
    show_envvar=True,
    help="Lines for people, or a JSON object each.",
)
emulated = click.option(
    "--emulator",
    "emulated",
    is_flag=True,
    envvar="LIVEGATE_EMULATOR",
    show_envvar=True,
    help="Play Gemini in this process: no key, no network.",
)
gemini_url = click.option(
    "--gemini-url",
    envvar=["LIVEGATE_GEMINI_URL", "GOOGLE_GEMINI_BASE_URL"],
    show_envvar=True,
    metavar="URL",
    help="Another address for Gemini; http:// or ws:// means without TLS.",
)
model = click.option(
    "--model",
    default=DEFAULT_MODEL,
    envvar="LIVEGATE_MODEL",
    show_envvar=True,
    help="For clients that name none.",
)
journal = click.option(
    "--journal",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    envvar="LIVEGATE_JOURNAL",
    show_envvar=True,
    help="Record each session there, for livegate replay: all that is said, but no sound.",
)
journal_media = click.option(
    "--journal-media",
    is_flag=True,
    envvar="LIVEGATE_JOURNAL_MEDIA",
    show_envvar=True,
    help="Record sound and pictures too.",
)
journal_max_mb = click.option(
    "--journal-max-mb",
    type=click.FloatRange(min=0, min_open=True),
    default=DEFAULT_MAX_MB,
    envvar="LIVEGATE_JOURNAL_MAX_MB",
    show_envvar=True,
    help="Where one session's journal ends, in megabytes.",
)


def together(
    name: str, kind: type[attrs.AttrsInstance], some: Sequence[Callable[[_F], _F]]
) -> Callable[[_F], _F]:
    """Return a decorator that gives a command some options, which it gets as one argument.

    Args:
        name: Of the argument.
        kind: What holds them: an attrs class with a field for each.
        some: The options, in the order of the help.
    """

    def decorate(command: _F) -> _F:
        @functools.wraps(command)
        def collected(*context: Any, **said: Any) -> object:
            mine = {field.name: said.pop(field.name) for field in attrs.fields(kind)}
            return command(*context, **{name: kind(**mine)}, **said)

        found = cast("_F", collected)  # it takes what the command takes, and these
        for option in reversed(some):
            found = option(found)
        return found

    return decorate


@attrs.frozen
class Gemini:
    """Where Gemini is, for a gateway, and in words."""

    target: Target
    session: SessionOptions
    words: str
    key_words: str


@contextlib.contextmanager
def gemini(
    from_file: Mapping[str, str],
    *,
    emulated: bool,
    gemini_url: str | None,
    model: str,
    tls: bool = False,
) -> Generator[Gemini, None, None]:
    """Yield where Gemini is, and play it meanwhile if asked to.

    Args:
        from_file: What `.env` says.
        emulated: Whether to play Gemini.
        gemini_url: Another address for Gemini.
        model: For clients that name none.
        tls: Play Gemini behind TLS.

    Raises:
        SettingsError: A setting makes no sense.
    """
    options = SessionOptions(default_model=bare_name(model))
    if emulated:
        from livegate.emulator import Emulator  # noqa: PLC0415 - only where it is wanted

        with contextlib.ExitStack() as stack:
            try:
                played = stack.enter_context(Emulator(tls=tls))
            except ImportError as error:
                raise SettingsError(str(error)) from None
            there = target(played.url, EMULATOR_KEY, played.ca_file)
            yield Gemini(there, options, "the emulator, in this process", "none needed")
        return
    key = environment.api_key(from_file)
    there = target(gemini_url, key.value if key else "")
    if key is None:
        names = " or ".join(environment.KEY_NAMES)
        words = f"NONE: set {names}, or use --emulator"
        yield Gemini(there, attrs.evolve(options, has_key=False), there.name, words)
    else:
        yield Gemini(there, options, there.name, f"from {key.source}")


def failed(error: Exception) -> click.ClickException:
    """Return what ends a command with one line, without `[Errno 98]` before it."""
    if not isinstance(error, OSError):
        return click.ClickException(str(error))
    cause = error.strerror or str(error)
    return click.ClickException(f"{error.filename}: {cause}" if error.filename else cause)


def face(runtime: str, settings: Settings) -> ModuleType:
    """Return `livegate.trio` or `livegate.asyncio`.

    Raises:
        SettingsError: What it needs is not installed; the text names the extra.
    """
    if runtime == "trio":
        _need("the trio runtime", "trio", "trio", "trio_websocket")
    if settings.upstream == "sdk":
        _need("the upstream sdk", "genai", "google.genai")
    if not settings.listens_itself:
        _need("the server hypercorn", "hypercorn", "hypercorn")
    return importlib.import_module(f"livegate.{runtime}")


def _need(what: str, extra: str, *packages: str) -> None:
    missing = [package for package in packages if _is_missing(package)]
    if missing:
        raise SettingsError(
            f"{what} needs {' and '.join(missing)}: pip install 'livegate[{extra}]'"
        )


def _is_missing(package: str) -> bool:
    """Whether a package cannot be imported.

    That takes google-genai seconds: it is done before clients are told that they may come.
    """
    try:
        importlib.import_module(package)
    except ModuleNotFoundError:  # it, or what it needs
        return True
    return False
