# pyright: reportPrivateUsage=false
"""Clients that are away, over bytes: how long they are waited for, and what happens meanwhile."""

import base64
import math
from collections.abc import Callable

import pytest
from websockets.frames import Close, Opcode

from byte_line import (
    INTERRUPTED,
    Line,
    frame,
    gemini,
    goodbye,
    sound,
    spoken,
)
from byte_line import text as said
from byte_returns import (
    CLIENT,
    PING,
    UNHEARD,
    asking,
    back,
    begun,
    closed,
    cut,
    frames,
    sends,
    seqs,
    told,
)
from livegate.protocol import inputs
from livegate.protocol.connection import events
from livegate.protocol.inputs import ClientGone, Side
from livegate.protocol.limits import KIB, Limits

# Time


def test_not_heard() -> None:
    """A client of `livegate.v1` that answers no ping is closed to come back, and waited for."""
    line = begun()
    line.advance(37.9)
    assert line.heard_of(ClientGone) == []
    line.advance(0.1)
    assert line.heard_of(ClientGone) == [UNHEARD]
    assert closed(line) == 4000
    assert line.connection.has_conversation
    line.advance(5)
    assert cut(line)
    assert not line.connection.is_over
    back(line)
    assert told(line)[0]["recovered"] is True
    line.advance(18.9)
    assert [one.opcode for one in frames(line)].count(Opcode.PING) == 0
    line.advance(19.2)
    assert closed(line, 2) == 4000


def test_plain_client_is_not_asked() -> None:
    """One of the plain dialect, which could not come back, may be silent for long."""
    line = Line(until="live")
    line.advance(900)
    assert line.heard_of(ClientGone) == []


@pytest.mark.parametrize("heard", [frame(10), b"\x81", PING], ids=["pong", "a byte", "frame"])
def test_heard_in_time(heard: bytes) -> None:
    """Whatever is heard of it will do."""
    line = begun()
    for _ in range(10):
        line.advance(37)
        sends(line, heard if len(heard) > 1 else frame(10), 1)
    assert line.heard_of(ClientGone) == []


def not_read(line: Line) -> Callable[[], None]:
    """Let us not read the client, since Gemini takes nothing; return how that ends."""
    line.takes[Side.UPSTREAM] = False
    pcm = base64.b64encode(bytes(190 * KIB))
    line.client(said(b'{"type":"audio","data":"%b"}' % pcm) * 2)
    assert not line.connection.may_read(CLIENT, 1)

    def end() -> None:
        line.takes[Side.UPSTREAM] = True
        line.take(side=Side.UPSTREAM)

    return end


def not_asked(line: Line) -> Callable[[], None]:
    """Let the client not be asked, since it takes what it gets slowly; return how that ends."""
    line.takes[CLIENT] = False
    line.gemini(gemini(sound(40 * KIB)))

    def end() -> None:
        line.takes[CLIENT] = True
        line.take()

    return end


@pytest.mark.parametrize("begin", [not_read, not_asked])
def test_could_not_be_heard(begin: Callable[[Line], Callable[[], None]]) -> None:
    """Nobody is given up for silence whom we did not read, or could not ask."""
    line = begun()
    end = begin(line)
    for _ in range(6):
        line.advance(10)
        if line.untaken[CLIENT, 1]:
            line.take(KIB)
    assert line.heard_of(ClientGone) == []
    end()
    line.advance(34)
    assert line.heard_of(ClientGone) == []
    line.advance(24)
    assert line.heard_of(ClientGone) == [UNHEARD]


def test_nobody_comes_back() -> None:
    """A conversation that waits for nobody any more ends, and its connection with it."""
    line = begun()
    line.end()
    assert line.connection.deadline == line.now + 120
    line.advance(119.9)
    assert (line.connection.is_over, line.connection.has_conversation) == (False, True)
    line.advance(0.1)
    assert line.closed_with == 1006
    assert not line.connection.has_conversation
    assert bytes(line.sent_to_gemini()[-1].data)[:2] == (1000).to_bytes(2)
    line.advance(1)
    assert line.is_done()


def test_nobody_waits_while_there() -> None:
    """With a client that is back nothing is due but what is due with any."""
    line = begun()
    line.end()
    line.advance(100)
    back(line)
    assert line.connection.deadline == line.now + 19
    for _ in range(20):
        line.advance(18)
        sends(line, frame(10))
    assert line.heard_of(ClientGone) == [ClientGone(1)]


def test_away_and_dead() -> None:
    """A conversation that ends while its client is away leaves nothing."""
    line = begun()
    line.end()
    line.gemini(goodbye(1011, b"You exceeded your current quota", is_masked=False))
    line.end(Side.UPSTREAM)
    assert line.closed_with == 4203
    assert line.is_done()


# Gemini, meanwhile


