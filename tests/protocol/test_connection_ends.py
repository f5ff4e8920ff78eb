# pyright: reportPrivateUsage=false
"""How a connection ends, whoever ends it, and that nothing is left of it."""

import math
from collections.abc import Callable
from typing import cast

import pytest
from websockets.frames import Close, Opcode

from byte_line import Line, frame, gemini, goodbye, head, spoken, text
from livegate.protocol import commands, inputs
from livegate.protocol.connection import events
from livegate.protocol.inputs import ClientGone, Side
from livegate.protocol.limits import KIB

CUT = events.Abort(Side.CLIENT, 1)
LINK_CUT = events.Abort(Side.UPSTREAM, 1)
ASKING = text(b'{"type":"text","text":"hi"}')


def streams(done: list[events.Action]) -> list[events.Action]:
    """Leave the log out."""
    return [one for one in done if not isinstance(one, commands.Log)]


# The client ends it


def test_client_closes() -> None:
    """A client's close is echoed, Gemini hears a close, and each is cut once it has been taken."""
    line = Line(until="live")
    line.takes = {Side.CLIENT: False, Side.UPSTREAM: False}
    done = line.client(goodbye(1001, b"bye"))
    assert streams(done) == [
        events.SendBytes(Side.CLIENT, 1, b"\x88\x05\x03\xe9bye"),
        done[-1],
    ]
    assert line.heard_of(ClientGone) == [ClientGone(1, 1001, "bye")]
    assert line.closed_with == 1001
    assert not line.connection.has_conversation
    line.take(4)
    assert not line.is_cut
    line.take(1)
    line.take(2)
    assert line.actions.count(CUT) == 1
    assert Close.parse(bytes(line.sent_to_gemini()[-1].data)) == Close(1000, "")
    line.take(side=Side.UPSTREAM)
    line.advance(0.375)
    assert LINK_CUT not in line.actions
    line.advance(0.125)
    assert line.actions[-1] == LINK_CUT
    assert line.is_done()


def test_echo_is_not_taken() -> None:
    """A client that does not take the echo of its close is cut after 5 s."""
    line = Line(until="open")
    line.takes[Side.CLIENT] = False
    line.client(goodbye())
    line.advance(4.75)
    assert not line.is_cut
    line.advance(0.25)
    assert line.is_done()


def test_close_without_a_code() -> None:
    """A close without a code is echoed as it came."""
    line = Line(until="open")
    done = streams(line.client(frame(8)))
    assert done == [events.SendBytes(Side.CLIENT, 1, b"\x88\0"), CUT]
    assert line.heard_of(ClientGone) == [ClientGone(1, 1005)]


def test_client_vanishes() -> None:
    """A client that vanishes is cut at once; Gemini is told."""
    line = Line(until="live")
    assert CUT in line.end()
    assert line.heard_of(ClientGone) == [ClientGone(1, 1006)]
    assert line.sent_to_gemini()[-1].opcode is Opcode.CLOSE
    assert line.gemini(goodbye(is_masked=False)) == [LINK_CUT]
    assert line.is_done()


def gemini_answers(line: Line) -> list[events.Action]:
    """Let Gemini close, too."""
    return line.gemini(goodbye(is_masked=False))


def gemini_ends(line: Line) -> list[events.Action]:
    """Let Gemini end its stream."""
    return line.end(Side.UPSTREAM)


def gemini_is_silent(line: Line) -> list[events.Action]:
    """Let Gemini do nothing."""
    return line.advance(0.5)


@pytest.mark.parametrize("ending", [gemini_answers, gemini_ends, gemini_is_silent])
def test_link_is_closed(ending: Callable[[Line], list[events.Action]]) -> None:
    """A link that is told to end is cut when Gemini answers, when it ends, or soon."""
    line = Line(until="live")
    line.client(goodbye())
    line.gemini(gemini(spoken("too late")))
    assert LINK_CUT not in line.actions
    assert ending(line) == [LINK_CUT]
    assert line.is_done()


# The gateway ends it


def test_shutdown() -> None:
    """A client hears in words and by a close that the gateway ends; it is cut when it answers."""
    line = Line(until="live")
    line.do(inputs.ShutdownRequested())
    assert line.told[-1]["type"] == "system"
    assert line.close == Close(1012, "the gateway restarts")
    assert line.frames[-1].opcode is Opcode.CLOSE
    assert line.closed_with == 1012
    assert not line.is_cut
    line.client(ASKING)
    assert line.client(goodbye(1012)) == [CUT]
    line.advance(0.5)
    assert line.is_done()
    assert line.heard_of(ClientGone) == [ClientGone(1, 1012, "the gateway restarts")]
    assert line.heard_of(inputs.ClientFrame)[1:] == []


