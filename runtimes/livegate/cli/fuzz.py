"""`livegate fuzz`: the machine against any server of this protocol."""

import importlib.util
from pathlib import Path

import click

from livegate.cli import options
from livegate.shell.target import SettingsError


@click.command()
@click.argument("url")
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    help="How long to begin new sessions.",
)
@click.option(
    "--save",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write the transcript of a finding.",
)
@click.option(
    "--play",
    "played",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Play this transcript on the server, in place of a campaign.",
)
@click.option(
    "--shrink/--no-shrink",
    "shrinks",
    default=True,
    help="Make a finding as short as can be; it may take minutes.",
)
def fuzz(
    url: str, minutes: float, save: Path | None, played: Path | None, *, shrinks: bool
) -> None:
    """Fuzz a server of this protocol, by its WebSocket's address.

    Many short sessions say whatever the protocol allows, and nonsense. Checked is what a client
    can tell: each ping and each config has its one answer, in order; nonsense gets an error and
    the session lives; turns are counted; no frame, code or close comes that is not documented.

    A finding is made as short as can be and printed as a transcript; the exit code is 1 then.
    Nothing more is known of the server, so Gemini, or what plays it, is used too: a real API key
    pays for the answers. Try it on livegate serve --emulator.
    """
    if importlib.util.find_spec("hypothesis") is None:
        raise options.failed(
            SettingsError("fuzzing needs hypothesis: pip install 'livegate[testing]'")
        )
    try:
        if played is not None:
            _play(url, played)
        else:
            _campaign(url, minutes, save, shrinks=shrinks)
    except (OSError, ValueError) as error:
        raise options.failed(error) from None


def _campaign(url: str, minutes: float, save: Path | None, *, shrinks: bool) -> None:
    from livegate import testing  # noqa: PLC0415 - an extra, and a second to import

    def progress(tally: testing.Tally) -> None:
        done = f"{tally.sessions} sessions, {tally.sent} frames sent, {tally.got} received"
        click.echo(f"\r  {done}", nl=False)

    click.echo(f"fuzzing {url} for {minutes:g} min; Ctrl+C ends it")
    found = testing.campaign(
        lambda: testing.LiveSystem(url), 60 * minutes, progress, shrinks=shrinks
    )
    click.echo()
    if found is None:
        click.echo("nothing found")
        return
    click.echo(f"found: {found.words}\n\n{found.transcript}\n")
    if save is not None:
        save.write_text(found.transcript + "\n", "utf-8")
        click.echo(f"play it again: livegate fuzz {url} --play {save}")
    raise click.exceptions.Exit(1)


def _play(url: str, path: Path) -> None:
    from livegate import testing  # noqa: PLC0415 - an extra

    system = testing.LiveSystem(url)
    try:
        testing.play(testing.parse(path.name, path.read_text("utf-8")), system)
    except AssertionError as error:
        click.echo(str(error))
        raise click.exceptions.Exit(1) from None
    finally:
        system.close()
    click.echo("the server does what the transcript says")
