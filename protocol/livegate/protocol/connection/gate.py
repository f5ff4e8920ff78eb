"""What a connection asks of the gateway that it belongs to."""

from typing import Protocol, TypeAlias

import attrs

from livegate.protocol.admission import Visit
from livegate.protocol.errors import Refusal
from livegate.protocol.hello import Hello
from livegate.protocol.pages import Answer
from livegate.protocol.secret import Secret


@attrs.frozen
class Welcome:
    """A client may begin."""

    conversation: Visit
    peer: str
    """Its address, as far as proxies are trusted."""
    client: str = ""
    """The name of its token."""
    subprotocol: str | None = None
    """What to select of the subprotocols that it offers."""
    is_v1: bool = False
    """Whether that is `livegate.v1`."""


@attrs.frozen
class Refused:
    """A client may not begin, and is told why in a frame: browsers show pages no HTTP status."""

    refusal: Refusal
    subprotocol: str | None = None


Verdict: TypeAlias = Welcome | Refused | Answer
"""An `Answer` is given in HTTP, in place of the upgrade."""


class Gate(Protocol):
    """The gateway of a process."""

    @property
    def socket_path(self) -> str:
        """Where the WebSocket is."""
        ...

    def answer(self, method: str, target: str, hello: Hello) -> Answer:
        """Return the answer to a request for anything but the WebSocket."""
        ...

    def admit(self, hello: Hello, now: float) -> Verdict:
        """Decide about a client that asks for the WebSocket."""
        ...

    def leave(self, conversation: Visit) -> None:
        """Forget a conversation that has ended."""


@attrs.frozen
class Service:
    """Where Gemini is."""

    url: str
    """The WebSocket's, without any key."""
    key: Secret
