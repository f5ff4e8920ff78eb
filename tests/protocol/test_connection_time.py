"""Who is there: pings, what is asked of the operating system, and the patience with silence."""

from collections.abc import Callable

import pytest
from websockets.frames import Opcode

from byte_line import Line, frame, gemini, goodbye, spoken, text
from livegate.protocol import inputs
from livegate.protocol.connection import events
from livegate.protocol.inputs import ClientGone, Side
from livegate.protocol.limits import KIB

PROBE = events.Probe(Side.CLIENT, 1, 19.0)
PONG = frame(10)
CUT = events.Abort(Side.CLIENT, 1)


def pings(line: Line) -> int:
    """Return how many pings the client was given."""
    return [one.opcode for one in line.frames].count(Opcode.PING)


def probes(line: Line) -> int:
    """Return how often the operating system was asked after the client."""
    return line.actions.count(PROBE)


def test_pings() -> None:
    """A client is pinged every 19 s, with nothing in it."""
    line = Line(until="live")
    for count in range(5):
        line.advance(18.5)
        assert pings(line) == count
        line.client(PONG)
        line.advance(0.5)
        assert pings(line) == count + 1
    assert probes(line) == 0
    assert not line.frames[-1].data


@pytest.mark.parametrize(
    ("heard", "after_s"),
    [(PONG, 0.25), (PONG, 18.75), (text(b"{}"), 5), (b"\x81", 5), (frame(9), 18)],
    ids=["pong", "late pong", "frame", "a byte", "ping"],
)
def test_answered_ping(heard: bytes, after_s: float) -> None:
    """A client of which anything is heard before the next ping is not asked after."""
    line = Line(until="silent")
    line.advance(18)
    line.client(PONG)
    line.advance(1 + after_s)
    line.client(heard)
    line.advance(19 - after_s)
    assert pings(line) == 2
    assert probes(line) == 0


@pytest.mark.parametrize("heard_s", [1, 10, 18.75])
def test_silence(heard_s: float) -> None:
    """If all is silent since a ping, the operating system is asked, once, before the next."""
    line = Line(until="silent")
    line.advance(heard_s)
    line.client(PONG)
    line.advance(37.75 - heard_s)
    assert probes(line) == 0
    assert [type(one) for one in line.advance(0.25)] == [events.Probe, events.SendBytes]
    line.advance(18.75)
    assert probes(line) == 1
    assert line.connection.has_conversation


def test_long_silence() -> None:
    """A client of which nothing is heard lives on, asked after before each ping, for 900 s."""
    line = Line(until="live")
    line.advance(911.75)
    assert probes(line) == pings(line) == 47
    done = line.advance(0.25)
    assert line.heard_of(ClientGone) == [
        ClientGone(1, 4102, "nothing came from the client for too long")
    ]
    assert line.close is not None
    assert line.close.code == 4102
    assert line.closed_with == 4102
    assert CUT not in done
    assert pings(line) == 47
    assert not line.connection.has_conversation
    line.advance(4.75)
    assert not line.is_cut
    line.advance(0.25)
    assert line.is_done()
    assert len(line.heard_of(ClientGone)) == 1


def test_hears_that_it_was_silent() -> None:
    """A client that answers that close is gone at once."""
    line = Line(until="silent")
    line.advance(912)
    assert line.client(goodbye(4102)) == [CUT]
    assert line.is_done()


@pytest.mark.parametrize("noise", [PONG, b"\x81"], ids=["pong", "a byte"])
def test_sign_of_life(noise: bytes) -> None:
    """Any byte begins the 900 s anew."""
    line = Line(until="silent")
    line.advance(900)
    line.client(noise)
    line.advance(899)
    assert line.connection.has_conversation
    line.advance(20)
    assert line.closed_with == 4102


def test_no_ping_behind_waiting_bytes() -> None:
    """No ping is sent while bytes wait; the operating system is asked all the same."""
    line = Line(until="live")
    line.takes[Side.CLIENT] = False
    line.gemini(gemini(spoken("hello")))
    line.advance(38)
    assert (pings(line), probes(line)) == (0, 2)
    line.take()
    line.advance(19)
    assert pings(line) == 1


def closed_by_us(line: Line) -> None:
    """Tell the client to go."""
    line.do(inputs.ShutdownRequested())


def closed_by_fault(line: Line) -> None:
    """Let the client break the rules."""
    line.client(frame(3))


@pytest.mark.parametrize("ending", [closed_by_us, closed_by_fault])
def test_no_ping_after_the_close(ending: Callable[[Line], None]) -> None:
    """A client that has been told to go is not pinged."""
    line = Line(until="silent")
    line.advance(18)
    ending(line)
    line.advance(4)
    assert pings(line) == 0


def test_vanished() -> None:
    """A client whose host is found to be gone has gone without a goodbye."""
    line = Line(until="silent")
    line.advance(38)
    line.end()
    assert line.closed_with == 1006
    assert line.is_done()


def test_early_deadline() -> None:
    """A deadline that comes early, or twice, does nothing."""
    line = Line(until="silent")
    line.advance(18.5)
    for _ in range(3):
        assert line.do(inputs.DeadlineReached()) == []


# A client's own pings


@pytest.mark.parametrize("payload", [b"", b"x" * 125])
def test_pong(payload: bytes) -> None:
    """A ping is answered with what is in it."""
    line = Line(until="silent")
    line.client(frame(9, payload))
    assert [(one.opcode, bytes(one.data)) for one in line.frames] == [(Opcode.PONG, payload)]


def flood_conversation() -> Line:
    """Return a connection in mid-conversation."""
    return Line(until="live")


def flood_after_silence() -> Line:
    """Return the connection of a client that was given up, but not yet gone."""
    line = Line(until="silent")
    line.advance(912)
    return line


def flood_after_fault() -> Line:
    """Return a connection that a fault of ours has ended."""
    line = Line(until="silent")
    line.fail()
    return line


@pytest.mark.parametrize("begin", [flood_conversation, flood_after_silence, flood_after_fault])
def test_ping_flood(begin: Callable[[], Line]) -> None:
    """A client that pings and does not read is not read, in any state, once 64 KiB wait for it."""
    line = begin()
    line.takes[Side.CLIENT] = False
    flood = frame(9, b"x" * 125) * 500
    for _ in range(10):
        if line.connection.may_read(Side.CLIENT, 1):
            line.client(flood)
    assert not line.connection.may_read(Side.CLIENT, 1)
    assert 64 * KIB < line.untaken[Side.CLIENT, 1] <= 128 * KIB
    line.take()
    assert line.connection.may_read(Side.CLIENT, 1)
