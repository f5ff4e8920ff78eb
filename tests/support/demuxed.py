"""What comes of a recording in WebM."""

import pytest

from livegate.protocol.errors import ErrorCode, RemoteProtocolError
from livegate.protocol.media.tracks import Found, Packet
from livegate.protocol.media.webm import WebM


def read(data: bytes) -> list[Found]:
    """Return what is found in a recording that comes in one piece."""
    return WebM().feed(data)


def feed_all(reader: WebM, data: bytes, *, size: int) -> None:
    """Feed a recording in pieces of one size."""
    for at in range(0, len(data), size):
        reader.feed(data[at : at + size])


def sounds(data: bytes) -> list[bytes]:
    """Return the packets alone."""
    return [one.data for one in read(data) if isinstance(one, Packet)]


def refused(data: bytes) -> tuple[ErrorCode, str]:
    """Return the error that a recording ends in, however it is cut."""
    with pytest.raises(RemoteProtocolError) as raised:
        read(data)
    with pytest.raises(RemoteProtocolError) as again:
        feed_all(WebM(), data, size=max(1, len(data) // 10_000))
    assert again.value.message == raised.value.message
    return raised.value.code, raised.value.message
