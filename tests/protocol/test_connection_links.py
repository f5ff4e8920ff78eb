# pyright: reportPrivateUsage=false
"""Links to Gemini over bytes: how they open, what comes on them, and how they end."""

from typing import Final

import pytest
from websockets.frames import Close, Opcode

from byte_line import READY, Line, frame, gemini, goodbye, more, spoken, text
from byte_system import SERVICE
from livegate.protocol import commands, inputs
from livegate.protocol.connection import events
from livegate.protocol.inputs import DialFailed, Fault, Side, UpstreamFrame, UpstreamGone
from livegate.protocol.limits import KIB, MIB

CUT: Final = events.Abort(Side.UPSTREAM, 1)
ASKING: Final = text(b'{"type":"text","text":"hi"}')
KEY: Final = SERVICE.key.value


def linking() -> Line:
    """Return a connection whose link's stream has opened."""
    line = Line(until="open")
    line.client(ASKING)
    line.do(inputs.UpstreamOpened(1))
    return line


def answering() -> Line:
    """Return a connection on whose link an answer has begun."""
    line = Line(until="live")
    line.client(ASKING)
    line.gemini(gemini(spoken("hm")))
    return line


def answered(status: str, *fields: str, body: str = "") -> bytes:
    """Return an HTTP answer."""
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, "", body]).encode()


# Opening


def test_request() -> None:
    """The handshake asks for the service's path, with the key in a header and nowhere else."""
    line = linking()
    request = bytes(line.given[Side.UPSTREAM, 1])
    assert request.startswith(b"GET /ws HTTP/1.1\r\nHost: gemini.example\r\n")
    assert f"\r\nx-goog-api-key: {KEY}\r\n".encode() in request
    assert request.count(KEY.encode()) == 1
    assert b"extensions" not in request.lower()
    assert line.heard_of(inputs.UpstreamOpened) == []


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_accepted(piece: int) -> None:
    """The conversation hears when the WebSocket is open; messages may come along with that."""
    line = linking()
    data = line.accepted() + gemini(READY) + gemini(spoken("hello"))
    for at in range(0, len(data), piece):
        line.gemini(data[at : at + piece])
    assert line.heard_of(inputs.UpstreamOpened) == [inputs.UpstreamOpened(1)]
    assert len(line.heard_of(UpstreamFrame)) == 2
    assert line.told[-1] == {"type": "response", "text": "hello"}
    assert b'"setup"' in bytes(line.sent_to_gemini()[0].data)


FORBIDDEN: Final = ["401 Unauthorized", "403 Forbidden"]
REFUSED: Final = {
    "401": (answered(FORBIDDEN[0], "Content-Length: 2", body="no"), Fault.FORBIDDEN),
    "403": (answered(FORBIDDEN[1], "Content-Length: 0"), Fault.FORBIDDEN),
    "404": (answered("404 Not Found", "Content-Length: 0"), Fault.HTTP),
    "500": (answered("500 Oops", "Content-Length: 0"), Fault.HTTP),
    "302": (answered("302 Found", "Location: wss://a", "Content-Length: 0"), Fault.HTTP),
    "200": (answered("200 OK", "Content-Length: 0"), Fault.HTTP),
    "bare 101": (answered("101 Switching Protocols"), Fault.HTTP),
    "wrong accept": (
        answered(
            "101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        ),
        Fault.HTTP,
    ),
    "garbage": (b"\x16\x03\x01 no HTTP\n", Fault.HTTP),
    "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n", Fault.HTTP),
    "a long line": (b"HTTP/1.1 101 " + b"x" * 20_000, Fault.HTTP),
    "many headers": (b"HTTP/1.1 101 OK\r\n" + b"a: b\r\n" * 1000, Fault.HTTP),
    "a large body": (answered(FORBIDDEN[1], f"Content-Length: {2 * MIB}"), Fault.HTTP),
}


@pytest.mark.parametrize("piece", [1 << 20, 100])
@pytest.mark.parametrize(("data", "fault"), REFUSED.values(), ids=REFUSED)
def test_refused(data: bytes, fault: Fault, piece: int) -> None:
    """Whatever is no acceptance is a fault that the conversation hears, and the link is cut."""
    line = linking()
    for at in range(0, len(data), piece):
        line.gemini(data[at : at + piece])
    assert line.heard_of(DialFailed) == [DialFailed(1, fault)]
    assert line.actions.count(CUT) == 1
    assert line.heard_of(inputs.UpstreamOpened) == []
    if fault is Fault.FORBIDDEN:
        assert line.told[-1]["code"] == "key_refused"
        assert line.close is not None
    else:
        assert (line.told, line.close) == ([], None)
        assert line.advance(0.5)[-1] == commands.OpenUpstream(2)


