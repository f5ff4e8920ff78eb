"""Options of `livegate serve` for what it listens with."""

from pathlib import Path
from typing import Final

import attrs
import click

from livegate.cli.options import together
from livegate.protocol.limits import WireLimits
from livegate.shell.gateway import DRAIN_S
from livegate.shell.settings import SERVERS, Server, Settings

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_SECONDS: Final = click.FloatRange(min=0, min_open=True)


@attrs.frozen(kw_only=True)
class Listening:
    """What was said about it."""

    server: Server | None
    reuse_port: bool
    tls_cert: Path | None
    tls_key: Path | None
    stall_timeout: float
    drain_timeout: float

    def applied_to(self, settings: Settings) -> Settings:
        """Return settings that say so, too."""
        return attrs.evolve(
            settings,
            server=self.server,
            wire=attrs.evolve(settings.wire, stall_s=self.stall_timeout),
            drain_s=self.drain_timeout,
            tls_cert=self.tls_cert,
            tls_key=self.tls_key,
        )


_OPTIONS: Final = (
    click.option(
        "--server",
        type=click.Choice(SERVERS),
        envvar="LIVEGATE_SERVER",
        show_envvar=True,
        help="What listens: by default livegate's own listener, with the upstream sdk hypercorn, which "
        "only suits a trusted network.",
    ),
    click.option(
        "--reuse-port",
        is_flag=True,
        envvar="LIVEGATE_REUSE_PORT",
        show_envvar=True,
        help="Let several processes share the port.",
    ),
    click.option(
        "--tls-cert",
        type=_FILE,
        metavar="FILE",
        envvar="LIVEGATE_TLS_CERT",
        show_envvar=True,
        help="A certificate and its chain in PEM: clients connect by TLS then.",
    ),
    click.option(
        "--tls-key",
        type=_FILE,
        metavar="FILE",
        envvar="LIVEGATE_TLS_KEY",
        show_envvar=True,
        help="Its private key, if it is in another file.",
    ),
    click.option(
        "--stall-timeout",
        type=_SECONDS,
        default=WireLimits().stall_s,
        envvar="LIVEGATE_STALL_TIMEOUT",
        show_envvar=True,
        metavar="SECONDS",
        help="When a client that takes nothing in is cut.",
    ),
    click.option(
        "--drain-timeout",
        type=_SECONDS,
        default=DRAIN_S,
        envvar="LIVEGATE_DRAIN_TIMEOUT",
        show_envvar=True,
        metavar="SECONDS",
        help="How long the end may take, whatever clients do.",
    ),
)


options = together("listening", Listening, _OPTIONS)
"""Gives a command these options; it gets them together, as `listening`."""
