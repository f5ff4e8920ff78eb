"""`livegate emulator`: Gemini Live, played for anybody's client."""

import math
import signal
import threading
from types import FrameType
from typing import Final

import click

from livegate.cli import options
from livegate.protocol.emulator import SCENARIOS, Options
from livegate.protocol.gemini import KEY_HEADER
from livegate.shell.target import PATH

_SPAN: Final = click.FloatRange(min=0, min_open=True)


def _scenarios() -> str:
    """Return the table for the help text, as lines that are not wrapped."""
    rows = "\n".join(f"  /{name:<13} {text}" for name, text in SCENARIOS.items())
    return f"\b\nScenarios, as the first word of a text or by --scenario:\n{rows}"


@click.command(epilog=_scenarios())
@options.host
@options.port(8010)
@click.option(
    "--tls",
    is_flag=True,
    help="Listen with TLS, on a certificate made for this run: livegate[testing].",
)
@click.option("--scenario", type=click.Choice(list(SCENARIOS)), help="How every turn is answered.")
@click.option(
    "--pace",
    type=click.FloatRange(min=0),
    default=1.0,
    help="1 holds turnComplete back until the sound has played, 0 not at all.",
)
@click.option(
    "--link-life",
    type=_SPAN,
    default=600.0,
    help="Seconds until a link is closed with 1011.",
)
@click.option(
    "--go-away",
    type=click.FloatRange(min=0),
    default=50.0,
    help="Seconds before that goAway comes; users have seen 50 and 60.",
)
@click.option(
    "--session-life",
    type=_SPAN,
    default=math.inf,
    show_default="no end",
    help="Seconds until a conversation is closed with 1011, over all its links; 3480 has been seen.",
)
@click.option(
    "--age-scale",
    type=_SPAN,
    default=1.0,
    help="What all these are multiplied by: with 0.01, ten minutes are six seconds.",
)
@click.option(
    "--pong-delay",
    type=click.FloatRange(min=0),
    default=0.0,
    help="Seconds until a ping is answered; inf: never.",
)
def emulator(
    host: str,
    port: int,
    pace: float,
    scenario: str | None,
    link_life: float,
    go_away: float,
    session_life: float,
    age_scale: float,
    pong_delay: float,
    *,
    tls: bool,
) -> None:
    """Play Gemini Live: any key is good, what you say is said back.

    For the official SDK and other clients that insist on TLS, use --tls.
    """
    from livegate.emulator import Emulator  # noqa: PLC0415 - its TLS part is an extra

    chosen = Options(
        pace=pace,
        scenario=scenario,
        link_life_s=link_life,
        go_away_s=go_away,
        session_life_s=session_life,
        age_scale=age_scale,
        pong_delay_s=pong_delay,
    )
    asked_to_end = _signalled()
    try:
        with Emulator(options=chosen, tls=tls, host=host, port=port) as played:
            click.echo(f"playing Gemini Live on {played.url}{PATH}")
            click.echo(f"  key        any, in the header {KEY_HEADER} or as ?key=")
            click.echo(f"  livegate   livegate serve --gemini-url {played.url}")
            if played.ca_file is not None:
                click.echo(f"  clients    export SSL_CERT_FILE={played.ca_file}")
            click.echo("  to end     Ctrl+C")
            asked_to_end.wait()
    except (OSError, ImportError) as error:
        raise options.failed(error) from None


def _signalled() -> threading.Event:
    """Return what a SIGINT or SIGTERM sets."""
    asked = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        asked.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)
    return asked
