# pyright: reportPrivateUsage=false
"""The request head: who gets a WebSocket, who gets an answer, and who is cut."""

from typing import Final

import pytest
from websockets.datastructures import Headers

from byte_line import Line, goodbye, head, padded, text
from byte_system import PATH
from livegate.protocol import inputs
from livegate.protocol.connection import events
from livegate.protocol.connection.doorstep import Asked
from livegate.protocol.inputs import Side
from livegate.protocol.limits import KIB, WireLimits
from livegate.protocol.pages import Answer

ENDING: Final = [events.EndStream(Side.CLIENT, 1), events.Abort(Side.CLIENT, 1)]
CLIENT_HELLO: Final = bytes.fromhex("16030100c8010000c40303") + bytes(200)


def assert_answered(line: Line, status: int) -> None:
    """Check that there is one answer, and that then the client is cut, whatever it still says."""
    answered, body = line.answer
    assert answered == status
    assert not line.door.conversations
    assert not line.is_cut
    assert line.connection.may_read(Side.CLIENT, 1)
    given = bytes(line.given[Side.CLIENT, 1])
    assert b"\r\nconnection: close\r\n" in given.lower()
    assert f"\r\ncontent-length: {len(body)}\r\n".encode() in given.lower()
    line.client(head() + text(b"{}"))
    line.advance(WireLimits().linger_s - 0.25)
    assert not line.is_cut
    line.advance(0.25)
    assert [one for one in line.actions if not isinstance(one, events.SendBytes)] == ENDING
    assert line.given[Side.CLIENT, 1] == given
    assert line.is_done()
    assert line.client(head()) == line.end() == []


def test_byte_by_byte() -> None:
    """A head may come in any pieces."""
    line = Line()
    for byte in head():
        assert not line.given
        line.client(b"")
        line.client(bytes([byte]))
    assert line.answer == (101, b"")
    assert len(line.door.conversations) == 1


def test_largest() -> None:
    """A head of 16 KiB is read, in one piece with what follows it."""
    line = Line()
    line.client(padded(16 * KIB) + text(b"{}"))
    assert line.answer[0] == 101
    assert line.heard_of(inputs.ClientFrame) == [inputs.ClientFrame(1, b"{}", is_text=True)]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("piece", [1, 997, 100 * KIB])
def test_too_large(method: str, piece: int) -> None:
    """A larger one is refused, however it comes."""
    data = padded(16 * KIB + 1, method=method)
    line = Line()
    for at in range(0, len(data), piece):
        line.client(data[at : at + piece])
    assert_answered(line, 431)


def test_too_large_for_no_body() -> None:
    """The refusal of a HEAD request has a length and no body."""
    line = Line()
    line.client(padded(16 * KIB + 1, method="HEAD"))
    assert line.answer == (431, b"")


def test_late() -> None:
    """Who has not asked within 5 s is cut without a word."""
    line = Line()
    line.client(head()[:-1])
    assert line.advance(4.75) == []
    assert line.advance(0.25) == [events.Abort(Side.CLIENT, 1)]
    assert line.is_done()
    assert line.client(b"\n") == []


def test_gone() -> None:
    """Who goes before asking is cut."""
    line = Line()
    line.client(head()[:-1])
    assert line.end() == [events.Abort(Side.CLIENT, 1)]
    assert line.is_done()
    assert line.client(b"\n") == []


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x01\x02\x03", 400),
        (b"\0" * 1000, 400),
        (b"\n", 400),
        (b"\r\n\r\n", 400),
        (b"hello there\r\n\r\n", 400),
        (CLIENT_HELLO, 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 404),
        (b"GET / HTTP/1.1\n\n", 400),
        (b"GET / HTTP/1.0\n\n", 404),
        (b"GET / HTTP/1.1\r\nHost:\r\n" + b"a:b\r\n" * 10_000 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"a:b\r\n" * 3_000 + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"x" * 20_000, 431),
    ],
    ids=lambda value: ascii(value)[:24],
)
def test_no_request(data: bytes, status: int) -> None:
    """What is no request for anything here gets one answer of the family 4xx."""
    line = Line()
    line.client(data)
    assert_answered(line, status)


@pytest.mark.parametrize("where", ["GET%c / HTTP/1.1", "GET /%c HTTP/1.1", "X%c: x", "X: x%cx"])
def test_any_byte(where: str) -> None:
    """Whichever byte stands in a method, a target, a name or a value, there is one answer."""
    first = "" if "HTTP" in where else "GET / HTTP/1.1\r\n"
    for byte in range(256):
        line = Line()
        line.client(f"{first}{where % byte}\r\nHost: a\r\n\r\n".encode("latin-1"))
        assert line.answer[0] in {400, 404}


