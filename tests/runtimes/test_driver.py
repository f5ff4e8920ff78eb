"""What drives a connection: clients whose bytes leave at once, and who go on elsewhere."""

import json
from typing import Final

import pytest
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from byte_line import READY, frame, gemini, head, parsed, spoken, text
from byte_system import ENDS, SERVICE, Doors
from livegate.protocol import commands, inputs
from livegate.protocol.connection import Connection, events
from livegate.protocol.connection.events import CLIENT_LINK
from livegate.protocol.inputs import Side
from livegate.protocol.limits import KIB, WireLimits
from livegate.shell import logs
from livegate.shell.driver import Driver
from livegate.shell.metrics import Metrics
from livegate.shell.returns import Returns
from livegate.shell.seals import Seals
from livegate.shell.shared import Shared

V1: Final = head(Sec_WebSocket_Protocol="livegate.v1")
RESUMABLE: Final = text(b'{"type":"config","data":{"resumable":true}}')


class Wire:
    """A stream whose bytes leave at once, and are told of at once."""

    def __init__(self, driver: Driver, side: Side, link: int) -> None:
        self._driver, self._side, self._link = driver, side, link
        self.written = bytearray()
        self.is_aborted = False
        self.asked = 0
        """How often it was to look whether the other side takes anything."""
        driver.wires[side, link] = self

    def move(self, driver: Driver, link: int) -> None:
        """Tell another driver."""
        self._driver, self._link = driver, link

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self.written += data
        self._driver.feed(events.BytesSent(self._side, self._link, len(data)))

    def write_eof(self) -> None:
        """Do nothing."""

    def let_read(self, *, may_read: bool) -> None:
        """Do nothing: the test reads."""

    def abort(self) -> None:
        """Take note."""
        self.is_aborted = True

    def has_progressed(self, *, is_first: bool) -> bool:
        """Take nothing, for all that is known."""
        assert is_first is (self.asked == 0)
        self.asked += 1
        return False

    def has_vanished(self, span_s: float) -> bool:
        """Stay."""
        assert span_s > 0
        return False

    def got(self, data: bytes) -> None:
        """Let the other side send bytes."""
        self._driver.feed(events.BytesReceived(self._side, self._link, data))

    def ended(self) -> None:
        """Let the other side end the stream."""
        self._driver.feed(events.StreamEnded(self._side, self._link))

    @property
    def frames(self) -> list[Frame]:
        """What was written behind the opening handshake."""
        return parsed(bytes(self.written).partition(b"\r\n\r\n")[2])

    @property
    def told(self) -> list[dict[str, object]]:
        """Its messages."""
        return [json.loads(bytes(one.data)) for one in self.frames if one.opcode is Opcode.TEXT]


class House:
    """One gateway's drivers."""

    def __init__(self) -> None:
        self.doors = Doors()
        self.now = 1000.0
        self.shared = Shared(Metrics("none", list), Returns(Seals()))


class Client:
    """A client's connection; it is its driver's owner, too."""

    def __init__(self, house: House) -> None:
        connection = Connection(house.doors, SERVICE, WireLimits(), ENDS, house.now)
        self.driver = Driver(connection, self, lambda: house.now, (), house.shared)
        self.wire = Wire(self.driver, Side.CLIENT, CLIENT_LINK)
        self.links: list[Wire] = []
        self.wire.got(V1)

    @property
    def token(self) -> object:
        """The newest."""
        return next(one["token"] for one in reversed(self.wire.told) if one["type"] == "session")

    def open_link(self, link: int) -> None:
        """Be Gemini."""
        self.links.append(Wire(self.driver, Side.UPSTREAM, link))

    def answer(self) -> None:
        """Let Gemini accept the link, and the setup."""
        (link,) = self.links
        self.driver.feed(inputs.UpstreamOpened(1))
        server = ServerProtocol()
        server.receive_data(bytes(link.written))
        (request,) = server.events_received()
        assert isinstance(request, Request)
        server.send_response(server.accept(request))
        link.got(b"".join(server.data_to_send()) + gemini(READY))

    def give_up(self, link: int) -> None:
        """Do nothing: nothing waits."""

    def decode(self, command: commands.Decode) -> None:
        """Do nothing: no recording comes."""

    def wake_at(self, deadline: float) -> None:
        """Do nothing: the test wakes it."""

    def changed(self) -> None:
        """Do nothing."""


def begun(house: House) -> Client:
    """Return a client with a token."""
    client = Client(house)
    client.wire.got(RESUMABLE)
    client.answer()
    assert client.wire.told[-1]["type"] == "session"
    return client


def back(token: object, seq: int) -> bytes:
    """Return what a client says that is back."""
    asked = {"type": "resume", "data": {"session": token, "seq": seq}}
    return text(json.dumps(asked).encode())


