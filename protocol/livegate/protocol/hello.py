"""What is known of a client before its first frame, whoever took its connection."""

from collections.abc import Iterable

import attrs


@attrs.frozen(kw_only=True)
class Hello:
    """A WebSocket handshake, as far as it decides whether the client may begin.

    Header fields hold what came, whole and unchecked; a field that came twice is joined by ", "
    (RFC 9110 section 5.2).
    """

    peer: str = ""
    """The address at the other end of the connection; empty if it has none."""
    local: str = ""
    """Our own address at this end of it; empty if that is not known."""
    is_tls: bool | None = None
    """Whether this connection is encrypted, if that is known."""
    host: str = ""
    origin: str | None = None
    authorization: str = attrs.field(default="", repr=False)
    subprotocols: tuple[str, ...] = attrs.field(default=(), repr=False)
    """`Sec-WebSocket-Protocol`, in the client's order."""
    forwarded_for: str = ""
    """`X-Forwarded-For`."""
    forwarded_proto: str = ""
    """`X-Forwarded-Proto`."""


def of_headers(
    headers: Iterable[tuple[str, str]],
    *,
    peer: str,
    local: str,
    is_tls: bool | None,
    subprotocols: Iterable[str] | None = None,
) -> Hello:
    """Return what a handshake's header fields say, and the connection that it came by.

    Args:
        headers: Names and values.
        peer: The address at the other end.
        local: Ours.
        is_tls: Whether it is encrypted, if that is known.
        subprotocols: What was offered, where that is not among the headers.
    """
    found: dict[str, list[str]] = {}
    for name, value in headers:
        found.setdefault(name.lower(), []).append(value)
    said = {name: ", ".join(values) for name, values in found.items()}
    if subprotocols is None:
        subprotocols = said.get("sec-websocket-protocol", "").split(",")
    return Hello(
        peer=peer,
        local=local,
        is_tls=is_tls,
        host=said.get("host", ""),
        origin=said.get("origin"),
        authorization=said.get("authorization", ""),
        subprotocols=tuple(name for one in subprotocols if (name := one.strip())),
        forwarded_for=said.get("x-forwarded-for", ""),
        forwarded_proto=said.get("x-forwarded-proto", ""),
    )
