"""Network addresses: whose is a connection's, and whose stands behind a proxy's."""

import ipaddress
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from types import MappingProxyType
from typing import Final, TypeAlias

from livegate.protocol.hello import Hello

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
Networks: TypeAlias = tuple[Network, ...]

_SCHEMES: Final[Mapping[str, str]] = MappingProxyType(
    {"http": "http", "ws": "http", "https": "https", "wss": "https"}
)
"""What proxies call the scheme of a WebSocket, and what its page's origin has."""


def parsed(text: str) -> Address | None:
    """Return an address, or None if it is none; an IPv4 address that is mapped into IPv6 as it is."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_loopback(text: str) -> bool:
    """Whether only this machine's own programs can reach an address."""
    address = parsed(text)
    return address is not None and address.is_loopback


def is_among(text: str, networks: Networks) -> bool:
    """Whether an address is of one of these networks."""
    address = parsed(text)
    return address is not None and any(address in network for network in networks)


def client_of(hello: Hello, trusted: Networks) -> str:
    """Return the client's own address.

    Behind a proxy it is the last hop of `X-Forwarded-For` that is not itself trusted, since
    whatever stands before that hop its client may have made up. A hop that is no address tells
    nothing: then it is the proxy's.

    Args:
        hello: What is known of the connection.
        trusted: Whose word is taken.
    """
    if not is_among(hello.peer, trusted):
        return hello.peer
    found = hello.peer
    for hop in reversed(hello.forwarded_for.split(",")):
        address = parsed(_without_port(hop.strip()))
        # A zone is whatever its sender likes, and means nothing to anybody but its sender.
        if address is None or getattr(address, "scope_id", None) is not None:
            return hello.peer
        found = str(address)
        if not any(address in network for network in trusted):
            break
    return found


def scheme_of(hello: Hello, trusted: Networks) -> str | None:
    """Return the scheme that the client's page would have, `http` or `https`, if that is known.

    A connection without TLS tells nothing: something in front may have ended it.

    Args:
        hello: What is known of the connection.
        trusted: Whose word is taken.
    """
    if is_among(hello.peer, trusted) and hello.forwarded_proto:
        said = {one.strip().lower() for one in hello.forwarded_proto.split(",")}
        return _SCHEMES.get(said.pop()) if len(said) == 1 else None
    return "https" if hello.is_tls else None


def _without_port(hop: str) -> str:
    """Return `192.0.2.1` of `192.0.2.1:4711`, `::1` of `[::1]:4711`; some proxies add it."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    host, _, port = hop.partition(":")
    return host if port.isdecimal() else hop
