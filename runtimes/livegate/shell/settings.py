"""What the operator decided, from wherever it was said."""

import attrs

from livegate.protocol import SessionOptions
from livegate.shell.target import Target, target


@attrs.frozen(kw_only=True)
class Settings:
    """All that a gateway needs to know before its first client."""

    target: Target
    session: SessionOptions = attrs.field(factory=SessionOptions)
    page: str | None = "gemini_live_demo.html"
    """The page of `livegate.pages` at `/`, or None for a line of text."""


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