def test_shutdown_of_the_deaf() -> None:
    """A client that does not answer is cut after 5 s."""
    line = Line(until="open")
    line.do(inputs.ShutdownRequested())
    line.advance(4.75)
    assert not line.is_cut
    line.advance(0.25)
    assert line.is_done()
    assert line.heard_of(ClientGone) == [ClientGone(1, 1012, "the gateway restarts")]


def test_shutdown_of_who_breaks_the_rules() -> None:
    """A client that answers with no close is told no other, and cut when it ends."""
    line = Line(until="open")
    line.do(inputs.ShutdownRequested())
    assert line.client(b"\x83\0")[-1] == events.EndStream(Side.CLIENT, 1)
    assert line.close == Close(1012, "the gateway restarts")
    assert line.end() == [CUT]
    assert line.is_done()


def test_both_at_once() -> None:
    """Two closes that cross are each other's answer."""
    line = Line(until="open")
    line.takes[Side.CLIENT] = False
    line.do(inputs.ShutdownRequested())
    line.client(goodbye(1000))
    assert not line.is_cut
    line.take()
    assert line.is_done()
    assert line.close == Close(1012, "the gateway restarts")


def test_client_is_first() -> None:
    """A client's close comes before ours, while ours waits behind what it has not taken."""
    line = Line(until="live")
    line.takes[Side.CLIENT] = False
    line.gemini(gemini(spoken("x" * 100 * KIB)) * 2)
    line.do(inputs.ShutdownRequested())
    line.client(goodbye(1001))
    line.take()
    assert line.close == Close(1001, "")
    assert line.is_cut


def test_long_reason() -> None:
    """A reason is shortened to what a close can hold, and to whole characters."""
    line = Line(until="open")
    client = line.connection._client
    assert client is not None
    client.close(1000, "x" * 122 + "\xe9", line.now)
    line.do(inputs.DeadlineReached())
    assert line.close == Close(1000, "x" * 122)


# All ends


def after_head(line: Line) -> None:
    """Let a client go before it has asked."""
    line.client(head()[:5])
    line.end()


def after_answer(line: Line) -> None:
    """Let a client be answered in HTTP."""
    line.client(b"GET / HTTP/1.0\r\n\r\n")


def client_closes(line: Line) -> None:
    """Let a client close."""
    line.client(head() + goodbye())


def client_vanishes(line: Line) -> None:
    """Let a client vanish while Gemini is dialled."""
    line.client(head() + ASKING)
    line.end()


def client_closes_as_it_asks(line: Line) -> None:
    """Let a client ask and close in one piece."""
    line.client(head() + ASKING + goodbye())


def client_vanishes_while_linking(line: Line) -> None:
    """Let a client vanish while Gemini has not accepted the WebSocket."""
    line.client(head() + ASKING)
    line.do(inputs.UpstreamOpened(1))
    line.end()


def client_breaks_the_rules(line: Line) -> None:
    """Let a client send what it may not."""
    line.client(head() + b"\xff\xff")


def client_stalls(line: Line) -> None:
    """Let a client not read."""
    line.takes[Side.CLIENT] = False
    line.client(head())


def client_is_silent(line: Line) -> None:
    """Let a client say nothing at all."""
    line.client(head())
    line.advance(912)


def gateway_ends(line: Line) -> None:
    """Let the process end."""
    line.client(head())
    line.do(inputs.ShutdownRequested())


def gateway_ends_while_dialling(line: Line) -> None:
    """Let the process end while Gemini is dialled."""
    line.client(head() + ASKING)
    line.do(inputs.ShutdownRequested())


def gateway_ends_while_client_closes(line: Line) -> None:
    """Let both end it."""
    line.takes[Side.CLIENT] = False
    line.client(head() + goodbye())
    line.do(inputs.ShutdownRequested())


def key_is_refused(line: Line) -> None:
    """Let Gemini refuse the key."""
    line.client(head() + ASKING)
    line.do(inputs.DialFailed(1, inputs.Fault.FORBIDDEN))


def gateway_fails(line: Line) -> None:
    """Let there be a fault of ours."""
    line.client(head() + ASKING)
    line.fail()
    line.fail()


ENDINGS = [
    after_head,
    after_answer,
    client_closes,
    client_vanishes,
    client_closes_as_it_asks,
    client_vanishes_while_linking,
    client_breaks_the_rules,
    client_stalls,
    client_is_silent,
    gateway_ends,
    gateway_ends_while_dialling,
    gateway_ends_while_client_closes,
    key_is_refused,
    gateway_fails,
]


