"""What is drawn for each session, so that it differs from all others."""

import secrets

import attrs

_SALT_BYTES = 16


@attrs.frozen
class Identity:
    """The chance in a session: with the same, told the same, it does the same."""

    session_id: str
    """For the log and the journal's name."""
    seed: int
    salt: bytes = attrs.field(repr=False)
    """For pseudonyms in its journal, where it is not."""


def drawn() -> Identity:
    """Return what chance gives."""
    return Identity(secrets.token_hex(4), secrets.randbits(64), secrets.token_bytes(_SALT_BYTES))