def test_extension_not_asked_for() -> None:
    """An acceptance with an extension that was not asked for is none."""
    line = linking()
    extended = line.accepted().replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: x\r\n\r\n")
    line.gemini(extended)
    assert line.heard_of(DialFailed) == [DialFailed(1, Fault.HTTP)]


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", Fault.HTTP),
        (b"HTTP/1.1 101 Switch", Fault.HTTP),
        (answered(FORBIDDEN[1]), Fault.FORBIDDEN),
        (answered(FORBIDDEN[0], "Connection: close", body="API key not valid"), Fault.FORBIDDEN),
        (answered("500 Oops", body="sorry"), Fault.HTTP),
        (answered(FORBIDDEN[1], "Content-Length: 5", body="1234"), Fault.HTTP),
    ],
    ids=["nothing", "half a line", "403", "401", "500", "403 cut off"],
)
def test_ends_before_it_opens(data: bytes, fault: Fault) -> None:
    """An answer that only its stream's end makes whole counts; less than one is a fault, too."""
    line = linking()
    if data:
        line.gemini(data)
    assert line.heard_of(DialFailed) == []
    assert CUT in line.end(Side.UPSTREAM)
    assert line.heard_of(DialFailed) == [DialFailed(1, fault)]


def test_unreachable() -> None:
    """What the shell tells of a link that never opened is passed on; nothing is there to cut."""
    line = Line(until="open")
    line.client(ASKING)
    line.do(DialFailed(1, Fault.NAME))
    assert line.heard_of(DialFailed) == [DialFailed(1, Fault.NAME)]
    assert CUT not in line.actions
    line.end()
    assert line.is_done()


def test_opened_cannot_fail_to() -> None:
    """A link that has opened is not one that could not be opened."""
    line = Line(until="live")
    assert line.do(DialFailed(1, Fault.NETWORK)) == []
    assert line.connection.has_conversation


# Messages


def test_ping() -> None:
    """Gemini's pings are answered."""
    line = Line(until="live")
    line.gemini(frame(9, b"are you there", is_masked=False))
    last = line.sent_to_gemini()[-1]
    assert (last.opcode, bytes(last.data)) == (Opcode.PONG, b"are you there")


def test_gemini_is_not_pinged() -> None:
    """Gemini is not pinged: the conversation's own clocks judge it."""
    line = Line(until="live")
    line.advance(100)
    assert [one.opcode for one in line.sent_to_gemini()] == [Opcode.TEXT]


@pytest.mark.parametrize("opcode", [1, 2], ids=["text", "binary"])
def test_any_opcode(opcode: int) -> None:
    """Whether Gemini sends text or bytes means nothing; nor does how it cuts them."""
    line = Line(until="live")
    payload = "\N{SNOWMAN}".encode()
    line.gemini(frame(opcode, payload[:1], fin=False, is_masked=False))
    line.gemini(frame(0, payload[1:], is_masked=False))
    assert line.heard_of(UpstreamFrame)[-1] == UpstreamFrame(1, payload)


def test_largest() -> None:
    """A message of 16 MiB passes."""
    line = Line(until="live")
    line.gemini(frame(2, bytes(16 * MIB), is_masked=False))
    assert line.heard_of(UpstreamFrame)[-1] == UpstreamFrame(1, bytes(16 * MIB))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(2, size=16 * MIB + 1, is_masked=False), 1009),
        (frame(2, bytes(16 * MIB), fin=False, is_masked=False) + b"\0\1", 1009),
        (frame(2, b"x"), 1002),
        (frame(2, b"x", reserved=4, is_masked=False), 1002),
        (frame(1, b"\xff", is_masked=False), 1007),
        (more(b""), 1002),
    ],
    ids=["too large", "too large in pieces", "masked", "deflated", "no UTF-8", "no beginning"],
)
@pytest.mark.parametrize("ends", [True, False], ids=["ends", "stays"])
def test_broken(data: bytes, code: int, *, ends: bool) -> None:
    """A Gemini that breaks the rules is told so, and is gone when it ends, or after 0.4 s."""
    line = answering()
    line.gemini(data + gemini(spoken("more")))
    assert Close.parse(bytes(line.sent_to_gemini()[-1].data)).code == code
    assert line.actions.count(events.EndStream(Side.UPSTREAM, 1)) == 1
    assert CUT not in line.actions
    done = line.end(Side.UPSTREAM) if ends else line.advance(0.5)
    assert (done[0], done[-1]) == (CUT, commands.OpenUpstream(2))
    (gone,) = line.heard_of(UpstreamGone)
    assert isinstance(gone, UpstreamGone)
    assert gone.code == code
    assert line.told[-1]["code"] == "upstream_lost"
    assert len(line.heard_of(UpstreamFrame)) == 2


