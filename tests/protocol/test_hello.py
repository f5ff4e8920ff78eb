"""What a handshake's header fields say, whoever read them."""

from livegate.protocol.hello import Hello, of_headers

HEADERS = [
    ("HOST", "live.example"),
    ("Origin", "https://live.example"),
    ("authorization", "Bearer secret"),
    ("X-Forwarded-For", "192.0.2.1"),
    ("x-forwarded-for", "192.0.2.2"),
    ("X-Forwarded-Proto", "https"),
    ("Sec-WebSocket-Protocol", "livegate.v1, livegate.token.T"),
    ("sec-websocket-protocol", ",chat"),
]


def test_every_field() -> None:
    """Names are told apart by letters alone; a field that came twice is one list."""
    assert of_headers(HEADERS, peer="192.0.2.3", local="192.0.2.4", is_tls=True) == Hello(
        peer="192.0.2.3",
        local="192.0.2.4",
        is_tls=True,
        host="live.example",
        origin="https://live.example",
        authorization="Bearer secret",
        subprotocols=("livegate.v1", "livegate.token.T", "chat"),
        forwarded_for="192.0.2.1, 192.0.2.2",
        forwarded_proto="https",
    )


def test_nothing() -> None:
    """What was not sent is empty, and an origin that was not sent is none."""
    assert of_headers([], peer="", local="", is_tls=None) == Hello()


def test_subprotocols_from_elsewhere() -> None:
    """A server that read the subprotocols itself is believed."""
    offered = of_headers(HEADERS, peer="", local="", is_tls=None, subprotocols=["a", " b "])
    assert offered.subprotocols == ("a", "b")
