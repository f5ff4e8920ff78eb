"""`livegate debug`: the gateway with every frame in its log, and the page to send them."""

from collections.abc import Mapping

import click

from livegate.cli import options
from livegate.cli.serve import run
from livegate.shell.target import SettingsError


@click.command()
@options.runtime
@options.host
@options.port(8001)
@options.gemini_url
@options.model
@options.emulated
@click.pass_obj
def debug(
    from_file: Mapping[str, str],
    runtime: str,
    host: str,
    port: int,
    gemini_url: str | None,
    model: str,
    *,
    emulated: bool,
) -> None:
    """Run the gateway with a page that shows raw frames, and a log of all that happens."""
    try:
        with options.gemini(
            from_file, emulated=emulated, gemini_url=gemini_url, model=model
        ) as gemini:
            run(gemini, runtime, host, port, "debug", page="debug_test.html")
    except (SettingsError, OSError) as error:
        raise click.ClickException(str(error)) from None
