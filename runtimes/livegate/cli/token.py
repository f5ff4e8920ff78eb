"""`livegate token`: who may connect, by a token of their own."""

import secrets
from pathlib import Path
from typing import Final

import click

from livegate.cli.admission import FILE_VARIABLE
from livegate.cli.options import failed
from livegate.protocol.tokens import PREFIX, Allowance, Token, digest
from livegate.shell import tokens
from livegate.shell.target import SettingsError

_MARK: Final = "lg_"
"""Tells people, and whatever looks for secrets in files, what they have found."""
_BYTES: Final = 32

_file = click.option(
    "--file",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=tokens.DEFAULT_FILE,
    envvar=FILE_VARIABLE,
    show_envvar=True,
    help="Where the tokens' digests are.",
)


@click.group()
def token() -> None:
    """Make tokens for clients, and show which there are.

    A gateway that is started with --client-tokens lets in only who has one.
    """


@token.command(short_help="Make a token for NAME, and print it.")
@click.argument("name")
@_file
@click.option("--sessions", type=click.IntRange(min=1), help="How many it may have at once.")
@click.option(
    "--session-age",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help="How long each of them may last.",
)
@click.option(
    "--messages-per-minute", type=click.FloatRange(min=1), help="What it may send, in all of them."
)
@click.option(
    "--audio-seconds-per-minute",
    type=click.FloatRange(min=1),
    help="What it may say, in all of them.",
)
def new(
    name: str,
    path: Path,
    sessions: int | None,
    session_age: float | None,
    messages_per_minute: float | None,
    audio_seconds_per_minute: float | None,
) -> None:
    """Make a token for NAME, and print it: this once, for only its digest is kept.

    A gateway that runs knows of it when it is started again.
    """
    made = _MARK + secrets.token_urlsafe(_BYTES)
    try:
        allowance = Allowance(
            sessions=sessions,
            session_age_s=session_age,
            messages_per_minute=messages_per_minute,
            audio_s_per_minute=audio_seconds_per_minute,
        )
        tokens.append(path, Token(name, digest(made), allowance))
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    except (SettingsError, OSError) as error:
        raise failed(error) from None
    click.echo(f"added to {path}, {tokens.described(allowance)}; it is shown only now", err=True)
    click.echo(f"programs send Authorization: Bearer {made[:6]}...", err=True)
    click.echo(f"pages offer the subprotocol {PREFIX}{made[:6]}...", err=True)
    click.echo(made)


@token.command("list")
@_file
def list_(path: Path) -> None:
    """Show whose tokens there are, and their limits."""
    try:
        found = tokens.read(path)
    except SettingsError as error:
        raise failed(error) from None
    width = max((len(one.name) for one in found), default=0)
    for one in found:
        click.echo(f"{one.name:<{width}}  {tokens.described(one.allowance)}")
