"""The head of a request: what somebody who has connected asks for.

h11 reads it. A WebSocket's opening handshake is then checked by websockets; all else is answered
once, and its connection closed: nobody who asks for pages here asks for many.
"""

import http
from typing import Final

import attrs
import h11
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHeader
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from livegate.protocol import pages
from livegate.protocol.connection.websocket import QUIET
from livegate.protocol.hello import Hello, of_headers
from livegate.protocol.limits import WireLimits
from livegate.protocol.pages import Answer

_SWITCHING: Final = 101
_BAD: Final = 400
_OUTDATED: Final = 426
_TOO_LONG: Final = 431
_SPOKEN: Final = (("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"))
"""What to ask for instead (RFC 6455 section 4.4, RFC 9110 section 15.5.22)."""


@attrs.frozen
class Ends:
    """What is known of a byte stream."""

    peer: str
    """The address at the other end."""
    local: str
    """Ours."""
    is_tls: bool
    """Whether it is encrypted."""


@attrs.frozen
class Asked:
    """A whole request head."""

    method: str
    target: str = attrs.field(repr=False)
    version: str
    headers: Headers = attrs.field(repr=False)

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def is_upgrade(self) -> bool:
        """Whether it asks for a WebSocket."""
        if self.method != "GET":
            return False
        asked = ",".join(self.headers.get_all("Upgrade")).lower().split(",")
        return "websocket" in (one.strip() for one in asked)

    @property
    def has_body(self) -> bool:
        """Whether more of it follows its head."""
        sizes = self.headers.get_all("Content-Length")
        return "Transfer-Encoding" in self.headers or sizes not in ([], ["0"])

    def hello(self, ends: Ends) -> Hello:
        """Return what decides whether the client may begin."""
        return of_headers(
            self.headers.raw_items(), peer=ends.peer, local=ends.local, is_tls=ends.is_tls
        )


class Doorstep:
    """Reads one request head, and writes what answers it.

    Args:
        limits: How long that may take, and how long the head may be.
        now: The shell's clock.
    """

    def __init__(self, limits: WireLimits, now: float) -> None:
        self._limits = limits
        self.deadline = now + limits.head_s
        """Until when the client has to ask; or to take what it is answered, and then to close."""
        self._is_answered = False
        self._unsent = 0
        """Bytes of the answer that the operating system has not taken yet."""
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head_bytes)
        self._size = 0
        self._is_bodiless = False

    def receive(self, data: bytes) -> Asked | Answer | None:
        """Return the request once its head is whole, or the answer to what is none."""
        if self._is_answered:
            return None
        self._size += len(data)
        if data:  # h11 takes none for the end of the stream
            self._http.receive_data(data)
        try:
            event = self._http.next_event()
        except h11.RemoteProtocolError as error:
            return pages.said(error.error_status_hint, "this is no HTTP request")
        if not isinstance(event, h11.Request):
            return None
        self._is_bodiless = event.method == b"HEAD"
        if self._size - len(self._http.trailing_data[0]) > self._limits.head_bytes:
            return pages.said(_TOO_LONG, "the request head is too long")
        try:
            headers = Headers(
                [(name.decode("ascii"), value.decode("latin-1")) for name, value in event.headers]
            )
        except InvalidHeader:  # websockets takes fewer control characters than h11
            return pages.said(_BAD, "this is no HTTP request")
        return Asked(
            event.method.decode("ascii"),
            event.target.decode("ascii"),
            event.http_version.decode("ascii"),
            headers,
        )

    @property
    def rest(self) -> bytes:
        """What came behind the head: the first frames of a WebSocket."""
        return self._http.trailing_data[0]

    def write(self, answer: Answer, now: float) -> bytes:
        """Return an answer as bytes; nothing more is read after it."""
        reason = http.HTTPStatus(answer.status).phrase.encode()
        head = h11.Response(
            status_code=answer.status,
            headers=[*answer.headers, ("Connection", "close")],
            reason=reason,
        )
        body = h11.Data(data=b"" if self._is_bodiless else answer.body)
        events = (head, body, h11.EndOfMessage())
        data = b"".join(self._http.send(event) or b"" for event in events)
        self._is_answered, self._unsent = True, len(data)
        self.deadline = now + self._limits.answer_s
        return data

    def sent(self, size: int, now: float) -> None:
        """Take note that the operating system has taken so many bytes of the answer."""
        self._unsent -= size
        patience_s = self._limits.answer_s if self._unsent else self._limits.linger_s
        self.deadline = now + patience_s


@attrs.frozen
class Opening:
    """A valid opening handshake, which awaits its answer."""

    response: Response

    def write(self, subprotocol: str | None) -> bytes:
        """Return the bytes that open the WebSocket."""
        if subprotocol is not None:
            self.response.headers["Sec-WebSocket-Protocol"] = subprotocol
        return self.response.serialize()


def opening(asked: Asked) -> Opening | Answer:
    """Return how to open the WebSocket, or the answer to a handshake that is none.

    No extension is ever negotiated: half a megabyte of deflate may hold half a gigabyte.
    """
    if asked.version != "1.1" or asked.has_body:
        return pages.said(_BAD, "a WebSocket handshake is HTTP/1.1 and has no body")
    if asked.headers.get_all("Sec-WebSocket-Version") != ["13"]:
        return pages.said(_OUTDATED, "only version 13 of WebSocket is spoken here", *_SPOKEN)
    response = ServerProtocol(logger=QUIET).accept(Request(asked.target, asked.headers))
    if response.status_code != _SWITCHING:
        headers = _SPOKEN if response.status_code == _OUTDATED else ()
        return pages.said(response.status_code, "this is no WebSocket handshake", *headers)
    return Opening(response)
