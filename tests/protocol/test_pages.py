"""What plain HTTP gets, path by path."""

import json
from typing import Final

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livegate.protocol import __version__, pages
from livegate.protocol.pages import Answer, Unready

WHERE: Final = b"livegate: connect a WebSocket to /ws\n"
PAGE: Final = b"<html>Hello</html>"
COUNTED: Final = b"livegate_sessions_active 1.0\n"


@attrs.frozen(kw_only=True)
class House:
    """A gateway that says what a test wants."""

    unready: str = ""
    page: bytes | None = PAGE
    socket_path: str = "/ws"
    mounted_at: str = ""
    wrong_host: str | None = None
    may_see_metrics: bool = True

    def metrics(self) -> bytes:
        """Return one line."""
        return COUNTED


def headers(answer: Answer) -> dict[str, str]:
    """Return an answer's headers, none of which comes twice, but for those that each has."""
    found = dict(answer.headers)
    assert len(found) == len(answer.headers)
    assert found.pop("cache-control") == "no-store"
    assert found.pop("x-content-type-options") == "nosniff"
    found.pop("content-length")
    return found


TEXT: Final = {"content-type": "text/plain; charset=utf-8"}
HTML: Final = {"content-type": "text/html; charset=utf-8"}
UPGRADE: Final = {**TEXT, "upgrade": "websocket", "connection": "Upgrade"}
ALLOW: Final = {**TEXT, "allow": "GET, HEAD"}
NO_METHOD: Final = b"send GET or HEAD\n"


@pytest.mark.parametrize(
    ("method", "target", "status", "more", "body"),
    [
        ("GET", "/", 200, HTML, PAGE),
        ("GET", "", 200, HTML, PAGE),
        ("GET", "/?from=here", 200, HTML, PAGE),
        ("GET", "http://gateway.example", 200, HTML, PAGE),
        ("GET", "http://gateway.example/livez?full", 200, TEXT, b"ok\n"),
        ("GET", "http://gateway.example/x://livez", 404, TEXT, WHERE),
        ("GET", "/livez", 200, TEXT, b"ok\n"),
        ("GET", "/readyz", 200, TEXT, b"ok\n"),
        (
            "GET",
            "/metrics",
            200,
            {"content-type": "text/plain; version=0.0.4; charset=utf-8"},
            COUNTED,
        ),
        (
            "GET",
            "/version",
            200,
            {"content-type": "application/json"},
            json.dumps({"livegate": __version__}, separators=(",", ":")).encode(),
        ),
        ("GET", "/ws", 426, UPGRADE, WHERE),
        ("GET", "/ws?token=x", 426, UPGRADE, WHERE),
        ("GET", "/ws/", 404, TEXT, WHERE),
        ("GET", "/livez/", 404, TEXT, WHERE),
        ("GET", "/LIVEZ", 404, TEXT, WHERE),
        ("GET", "//livez", 404, TEXT, WHERE),
        ("GET", "/%6civez", 404, TEXT, WHERE),
        ("GET", "/../etc/passwd", 404, TEXT, WHERE),
        ("GET", "/gemini_live_demo.html", 404, TEXT, WHERE),
        ("GET", "/http://gateway.example/livez", 404, TEXT, WHERE),
        ("GET", "*", 404, TEXT, WHERE),
        ("GET", "livez", 404, TEXT, WHERE),
        ("POST", "/", 405, ALLOW, NO_METHOD),
        ("POST", "/ws", 405, ALLOW, NO_METHOD),
        ("DELETE", "/nowhere", 405, ALLOW, NO_METHOD),
        ("OPTIONS", "*", 405, ALLOW, NO_METHOD),
        ("get", "/", 405, ALLOW, NO_METHOD),
        ("", "", 405, ALLOW, NO_METHOD),
    ],
)
def test_table(method: str, target: str, status: int, more: dict[str, str], body: bytes) -> None:
    """Each path has its status, its headers and its body; a query changes nothing."""
    found = pages.answer(method, target, House())
    assert (found.status, headers(found), found.body) == (status, more, body)


