"""Which pages may connect, and under which names."""

import re

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from livegate.protocol.errors import ErrorCode
from livegate.protocol.hello import Hello
from livegate.protocol.origins import Allowed, is_host, is_origin, judge

LOCAL = Hello(local="127.0.0.1", host="localhost:8000")
PUBLIC = Hello(local="192.0.2.1", host="voice.example.org")
LISTED = Allowed(
    origins=(
        "https://app.example.org",
        "http://APP.example.org:8080",
        "chrome-extension://abcdefghijklmnop",
        "https://[2001:db8::1]:8443",
        "no origin at all",
    )
)

ON_LOOPBACK = {
    None: True,
    "http://localhost": True,
    "http://localhost:5173": True,
    "https://localhost:5173": True,
    "http://127.0.0.1:8000": True,
    "http://[::1]:8000": True,
    "HTTP://LOCALHOST:8000": True,
    "http://localhost:65535": True,
    "null": False,
    "": False,
    "http://": False,
    "http://:8000": False,
    "localhost:8000": False,
    "//localhost:8000": False,
    "http:localhost": False,
    "http:///localhost": False,
    "http://evil.com": False,
    "http://evil.com:8000": False,
    "http://localhost.evil.com": False,
    "http://127.0.0.1.evil.com": False,
    "http://evil-localhost": False,
    "http://localhost.": False,
    "http://127.0.0.1.": False,
    "http://.localhost": False,
    "http://localhost..": False,
    "http://user@localhost": False,
    "http://localhost@evil.com": False,
    "http://evil.com#localhost": False,
    "http://evil.com?localhost": False,
    "http://evil.com\\@localhost": False,
    "http://localhost/": False,
    "http://localhost/path": False,
    "http://localhost:8000/": False,
    "http://localhost http://evil.com": False,
    "http://localhost, http://evil.com": False,
    " http://localhost": False,
    "http://localhost ": False,
    "http://localhost\n": False,
    "http://local\thost": False,
    "http://localhost\0": False,
    "http://localhost:": False,
    "http://localhost:0": False,
    "http://localhost:080": False,
    "http://localhost:65536": False,
    "http://localhost:999999": False,
    "http://localhost:80a": False,
    "http://localhost:-80": False,
    "http://localhost:+80": False,
    "http://localhost:80:80": False,
    "http://localhost:\u0668\u0660": False,  # Arabic digits
    "http://2130706433": False,
    "http://0x7f000001": False,
    "http://0x7f.0.0.1": False,
    "http://0177.0.0.1": False,
    "http://127.1": False,
    "http://127.0.0.01": False,
    "http://127.0.0.2": False,
    "http://127.0.0.0x1": False,
    "http://0.0.0.0": False,
    "http://::1": False,
    "http://[::1": False,
    "http://[0:0:0:0:0:0:0:1]": False,
    "http://[::ffff:127.0.0.1]": False,
    "http://[::1%25lo]": False,
    "http://[127.0.0.1]": False,
    "http://[:]": False,
    "http://[]": False,
    "http://loca\u217chost": False,  # a Roman numeral that normalises to l
    "http://\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54": False,  # full width
    "http://localho\u017ft": False,  # a long s
    "http://xn--lcalhost-4va": False,
    "http://%6cocalhost": False,
    "file://": False,
    "file://localhost": False,
    "ftp://localhost": False,
    "ws://localhost": False,
    "chrome-extension://ponmlkjihgfedcba": False,
    "javascript:alert(1)": False,
    "http://" + "a" * 1_000: False,
    "\ud800": False,
}


