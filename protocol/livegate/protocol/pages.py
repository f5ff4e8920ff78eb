"""What plain HTTP gets of a gateway: its page, its health, its metrics, or where to go instead.

No request makes it read a file, call another host or change anything, so a target is looked up
in a table as it came.
"""

import enum
from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Final, Protocol

import attrs

from livegate.protocol import __version__, _json
from livegate.protocol.errors import shown

RETRY_AFTER_S: Final = 5
"""When to look again at a gateway that is not ready: a load balancer's usual period."""

TEXT: Final = "text/plain; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"
JSON: Final = "application/json"
METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus' text format. Of what later versions of it add, livegate's names need nothing."""


class Unready(enum.StrEnum):
    """Why a gateway takes no new sessions, though it lives."""

    NO_KEY = "no API key"
    DRAINING = "draining"
    FULL = "as many sessions as it may"


@attrs.frozen
class Answer:
    """An HTTP response, whole."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...]
    """In lower case, `content-length` among them; not what belongs to the connection."""

    @property
    def reason(self) -> str:
        """The reason phrase of HTTP/1.1."""
        return HTTPStatus(self.status).phrase


class House(Protocol):
    """What a gateway says of itself."""

    @property
    def unready(self) -> str:
        """Why it takes no new sessions, one of `Unready`; empty if it does."""
        ...

    @property
    def page(self) -> bytes | None:
        """The HTML for `/`, or None for a line of text."""
        ...

    @property
    def mounted_at(self) -> str:
        """The path that all of it is below, without a slash at its end; mostly empty."""
        ...

    @property
    def socket_path(self) -> str:
        """Where its WebSocket is, below that."""
        ...

    @property
    def wrong_host(self) -> str | None:
        """The `Host` that was asked for, if the gateway does not go by it; else None."""
        ...

    @property
    def may_see_metrics(self) -> bool:
        """Whether who asks may see its metrics."""
        ...

    def metrics(self) -> bytes:
        """Return its metrics, in Prometheus' text format."""
        ...


def answer(method: str, target: str, house: House) -> Answer:
    """Return the response to a request that asks for no WebSocket; no text raises anything.

    Args:
        method: As it came: HTTP's methods have capital letters.
        target: A path below the one that the gateway is mounted at, or a whole address.
        house: Who is asked.
    """
    if method not in _METHODS:
        return said(405, f"send {' or '.join(_METHODS)}", ("allow", ", ".join(_METHODS)))
    path = _path(target)
    if house.wrong_host is not None and path not in PROBES:
        found = misdirected(house.wrong_host)
    elif path in PATHS:
        found = PATHS[path](house)
    elif path == house.socket_path:
        found = _upgrade(house)
    else:
        found = said(404, _whereabouts(house))
    return bodiless(found) if method == "HEAD" else found


def unavailable(retry_after_s: int, why: str = "not now") -> Answer:
    """Return that the gateway cannot serve this, and when another try may succeed."""
    return said(503, why, ("retry-after", str(retry_after_s)))


def misdirected(host: str) -> Answer:
    """Return that the gateway is not known by this `Host`."""
    return said(421, f"this gateway does not answer for the host {shown(host)}")


def bodiless(of: Answer) -> Answer:
    """Return the response to the same request by HEAD."""
    return attrs.evolve(of, body=b"")


def _path(target: str) -> str:
    """Return the path of a request target, which may be a whole address (RFC 9112, 3.2.2)."""
    path = target.partition("?")[0]
    _, scheme, rest = path.partition("://")
    return path if path.startswith("/") or not scheme else f"/{rest.partition('/')[2]}"


def _page(house: House) -> Answer:
    if house.page is None:
        return said(200, _whereabouts(house))
    return _made(200, HTML, house.page)


def _live(_: House) -> Answer:
    return said(200, "ok")


def _ready(house: House) -> Answer:
    return unavailable(RETRY_AFTER_S, house.unready) if house.unready else said(200, "ok")


def _metrics(house: House) -> Answer:
    if house.may_see_metrics:
        return _made(200, METRICS, house.metrics())
    return said(401, "send a token as Authorization: Bearer", ("www-authenticate", "Bearer"))


def _version(_: House) -> Answer:
    return _made(200, JSON, _json.encode({"livegate": __version__}))


def _upgrade(house: House) -> Answer:
    # RFC 9110, 7.8: who sends Upgrade names it in Connection, too.
    return said(426, _whereabouts(house), ("upgrade", "websocket"), ("connection", "Upgrade"))


def _whereabouts(house: House) -> str:
    return f"livegate: connect a WebSocket to {house.mounted_at}{house.socket_path}"


def said(status: int, sentence: str, *headers: tuple[str, str]) -> Answer:
    """Return a response of one sentence."""
    return _made(status, TEXT, f"{sentence}\n".encode(), *headers)


def _made(status: int, kind: str, body: bytes, *headers: tuple[str, str]) -> Answer:
    always = (
        ("content-type", kind),
        ("content-length", str(len(body))),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    )
    return Answer(status, body, (*always, *headers))


_METHODS: Final = ("GET", "HEAD")
PATHS: Final[Mapping[str, Callable[[House], Answer]]] = MappingProxyType(
    {
        "": _page,  # of a mount, without the slash
        "/": _page,
        "/livez": _live,
        "/readyz": _ready,
        "/metrics": _metrics,
        "/version": _version,
    }
)
"""What is where; `House.socket_path` comes after these, and nothing else is anywhere."""
PROBES: Final = ("/livez", "/readyz")
"""Answered under any name: who probes a process knows it by its address."""
