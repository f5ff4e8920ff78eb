# pyright: reportPrivateUsage=false
"""Clients that come back, over bytes: whose WebSocket it is, and what becomes of those before."""

import pytest
from websockets.frames import Opcode

from byte_line import Line, frame, gemini, goodbye, head, more, sound, spoken
from byte_line import text as said
from byte_returns import (
    CLIENT,
    PING,
    asking,
    back,
    begun,
    closed,
    cut,
    frames,
    moved,
    sends,
    seqs,
    told,
)
from livegate.protocol import commands, inputs
from livegate.protocol.connection import events
from livegate.protocol.errors import LocalProtocolError
from livegate.protocol.inputs import ClientGone, Side
from livegate.protocol.limits import KIB

# One takes another's place


def test_dialect() -> None:
    """Who offers `livegate.v1` gets it, and numbered frames."""
    line = begun()
    assert b"\r\nSec-WebSocket-Protocol: livegate.v1\r\n" in bytes(line.given[CLIENT, 1])
    assert line.heard[0] == inputs.ClientOpened(1, "192.0.2.1", "alice", is_v1=True)


def test_old_one_is_open() -> None:
    """The WebSocket before is closed as replaced, and cut once it has heard that."""
    line = begun()
    back(line)
    assert closed(line) == 4202
    assert told(line) == [{"type": "resumed", "recovered": True, "seq": 3}]
    assert not cut(line)
    sends(line, goodbye(4202), 1)
    assert cut(line)
    sends(line, PING)
    assert seqs(line) == [4]
    assert not line.connection.is_over
    assert not [one for one in line.actions if one == events.Abort(Side.UPSTREAM, 1)]


def test_old_one_never_answers() -> None:
    """One that does not hear its goodbye is cut when its time is over."""
    line = begun()
    back(line)
    line.advance(4.9)
    assert not cut(line)
    line.advance(0.1)
    assert cut(line)
    assert not line.connection.is_over


def test_old_one_is_stalled() -> None:
    """The new WebSocket gets all at once that the old one has not taken."""
    line = begun()
    line.takes[CLIENT] = False
    for _ in range(5):
        line.gemini(gemini(sound(30 * KIB)))
    back(line)
    assert seqs(line)[:2] == [4, 5]
    assert closed(line) is None, "it stands behind what waits"
    line.take(link=2)
    assert seqs(line) == [4, 5, 6, 7, 8]
    line.advance(5)
    assert cut(line)
    assert not cut(line, 2)


def test_old_one_takes_all_late() -> None:
    """What waits for the old one goes there as long as it is there, and then its goodbye."""
    line = begun()
    line.takes[CLIENT] = False
    line.gemini(gemini(sound(200 * KIB)) + gemini(spoken("Hi.")))
    back(line)
    line.take(link=1)
    line.take(link=1)
    assert [one["seq"] for one in told(line, 1)] == [1, 2, 3, 4, 5]
    assert closed(line) == 4202
    line.take(link=2)
    line.take(link=2)
    assert seqs(line) == [4, 5]


def test_old_one_says_goodbye() -> None:
    """One that has said goodbye itself, and waits to hear ours, is waited for no longer than that."""
    line = begun()
    line.takes[CLIENT] = False
    line.client(goodbye(1001))
    assert line.door.conversations[0].heard[-1] == ClientGone(1, 1001)
    back(line)
    line.take(link=1)
    assert closed(line) == 1001
    assert cut(line)
    assert told(line) == [{"type": "resumed", "recovered": True, "seq": 3}]


@pytest.mark.parametrize("code", [1001, 4000])
def test_old_one_has_ended(code: int) -> None:
    """While a client is away its conversation goes on, and it gets what was said."""
    line = begun()
    if code == 1001:
        line.client(goodbye(1001))
    else:
        line.end()
    assert cut(line)
    line.gemini(gemini(spoken("Hi.")))
    back(line)
    assert seqs(line) == [4]
    assert told(line)[1]["text"] == "Hi."


def test_old_one_breaks_the_rules() -> None:
    """One that breaks the rules once it is replaced is told so no more: it was told to go."""
    line = begun()
    line.takes[CLIENT] = False
    line.gemini(gemini(spoken("x" * 100)))
    back(line)
    sends(line, frame(3), 1)
    assert events.EndStream(CLIENT, 1) in line.actions
    line.take(link=1)
    line.take(link=2)
    sends(line, PING)
    assert seqs(line)[-1] == 5
    line.advance(5)
    assert cut(line)
    assert not line.connection.is_over


def test_old_one_says_more() -> None:
    """Nothing that comes on it is heard, not even the rest of what it had begun."""
    line = begun()
    line.client(said(b'{"type":"te', fin=False) + PING[:5])
    before = len(line.heard)
    back(line)
    sends(line, PING[5:], 1)
    sends(line, more(b'xt","text":"old"}', fin=True) + PING, 1)
    sends(line, frame(9, b"there?"), 1)
    heard = line.heard[before:]
    assert not [one for one in heard if isinstance(one, inputs.ClientFrame)]
    assert line.connection.may_read(CLIENT, 1)
    line.end(CLIENT, 1)
    assert cut(line)
    assert line.door.left == []
    assert not [one for one in line.heard[before:] if isinstance(one, ClientGone)]


def test_old_one_floods() -> None:
    """One that pings and does not read is not read, either, until it is cut."""
    line = begun()
    line.takes[CLIENT] = False
    back(line)
    for _ in range(10):
        if line.connection.may_read(CLIENT, 1):
            sends(line, frame(9, b"x" * 125) * 500, 1)
    assert line.untaken[CLIENT, 1] <= 128 * KIB
    line.advance(5)
    assert cut(line)


