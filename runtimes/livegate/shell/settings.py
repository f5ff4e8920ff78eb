"""What the operator decided, from wherever it was said."""

import ssl
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

import attrs

from livegate.protocol import Session, SessionOptions
from livegate.protocol import config as configs
from livegate.protocol.admission import Rules
from livegate.protocol.config import Config
from livegate.protocol.limits import BreakerLimits, WireLimits
from livegate.protocol.profiles import DEFAULT_MODEL, bare_name
from livegate.protocol.secret import Secret
from livegate.shell import defaults
from livegate.shell.defaults import DefaultConfig
from livegate.shell.gateway import DRAIN_S
from livegate.shell.journals import DEFAULT_MAX_MB, Journals
from livegate.shell.seals import Seals
from livegate.shell.target import SettingsError, Target, target

Upstream: TypeAlias = Literal["websocket", "sdk"]
"""What the link to Gemini is made with: a WebSocket of our own, or google-genai's."""
Server: TypeAlias = Literal["livegate", "hypercorn"]
"""What `serve` listens with: livegate's own listener, or an ASGI server."""
SERVERS: Final[tuple[str, ...]] = get_args(Server)
UPSTREAMS: Final[tuple[str, ...]] = get_args(Upstream)


@attrs.frozen(kw_only=True)
class Settings:
    """All that a gateway needs to know before its first client.

    Raises:
        SettingsError: The upstream or the server is none, they do not go together, Gemini is where the
            upstream cannot go, or there is a key without its certificate.
    """

    target: Target
    session: SessionOptions = attrs.field(factory=SessionOptions)
    session_type: type[Session] = Session
    """What a session is: a class of your own may look at what goes through it."""
    rules: Rules = attrs.field(factory=Rules)
    """Who may come, and how much they may use."""
    page: str | None = "gemini_live_demo.html"
    """The page of `livegate.pages` at `/`, or None for a line of text."""
    upstream: Upstream = "websocket"
    server: Server | None = None
    """What listens where nothing is mounted around the gateway; None leaves it to the upstream."""
    wire: WireLimits = attrs.field(factory=WireLimits)
    """Bounds of a connection that livegate itself listens for."""
    breaker: BreakerLimits = attrs.field(factory=BreakerLimits)
    """When all sessions leave Gemini alone, since it cannot be reached."""
    drain_s: float = DRAIN_S
    """How long the gateway may take to end once it is asked to; hypercorn goes by it only for how far
    apart clients are told."""
    tls_cert: Path | None = None
    """A certificate, and what leads to its root, in PEM; clients connect by TLS then."""
    tls_key: Path | None = None
    """The certificate's private key, if it is not in the same file."""
    journal: Path | None = None
    """A folder where every session is recorded, for `livegate replay`."""
    journal_media: bool = False
    """Whether sound and pictures are recorded too."""
    journal_max_mb: float = DEFAULT_MAX_MB
    """Where a journal ends, in megabytes."""
    seals: Seals = attrs.field(factory=Seals, eq=False)
    """Make the tokens with which clients come back, of the secrets that processes share."""

    def __attrs_post_init__(self) -> None:
        if self.upstream not in UPSTREAMS:
            raise SettingsError(
                f"the upstream must be {' or '.join(UPSTREAMS)}, got {self.upstream!r}"
            )
        if self.upstream == "sdk" and self.target.url.startswith("ws:"):
            raise SettingsError(
                f"google-genai always speaks TLS, and {self.target.name} is an address without: "
                "use https:// or wss://, or the upstream websocket"
            )
        if self.server not in (None, *SERVERS):
            raise SettingsError(f"the server must be {' or '.join(SERVERS)}, got {self.server!r}")
        if self.tls_key is not None and self.tls_cert is None:
            raise SettingsError(
                f"the key {self.tls_key} needs its certificate: add --tls-cert, or leave out --tls-key"
            )
        if self.upstream == "sdk" and self.server == "livegate":
            raise SettingsError(
                "google-genai needs the server hypercorn: livegate's own carries both legs' bytes"
            )

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What nothing that is written may hold."""
        return (self.target.key, *self.seals.secrets)

    @property
    def listens_itself(self) -> bool:
        """Whether livegate's own listener serves."""
        return self.upstream == "websocket" and self.server != "hypercorn"

    @property
    def ssl_context(self) -> ssl.SSLContext | None:
        """What clients are served with, if they connect by TLS.

        Raises:
            SettingsError: A file cannot be read, or holds something else.
        """
        if self.tls_cert is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(self.tls_cert, self.tls_key)
        except OSError as error:
            cause = error.strerror or str(error)
            raise SettingsError(
                f"cannot use the certificate {self.tls_cert} with the key "
                f"{self.tls_key or self.tls_cert}: {cause}"
            ) from None
        return context

    @property
    def journals(self) -> Journals | None:
        """How sessions are recorded, if they are."""
        if self.journal is None:
            return None
        return Journals(
            folder=self.journal,
            key=self.target.key,
            others=self.seals.secrets,
            keeps_media=self.journal_media,
            max_mb=self.journal_max_mb,
        )


def settings(  # noqa: PLR0913 - one for each thing that is often said
    api_key: str = "",
    gemini_url: str | None = None,
    *,
    model: str | None = None,
    config: DefaultConfig | None = None,
    upstream: Upstream = "websocket",
    ca_file: Path | None = None,
    rules: Rules | None = None,
) -> Settings:
    """Return settings for the commonest cases.

    Args:
        api_key: Gemini's.
        gemini_url: Another address for Gemini.
        model: For clients that name none.
        config: For clients that leave a setting open: google-genai's `LiveConnectConfig`, or a
            mapping like a client's `config.data`.
        upstream: `sdk` makes links with google-genai, on asyncio only.
        ca_file: The one certificate to trust, if not those that the system trusts.
        rules: Who may come, if not every program, and pages of the same origin.

    Raises:
        SettingsError: One of them makes no sense, or livegate cannot do it; the text says why.
    """
    default = Config() if config is None else defaults.read(config)
    options = SessionOptions(
        has_key=bool(api_key),
        default_model=_model(model, default),
        config=Config({name: value for name, value in default.values.items() if name != "model"}),
    )
    refused = configs.resolve(options.config, default_model=options.default_model).refused
    if refused:
        why = "; ".join(f"{name}: {reason}" for name, reason in refused.items())
        raise SettingsError(f"the default config is not usable: {why}")
    return Settings(
        target=target(gemini_url, api_key, ca_file),
        session=options,
        rules=rules or Rules(),
        upstream=upstream,
    )


def _model(asked: str | None, default: Config) -> str:
    """Return the default model, which may be said in two places."""
    said = {bare_name(name) for name in (asked, default.text("model")) if name is not None}
    if len(said) > 1:
        raise SettingsError(f"two default models are given: {' and '.join(sorted(said))}")
    return said.pop() if said else DEFAULT_MODEL
