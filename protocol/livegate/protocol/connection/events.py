"""What happened to byte streams, and what to do with them."""

import enum
from typing import Final, TypeAlias

import attrs

from livegate.protocol import commands, inputs
from livegate.protocol.inputs import Side

CLIENT_LINK: Final = 1
"""A listener's connection has one client, and its link has this number."""


@attrs.frozen
class BytesReceived:
    """Bytes came."""

    side: Side
    link: int
    data: bytes = attrs.field(repr=False)


@attrs.frozen
class BytesSent:
    """The operating system has taken so many bytes of what `SendBytes` gave out."""

    side: Side
    link: int
    size: int


@attrs.frozen
class StreamEnded:
    """Nothing more will come: the other side has ended its stream, or it broke."""

    side: Side
    link: int


Event: TypeAlias = (
    BytesReceived
    | BytesSent
    | StreamEnded
    | inputs.UpstreamOpened
    | inputs.DialFailed
    | inputs.DeadlineReached
    | inputs.Decoded
    | inputs.DecodeFailed
    | inputs.ShutdownRequested
    | inputs.Sealed
    | inputs.TokenOpened
    | inputs.TokenRefused
)
"""Here `UpstreamOpened` says that TCP, and TLS if there is any, is open."""


@attrs.frozen
class SendBytes:
    """Send bytes after all earlier ones; tell how many have left by `BytesSent`."""

    side: Side
    link: int
    data: bytes = attrs.field(repr=False)


@attrs.frozen
class EndStream:
    """Send what is left, and then the end of the stream, if this kind of stream has one."""

    side: Side
    link: int


@attrs.frozen
class Abort:
    """End the connection at once, or give up dialling it. No event about it is needed after this."""

    side: Side
    link: int


@attrs.frozen
class Probe:
    """Ask the operating system whether the other side has vanished; if so, its stream has ended.

    A ping follows.
    """

    side: Side
    link: int
    span_s: float
    """How long ago the last ping was sent."""


@attrs.frozen
class AskProgress:
    """Ask the operating system what the other side has taken so far, of all that was sent.

    If that is more than when it was last asked, tell by `BytesSent` of no bytes.
    """

    side: Side
    link: int
    is_first: bool
    """There is no last time: whatever was told before concerns something else."""


class Matter(enum.Enum):
    """What is counted that no session knows of."""

    FRAMES_DROPPED = enum.auto()
    """Sound that was taken back before it left."""
    CLIENT_DEAF = enum.auto()
    """A client that was cut, for it did not read."""


@attrs.frozen
class Count:
    """Count it, for the operator."""

    matter: Matter
    number: int = 1


Command: TypeAlias = (
    commands.OpenUpstream
    | commands.Decode
    | commands.StopDecoding
    | commands.Resume
    | commands.Seal
    | commands.Log
)
"""What a session asks for that is not about bytes."""

Action: TypeAlias = SendBytes | EndStream | Abort | Probe | AskProgress | Count | Command