@pytest.mark.parametrize("ending", ENDINGS)
def test_ending(ending: Callable[[Line], None]) -> None:
    """The gateway forgets each conversation once, nothing is left, and nothing happens then."""
    line = Line()
    ending(line)
    line.advance(61)
    assert line.is_done()
    assert line.is_cut
    assert line.connection.deadline == math.inf
    dialled = [one.link for one in line.actions if isinstance(one, commands.OpenUpstream)]
    cut = [one for one in line.actions if isinstance(one, events.Abort)]
    assert sorted(one.link for one in cut if one.side is Side.UPSTREAM) == [
        link for link in dialled if ending is not key_is_refused
    ]
    heard = sum(len(one.heard) for one in line.door.conversations)
    for side in Side:
        assert not line.do(
            events.BytesReceived(side, 1, head() + ASKING),
            events.BytesSent(side, 1, 1),
            events.StreamEnded(side, 1),
        )
        assert line.connection.may_read(side, 1)
    assert not line.do(
        inputs.DeadlineReached(),
        inputs.ShutdownRequested(),
        inputs.DialFailed(1, inputs.Fault.NETWORK),
    )
    assert line.fail() == []
    assert sum(len(one.heard) for one in line.door.conversations) == heard
    assert line.is_done()


# A fault of ours


def broken(on: type[object], data: bytes) -> Line:
    """Return a connection of which `handle` has raised at one input to its conversation."""
    line = Line()
    line.door.breaks_on = on
    with pytest.raises(ZeroDivisionError):
        line.client(data)
    return line


def test_fault() -> None:
    """The client hears of a fault of ours by 1011, its links are cut, and it is forgotten."""
    line = Line(until="live")
    line.door.conversations[0].breaks_on = inputs.ClientFrame
    with pytest.raises(ZeroDivisionError):
        line.client(ASKING * 2)
    assert streams(line.fail())[0] == LINK_CUT
    assert line.close == Close(1011, "a fault of the gateway")
    assert len(line.door.left) == 1
    assert not line.connection.has_conversation
    heard = len(line.heard)
    line.client(ASKING)
    assert len(line.heard) == heard
    assert line.client(goodbye(1011)) == [CUT]
    assert line.is_done()


def test_fault_in_the_head() -> None:
    """Who has not asked yet is cut."""
    line = Line()
    line.client(head()[:-1])
    assert line.fail() == [CUT]
    assert line.is_done()


def test_fault_after_the_answer() -> None:
    """Who has been answered in HTTP is cut."""
    line = Line()
    line.client(b"GET / HTTP/1.0\r\n\r\n")
    assert line.fail() == [CUT]
    assert line.is_done()


def test_fault_at_the_beginning() -> None:
    """A client's WebSocket is opened to tell it of a fault, if it was promised."""
    line = broken(inputs.ClientOpened, head())
    line.fail()
    assert line.close == Close(1011, "a fault of the gateway")
    assert [one.opcode for one in line.frames] == [Opcode.CLOSE]
    line.advance(5)
    assert line.is_done()


def test_fault_at_the_end() -> None:
    """A fault at the end of a client's stream leaves nothing behind."""
    line = Line(until="live")
    line.door.conversations[0].breaks_on = ClientGone
    with pytest.raises(ZeroDivisionError):
        line.end()
    assert sorted(map(repr, line.fail())) == sorted(map(repr, [LINK_CUT, CUT]))
    assert line.is_done()


def test_fault_at_the_late_end() -> None:
    """Nor does one when a client is cut."""
    line = Line(until="open")
    line.door.conversations[0].breaks_on = ClientGone
    line.do(inputs.ShutdownRequested())
    with pytest.raises(ZeroDivisionError):
        line.advance(5)
    assert line.fail() == [CUT]
    assert line.is_done()


def test_fault_at_a_link() -> None:
    """What was to be done when a fault came is done, such as to cut a link."""
    line = Line(until="live")
    line.door.conversations[0].breaks_on = inputs.UpstreamGone
    with pytest.raises(ZeroDivisionError):
        line.end(Side.UPSTREAM)
    assert LINK_CUT in line.fail()
    line.advance(5)
    assert line.is_done()


def test_fault_before_the_dial() -> None:
    """A link that was to be dialled when a fault came is not."""
    line = broken(inputs.Sent, head() + ASKING + text(b'{"type":"ping"}'))
    done = line.fail()
    assert not [one for one in done if isinstance(one, commands.OpenUpstream)]
    assert LINK_CUT not in done
    line.advance(5)
    assert line.is_done()


def test_fault_while_dialling() -> None:
    """A link that is being dialled is given up."""
    line = Line(until="open")
    line.client(ASKING)
    assert LINK_CUT in line.fail()
    assert line.end() == [CUT]
    assert line.is_done()


def test_forgotten_event() -> None:
    """A kind of event that nobody handles fails loudly instead of vanishing."""
    with pytest.raises(AssertionError, match="unreachable"):
        Line().do(cast("events.Event", None))


def test_forgotten_command() -> None:
    """So does a kind of command; then it is a fault of ours like any other."""
    line = Line(until="open")
    line.door.conversations[0].adds[inputs.ClientFrame] = [cast("commands.Command", None)]
    with pytest.raises(AssertionError, match="unreachable"):
        line.client(ASKING)
    line.fail()
    assert line.close == Close(1011, "a fault of the gateway")
