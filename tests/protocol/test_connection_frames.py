"""Frames and messages of a client: what RFC 6455 allows, and what ends it."""

import tracemalloc
from typing import Final

import pytest
from websockets.frames import Opcode

from byte_line import Line, frame, goodbye, head, more, text
from livegate.protocol import commands, inputs
from livegate.protocol.connection import events
from livegate.protocol.inputs import ClientFrame, ClientGone, Side
from livegate.protocol.limits import KIB, MIB

ENDED: Final = events.EndStream(Side.CLIENT, 1)
CUT: Final = events.Abort(Side.CLIENT, 1)
SNOWMAN: Final = "\N{SNOWMAN}".encode()
BROKEN: Final = {
    "deflated": (frame(1, b"hi", reserved=4), 1002),
    "second reserved bit": (frame(1, b"hi", reserved=2), 1002),
    "third reserved bit": (frame(9, b"", reserved=1), 1002),
    "unmasked": (frame(1, b"hi", is_masked=False), 1002),
    "reserved data opcode": (frame(3, b"hi"), 1002),
    "reserved control opcode": (frame(11, b"hi"), 1002),
    "fragmented ping": (frame(9, b"", fin=False), 1002),
    "fragmented close": (frame(8, b"", fin=False), 1002),
    "long ping": (frame(9, b"x" * 126), 1002),
    "long close": (goodbye(1000, b"x" * 124), 1002),
    "continuation of nothing": (more(b"hi"), 1002),
    "last continuation of nothing": (more(b"hi", fin=True), 1002),
    "message inside a message": (text(b"hi", fin=False) + text(b"hi"), 1002),
    "fragments inside a message": (text(b"", fin=False) + frame(2, b"", fin=False), 1002),
    "continuation after the last": (frame(2, b"", fin=False) + more(b"", fin=True) * 2, 1002),
    "close inside a message": (text(b"hi", fin=False) + goodbye(), 1002),
    "close of one byte": (frame(8, b"\x03"), 1002),
    "close code 0": (goodbye(0), 1002),
    "close code 999": (goodbye(999), 1002),
    "close code 1004": (goodbye(1004), 1002),
    "close code 1005": (goodbye(1005), 1002),
    "close code 1006": (goodbye(1006), 1002),
    "close code 1015": (goodbye(1015), 1002),
    "close code 2999": (goodbye(2999), 1002),
    "close code 5000": (goodbye(5000), 1002),
    "close reason of no UTF-8": (goodbye(1000, b"\xff"), 1007),
    "text of no UTF-8": (text(b"\xff"), 1007),
    "text that ends within a character": (text(SNOWMAN[:2]), 1007),
    "a surrogate": (text("\ud800".encode("utf-8", "surrogatepass")), 1007),
    "fragments of no UTF-8": (text(SNOWMAN[:2], fin=False) + more(b"a", fin=True), 1007),
    "fragments cut off": (text(SNOWMAN[:1], fin=False) + more(SNOWMAN[1:2], fin=True), 1007),
    "16 MiB and 1": (frame(2, size=16 * MIB + 1), 1009),
    "16 MiB and 1 of text": (frame(1, size=16 * MIB + 1), 1009),
    "all that can be said": (frame(2, size=(1 << 63) - 1), 1009),
    "more than can be said": (frame(2, size=(1 << 64) - 1), 1009),
}


@pytest.mark.parametrize("piece", [1, 1 << 30], ids=["crumbs", "whole"])
@pytest.mark.parametrize(("data", "code"), BROKEN.values(), ids=BROKEN)
def test_broken(data: bytes, code: int, piece: int) -> None:
    """What breaks the rules is told by one close, and ends the conversation, its stream once."""
    line = Line(until="open")
    line.client(text(b"{}"))
    for at in range(0, len(data), piece):
        line.client(data[at : at + piece])
    assert line.close is not None
    assert line.close.code == code
    assert line.frames[-1].opcode is Opcode.CLOSE
    (gone,) = line.heard_of(ClientGone)
    assert isinstance(gone, ClientGone)
    assert gone.code == line.closed_with == code
    assert line.heard_of(ClientFrame)[0] == ClientFrame(1, b"{}", is_text=True)
    assert ClientFrame(1, b"hi", is_text=True) not in line.heard
    assert line.actions.count(ENDED) == 1
    assert not line.is_cut
    assert not line.connection.has_conversation
    assert line.connection.may_read(Side.CLIENT, 1)


