"""Client tokens: who somebody is, and how much may be theirs."""

import hashlib
import hmac
import math
import re
from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

import attrs

from livegate.protocol.hello import Hello

PREFIX: Final = "livegate.token."
"""Begins the subprotocol by which a page presents its token: a browser's WebSocket can set no
header but this one."""
V1: Final = "livegate.v1"
"""The subprotocol of the dialect with numbered frames."""
_S = TypeVar("_S", bound=str)
_BEARER: Final = re.compile(r"bearer +(\S+)", re.ASCII | re.IGNORECASE)


@attrs.frozen(kw_only=True)
class Allowance:
    """How much somebody may have. None is no limit.

    Raises:
        ValueError: A limit is below 1, or no number.
    """

    sessions: int | None = None
    """At once. Of a token's, those that wait for their clients are not counted, up to as many
    again."""
    session_age_s: float | None = None
    """How long a session may last, in seconds."""
    messages_per_minute: float | None = None
    """Whole WebSocket messages of clients, of any kind."""
    audio_s_per_minute: float | None = None
    """Seconds of clients' sound in a minute: 60 is one who never stops talking."""

    def __attrs_post_init__(self) -> None:
        for name, value in attrs.asdict(self).items():
            if value is not None and not 1 <= value < math.inf:
                raise ValueError(f"{name} must be a number, and at least 1; got {value}")


@attrs.frozen
class Token:
    """What is known of a client's token: never the token."""

    name: str
    digest: bytes = attrs.field(repr=False)
    """The SHA-256 of it."""
    allowance: Allowance = attrs.field(factory=Allowance)


def digest(token: str) -> bytes:
    """Return what is kept of a token.

    Plain SHA-256 is right here: a token is 256 bits of chance, so nobody finds it by trying, and
    a slow hash with a salt, as passwords need, would only let strangers keep us busy.
    """
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def find(tokens: Iterable[Token], presented: str) -> Token | None:
    """Return the token that is presented, or None; how long that takes tells nothing."""
    asked = digest(presented)
    found: Token | None = None
    for token in tokens:
        if hmac.compare_digest(token.digest, asked):
            found = token
    return found


def presented(hello: Hello) -> str | None:
    """Return the token that a client presents: `Authorization: Bearer T`, or by subprotocol."""
    if bearer := _BEARER.fullmatch(hello.authorization):
        return bearer[1]
    offered = chosen(hello.subprotocols)
    return None if offered is None else offered.removeprefix(PREFIX)


def subprotocol(hello: Hello) -> str | None:
    """Return what a server must select, if anything.

    Browsers fail a connection if they offered subprotocols and none of them is selected.
    """
    return selected(hello.subprotocols)


def selected(offered: Sequence[_S]) -> _S | None:
    """Return the same for what a client offers."""
    return offered[offered.index(V1)] if V1 in offered else chosen(offered)


def chosen(offered: Iterable[_S]) -> _S | None:
    """Return the offered subprotocol that holds a token, if one does."""
    return next((one for one in offered if one.startswith(PREFIX)), None)
