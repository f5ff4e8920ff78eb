"""The file of client tokens: a TOML table for each, with its digest and its limits."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import attrs

from livegate.protocol.tokens import Allowance, Token
from livegate.shell.target import SettingsError

DEFAULT_FILE: Final = "client-tokens.toml"
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What TOML takes as a key without quotes."""
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_DIGEST_KEY: Final = "sha256"
_UNITS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "sessions": "sessions at once",
        "session_age_s": "s a session",
        "messages_per_minute": "messages a minute",
        "audio_s_per_minute": "s of audio a minute",
    }
)
_COUNTED: Final = frozenset({"sessions"})
"""Limits that are whole numbers."""


def read(path: Path) -> tuple[Token, ...]:
    """Return the tokens of a file.

    Raises:
        SettingsError: It cannot be read, or any of it is wrong; the text names file, table and cure.
    """
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        cure = f"make one with livegate token new NAME --file {path}"
        raise SettingsError(f"cannot read {path}: {error.strerror}; {cure}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is no TOML: {error}; mend that line") from None
    tokens = tuple(_token(path, name, table) for name, table in tables.items())
    names: dict[bytes, str] = {}
    for token in tokens:
        other = names.setdefault(token.digest, token.name)
        if other != token.name:
            raise _fault(path, token.name, f"it is the token of [{other}] too; leave one out")
    return tokens


def append(path: Path, token: Token) -> None:
    """Add a token to a file, which is made if there is none, for its owner's eyes only.

    Raises:
        SettingsError: The file holds anything wrong, or a token of this name.
        OSError: It cannot be written.
    """
    check_name(token.name)
    if any(one.name == token.name for one in (read(path) if path.exists() else ())):
        raise _fault(path, token.name, "there is one already; take another name, or remove it")
    limits = {name: value for name, value in _limits(token).items() if value is not None}
    rows = [f'{_DIGEST_KEY} = "{token.digest.hex()}"']
    rows += [f"{name} = {value!r}" for name, value in limits.items()]
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(["", f"[{token.name}]", *rows, ""]))


def check_name(name: str) -> None:
    """Raise unless this can be a token's name.

    Raises:
        SettingsError: It cannot.
    """
    if _NAME.fullmatch(name) is None:
        raise SettingsError(
            f"a token's name is 1 to 64 letters, digits, - and _ of ASCII; got {name!r}"
        )


def described(allowance: Allowance) -> str:
    """Return limits in words."""
    words = [
        f"{value:g} {_UNITS[name]}"
        for name, value in attrs.asdict(allowance).items()
        if value is not None
    ]
    return ", ".join(words) or "no limits"


def _token(path: Path, name: str, table: object) -> Token:
    if not isinstance(table, dict):
        raise _fault(path, name, f'it must be a table with {_DIGEST_KEY} = "..."')
    given: dict[str, object] = dict(table)  # pyright: ignore[reportUnknownArgumentType]
    found = given.pop(_DIGEST_KEY, None)
    if not isinstance(found, str) or _DIGEST.fullmatch(found) is None:
        cure = "64 hexadecimal digits, as livegate token new writes them"
        raise _fault(path, name, f"{_DIGEST_KEY} must be {cure}")
    for key, value in given.items():
        if key not in _UNITS:
            raise _fault(path, name, f"{key} is no limit; there are {', '.join(_UNITS)}")
        is_number = isinstance(value, int if key in _COUNTED else int | float)
        if not is_number or isinstance(value, bool):
            raise _fault(path, name, f"{key} must be a number, and at least 1; got {value!r}")
    try:
        allowance = Allowance(**given)  # type: ignore[arg-type] # looked at above
    except ValueError as error:
        raise _fault(path, name, str(error)) from None
    return Token(name, bytes.fromhex(found), allowance)


def _limits(token: Token) -> Mapping[str, float | None]:
    return attrs.asdict(token.allowance)


def _fault(path: Path, name: str, why: str) -> SettingsError:
    return SettingsError(f"{path}, table [{name}]: {why}")
