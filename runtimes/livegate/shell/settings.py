"""What the operator decided, from wherever it was said."""

from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

import attrs

from livegate.protocol import SessionOptions
from livegate.protocol import config as configs
from livegate.protocol.config import Config
from livegate.protocol.profiles import DEFAULT_MODEL, bare_name
from livegate.shell import defaults
from livegate.shell.defaults import DefaultConfig
from livegate.shell.journals import DEFAULT_MAX_MB, Journals
from livegate.shell.target import SettingsError, Target, target

Upstream: TypeAlias = Literal["websocket", "sdk"]
"""What the link to Gemini is made with: a WebSocket of our own, or google-genai's."""
UPSTREAMS: Final[tuple[str, ...]] = get_args(Upstream)


@attrs.frozen(kw_only=True)
class Settings:
    """All that a gateway needs to know before its first client.

    Raises:
        SettingsError: The upstream is none, or cannot go to where Gemini is.
    """

    target: Target
    session: SessionOptions = attrs.field(factory=SessionOptions)
    page: str | None = "gemini_live_demo.html"
    """The page of `livegate.pages` at `/`, or None for a line of text."""
    upstream: Upstream = "websocket"
    journal: Path | None = None
    """A folder where every session is recorded, for `livegate replay`."""
    journal_media: bool = False
    """Whether sound and pictures are recorded too."""
    journal_max_mb: float = DEFAULT_MAX_MB
    """Where a journal ends, in megabytes."""

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

    @property
    def journals(self) -> Journals | None:
        """How sessions are recorded, if they are."""
        if self.journal is None:
            return None
        return Journals(
            folder=self.journal,
            key=self.target.key,
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
        target=target(gemini_url, api_key, ca_file), session=options, upstream=upstream
    )


def _model(asked: str | None, default: Config) -> str:
    """Return the default model, which may be said in two places."""
    said = {bare_name(name) for name in (asked, default.text("model")) if name is not None}
    if len(said) > 1:
        raise SettingsError(f"two default models are given: {' and '.join(sorted(said))}")
    return said.pop() if said else DEFAULT_MODEL