def test_link_stays() -> None:
    """While its client is away a conversation reads Gemini as far as it may hold, and no further."""
    line = begun()
    line.end()
    count = 0
    while line.connection.may_read(Side.UPSTREAM, 1):
        line.gemini(gemini(sound(30 * KIB)))
        count += 1
    assert count == 9
    line.advance(60)
    assert events.Abort(Side.UPSTREAM, 1) not in line.actions
    back(line)
    assert seqs(line) == [*range(4, 13)]
    assert line.connection.may_read(Side.UPSTREAM, 1)
    line.gemini(gemini(spoken("Hi.")))
    assert seqs(line)[-1] == 13


def test_message_that_waits() -> None:
    """A message of Gemini's that could not be read while the client was away is read then."""
    line = begun()
    line.end()
    many = gemini(sound(30 * KIB)) * 20 + gemini(spoken("last"))
    line.gemini(many)
    back(line)
    assert seqs(line) == [*range(4, 25)]
    assert told(line)[-1]["text"] == "last"


def test_silenced() -> None:
    """Sound that has not left on the newest WebSocket is taken back, and none on an older one."""
    line = begun()
    line.end()
    line.gemini(gemini(sound(40 * KIB)) * 5)
    line.takes[CLIENT] = False
    back(line)
    line.gemini(gemini(INTERRUPTED))
    dropped = [one for one in line.actions if isinstance(one, events.Count)]
    assert dropped == [events.Count(events.Matter.FRAMES_DROPPED, 3)]
    while line.untaken[CLIENT, 2]:
        line.take(link=2)
    assert [one["type"] for one in told(line)] == ["resumed", "audio", "audio", "interrupted"]
    assert [one.get("seq") for one in told(line)[1:]] == [4, 5, 9]


# The end


def test_shut_down_while_away() -> None:
    """A conversation without its client ends with the process."""
    line = begun()
    line.end()
    line.do(inputs.ShutdownRequested())
    assert line.closed_with == 1012
    line.advance(1)
    assert line.is_done()


def test_shut_down_while_going() -> None:
    """So does one whose client has said goodbye and has not heard ours yet."""
    line = begun()
    line.takes[CLIENT] = False
    line.client(goodbye(1001))
    line.do(inputs.ShutdownRequested())
    assert line.closed_with == 1012
    line.take()
    line.advance(1)
    assert line.is_done()
    assert line.heard_of(ClientGone) == [ClientGone(1, 1001)]


def test_gone_is_told_once() -> None:
    """However long a goodbye takes, the conversation hears once that its client has gone."""
    line = begun()
    line.takes[CLIENT] = False
    line.client(goodbye(1001))
    for _ in range(9):
        line.gemini(gemini(spoken("Hi.")))
        line.advance(0.1)
    line.take()
    assert line.heard_of(ClientGone) == [ClientGone(1, 1001)]
    back(line)
    assert line.connection.has_conversation


def test_shut_down_once_back() -> None:
    """Only the newest WebSocket hears that the process ends; that before it has been told to go."""
    line = begun()
    back(line)
    line.do(inputs.ShutdownRequested())
    assert [one["type"] for one in told(line)] == ["resumed", "going_away"]
    assert (closed(line, 1), closed(line, 2)) == (4202, 1012)
    assert not line.connection.is_over
    sends(line, goodbye(1012), 2)
    assert not line.connection.has_conversation
    sends(line, goodbye(4202), 1)
    line.advance(1)
    assert line.is_done()


def test_shut_down_while_asking() -> None:
    """A client whose token is being looked up is told as well, and then has no token to look up."""
    other = asking(begun(), behind=PING)
    other.do(inputs.ShutdownRequested())
    assert [one["type"] for one in other.told] == ["going_away"]
    assert other.close == Close(1012, "the gateway restarts")
    assert other.do(inputs.TokenRefused()) == []
    other.client(goodbye(1012))
    assert other.connection.conversation is None


def test_fault_of_ours() -> None:
    """A fault of ours ends all of it, whether its client is there or not."""
    line = begun()
    back(line)
    line.fail()
    assert closed(line, 2) == 1011
    sends(line, goodbye(1011), 2)
    assert not line.connection.is_over, "one has not heard its goodbye"
    sends(line, goodbye(4202), 1)
    assert line.is_done()
    line = begun()
    line.end()
    line.fail()
    assert line.is_done()
    assert line.connection.deadline == math.inf


def test_many_missed() -> None:
    """Of more than there is room for the oldest are gone, and the client is told."""
    line = begun()
    limits = Limits()
    for _ in range(60):
        line.gemini(gemini(sound(30 * KIB)))
    back(line)
    assert told(line)[0] == {"type": "resumed", "recovered": False, "seq": 3}
    kept = seqs(line)
    assert kept == [*range(64 - len(kept), 64)]
    assert limits.missed_bytes // (31 * KIB) <= len(kept) <= limits.missed_bytes // (30 * KIB)