@pytest.mark.parametrize("ends", [True, False], ids=["ends", "stays"])
def test_after_broken(*, ends: bool) -> None:
    """What it sends then is thrown away unseen, until it ends or 5 s have passed."""
    line = Line(until="open")
    line.client(text(b"\xff"))
    said = bytes(line.given[Side.CLIENT, 1])
    flood = text(b"x" * (64 * KIB - 14))
    tracemalloc.start()
    try:
        for _ in range(300 * 16):
            line.client(flood)
        assert tracemalloc.get_traced_memory()[1] < 100 * KIB
    finally:
        tracemalloc.stop()
    assert line.advance(4.75) == []
    assert line.end() + line.advance(0) == [CUT] if ends else line.advance(0.25) == [CUT]
    assert line.given[Side.CLIENT, 1] == said
    assert line.is_done()
    assert line.heard_of(ClientFrame) == []


def test_broken_in_a_batch() -> None:
    """Of what comes in one piece, all before the fault counts and nothing behind it."""
    line = Line(until="open")
    line.client(text(b"1") + text(b"\xff") + text(b"2") + text(b"\xfe") + goodbye(1000))
    assert line.heard_of(ClientFrame) == [ClientFrame(1, b"1", is_text=True)]
    assert len(line.heard_of(ClientGone)) == 1
    assert line.actions.count(ENDED) == 1
    assert line.end() == [CUT]
    assert line.is_done()


# Behind the head


def test_first_frames() -> None:
    """What comes in one piece with the head are the first frames."""
    line = Line()
    line.client(head() + text(b"1") + frame(2, b"2") + text(b"3")[:-1])
    assert line.heard == [
        inputs.ClientOpened(1, "192.0.2.1", "alice"),
        ClientFrame(1, b"1", is_text=True),
        ClientFrame(1, b"2", is_text=False),
        *line.heard_of(inputs.Sent),
    ]
    line.client(b"3")
    assert line.heard_of(ClientFrame)[-1] == ClientFrame(1, b"3", is_text=True)


@pytest.mark.parametrize("stray", [b"\x81", b"\x81\x80", b"\0", b""])
def test_stray_byte(stray: bytes) -> None:
    """A piece of a first frame and then the end of the stream is a client that has vanished."""
    line = Line()
    line.client(head() + stray)
    assert line.end()[-1] == CUT
    assert line.heard_of(ClientGone) == [ClientGone(1, 1006)]
    assert line.is_done()


def test_goodbye_behind_the_head() -> None:
    """A client may open and close in one piece."""
    line = Line()
    line.client(head() + goodbye(1001, b"bye"))
    assert line.close is not None
    assert (line.close.code, line.close.reason) == (1001, "bye")
    assert line.heard_of(ClientGone) == [ClientGone(1, 1001, "bye")]
    assert line.is_done()


# What is fine


@pytest.mark.parametrize(
    ("data", "payload"),
    [
        (text(b""), b""),
        (text(SNOWMAN), SNOWMAN),
        (frame(1, b"a" * 126), b"a" * 126),
        (frame(1, b"a" * 70_000), b"a" * 70_000),
        (text(b"a", fin=False) + more(b"", fin=True), b"a"),
        (text(SNOWMAN[:1], fin=False) + more(SNOWMAN[1:2]) + more(SNOWMAN[2:], fin=True), SNOWMAN),
        (text(b"a", fin=False) + frame(9, b"!") + more(b"b", fin=True), b"ab"),
        (text(b"a", fin=False) + frame(10) + more(b"b", fin=True), b"ab"),
    ],
    ids=["empty", "snowman", "126", "70,000", "end", "cut snowman", "ping inside", "pong inside"],
)
@pytest.mark.parametrize("piece", [1, 4096, 1 << 30], ids=["crumbs", "pieces", "whole"])
def test_message(data: bytes, payload: bytes, piece: int) -> None:
    """A message is put together from whatever it was cut into."""
    line = Line(until="open")
    piece = piece if len(data) < 10_000 else max(piece, 4096)
    for at in range(0, len(data), piece):
        line.client(data[at : at + piece])
    assert line.heard_of(ClientFrame) == [ClientFrame(1, payload, is_text=True)]
    assert line.connection.has_conversation