@pytest.mark.parametrize("target", [*pages.PATHS, "/ws", "/nowhere"])
@pytest.mark.parametrize("house", [House(), House(unready="draining", may_see_metrics=False)])
def test_head(target: str, house: House) -> None:
    """HEAD gets the headers of GET, the body's length among them, and no body."""
    asked, looked = (pages.answer(method, target, house) for method in ("GET", "HEAD"))
    assert (looked.status, looked.headers, looked.body) == (asked.status, asked.headers, b"")
    assert dict(asked.headers)["content-length"] == str(len(asked.body))


@pytest.mark.parametrize("why", Unready)
def test_unready(why: Unready) -> None:
    """A gateway that takes no sessions says why and when to look again, but lives."""
    house = House(unready=why)
    found = pages.answer("GET", "/readyz", house)
    assert (found.status, found.reason) == (503, "Service Unavailable")
    assert headers(found) == {**TEXT, "retry-after": "5"}
    assert found.body == f"{why}\n".encode()
    assert pages.answer("GET", "/livez", house).status == 200
    assert pages.answer("GET", "/", house).status == 200


def test_metrics_are_not_for_everybody() -> None:
    """Who may not see the metrics is told how to ask."""
    found = pages.answer("GET", "/metrics", House(may_see_metrics=False))
    assert (found.status, found.reason) == (401, "Unauthorized")
    assert headers(found) == {**TEXT, "www-authenticate": "Bearer"}
    assert found.body == b"send a token as Authorization: Bearer\n"


def test_no_page() -> None:
    """Without a page, `/` says where the WebSocket is."""
    found = pages.answer("GET", "/", House(page=None))
    assert (found.status, headers(found), found.body) == (200, TEXT, WHERE)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("target", ["/", "", "/metrics", "/version", "/ws", "/nowhere"])
def test_wrong_host(method: str, target: str) -> None:
    """Under a name that is not the gateway's there is nothing to see."""
    found = pages.answer(method, target, House(wrong_host="evil.example"))
    assert (found.status, b"'evil.example'" in found.body) == (421, method != "HEAD")


@pytest.mark.parametrize("target", ["/livez", "/readyz"])
def test_probes_know_no_name(target: str) -> None:
    """Probes are answered under whatever name, which is an address mostly."""
    assert pages.answer("GET", target, House(wrong_host="10.0.0.7:8000")).status == 200


def test_refusals() -> None:
    """What is refused before a path is looked at says so in the same form."""
    busy = pages.unavailable(30)
    assert (busy.status, headers(busy)) == (503, {**TEXT, "retry-after": "30"})
    assert busy.body == b"not now\n"
    assert pages.unavailable(1, "draining").body == b"draining\n"
    astray = pages.misdirected("evil.example\r\nx: y")
    assert (astray.status, astray.reason) == (421, "Misdirected Request")
    assert headers(astray) == TEXT
    assert astray.body == (b"this gateway does not answer for the host 'evil.example\\r\\nx: y'\n")
    assert pages.bodiless(astray) == attrs.evolve(astray, body=b"")


METHODS: Final = st.sampled_from(["GET", "HEAD", "POST", "get"]) | st.text()
TARGETS: Final = st.one_of(
    st.text(),
    st.builds("{}{}".format, st.sampled_from([*pages.PATHS, "/ws", "http://["]), st.text()),
)
HOUSES: Final = st.builds(
    House,
    unready=st.sampled_from(["", *Unready]),
    page=st.none() | st.binary(),
    may_see_metrics=st.booleans(),
)


@given(METHODS, TARGETS, HOUSES)
def test_any_text(method: str, target: str, house: House) -> None:
    """Whatever is asked for is answered, by nothing worse than 503, and never quoted."""
    found = pages.answer(method, target, house)
    assert found.status in {200, 401, 404, 405, 426, 503}
    assert found.reason
    assert (found.status == 503) <= bool(house.unready)
    assert all(text.isascii() and text.isprintable() for pair in found.headers for text in pair)
    if method != "HEAD":
        assert dict(found.headers)["content-length"] == str(len(found.body))
