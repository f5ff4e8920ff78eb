"""`livegate emulator`: Gemini Live, played for anybody's client."""

import signal
import threading
from types import FrameType

import click

from livegate.cli import options
from livegate.protocol.emulator import SCENARIOS, Options
from livegate.shell.target import KEY_HEADER, PATH


def _scenarios() -> str:
    """Return the table for the help text, as lines that are not wrapped."""
    rows = "\n".join(f"  /{name:<12} {text}" for name, text in SCENARIOS.items())
    return f"\b\nScenarios, as the first word of a text or by --scenario:\n{rows}"


@click.command(epilog=_scenarios())
@options.host
@options.port(8010)
@click.option("--tls", is_flag=True, help="Listen with TLS, on a certificate made for this run.")
@click.option("--scenario", type=click.Choice(list(SCENARIOS)), help="How every turn is answered.")
@click.option(
    "--pace",
    type=click.FloatRange(min=0),
    default=1.0,
    help="1 holds turnComplete back until the sound has played, 0 not at all.",
)
def emulator(host: str, port: int, pace: float, scenario: str | None, *, tls: bool) -> None:
    """Play Gemini Live: any key is good, what you say is said back.

    For the official SDK and other clients that insist on TLS, use --tls.
    """
    from livegate.emulator import Emulator  # noqa: PLC0415 - its TLS part is an extra

    chosen = Options(pace=pace, scenario=scenario)
    try:
        with Emulator(options=chosen, tls=tls, host=host, port=port) as played:
            click.echo(f"playing Gemini Live on {played.url}{PATH}")
            click.echo(f"  key        any, in the header {KEY_HEADER} or as ?key=")
            click.echo(f"  livegate   livegate serve --gemini-url {played.url}")
            if played.ca_file is not None:
                click.echo(f"  clients    export SSL_CERT_FILE={played.ca_file}")
            click.echo("  to end     Ctrl+C")
            _until_interrupted()
    except (OSError, ImportError) as error:
        raise options.failed(error) from None


def _until_interrupted() -> None:
    """Wait for SIGINT or SIGTERM."""
    asked = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        asked.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)
    asked.wait()
