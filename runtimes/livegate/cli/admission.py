"""Options that say who may connect, and what they come to."""

import ipaddress
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import attrs
import click

from livegate.cli.options import together
from livegate.protocol import origins
from livegate.protocol.addresses import Network, is_loopback
from livegate.protocol.admission import Rules
from livegate.protocol.origins import Allowed
from livegate.protocol.tokens import Allowance, Token
from livegate.shell import tokens
from livegate.shell.target import SettingsError

FILE_VARIABLE: Final = "LIVEGATE_CLIENT_TOKENS"
_POSITIVE: Final = click.FloatRange(min=1)


@attrs.frozen(kw_only=True)
class Asked:
    """What the options say."""

    client_tokens: Path | None
    no_auth: bool
    allow_origin: tuple[str, ...]
    allowed_host: tuple[str, ...]
    trusted_proxy: tuple[str, ...]
    max_sessions: int | None
    max_session_age: float | None
    max_messages_per_minute: float | None
    max_audio_seconds_per_minute: float | None

    def rules(self, *, emulated: bool) -> Rules:
        """Return who may come.

        Args:
            emulated: Gemini is played, so a page may be a file: nothing is at stake.

        Raises:
            SettingsError: An option makes no sense, or the file of tokens is wrong.
        """
        for origin in self.allow_origin:
            if not origins.is_origin(origin):
                raise SettingsError(
                    f"--allow-origin must look like https://example.org or null, got {origin!r}"
                )
        for host in self.allowed_host:
            if not origins.is_host(host):
                raise SettingsError(
                    f"--allowed-host must look like example.org or [::1]:8000, got {host!r}"
                )
        if self.no_auth and self.client_tokens is not None:
            raise SettingsError(
                f"--no-auth and --client-tokens ({FILE_VARIABLE}) contradict: leave one out"
            )
        return Rules(
            allowed=Allowed(self.allowed_host, self.allow_origin, null=emulated),
            tokens=None if self.client_tokens is None else _tokens(self.client_tokens),
            overall=self._overall,
            trusted_proxies=tuple(map(_network, self.trusted_proxy)),
        )

    def check_exposure(self, addresses: Iterable[str]) -> None:
        """Raise if others than this machine's own programs could connect without a token.

        Raises:
            SettingsError: They could, and nobody said that they may.
        """
        exposed = [one for one in addresses if not is_loopback(one)]
        if exposed and self.client_tokens is None and not self.no_auth:
            raise SettingsError(
                f"others can reach {exposed[0]}: give them tokens (livegate token new NAME, "
                f"then --client-tokens {tokens.DEFAULT_FILE}), or let everybody in (--no-auth)"
            )

    @property
    def _overall(self) -> Allowance:
        try:
            return Allowance(
                sessions=self.max_sessions,
                session_age_s=self.max_session_age,
                messages_per_minute=self.max_messages_per_minute,
                audio_s_per_minute=self.max_audio_seconds_per_minute,
            )
        except ValueError as error:  # what Python takes for a number, but is none
            raise SettingsError(str(error)) from None

    @property
    def words(self) -> str:
        """Who may come, for people."""
        if self.client_tokens is None:
            return "no token needed"
        return f"with a token of {self.client_tokens}"


def _tokens(path: Path) -> tuple[Token, ...]:
    found = tokens.read(path)
    if not found:
        cure = f"livegate token new NAME --file {path}"
        raise SettingsError(f"{path} holds no token, so nobody could connect: {cure}")
    return found


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise SettingsError(f"--trusted-proxy must look like 10.0.0.0/8: {error}") from None


_OPTIONS: Final = (
    click.option(
        "--client-tokens",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        envvar=FILE_VARIABLE,
        show_envvar=True,
        help="Let in only who has a token of this file: livegate token new.",
    ),
    click.option(
        "--no-auth",
        is_flag=True,
        envvar="LIVEGATE_NO_AUTH",
        show_envvar=True,
        help="Let everybody in, although others than this machine can connect.",
    ),
    click.option(
        "--allow-origin",
        multiple=True,
        metavar="ORIGIN",
        envvar="LIVEGATE_ALLOW_ORIGIN",
        show_envvar=True,
        help="Let in pages from there, such as https://example.org, or null.",
    ),
    click.option(
        "--allowed-host",
        multiple=True,
        metavar="HOST",
        envvar="LIVEGATE_ALLOWED_HOST",
        show_envvar=True,
        help="A name that clients may know this gateway by.",
    ),
    click.option(
        "--trusted-proxy",
        multiple=True,
        metavar="CIDR",
        envvar="LIVEGATE_TRUSTED_PROXY",
        show_envvar=True,
        help="Believe what proxies of this network say of their clients.",
    ),
    click.option(
        "--max-sessions",
        type=click.IntRange(min=1),
        envvar="LIVEGATE_MAX_SESSIONS",
        show_envvar=True,
        help="How many there may be at once, besides those whose clients are away.",
    ),
    click.option(
        "--max-session-age",
        type=_POSITIVE,
        metavar="SECONDS",
        envvar="LIVEGATE_MAX_SESSION_AGE",
        show_envvar=True,
        help="How long each may last.",
    ),
    click.option(
        "--max-messages-per-minute",
        type=_POSITIVE,
        envvar="LIVEGATE_MAX_MESSAGES_PER_MINUTE",
        show_envvar=True,
        help="What all clients together may send.",
    ),
    click.option(
        "--max-audio-seconds-per-minute",
        type=_POSITIVE,
        envvar="LIVEGATE_MAX_AUDIO_SECONDS_PER_MINUTE",
        show_envvar=True,
        help="What all clients together may say.",
    ),
)
options = together("asked", Asked, _OPTIONS)
"""Gives a command all of these options, as one argument `asked`."""