def test_taken_in_pieces() -> None:
    """What Gemini is given is whole and in order, however it takes it."""
    line = Line(until="live")
    line.takes[Side.UPSTREAM] = False
    words = text(b'{"type":"text","text":"' + b"x" * 60 * KIB + b'"}')
    line.client(words)
    line.client(words)
    while line.untaken[Side.UPSTREAM, 1]:
        line.take(9_999, side=Side.UPSTREAM)
    sent = line.sent_to_gemini()
    assert [len(one.data) > 60 * KIB for one in sent] == [False, True, True]


# The end


def test_gemini_closes() -> None:
    """Gemini's close is echoed; once that is taken the link is cut and the conversation hears."""
    line = Line(until="live")
    line.takes[Side.UPSTREAM] = False
    line.gemini(goodbye(1008, b"enough", is_masked=False))
    assert Close.parse(bytes(line.sent_to_gemini()[-1].data)) == Close(1008, "enough")
    assert CUT not in line.actions
    line.take(side=Side.UPSTREAM)
    assert line.actions.count(CUT) == 1
    assert line.heard_of(UpstreamGone) == [UpstreamGone(1, 1008, "enough")]


def test_gemini_takes_no_echo() -> None:
    """A link whose echo is not taken is given up after 0.4 s."""
    line = Line(until="live")
    line.takes[Side.UPSTREAM] = False
    line.gemini(goodbye(1011, is_masked=False))
    line.advance(0.5)
    assert CUT in line.actions
    assert line.heard_of(UpstreamGone) == [UpstreamGone(1, 1011)]


def test_gemini_vanishes() -> None:
    """A link whose stream ends without a close is gone with 1006."""
    line = Line(until="live")
    assert line.end(Side.UPSTREAM)[0] == CUT
    assert line.heard_of(UpstreamGone) == [UpstreamGone(1, 1006)]
    assert line.connection.has_conversation


def test_accepted_and_closed() -> None:
    """Gemini may accept and close in one piece."""
    line = linking()
    line.gemini(line.accepted() + goodbye(1008, b"API key not valid", is_masked=False))
    assert line.heard_of(inputs.UpstreamOpened) == [inputs.UpstreamOpened(1)]
    assert line.heard_of(UpstreamGone) == [UpstreamGone(1, 1008, "API key not valid")]


@pytest.mark.parametrize("begun", [False, True], ids=["dialling", "linking"])
def test_given_up(*, begun: bool) -> None:
    """A link that takes too long is given up; if it opens then, it is cut again."""
    line = Line(until="open")
    line.client(ASKING)
    if begun:
        line.do(inputs.UpstreamOpened(1))
    line.advance(10)
    assert line.actions.count(CUT) == 1
    heard = len(line.heard)
    if not begun:
        assert line.do(inputs.UpstreamOpened(1)) == [CUT]
    assert not line.do(
        events.BytesReceived(Side.UPSTREAM, 1, b"HTTP/1.1 101"),
        events.BytesSent(Side.UPSTREAM, 1, 1),
        events.StreamEnded(Side.UPSTREAM, 1),
        DialFailed(1, Fault.NETWORK),
    )
    assert line.heard[heard:] == []
    assert line.connection.may_read(Side.UPSTREAM, 1)
    assert line.connection.has_conversation


