"""Whatever goes wrong, the client hears what and why, and nobody ever sees the API key."""

import contextlib
import http.server
import json
import logging
import re
import sys
import threading
from collections.abc import Callable, Generator
from socket import SHUT_RDWR
from typing import Final

import attrs
import pytest
import websockets
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import ServerConnection, serve

import docs
import running
import terminal
from livegate.emulator import Emulator, Options
from livegate.protocol import Limits
from livegate.protocol.errors import CLOSES, Advice
from livegate.shell.settings import Settings, settings
from livegate.shell.target import PATH, SettingsError

CANARY: Final = "AIzaCanary-9f8e7d6c5b4a"
RECEIVE_S: Final = 20.0
MIB: Final = 1024 * 1024


@pytest.fixture(params=running.VARIANTS)
def variant(request: pytest.FixtureRequest) -> str:
    """Each runtime, sockets that it was handed, and the SDK."""
    return str(request.param)


@pytest.fixture(params=(*running.RUNTIMES, *running.HANDED))
def runtime(request: pytest.FixtureRequest) -> str:
    """Each runtime."""
    return str(request.param)


@contextlib.contextmanager
def emulator(
    *, keys: frozenset[str] | None = None, tls: bool = False
) -> Generator[str, None, None]:
    """Gemini, played."""
    with Emulator(options=Options(pace=0, keys=keys), tls=tls) as played:
        yield played.url


