"""Which pages may connect, and under which names of ours.

A browser lets every page open a WebSocket to any address, and says in `Origin` which page it was;
nothing else protects what only a user's own pages should reach. And a page's own name may be made
to mean 127.0.0.1 (DNS rebinding): its Origin and our Host are the same then, so where only this
machine's programs can connect, Host has to be a name that only this machine has.

Programs send whatever they like, or no Origin at all: it is tokens that keep those out.
"""

import ipaddress
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs

from livegate.protocol import addresses
from livegate.protocol.errors import ErrorCode, Refusal, shown
from livegate.protocol.hello import Hello

NULL: Final = "null"
"""The Origin of files, of sandboxed frames, and of what hides its own."""
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_PORTS: Final[Mapping[str, int]] = MappingProxyType({"http": 80, "https": 443})
_LONGEST: Final = 300
"""A host name has at most 253 characters (RFC 1035), an extension's id fewer."""

# As browsers write them (WHATWG URL, host serialising): no user, no escapes, no dot at the end.
_PLACE: Final = re.compile(
    r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?::(?P<port>[1-9][0-9]{0,4}))?"
)
_ORIGIN: Final = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<place>.*)")
_FILE: Final = "file://"
"""What some runtimes for apps say in place of `null`; the one origin without a host."""
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


@attrs.frozen
class Allowed:
    """Who may connect, besides pages of the very place that they connect to."""

    hosts: tuple[str, ...] = ()
    """Names of ours, as in `Host`; without a port, with any. If there are none, any name will do
    where others than this machine's own programs can connect."""
    origins: tuple[str, ...] = ()
    """Of pages elsewhere, as in `Origin`."""
    null: bool = False
    """Whether pages without an origin may: files, sandboxed frames."""


@attrs.frozen
class _Place:
    """A host, and a port if it was said."""

    host: str
    port: int | None


@attrs.frozen
class _Origin:
    """Where a page is from."""

    scheme: str
    host: str
    port: int | None
    """The scheme's own, if none was said."""


def judge(hello: Hello, allowed: Allowed, *, scheme: str | None) -> Refusal | None:
    """Return why a client may not connect, or None if it may.

    Args:
        hello: What is known of the client.
        allowed: What the operator allows.
        scheme: `http` or `https`, as the client sees this gateway, if that is known.
    """
    if not is_named(hello, allowed, scheme=scheme):
        named = f"this gateway does not go by the name {shown(hello.host)}"
        return _refusal(named, hello.host if is_host(hello.host) else "", "--allowed-host")
    origin, is_local = hello.origin, addresses.is_loopback(hello.local)
    if origin is None or _may_come(origin, hello.host, allowed, scheme, is_local=is_local):
        return None
    named = f"pages of {shown(origin)} may not connect here"
    return _refusal(named, origin if is_origin(origin) else "", "--allow-origin")


def is_named(hello: Hello, allowed: Allowed, *, scheme: str | None) -> bool:
    """Whether this gateway goes by the name that a client knows it by."""
    is_local = addresses.is_loopback(hello.local)
    return _may_be_named(hello.host, allowed, scheme, is_local=is_local)


def is_host(text: str) -> bool:
    """Whether a Host may look like this, so that it makes sense to allow it."""
    return _place(text) is not None


def is_origin(text: str) -> bool:
    """Whether an Origin may look like this, so that it makes sense to allow it."""
    return text == NULL or _origin(text) is not None


def _refusal(why: str, value: str, option: str) -> Refusal:
    """Return a refusal that names what would let the client in, if anything would."""
    cure = f"start livegate with {option} {shown(value)[1:-1]}" if value else "it is malformed"
    return Refusal(ErrorCode.ORIGIN_REFUSED, f"{why}; {cure}")


def _may_be_named(host: str, allowed: Allowed, scheme: str | None, *, is_local: bool) -> bool:
    place = _place(host)
    if is_local and place is not None and place.host in _LOCAL:
        return True
    if not is_local and not allowed.hosts:
        return True
    return place is not None and any(_is_named(place, one, scheme) for one in allowed.hosts)


def _is_named(place: _Place, text: str, scheme: str | None) -> bool:
    """Whether a Host is one that is allowed."""
    one = _place(text)
    if one is None or one.host != place.host:
        return False
    if one.port is None or one.port == place.port:
        return True
    return place.port is None and one.port in (
        _PORTS.values() if scheme is None else (_PORTS.get(scheme),)
    )


def _may_come(
    text: str, host: str, allowed: Allowed, scheme: str | None, *, is_local: bool
) -> bool:
    if text == NULL:
        return allowed.null or NULL in allowed.origins
    origin = _origin(text)
    if origin is None:
        return False
    if any(origin == _origin(one) for one in allowed.origins):
        return True
    if origin.scheme not in _PORTS:
        return False
    if is_local and origin.host in _LOCAL:
        return True
    place = _place(host)
    return (
        place is not None
        and place.host == origin.host
        and (place.port or _PORTS[origin.scheme]) == origin.port
        and scheme in (None, origin.scheme)
    )


def _place(text: str) -> _Place | None:
    """Return a host and port, in lower case; None of what no browser would write."""
    # Only of ASCII: the Kelvin sign, for one, would become a plain k.
    if len(text) > _LONGEST or not text.isascii():
        return None
    found = _PLACE.fullmatch(text.lower())
    if found is None:
        return None
    host, port = found["host"], int(found["port"]) if found["port"] else None
    if port is not None and port >= 1 << 16:
        return None
    is_number = host.startswith("[") or _NUMBER.fullmatch(host.rpartition(".")[2]) is not None
    if is_number and not _is_address(host):
        return None
    return _Place(host, port)


def _is_address(host: str) -> bool:
    """Whether a host that has to be an address is one, written as browsers write it."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return host == (f"[{address}]" if address.version == 6 else str(address))  # noqa: PLR2004 - IPv6


def _origin(text: str) -> _Origin | None:
    """Return an origin, in lower case; None of what no browser would write, and of `null`."""
    if text == _FILE:
        return _Origin("file", "", None)
    found = _ORIGIN.fullmatch(text.lower()) if text.isascii() else None
    place = _place(found["place"]) if found is not None else None
    if found is None or place is None:
        return None
    return _Origin(found["scheme"], place.host, place.port or _PORTS.get(found["scheme"]))