def test_hand_over() -> None:
    """The old link hears its close before the new one is dialled; what it still says is lost."""
    line = Line(until="live")
    handle = b'{"sessionResumptionUpdate":{"newHandle":"h","resumable":true}}'
    line.gemini(gemini(handle))
    done = line.client(text(b'{"type":"config","data":{"temperature":0.5}}'))
    kinds = [type(one) for one in done if not isinstance(one, commands.Log)]
    assert kinds == [events.SendBytes, commands.OpenUpstream]
    assert done[-1] == commands.OpenUpstream(2)
    assert Close.parse(bytes(line.sent_to_gemini()[-1].data)).code == 1000
    line.open_link(2, gemini(READY))
    line.gemini(gemini(spoken("late")))
    assert line.gemini(goodbye(is_masked=False)) == [CUT]
    line.gemini(gemini(spoken("on time")), 2)
    assert [one["text"] for one in line.told if one["type"] == "response"] == ["on time"]
    line.end()
    line.advance(0.5)
    assert line.is_done()


@pytest.mark.parametrize("goodbye_s", [0.0, 0.3, 9.0])
def test_another_at_once(goodbye_s: float) -> None:
    """A lost link is cut before another is dialled, which needs nothing of the old one."""
    line = answering()
    done = line.end(Side.UPSTREAM)
    kinds = [type(one) for one in done if not isinstance(one, commands.Log)]
    assert kinds == [events.Abort, events.SendBytes, commands.OpenUpstream]
    assert not line.gemini(gemini(spoken("late")))
    line.advance(goodbye_s)
    line.open_link(2, gemini(READY), gemini(spoken("on time")))
    assert line.told[-1] == {"type": "response", "text": "on time"}
    line.client(ASKING)
    assert b"hi" in line.sent_to_gemini(2)[-1].data


def test_another_while_the_old_one_closes() -> None:
    """A link whose goodbye is not taken, or not answered, holds up nothing, and is cut in time."""
    line = Line(until="live")
    line.gemini(gemini(b'{"sessionResumptionUpdate":{"newHandle":"h","resumable":true}}'))
    line.takes[Side.UPSTREAM] = False
    for _ in range(4):
        line.client(frame(2, bytes(20 * KIB)))
    line.gemini(gemini(b'{"goAway":{"timeLeft":"0s"}}'))
    assert line.do(inputs.DeadlineReached())[-1] == commands.OpenUpstream(2)
    line.takes[Side.UPSTREAM] = True
    line.open_link(2, gemini(READY), gemini(spoken("on time")))
    assert line.told[-1] == {"type": "response", "text": "on time"}
    heard = len(line.heard)
    line.gemini(gemini(spoken("late")))
    assert len(line.heard) == heard
    assert CUT in line.advance(0.5)
    line.client(ASKING)
    assert b"hi" in line.sent_to_gemini(2)[-1].data
    line.end()
    line.advance(0.5)
    assert line.is_done()


# The key


@pytest.mark.parametrize("when", ["opening", "live"])
def test_key_in_a_reason(when: str) -> None:
    """Close reasons are told, to the conversation and the log, without the key."""
    line = linking()
    line.gemini(line.accepted())
    if when == "live":
        line.gemini(gemini(READY))
    line.gemini(goodbye(1008, f"?key={KEY} is bad".encode(), is_masked=False))
    (gone,) = line.heard_of(UpstreamGone)
    assert isinstance(gone, UpstreamGone)
    assert gone.reason == "?key=[key] is bad"
    assert_hidden(line)


def assert_hidden(line: Line) -> None:
    """Check that the key is nowhere to be seen."""
    assert KEY.encode() not in line.given[Side.CLIENT, 1]
    assert KEY not in repr(line.actions)
    assert KEY not in repr(line.heard)
    connection = line.connection
    seen = (connection, SERVICE, connection._client, connection._links, vars(connection))
    assert KEY not in repr(seen)
    assert KEY not in repr(
        [vars(connection._links), *(vars(one) for _, one in connection._links.items())]
    )


def test_key_is_hidden() -> None:
    """The key stands in what Gemini gets, and in no repr and nothing that a client gets."""
    line = linking()
    assert_hidden(line)
    line.gemini(answered(FORBIDDEN[1], "Content-Length: 10", body=KEY))
    assert_hidden(line)
    received = events.BytesReceived(Side.UPSTREAM, 1, KEY.encode())
    sent = events.SendBytes(Side.UPSTREAM, 1, KEY.encode())
    assert KEY not in repr((received, sent))