def test_goes_on_elsewhere() -> None:
    """The wire of a client that is back belongs to the driver of its session."""
    house = House()
    first, second = begun(house), Client(house)
    second.wire.got(back(first.token, 3))
    assert second.wire.told == [{"type": "resumed", "recovered": True, "seq": 3}]
    assert first.wire.frames[-1].opcode is Opcode.CLOSE
    assert (second.driver.has_conversation, second.driver.is_over) == (True, False)
    second.wire.got(text(b'{"type":"ping","data":1}'))
    assert second.wire.told[-1] == {"seq": 4, "type": "pong", "data": 1}
    second.driver.wire_ended()
    assert (second.driver.has_conversation, second.driver.is_over) == (False, True)


@pytest.mark.parametrize("before", [frame(9, b"there?"), b""], ids=["ping", "nothing"])
def test_nothing_is_waited_for(before: bytes) -> None:
    """What left for a client just before it went on elsewhere is not waited for there."""
    house = House()
    first, second = begun(house), Client(house)
    second.wire.got(before + back(first.token, 3))
    kinds = [one.opcode for one in second.wire.frames]
    assert kinds == ([Opcode.PONG, Opcode.TEXT] if before else [Opcode.TEXT])
    first.wire.ended()
    while house.now < 1500:
        house.now = first.driver.deadline
        first.driver.feed(inputs.DeadlineReached())
        second.wire.got(frame(10))
    assert second.wire.asked == 0
    assert not second.wire.is_aborted
    assert second.wire.frames[-1].opcode is Opcode.PING


def test_order_on_the_wire() -> None:
    """However much was missed, and however fast it leaves: it leaves in order."""
    house = House()
    first = begun(house)
    first.wire.ended()
    for number in range(9):
        first.links[0].got(gemini(spoken(str(number) * 30 * KIB)))
    second = Client(house)
    second.wire.got(back(first.token, 3))
    assert [one.get("seq") for one in second.wire.told] == [3, *range(4, 13)]


def test_lost_in_that_moment() -> None:
    """A client that has gone before its token is looked up goes nowhere; its session waits."""
    house = House()
    first, second = begun(house), Client(house)
    first.wire.ended()
    second.wire.got(back(first.token, 3) + frame(8, (1000).to_bytes(2)))
    assert second.wire.told == []
    assert second.driver.is_over
    assert first.driver.has_conversation
    third = Client(house)
    third.wire.got(back(first.token, 3))
    assert third.wire.told == [{"type": "resumed", "recovered": True, "seq": 3}]


def test_two_at_once() -> None:
    """Of two WebSockets with one token the later one has the session."""
    house = House()
    first, second, third = begun(house), Client(house), Client(house)
    asked = back(first.token, 3)
    second.wire.got(asked)
    third.wire.got(asked)
    assert second.wire.told == third.wire.told
    assert second.wire.frames[-1].opcode is Opcode.CLOSE
    third.wire.got(text(b'{"type":"ping","data":1}'))
    assert third.wire.told[-1]["type"] == "pong"


def test_session_that_has_ended() -> None:
    """With the token of a session that has ended, another goes on with what is in the token."""
    house = House()
    first = begun(house)
    token = first.token
    first.wire.got(frame(8, (1000).to_bytes(2)))
    assert not first.driver.has_conversation
    second, third = Client(house), Client(house)
    second.wire.got(back(token, 3))
    assert [one["type"] for one in second.wire.told] == ["resumed", "session"]
    assert second.links, "nobody dials"
    third.wire.got(back(token, 3))  # from another page of the same person, say
    assert [one["type"] for one in third.wire.told] == ["resumed", "session"]
    assert third.wire.told[0]["recovered"] is True
    assert second.wire.frames[-1].opcode is Opcode.CLOSE
    third.wire.got(frame(8, (1000).to_bytes(2)))
    assert not second.driver.has_conversation


def test_fault_in_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an operator's own filter of the log raises ends the session, by 1011."""
    client = Client(House())

    def broken(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(logs, "write", broken)
    client.wire.got(text(b'{"type":"dance"}'))
    assert bytes(client.wire.frames[-1].data)[:2] == (1011).to_bytes(2)
    assert not client.driver.has_conversation


def test_fault_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours while a client comes back ends the session that it comes back to."""
    house = House()
    first, second = begun(house), Client(house)

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    token = first.token
    monkeypatch.setattr(house.doors.sessions[0], "handle", broken)
    second.wire.got(back(token, 3))
    assert bytes(second.wire.frames[-1].data)[:2] == (1011).to_bytes(2)
    assert not first.driver.has_conversation