@pytest.mark.parametrize("payload", [b"\xff", SNOWMAN[:2]])
def test_binary(payload: bytes) -> None:
    """A binary message need not be UTF-8, in one frame or in two."""
    line = Line(until="open")
    line.client(frame(2, payload) + frame(2, payload, fin=False) + more(b"!", fin=True))
    assert line.heard_of(ClientFrame) == [
        ClientFrame(1, payload, is_text=False),
        ClientFrame(1, payload + b"!", is_text=False),
    ]


def test_text_and_binary_by_turns() -> None:
    """A fragmented message is what its first frame says."""
    line = Line(until="open")
    line.client(frame(2, b"\xff", fin=False) + more(b"", fin=True))
    line.client(text(b"a", fin=False) + more(b"", fin=True))
    kinds = [one.is_text for one in line.heard_of(ClientFrame) if isinstance(one, ClientFrame)]
    assert kinds == [False, True]


def test_binary_answer() -> None:
    """A conversation may answer in bytes."""
    line = Line(until="open")
    line.door.conversations[0].adds[ClientFrame] = [commands.SendClient(1, b"\xff", is_text=False)]
    line.client(frame(2, b"\0\0"))
    last = line.frames[-1]
    assert (last.opcode, bytes(last.data)) == (Opcode.BINARY, b"\xff")


# How large a message may be


@pytest.mark.parametrize(
    "begun",
    [frame(2, bytes(MIB), size=16 * MIB), frame(2, bytes(MIB), fin=False)],
    ids=["one frame", "fragments"],
)
def test_largest(begun: bytes) -> None:
    """A message of 16 MiB passes, in one frame or in many."""
    line = Line(until="open")
    is_whole = begun[0] & 0x80
    line.client(begun)
    for at in range(15):
        line.client(bytes(MIB) if is_whole else more(bytes(MIB), fin=at == 14))
    assert line.heard_of(ClientFrame) == [ClientFrame(1, bytes(16 * MIB), is_text=False)]
    assert line.close is None


def test_nothing_is_kept() -> None:
    """A message that has been handed on costs nothing more, whatever it was cut into."""
    line = Line(until="open")
    tracemalloc.start()
    try:
        line.client(text(b"x" * 4 * MIB, fin=False) + more(b"", fin=True))
        assert len(line.heard_of(ClientFrame)) == 1
        line.heard.clear()
        assert tracemalloc.get_traced_memory()[0] < MIB
    finally:
        tracemalloc.stop()


def test_fragments_too_large() -> None:
    """Fragments that add up to more end it, at the header that says so."""
    line = Line(until="open")
    line.client(frame(2, bytes(8 * MIB), fin=False) + more(bytes(8 * MIB)))
    assert line.frames == []
    line.client(frame(0, size=1))
    assert line.close is not None
    assert line.close.code == 1009
    assert line.heard_of(ClientFrame) == []


@pytest.mark.parametrize("crumb", [b"", b"x"], ids=["empty", "one byte"])
def test_many_fragments(crumb: bytes) -> None:
    """Ten thousands of small fragments cost no more than the message that they are."""
    line = Line(until="open")
    piece = more(crumb) * 5_000
    line.client(text(b"", fin=False) + piece)
    tracemalloc.start()
    try:
        for _ in range(2):
            line.client(piece)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 100 * KIB
    line.client(more(b"", fin=True))
    assert line.heard_of(ClientFrame) == [ClientFrame(1, crumb * 15_000, is_text=True)]