@pytest.mark.parametrize("local", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("origin", ON_LOOPBACK)
def test_origins_on_loopback(origin: str | None, local: str) -> None:
    """Where only this machine connects, programs and its own pages come in, and nobody else."""
    hello = attrs.evolve(LOCAL, local=local, origin=origin)
    assert (judge(hello, Allowed(), scheme=None) is None) is ON_LOOPBACK[origin]


ELSEWHERE = {
    None: True,
    "https://voice.example.org": True,
    "https://voice.example.org:443": True,
    "https://VOICE.example.org": True,
    "http://voice.example.org": False,  # the scheme is known
    "https://voice.example.org:8443": False,
    "https://voice.example.org.": False,
    "https://voice.example.org.evil.com": False,
    "https://evil-voice.example.org": False,
    "https://example.org": False,
    "http://localhost:8000": False,
    "http://127.0.0.1": False,
    "null": False,
    "https://app.example.org": True,
    "https://app.example.org:443": True,
    "https://app.example.org:80": False,
    "http://app.example.org": False,
    "http://app.example.org:8080": True,
    "https://app.example.org:8080": False,
    "https://x.app.example.org": False,
    "https://[2001:db8::1]:8443": True,
    "https://[2001:DB8::1]:8443": True,
    "https://[2001:db8::1]": False,
    "chrome-extension://abcdefghijklmnop": True,
    "chrome-extension://abcdefghijklmno": False,
    "no origin at all": False,
    "wss://voice.example.org": False,
}


@pytest.mark.parametrize("origin", ELSEWHERE)
def test_origins_elsewhere(origin: str | None) -> None:
    """Where others can connect, pages of the same place come in, and those that are listed."""
    hello = attrs.evolve(PUBLIC, origin=origin)
    assert (judge(hello, LISTED, scheme="https") is None) is ELSEWHERE[origin]


@pytest.mark.parametrize(
    ("origin", "host", "scheme", "may"),
    [
        ("http://a.example", "a.example", None, True),
        ("https://a.example", "a.example", None, True),
        ("http://a.example", "a.example", "http", True),
        ("http://a.example", "a.example", "https", False),
        ("http://a.example", "a.example:80", None, True),
        ("https://a.example", "a.example:80", None, False),
        ("https://a.example", "a.example:443", None, True),
        ("http://a.example:8000", "a.example:8000", None, True),
        ("http://a.example:8000", "a.example", None, False),
        ("http://a.example:8000", "A.EXAMPLE:8000", None, True),
        ("http://a.example:8000", "", None, False),
        ("http://a.example:8000", "a.example:8000,a.example:8000", None, False),
        ("http://[2001:db8::1]", "[2001:db8::1]", None, True),
    ],
)
def test_same_origin(origin: str, host: str, scheme: str | None, *, may: bool) -> None:
    """A page may connect to where it is from: host, port, and scheme as far as that is known."""
    hello = Hello(local="192.0.2.1", host=host, origin=origin)
    assert (judge(hello, Allowed(), scheme=scheme) is None) is may
    unknown = attrs.evolve(hello, local="")
    assert (judge(unknown, Allowed(), scheme=scheme) is None) is may


@pytest.mark.parametrize("allowed", [Allowed(null=True), Allowed(origins=("null",))])
def test_null(allowed: Allowed) -> None:
    """Pages without an origin may come if the operator says so, in either way."""
    for hello in (LOCAL, PUBLIC):
        assert judge(attrs.evolve(hello, origin="null"), allowed, scheme=None) is None
        assert judge(attrs.evolve(hello, origin="Null"), allowed, scheme=None) is not None


def test_file() -> None:
    """What an app's runtime says in place of null may be listed."""
    hello = attrs.evolve(LOCAL, origin="file://")
    assert judge(hello, Allowed(origins=("file://",)), scheme=None) is None
    assert judge(hello, Allowed(null=True), scheme=None) is not None


HOSTS_ON_LOOPBACK = {
    "localhost": True,
    "localhost:8000": True,
    "LOCALHOST:8000": True,
    "127.0.0.1:8000": True,
    "[::1]:8000": True,
    "": False,
    "evil.com": False,
    "evil.com:8000": False,
    "localhost.evil.com": False,
    "localhost.": False,
    "127.0.0.2": False,
    "127.1": False,
    "2130706433": False,
    "0.0.0.0:8000": False,
    "[::]:8000": False,
    "::1": False,
    "localhost:": False,
    "localhost:0": False,
    "localhost:99999": False,
    "localhost:http": False,
    "localhost, evil.com": False,
    "user@localhost": False,
    "localhost/": False,
    " localhost": False,
    "\u212aelvin": False,
    "listed.example": True,
    "listed.example:8000": True,
    "Listed.Example": True,
    "ported.example:8000": True,
    "ported.example": False,
    "ported.example:8001": False,
    "secure.example": True,
    "plain.example": True,
}
NAMES = Allowed(
    hosts=("listed.example", "ported.example:8000", "secure.example:443", "plain.example:80", "?")
)


@pytest.mark.parametrize("host", HOSTS_ON_LOOPBACK)
def test_hosts_on_loopback(host: str) -> None:
    """Where only this machine connects, its own names are good, and those that are listed."""
    hello = attrs.evolve(LOCAL, host=host)
    assert (judge(hello, NAMES, scheme=None) is None) is HOSTS_ON_LOOPBACK[host]


@pytest.mark.parametrize("host", ["voice.example.org", "evil.com:1", "", "?", "localhost"])
def test_any_host_elsewhere(host: str) -> None:
    """Where others can connect, any name is good unless some are listed."""
    hello = attrs.evolve(PUBLIC, host=host)
    assert judge(hello, Allowed(), scheme=None) is None
    assert judge(hello, NAMES, scheme=None) is not None


@pytest.mark.parametrize(
    ("scheme", "host", "may"),
    [
        ("https", "secure.example", True),
        ("http", "secure.example", False),
        ("https", "plain.example", False),
        ("http", "plain.example", True),
        ("gopher", "plain.example", False),
        ("https", "secure.example:443", True),
    ],
)
def test_ports_of_hosts(scheme: str, host: str, *, may: bool) -> None:
    """A Host without a port has its scheme's own."""
    hello = attrs.evolve(PUBLIC, host=host)
    assert (judge(hello, NAMES, scheme=scheme) is None) is may


def test_rebound() -> None:
    """A page whose own name was made to mean this machine has the same Origin and Host: no."""
    hello = Hello(local="127.0.0.1", host="evil.com:8000", origin="http://evil.com:8000")
    assert judge(hello, Allowed(), scheme=None) is not None


@pytest.mark.parametrize(
    ("host", "origin", "says"),
    [
        (
            "localhost",
            "https://x.example:8443",
            (
                "pages of 'https://x.example:8443' may not connect here; "
                "start livegate with --allow-origin https://x.example:8443"
            ),
        ),
        (
            "localhost",
            "null",
            "pages of 'null' may not connect here; start livegate with --allow-origin null",
        ),
        ("localhost", "a\nb", r"pages of 'a\nb' may not connect here; it is malformed"),
        (
            "x.example:80",
            None,
            (
                "this gateway does not go by the name 'x.example:80'; "
                "start livegate with --allowed-host x.example:80"
            ),
        ),
        ("a b", None, "this gateway does not go by the name 'a b'; it is malformed"),
    ],
)
def test_what_it_says(host: str, origin: str | None, says: str) -> None:
    """A refusal names what was refused, and the option that would allow it if one can."""
    refusal = judge(Hello(local="::1", host=host, origin=origin), Allowed(), scheme=None)
    assert refusal is not None
    assert (refusal.code, refusal.message, refusal.close) == (
        ErrorCode.ORIGIN_REFUSED,
        says,
        1008,
    )


def test_makes_sense() -> None:
    """What can be allowed is what can come."""
    assert all(is_origin(one) for one in ("null", "file://", "https://a.example", "app://x"))
    assert not any(is_origin(one) for one in ("*", "a.example", "https://a.example/", ""))
    assert all(is_host(one) for one in ("a.example", "a.example:1", "[::1]", "192.0.2.1"))
    assert not any(is_host(one) for one in ("*", "*.a.example", "https://a.example", ""))


@pytest.mark.parametrize(
    "host",
    [
        *("127.1", "2130706433", "0x7f000001", "a.0x7f", "192.0.2.01", "192.0.2.1.", "a.1"),
        *("[2001:db8:0::1]", "[192.0.2.1]", "\u212aelvin.example", "a" * 301),
    ],
)
def test_what_no_browser_writes(host: str) -> None:
    """Other spellings of an address or a name are no host, and no origin has one."""
    assert not is_host(host)
    assert not is_origin(f"http://{host}")
    hello = Hello(local="192.0.2.1", host=host, origin=f"http://{host}")
    assert judge(hello, Allowed(), scheme=None) is not None


def test_a_letter_that_looks_the_same() -> None:
    """The Kelvin sign is no k, although its lower case is."""
    hello = Hello(local="192.0.2.1", host="kelvin.example", origin="http://\u212aelvin.example")
    assert judge(hello, Allowed(), scheme=None) is not None


PIECES = (
    *("http", "https", "://", ":", "localhost", "127.0.0.1", "[::1]", "evil.com", ".", "@", "/"),
    *("8000", "80", " ", ",", "\u2024", "0x7f", "null", "%", "\0", "xn--", "LOCAL"),
)
TEXTS = st.one_of(
    st.text(st.characters(codec=None), max_size=40),
    st.lists(st.sampled_from(PIECES), max_size=8).map("".join),
)
LOCAL_ORIGIN = re.compile(
    r"https?://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE
)


@given(TEXTS, TEXTS)
@example("http://localhost\n", "localhost")
@example("http://localhost", "localhost\n")
def test_any_text_on_loopback(origin: str, host: str) -> None:
    """No text raises, and none is let in but what is this machine's, or listed."""
    hello = Hello(local="127.0.0.1", host=host, origin=origin)
    if judge(hello, Allowed(origins=("https://x.example",)), scheme=None) is None:
        assert LOCAL_ORIGIN.fullmatch(origin)
        assert LOCAL_ORIGIN.fullmatch(f"http://{host}")
    judge(attrs.evolve(hello, local=origin), NAMES, scheme=host)
    is_host(host)
    is_origin(origin)