@contextlib.contextmanager
def scripted(act: Callable[[ServerConnection], None]) -> Generator[str, None, None]:
    """A WebSocket server that does as it is told."""
    quiet = logging.getLogger("quiet")  # this side may know the key
    quiet.setLevel(logging.ERROR)
    with serve(act, "127.0.0.1", 0, logger=quiet, close_timeout=1) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def _web(handler: type[http.server.BaseHTTPRequestHandler]) -> Generator[int, None, None]:
    """A web server; yields its port."""
    handler.log_message = lambda *_: None  # type: ignore[method-assign] # quiet
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def http_only(status: int, version: str = "HTTP/1.1") -> Generator[str, None, None]:
    """A web server that upgrades nothing, and says the key to everybody."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = version

        def do_GET(self) -> None:
            self.send_response(status, CANARY)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with _web(Handler) as port:
        yield f"ws://127.0.0.1:{port}"


@contextlib.contextmanager
def at(url: str) -> Generator[str, None, None]:
    """An address where something else is, or nothing."""
    yield url


def closing(code: int, reason: str) -> Callable[[ServerConnection], None]:
    """Return a server that reads the setup and closes."""

    def act(socket: ServerConnection) -> None:
        socket.recv()
        socket.close(code, reason)

    return act


def garbage(socket: ServerConnection) -> None:
    """Accept the setup, then talk nonsense and leave."""
    socket.recv()
    socket.send(b'{"setupComplete":{}}')
    socket.send(b"\xff\xfe" + CANARY.encode())
    socket.send('{"serverContent":{"modelTurn":5}}')
    socket.close(1011, f"gone, {CANARY}")


def hanging_up(socket: ServerConnection) -> None:
    """Cut the connection without a word."""
    socket.recv()
    socket.socket.shutdown(SHUT_RDWR)


@attrs.frozen
class Case:
    """Where Gemini should be, what the client hears, and the close code if it ends the session."""

    gemini: Callable[[], contextlib.AbstractContextManager[str]]
    code: str
    says: str
    closes: int | None = None


CASES: Final = {
    "refused key": Case(
        lambda: emulator(keys=frozenset({"another"})), "key_refused", "livegate check", 4201
    ),
    "nobody there": Case(
        lambda: at("wss://127.0.0.1:9"), "upstream_unavailable", "was refused", 4101
    ),
    "no such host": Case(
        lambda: at("wss://gemini.invalid"), "upstream_unavailable", "name was not found", 4101
    ),
    "unknown certificate": Case(
        lambda: emulator(tls=True), "upstream_unavailable", "certificate was not accepted", 4101
    ),
    "http 403": Case(lambda: http_only(403), "key_refused", "check the API key", 4201),
    "http 500": Case(
        lambda: http_only(500), "upstream_unavailable", "did not accept a WebSocket", 4101
    ),
    "http 1.0": Case(
        lambda: http_only(500, "HTTP/1.0"),
        "upstream_unavailable",
        "did not accept a WebSocket",
        4101,
    ),
    "key in the reason": Case(
        lambda: scripted(closing(1008, f"bad key {CANARY} in ?key={CANARY}")),
        "setup_refused",
        "bad key [key] in ?key=[key]",
    ),
    "refused setup": Case(
        lambda: scripted(closing(1007, "Request contains an invalid argument.")),
        "setup_refused",
        "1007, 'Request contains an invalid argument.'",
    ),
    "service down": Case(
        lambda: scripted(closing(1011, "The service is currently unavailable.")),
        "upstream_unavailable",
        "1011, 'The service is currently unavailable.'",
        4101,
    ),
    "hangs up": Case(lambda: scripted(hanging_up), "upstream_unavailable", "1006", 4101),
    "garbage": Case(lambda: scripted(garbage), "upstream_lost", "gone, [key]"),
}
IMPATIENT: Final = Limits(retrying_s=0.1)
"""Of a gateway that tries once."""


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_fault(variant: str, case: Case, caplog: pytest.LogCaptureFixture) -> None:
    """The client hears cause and cure, the session lives unless it cannot, the key stays in."""
    caplog.set_level(logging.DEBUG)
    limits = IMPATIENT if case.closes == 4101 else Limits()
    with (
        case.gemini() as url,
        running.variant(variant, CANARY, url, limits) as gateway,
        connect(gateway.url, close_timeout=1) as socket,
    ):
        with contextlib.suppress(websockets.ConnectionClosed):  # Gemini was dialled before
            socket.send(json.dumps({"type": "text", "text": "hi"}))
        heard = [_next(socket, "error")]
        assert heard[0]["code"] == case.code
        assert case.says in heard[0]["data"]
        if case.closes is None:
            socket.send('{"type":"ping"}')
            heard.append(_next(socket, "pong"))
            end = ""
        else:
            end = _end(socket, case.closes)
    assert CANARY not in json.dumps(heard) + end
    assert CANARY not in caplog.text
    assert "Traceback" not in caplog.text


def test_check_tries_once() -> None:
    """Whoever checks whether Gemini can be reached hears at once that it cannot."""
    with scripted(closing(1011, "The service is currently unavailable.")) as url:
        checked = terminal.run(
            *(sys.executable, "-m", "livegate", "check", "--gemini-url", url),
            environment=terminal.clean_environment(GEMINI_API_KEY=CANARY),
        )
    assert checked.returncode == 1
    _, _, said = checked.stdout.partition("FAILED  setup")
    assert "1011, 'The service is currently unavailable.'); come back in a while\n" in said


def test_no_key(runtime: str) -> None:
    """Without a key each client is told so, and to stop."""
    with running.gateway(runtime, settings()) as gateway, connect(gateway.url) as socket:
        frame = _next(socket, "error")
        assert frame["data"] == "No API key configured"
        assert frame["code"] == "no_api_key"
        _end(socket, 4200)


def test_fault_of_ours(runtime: str, caplog: pytest.LogCaptureFixture) -> None:
    """A bug closes the one session with 1011; the log has where, but not the key."""
    broken = _settings("ws://127.0.0.1:9")
    # An address of the wrong type: dialling raises what nobody expects.
    object.__setattr__(broken.target, "url", _Bomb("ws://127.0.0.1:9"))
    with running.gateway(runtime, broken) as gateway:
        for _ in range(2):  # the gateway goes on
            with connect(gateway.url) as socket:
                _end(socket, 1011)
    assert "session.failed" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert CANARY not in caplog.text


class _Bomb(str):
    """An address that cannot be read."""

    __slots__ = ()

    def startswith(self, *_: object) -> bool:
        raise ZeroDivisionError(CANARY)

    def __hash__(self) -> int:
        raise ZeroDivisionError(CANARY)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"[" * 100_000, "bad_json"),
        (b'{"type":"ping","data":' + b"[" * 100_000, "bad_json"),
        (b'{"type":"config","data":' + b'{"a":' * 40 + b"1" + b"}" * 41, "too_large"),
        (b'{"type":"text","text":"%b"}' % (b"x" * 15 * MIB), "too_large"),
        (b'{"type":"config","data":{"seed":%b}}' % (b"9" * 1_000_000), "too_large"),
        (b'{"type":"ping","data":NaN}', "bad_json"),
        (b'{"type":"text","text":"\\ud800"}', "bad_json"),
        (b'{"type":"text","text":"\\u0000"}', "bad_frame"),
        (b"\0", "bad_json"),
    ],
    ids=["deep", "deep data", "deep config", "15 MB", "long", "nan", "surrogate", "nul", "raw nul"],
)  # fmt: skip
def test_hostile_frame(variant: str, payload: bytes, code: str) -> None:
    """A hostile frame is answered with an error, and the session lives."""
    with (
        emulator() as url,
        running.variant(variant, CANARY, url) as gateway,
        connect(gateway.url, max_size=None) as socket,
    ):
        socket.send(payload, text=True)
        assert _next(socket, "error")["code"] == code
        socket.send('{"type":"text","text":"hi"}')
        _next(socket, "turn_complete")


def test_redirect(variant: str) -> None:
    """A redirect is not followed: the key goes nowhere but where it was meant to."""
    asked: list[str] = []

    class Redirect(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

    with (
        _web(Redirect) as port,
        running.variant(variant, CANARY, f"ws://127.0.0.1:{port}", IMPATIENT) as gateway,
        connect(gateway.url) as socket,
    ):
        with contextlib.suppress(websockets.ConnectionClosed):  # Gemini was dialled before
            socket.send('{"type":"text","text":"hi"}')
        assert "did not accept a WebSocket" in _next(socket, "error")["data"]
    assert set(asked) == {PATH}


def test_gemini_stops_reading(variant: str) -> None:
    """The gateway ends in time although a link to Gemini takes nothing in."""
    is_over = threading.Event()

    def act(socket: ServerConnection) -> None:
        socket.recv()
        socket.send(b'{"setupComplete":{}}')
        is_over.wait(RECEIVE_S)

    with (
        scripted(act) as url,
        running.variant(variant, CANARY, url) as gateway,
        connect(gateway.url, close_timeout=0) as socket,
    ):
        _next(socket, "system")
        socket.send(bytes(8 * MIB))  # more than the sockets' buffers hold
        gateway.stop()
        _end(socket, 1012)
        is_over.set()


@pytest.mark.parametrize("key", ["two\nlines", "a b", "n\xe4h", "\0"])
def test_impossible_key(key: str) -> None:
    """What cannot be a key is refused before it is used, and not shown."""
    with pytest.raises(SettingsError) as refused:
        settings(key)
    assert key not in str(refused.value)


def test_reprs() -> None:
    """Nothing that holds the key shows it."""
    held = _settings("ws://127.0.0.1:9")
    shown = repr(held) + str(held.target) + str(held.target.key) + f"{held.target.key!r}"
    assert CANARY not in shown


def test_the_page_comes_back() -> None:
    """The page that people try it with says come back, or stop, as the table of closes does."""
    page = docs.ROOT / "examples" / "gemini_live_demo.html"
    said = dict(
        re.findall(r"^  (\d{4}): .*\$\{(RETRY|STOP)\}`,$", page.read_text("utf-8"), re.MULTILINE)
    )
    for code, close in CLOSES.items():
        if close.advice is Advice.RETRY:
            assert said.pop(str(code)) == "RETRY"
        elif close.advice is Advice.RESUME:  # the page begins anew; and it has no 4000
            assert said.pop(str(code), "RETRY") == "RETRY"
    assert said == {"1006": "RETRY", "4200": "STOP", "4201": "STOP", "4203": "STOP"}


def _settings(url: str) -> Settings:
    return settings(CANARY, url)


def _next(socket: ClientConnection, type_: str) -> dict[str, str]:
    while True:
        frame: dict[str, str] = json.loads(socket.recv(RECEIVE_S))
        if frame["type"] == type_:
            return frame


def _end(socket: ClientConnection, code: int) -> str:
    """Expect the close; return its reason."""
    with contextlib.suppress(websockets.ConnectionClosed):
        while True:
            socket.recv(RECEIVE_S)
    assert socket.close_code == code
    return socket.close_reason or ""
