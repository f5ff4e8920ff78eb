"""What the environment and `.env` say, and which of the two said it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs
import click
import dotenv

from livegate.shell.seals import VARIABLE, Seals, split

KEY_NAMES: Final = ("GEMINI_API_KEY", "GOOGLE_API_KEY")


@attrs.frozen
class Key:
    """An API key, and where it was found."""

    value: str = attrs.field(repr=False)
    source: str


def load(directory: Path | None = None) -> Mapping[str, str]:
    """Put what `.env` says into the environment, where that says nothing.

    Args:
        directory: Where to look, upwards; by default the current one.

    Returns:
        Each name that came from the file, and the file's path.
    """
    path = _find(directory or Path.cwd())
    if path is None:
        return {}
    try:
        said = {name: value for name, value in dotenv.dotenv_values(path).items() if value}
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{path} is no text in UTF-8: {error}") from None
    new = {name: value for name, value in said.items() if not os.environ.get(name)}
    os.environ.update(new)
    return dict.fromkeys(new, str(path))


def _find(directory: Path) -> Path | None:
    candidates = (folder / ".env" for folder in (directory, *directory.parents))
    return next((path for path in candidates if path.is_file()), None)


def api_key(from_file: Mapping[str, str]) -> Key | None:
    """Return the API key, or None: GEMINI_API_KEY, then GOOGLE_API_KEY."""
    for name in KEY_NAMES:
        value = os.environ.get(name, "").strip()
        if not value:
            continue
        where = f" in {from_file[name]}" if name in from_file else ""
        return Key(value, f"{name}{where}")
    return None


def seals() -> Seals:
    """Return what seals resume tokens: with LIVEGATE_SECRET, or else for this process alone.

    Raises:
        SettingsError: That holds no secret that will do; the text says what would.
    """
    return Seals(split(os.environ.get(VARIABLE, "")))