@pytest.mark.parametrize(
    ("data", "asked"),
    [
        (b"GET /?a HTTP/1.1\r\nHost: h\r\n\r\n", b"GET /? h"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", b"POST / h"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 999\r\n\r\n", b"POST / h"),
        (b"GET / HTTP/1.0\r\n\r\n", b"GET / "),
        (b"GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /two HTTP/1.1\r\nHost: h\r\n\r\n", b"GET / h"),
        (f"GET {PATH} HTTP/1.1\r\nHost: h\r\n\r\n".encode(), f"GET {PATH} h".encode()),
        (head("GET", "/elsewhere"), b"GET /elsewhere localhost"),
        (head("GET", PATH + "/"), f"GET {PATH}/ localhost".encode()),
        (head("POST"), f"POST {PATH} localhost".encode()),
        (head(Upgrade="h2c"), f"GET {PATH} localhost".encode()),
        (b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", b""),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_elsewhere(data: bytes, asked: bytes) -> None:
    """Whoever does not ask for the WebSocket gets one answer from the gateway."""
    line = Line()
    line.client(data)
    assert line.answer == (404, asked.replace(b"/?", b"/?a"))
    assert line.connection.has_conversation is False
    line.advance(1)
    assert line.is_done()
    assert not line.door.hellos


def test_answer_is_taken_slowly() -> None:
    """An answer may be taken as slowly as needs be; then it takes a second to be done."""
    line = Line()
    line.takes[Side.CLIENT] = False
    line.client(b"GET / HTTP/1.0\r\n\r\n")
    size = line.untaken[Side.CLIENT, 1]
    for _ in range(size - 1):
        line.advance(4.75)
        line.take(1)
        assert not line.is_cut
    line.take(1)
    line.advance(0.75)
    assert not line.is_cut
    line.advance(0.25)
    assert line.is_done()


def test_answer_is_not_taken() -> None:
    """Who takes nothing of its answer for 5 s is cut."""
    line = Line()
    line.takes[Side.CLIENT] = False
    line.client(b"GET / HTTP/1.0\r\n\r\n")
    line.advance(3)
    line.take(1)
    line.advance(4.75)
    assert not line.is_cut
    line.advance(0.25)
    assert line.is_done()
    line.take()


def test_answered_client_goes() -> None:
    """An answered client that goes is over at once."""
    line = Line()
    line.client(b"GET / HTTP/1.0\r\n\r\n")
    assert line.end() == [events.Abort(Side.CLIENT, 1)]
    assert line.is_done()


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (head(version="1.0"), 400),
        (head(Content_Length="3") + b"abc", 400),
        (head(Transfer_Encoding="chunked"), 400),
        (head(without=["Sec-WebSocket-Key"]), 400),
        (head("GET", PATH, ("Sec-WebSocket-Key", "again")), 400),
        (head(Sec_WebSocket_Key="c2hvcnQ="), 400),
        (head(Sec_WebSocket_Key="\xff" * 24), 400),
        (head(Sec_WebSocket_Protocol="a b"), 400),
        (head("GET", PATH, ("Origin", "http://a"), ("Origin", "http://b")), 400),
        (head(Sec_WebSocket_Version="8"), 426),
        (head(without=["Sec-WebSocket-Version"]), 426),
        (head("GET", PATH, ("Sec-WebSocket-Version", "13")), 426),
        (head(Connection="close"), 426),
        (head(Upgrade="h2c, websocket"), 426),
    ],
    ids=[
        "HTTP/1.0",
        "body",
        "chunked",
        "no key",
        "two keys",
        "short key",
        "key of no base64",
        "subprotocol of two words",
        "two origins",
        "old version",
        "no version",
        "two versions",
        "not Connection: Upgrade",
        "two upgrades",
    ],
)
def test_bad_handshake(data: bytes, status: int) -> None:
    """A handshake that breaks RFC 6455 is answered in HTTP, and the gateway is not asked."""
    line = Line()
    line.client(data)
    given = bytes(line.given[Side.CLIENT, 1])
    assert (b"Sec-WebSocket-Version: 13" in given) is (status == 426)
    assert (b"Upgrade: websocket" in given) is (status == 426)
    assert_answered(line, status)
    assert not line.door.hellos


@pytest.mark.parametrize(
    "data",
    [
        head("GET", f"{PATH}?a=b"),
        head(Content_Length="0"),
        head(Upgrade="WebSocket"),
        head(Connection="keep-alive, Upgrade"),
        head(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits"),
        head(Sec_WebSocket_Protocol="one, two"),
    ],
    ids=["query", "no body", "capitals", "kept alive", "deflate", "subprotocols"],
)
def test_let_in(data: bytes) -> None:
    """A good handshake opens the WebSocket, without any extension or subprotocol."""
    line = Line()
    line.client(data)
    lines = bytes(line.given[Side.CLIENT, 1]).lower().split(b"\r\n")
    assert lines[0] == b"http/1.1 101 switching protocols"
    assert b"sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=" in lines
    assert not [one for one in lines if one.startswith((b"sec-websocket-e", b"sec-websocket-p"))]
    assert line.connection.has_conversation
    assert line.heard == [inputs.ClientOpened(1, "192.0.2.1", "alice")]


def test_subprotocol() -> None:
    """The subprotocol that the gateway selects is selected."""
    line = Line()
    line.door.subprotocol = "livegate.v1"
    line.client(head(Sec_WebSocket_Protocol="livegate.v1"))
    assert b"\r\nSec-WebSocket-Protocol: livegate.v1\r\n" in line.given[Side.CLIENT, 1]


@pytest.mark.parametrize("ending", [b"", goodbye()])
def test_answer_in_place_of_upgrade(ending: bytes) -> None:
    """A gateway may answer in HTTP whoever asks for its WebSocket."""
    line = Line(verdict=Answer(503, b"full", (("Content-Length", "4"), ("Retry-After", "5"))))
    line.client(head() + ending)
    assert b"\r\nRetry-After: 5\r\n" in line.given[Side.CLIENT, 1]
    assert_answered(line, 503)


def test_shutdown_in_the_head() -> None:
    """A shutdown means nothing to who has not asked yet: the gateway knows what to answer."""
    line = Line()
    line.client(head()[:9])
    assert line.do(inputs.ShutdownRequested()) == []
    line.client(head()[9:])
    assert line.answer[0] == 101


# What the gateway is told of a client


def test_hello() -> None:
    """The gateway hears of repeated fields as one, and of what offers a subprotocol, stripped."""
    line = Line()
    line.client(
        head(
            "GET",
            PATH,
            ("Authorization", "Bearer canary-token"),
            ("Sec-WebSocket-Protocol", "livegate.v1 ,  two"),
            ("Sec-WebSocket-Protocol", ",three"),
            ("X-Forwarded-For", "203.0.113.1, 203.0.113.2"),
            ("X-Forwarded-For", "203.0.113.3"),
            ("X-Forwarded-Proto", "https"),
            Origin="http://b\xfccher.example",
        )
    )
    (hello,) = line.door.hellos
    assert hello.subprotocols == ("livegate.v1", "two", "three")
    assert hello.authorization == "Bearer canary-token"
    assert hello.forwarded_for == "203.0.113.1, 203.0.113.2, 203.0.113.3"
    assert hello.forwarded_proto == "https"
    assert hello.origin == "http://b\xfccher.example"
    assert (hello.host, hello.peer, hello.local) == ("localhost", "192.0.2.1", "192.0.2.9")
    assert hello.is_tls is False
    assert "canary" not in repr(hello)


def test_hello_of_little() -> None:
    """What a client does not say is empty; no origin is not an empty one."""
    line = Line()
    line.client(head())
    (hello,) = line.door.hellos
    assert hello.origin is None
    assert (hello.authorization, hello.forwarded_for, hello.subprotocols) == ("", "", ())


def test_no_origin_of_two() -> None:
    """Two origins never look like one of them."""
    asked = Asked("GET", "/", "1.1", Headers([("Origin", "http://a"), ("Origin", "http://b")]))
    line = Line()
    assert asked.hello(line.connection._ends).origin == "http://a, http://b"


def test_token_in_no_repr() -> None:
    """What a client asks with, tokens and all, stands in no repr."""
    data = head("GET", f"{PATH}?token=canary", Authorization="Bearer canary")
    asked = Asked("GET", "/?canary", "1.1", Headers({"Authorization": "canary"}))
    assert "canary" not in repr((asked, events.BytesReceived(Side.CLIENT, 1, data)))
