"""What the operator decided, from wherever it was said."""

from pathlib import Path

import attrs

from livegate.protocol import SessionOptions
from livegate.shell.journals import DEFAULT_MAX_MB, Journals
from livegate.shell.target import Target, target


@attrs.frozen(kw_only=True)
class Settings:
    """All that a gateway needs to know before its first client."""

    target: Target
    session: SessionOptions = attrs.field(factory=SessionOptions)
    page: str | None = "gemini_live_demo.html"
    """The page of `livegate.pages` at `/`, or None for a line of text."""
    journal: Path | None = None
    """A folder where every session is recorded, for `livegate replay`."""
    journal_media: bool = False
    """Whether sound and pictures are recorded too."""
    journal_max_mb: float = DEFAULT_MAX_MB
    """Where a journal ends, in megabytes."""

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


def settings(
    api_key: str = "", gemini_url: str | None = None, *, model: str | None = None
) -> Settings:
    """Return settings for the commonest case: a key, and perhaps an address and a model.

    Raises:
        SettingsError: The address is none.
    """
    options = SessionOptions(has_key=bool(api_key))
    if model is not None:
        options = attrs.evolve(options, default_model=model.removeprefix("models/"))
    return Settings(target=target(gemini_url, api_key), session=options)
