"""A link to Gemini: the opening handshake, then a WebSocket."""

from typing import Final

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.protocol import CONNECTING
from websockets.uri import parse_uri

from livegate.protocol.connection.gate import Service
from livegate.protocol.connection.websocket import QUIET, WebSocket
from livegate.protocol.gemini import KEY_HEADER
from livegate.protocol.inputs import Fault
from livegate.protocol.limits import WireLimits

_FORBIDDEN: Final = (401, 403)


class Upstream:
    """One link, from the moment on that its stream is open.

    Args:
        service: Where Gemini is.
        limits: How long things may take, and how large they may be.
        now: The shell's clock.
    """

    def __init__(self, service: Service, limits: WireLimits, now: float) -> None:
        protocol = ClientProtocol(
            parse_uri(service.url), max_size=limits.message_bytes, logger=QUIET
        )
        request = protocol.connect()
        request.headers[KEY_HEADER] = service.key.value
        protocol.send_request(request)
        self._protocol = protocol
        self.websocket = WebSocket(protocol, limits, close_s=limits.link_close_s, now=now)

    @property
    def is_open(self) -> bool:
        """Whether Gemini has accepted the WebSocket."""
        return self._protocol.state is not CONNECTING

    @property
    def fault(self) -> Fault | None:
        """Why it has not, if it has said so."""
        match self._protocol.handshake_exc:
            case None:
                return None
            case InvalidStatus(response=response) if response.status_code in _FORBIDDEN:
                return Fault.FORBIDDEN
            case _:
                return Fault.HTTP