def test_twice() -> None:
    """The newest of three owns the conversation, and both before it are told."""
    line = begun()
    line.takes[CLIENT] = False
    line.gemini(gemini(spoken("Hi.")))
    back(line)
    back(line)
    assert line.connection.client_link == 3
    for link in (1, 2, 3):
        line.take(link=link)
        line.take(link=link)
    assert (closed(line, 1), closed(line, 2), closed(line, 3)) == (4202, 4202, None)
    assert seqs(line, 2) == seqs(line, 3) == [4]
    sends(line, goodbye(4202), 2)
    line.take(link=2)
    assert (cut(line, 1), cut(line, 2), cut(line, 3)) == (False, True, False)
    sends(line, PING, 3)
    line.take(link=3)
    assert seqs(line, 3) == [4, 5]
    line.advance(5)
    assert cut(line, 1)


def test_hundred_times() -> None:
    """A client that comes back all the time leaves nothing behind."""
    line = begun()
    for _ in range(100):
        back(line)
        line.advance(0.5)
    line.advance(5)
    assert len(line.connection._formers) == 0
    assert [cut(line, link) for link in range(1, 102)] == [True] * 100 + [False]
    assert len(line.connection._links) == 1


# What it brings along


def test_behind_resume() -> None:
    """What a client says in the same breath is for the conversation that it comes back to."""
    line = begun()
    other = asking(line, behind=said(b'{"type":"text","text":"one"}') + PING)
    assert [type(one) for one in other.heard] == [inputs.ClientOpened, inputs.ClientFrame]
    assert not other.connection.may_read(CLIENT, 1)
    moved(line, other)
    assert b'"text":"one"' in bytes(line.sent_to_gemini()[-1].data)
    assert seqs(line) == [4]
    assert other.is_done()


@pytest.mark.parametrize("at", range(1, len(PING)))
def test_half_a_frame(at: int) -> None:
    """A frame may have come in part when its WebSocket changes hands."""
    line = begun()
    moved(line, asking(line, behind=PING[:at]))
    assert told(line)[1:] == []
    sends(line, PING[at:])
    assert seqs(line) == [4]


def test_half_a_message() -> None:
    """So may a message of several frames."""
    line = begun()
    moved(line, asking(line, behind=said(b'{"type":', fin=False) + frame(9)))
    sends(line, more(b'"ping","da') + more(b'ta":1}', fin=True))
    assert seqs(line) == [4]
    assert [one.opcode for one in frames(line)].count(Opcode.PONG) == 0


def test_pong_goes_first() -> None:
    """What the client is to get from the one connection is sent before it goes to another."""
    other = asking(begun(), before=frame(9, b"there?"))
    kinds = [type(one) for one in other.actions]
    assert kinds[-2:] == [events.SendBytes, commands.Resume]


@pytest.mark.parametrize("before", [b"", PING, PING[:5]])
def test_goodbye_behind_resume(before: bytes) -> None:
    """A client that goes in the same breath is not looked for, and its conversation waits."""
    line = begun()
    line.end()
    other = asking(line, behind=before + goodbye() if before != PING[:5] else before)
    if before == PING[:5]:
        other.end()
    assert other.connection.conversation is None
    assert other.closed_with == (1006 if before == PING[:5] else 1000)
    assert other.is_done()
    assert line.connection.has_conversation


def test_nobody_to_release() -> None:
    """A connection whose client has gone, or has asked for a page, has none to give away."""
    line = begun()
    line.end()
    asking_for_page = Line()
    asking_for_page.client(head(target="/", without=["Upgrade", "Connection"]))
    for one in (line, asking_for_page, Line()):
        with pytest.raises(LocalProtocolError, match="no client"):
            one.connection.release(one.now)


def test_lost_with_the_connection() -> None:
    """What is left of a connection that has given its client away is nothing."""
    line = begun()
    other = asking(line)
    moved(line, other)
    assert other.is_done()
    assert other.closed_with == 1000
    late = (
        events.BytesReceived(CLIENT, 1, PING),
        events.BytesSent(CLIENT, 1, 5),
        events.StreamEnded(CLIENT, 1),
        inputs.DeadlineReached(),
        inputs.ShutdownRequested(),
        inputs.TokenRefused(),
    )
    for event in late:
        assert other.do(event) == []


def test_late_news() -> None:
    """News of a WebSocket that there never was, or is no more, means nothing."""
    line = begun()
    back(line)
    sends(line, goodbye(), 1)
    for link in (1, 9):
        for event in (
            events.BytesReceived(CLIENT, link, PING),
            events.BytesSent(CLIENT, link, 5),
            events.StreamEnded(CLIENT, link),
        ):
            assert line.do(event) == []
    assert line.connection.may_read(CLIENT, 1)


def test_token_that_is_no_good() -> None:
    """Where nobody has the session, the client stays, and what it has said since is heard."""
    other = asking(begun(), behind=PING)
    other.do(inputs.TokenRefused())
    kinds = [one["type"] for one in other.told]
    assert kinds == ["resumed", "context_lost", "pong"]
    other = asking(begun(), behind=PING)
    other.do(inputs.TokenOpened("gemini-3.8-live", "h-1", {"resumable": True}))
    assert other.actions[-1] == commands.OpenUpstream(1)
    other.do(inputs.Sealed("another"))
    assert [one["type"] for one in other.told] == ["resumed", "pong", "session"]
