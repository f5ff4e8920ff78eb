"""What happens to a link, and what it has its shell do."""

from typing import TypeAlias

import attrs


@attrs.frozen
class Frame:
    """A whole WebSocket message came."""

    payload: bytes
    is_text: bool = True


@attrs.frozen
class Pinged:
    """A ping came, which the shell has not answered."""

    payload: bytes = b""


@attrs.frozen
class Gone:
    """The connection has ended, TCP's too; until then the link counts as open."""

    code: int = 1006
    reason: str = ""


@attrs.frozen
class DeadlineReached:
    """The clock has reached `Link.deadline`."""


Event: TypeAlias = Frame | Pinged | Gone | DeadlineReached


@attrs.frozen
class Send:
    """Send one message."""

    payload: bytes
    is_text: bool = False
    """As a text frame; the real service sends binary ones."""


@attrs.frozen
class Pong:
    """Answer a ping."""

    payload: bytes


@attrs.frozen
class Close:
    """Close the WebSocket."""

    code: int
    reason: str = ""


@attrs.frozen
class Abort:
    """Cut the connection: TCP's reset."""


Command: TypeAlias = Send | Pong | Close | Abort
