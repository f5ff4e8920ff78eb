"""Clients that may not begin: they hear why in a frame, and are gone."""

import json

import pytest
from websockets.frames import Close, Opcode

from byte_line import Line, goodbye, head, text
from livegate.protocol.connection import Refused, events
from livegate.protocol.errors import CLOSES, FATAL, ErrorCode, Refusal
from livegate.protocol.inputs import Side
from livegate.protocol.limits import KIB

CUT = [events.Abort(Side.CLIENT, 1)]


def refused(*, subprotocol: str | None = None, rest: bytes = b"") -> Line:
    """Return the connection of a client that has been refused."""
    refusal = Refusal(ErrorCode.UNAUTHORIZED, "no token")
    line = Line(verdict=Refused(refusal, subprotocol))
    line.client(head() + rest)
    return line


@pytest.mark.parametrize("code", FATAL)
def test_refused(code: ErrorCode) -> None:
    """It hears exactly one error, and a close with the code that belongs to it."""
    line = Line(verdict=Refused(Refusal(code, "why", 3.0)))
    done = line.client(head())
    (told,) = line.told
    assert (told["type"], told["code"], told["data"]) == ("error", code, "why")
    assert line.close == Close(FATAL[code], CLOSES[FATAL[code]].meaning)
    assert [one.opcode for one in line.frames] == [Opcode.TEXT, Opcode.CLOSE]
    assert [type(one) for one in done] == [events.SendBytes]
    assert not line.connection.has_conversation
    assert line.client(goodbye(FATAL[code])) == CUT
    assert line.is_done()
    assert not line.door.left


@pytest.mark.parametrize("name", ["livegate.v1", None])
def test_subprotocol(name: str | None) -> None:
    """A subprotocol is selected where one is given, so that browsers open at all."""
    given = refused(subprotocol=name).given[Side.CLIENT, 1]
    assert (b"\r\nSec-WebSocket-Protocol: livegate.v1\r\n" in given) is (name is not None)


def test_first_frames() -> None:
    """What it sends along with the head is neither answered nor counted against it."""
    line = refused(rest=text(json.dumps({"type": "text", "text": "hi"}).encode()))
    assert len(line.told) == 1
    assert not line.is_cut
    line.advance(5)
    assert line.is_done()


def test_early_goodbye() -> None:
    """A close along with the head ends it at once; the error is still sent."""
    line = refused(rest=goodbye(1001))
    assert len(line.told) == 1
    assert line.close == Close(1001, "")
    assert line.is_done()


def test_goodbye_waits_for_the_echo() -> None:
    """It is cut no sooner than what it is told has been taken."""
    line = Line(verdict=Refused(Refusal(ErrorCode.OVERLOADED, "full")))
    line.takes[Side.CLIENT] = False
    line.client(head() + goodbye())
    line.take(line.untaken[Side.CLIENT, 1] - 1)
    assert not line.is_cut
    line.take(1)
    assert line.is_done()


@pytest.mark.parametrize("piece", [1, 512, 5000])
def test_talks_on(piece: int) -> None:
    """What it goes on to send is read as far as 4 KiB, and answered never."""
    line = refused()
    told = bytes(line.given[Side.CLIENT, 1])
    data = (text(b"x" * 100) * 50)[: 4 * KIB] + b"!"
    for at in range(0, len(data), piece):
        assert not line.is_cut
        line.client(data[at : at + piece])
    assert line.is_done()
    assert line.given[Side.CLIENT, 1] == told


def test_pings() -> None:
    """It is cut after 4 KiB even where all it sends are pings."""
    line = refused()
    line.client(b"\x89\x80\0\0\0\0" * 682)
    assert not line.is_cut
    line.client(b"\x89\x80\0\0\0\0")
    assert line.is_done()


def test_silence() -> None:
    """It is cut after 5 s, and not pinged meanwhile."""
    line = refused()
    told = bytes(line.given[Side.CLIENT, 1])
    assert line.advance(4.75) == []
    assert line.advance(0.25) == CUT
    assert line.given[Side.CLIENT, 1] == told
    assert line.is_done()


def test_breaks_the_rules() -> None:
    """A frame that no client may send is no reason for another close."""
    line = refused()
    assert line.client(b"\x83\0") == [events.EndStream(Side.CLIENT, 1)]
    assert line.close is not None
    assert line.close.code == 1008
    assert line.end() == CUT
    assert line.is_done()


def test_vanishes() -> None:
    """It may go without a word."""
    line = refused()
    assert line.end() == CUT
    assert line.is_done()
