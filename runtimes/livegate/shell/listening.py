"""What both runtimes' listeners share: who may connect, and what a connection is made of."""

import contextlib
import errno
from collections.abc import Callable, Generator, Sequence
from socket import socket
from typing import Final

from livegate.protocol import pages, tokens
from livegate.protocol.admission import Visit
from livegate.protocol.connection import Connection, Refused, Service
from livegate.protocol.connection.doorstep import Ends
from livegate.protocol.connection.gate import Verdict, Welcome
from livegate.protocol.errors import Refusal
from livegate.protocol.hello import Hello
from livegate.protocol.pages import Answer, Unready
from livegate.shell import house, logs
from livegate.shell.asgi import PATH
from livegate.shell.driver import Driver, Owner
from livegate.shell.gateway import Gateway
from livegate.shell.house import House
from livegate.shell.liveness import guard
from livegate.shell.logs import LOGGER, Line
from livegate.shell.settings import Settings
from livegate.shell.sockets import peer_name

BUFFER_BYTES: Final = 8 * 1024
"""What is read at once, before others have their turn: a thousand of the shortest frames, some
50 ms of work; and most messages whole."""
_FULL: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_PAUSE_S: Final = 0.1
"""How long to leave the next connection waiting when there is no room for it."""


class Door:
    """What one connection asks of its gateway.

    Args:
        gateway: Whose it is.
        page: What is at `/`.
        peer: The address at the other end, which counts as waiting until a session begins.
    """

    socket_path = PATH

    def __init__(self, gateway: Gateway, page: bytes | None, peer: str) -> None:
        self._gateway = gateway
        self._page = page
        self.peer = peer
        self._is_waiting = True

    def answer(self, method: str, target: str, hello: Hello) -> Answer:
        """Return the answer to a request for anything but the WebSocket."""
        asked = House(gateway=self._gateway, hello=hello, socket_path=PATH, page=self._page)
        return pages.answer(method, target, asked)

    def admit(self, hello: Hello, now: float) -> Verdict:
        """Decide about a client that asks for the WebSocket."""
        if self._gateway.is_draining:
            return pages.unavailable(pages.RETRY_AFTER_S, Unready.DRAINING)
        ticket = self._gateway.admit(hello)
        if isinstance(ticket, Refusal):
            return Refused(ticket, tokens.subprotocol(hello))
        self.settle()
        visit = self._gateway.sessions.new(ticket, now)
        return Welcome(visit, ticket.peer, ticket.client, ticket.subprotocol, ticket.is_v1)

    def leave(self, conversation: Visit) -> None:
        """Forget a conversation that has ended."""
        self._gateway.sessions.end(conversation)

    def settle(self) -> None:
        """Take note that the connection waits no more."""
        if self._is_waiting:
            self._is_waiting = False
            self._gateway.admission.settle(self.peer)


class Listening:
    """A gateway's door.

    Args:
        gateway: Whose it is.
        settings: Where Gemini is, and what holds for every connection.
        sockets: Where clients connect.

    Raises:
        SettingsError: The certificate cannot be used.
    """

    def __init__(self, gateway: Gateway, settings: Settings, sockets: Sequence[socket]) -> None:
        self.target = settings.target
        self.limits = settings.wire
        self.ssl_context = settings.ssl_context
        self._gateway = gateway
        self._sessions = gateway.sessions
        self._secrets = settings.secrets
        self._page = None if settings.page is None else house.page(settings.page)
        for one in sockets:
            guard(one)  # what is accepted there inherits it
        self._service = Service(settings.target.url, settings.target.key)

    def door(self, client: socket) -> Door | None:
        """Return what lets somebody in who has connected; None closes the connection."""
        try:
            peer = peer_name(client.getpeername())
        except OSError:  # it has gone again
            peer = None
        if peer is None or not self._gateway.admission.arrive(peer):
            client.close()
            return None
        return Door(self._gateway, self._page, peer)

    def new_driver(
        self, client: socket, door: Door, owner: Owner, clock: Callable[[], float]
    ) -> Driver:
        """Return what drives the connection of a client that has connected."""
        ends = Ends(
            peer=door.peer,
            local=peer_name(client.getsockname()),
            is_tls=self.ssl_context is not None,
        )
        connection = Connection(door, self._service, self.limits, ends, clock())
        driver = Driver(connection, owner, clock, self._secrets, self._sessions.shared)
        self._sessions.join(driver)
        return driver

    def forget(self, driver: Driver, door: Door) -> None:
        """Its connection is over."""
        door.settle()
        self._sessions.forget(driver)

    def pause_after(self, error: OSError) -> float:
        """Return how long to wait after a connection could not be accepted."""
        if error.errno not in _FULL:
            return 0  # it has gone again, tells accept(2)
        LOGGER.warning(Line("listener.full", {"cause": str(error.strerror)}))
        return _PAUSE_S

    @contextlib.contextmanager
    def faults_logged(self) -> Generator[None, None, None]:
        """Let a fault of ours end the connection that it is in, and no other."""
        try:
            yield
        except Exception:  # noqa: BLE001 - the last resort
            logs.write_fault("connection.failed", self._secrets)
