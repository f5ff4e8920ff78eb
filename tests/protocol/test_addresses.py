"""Whose an address is, and what proxies say."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livegate.protocol import addresses
from livegate.protocol.hello import Hello

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))
PROXY = "10.0.0.1"


@pytest.mark.parametrize(
    ("text", "is_loopback"),
    [
        ("127.0.0.1", True),
        ("127.255.255.254", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.0.2.1", False),
        ("0.0.0.0", False),  # noqa: S104 - nothing is bound
        ("::", False),
        ("fe80::1%lo", False),
        ("localhost", False),
        ("", False),
    ],
)
def test_loopback(text: str, *, is_loopback: bool) -> None:
    """An address of this machine's own is known in every spelling of the system's."""
    assert addresses.is_loopback(text) is is_loopback


@pytest.mark.parametrize(
    ("peer", "said", "client"),
    [
        ("192.0.2.7", "198.51.100.1", "192.0.2.7"),
        ("", "198.51.100.1", ""),
        ("/run/socket", "198.51.100.1", "/run/socket"),
        (PROXY, "198.51.100.1", "198.51.100.1"),
        (f"::ffff:{PROXY}", "198.51.100.1", "198.51.100.1"),
        ("2001:db8::1", "198.51.100.1", "198.51.100.1"),
        (PROXY, "203.0.113.9, 198.51.100.1", "198.51.100.1"),
        (PROXY, "203.0.113.9,198.51.100.1 , 10.1.1.1,10.2.2.2", "198.51.100.1"),
        (PROXY, "junk, 198.51.100.1", "198.51.100.1"),
        (PROXY, "198.51.100.1, junk", PROXY),
        (PROXY, "198.51.100.1, junk, 10.1.1.1", PROXY),
        (PROXY, "10.3.3.3, 10.1.1.1", "10.3.3.3"),
        (PROXY, "", PROXY),
        (PROXY, ",", PROXY),
        (PROXY, "198.51.100.1:4711", "198.51.100.1"),
        (PROXY, "[2001:dead::1]:4711", "2001:dead::1"),
        (PROXY, "[2001:dead::1]", "2001:dead::1"),
        (PROXY, "2001:DEAD:0::1", "2001:dead::1"),
        (PROXY, "fe80::1%anything at all", PROXY),
        (PROXY, "198.51.100.1:x", PROXY),
        (PROXY, "unknown", PROXY),
        (PROXY, "127.1", PROXY),
    ],
)
def test_client(peer: str, said: str, client: str) -> None:
    """Behind a trusted proxy the client is the last hop that it cannot have made up."""
    assert addresses.client_of(Hello(peer=peer, forwarded_for=said), TRUSTED) == client


@pytest.mark.parametrize(
    ("peer", "said", "is_tls", "scheme"),
    [
        ("192.0.2.7", "https", False, None),
        ("192.0.2.7", "", None, None),
        ("192.0.2.7", "http", True, "https"),
        (PROXY, "https", False, "https"),
        (PROXY, "HTTPS", False, "https"),
        (PROXY, "wss", None, "https"),
        (PROXY, "http", True, "http"),
        (PROXY, "ws", None, "http"),
        (PROXY, "https, https", None, "https"),
        (PROXY, "https, http", True, None),
        (PROXY, "gopher", True, None),
        (PROXY, "", True, "https"),
        (PROXY, "", False, None),
    ],
)
def test_scheme(peer: str, said: str, scheme: str | None, *, is_tls: bool | None) -> None:
    """The scheme is what a trusted proxy says, else TLS of our own; else nobody knows."""
    hello = Hello(peer=peer, forwarded_proto=said, is_tls=is_tls)
    assert addresses.scheme_of(hello, TRUSTED) == scheme


HOPS = st.lists(
    st.one_of(st.text(max_size=10), st.ip_addresses().map(str), st.just(PROXY)), max_size=5
)


@given(HOPS, st.sampled_from([PROXY, "192.0.2.7", ""]), st.text(max_size=10))
def test_any_text(hops: list[str], peer: str, said: str) -> None:
    """Whatever a header says, what comes of it is the peer, or an address that stands there."""
    hello = Hello(peer=peer, forwarded_for=",".join(hops), forwarded_proto=said)
    found = addresses.client_of(hello, TRUSTED)
    assert found == peer or addresses.parsed(found) is not None
    assert addresses.scheme_of(hello, TRUSTED) in (None, "http", "https")
