"""Many clients of a Gemini that is down: few dials, an answer for each, and all of it is over in time."""

import contextlib
import json
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from functools import partial
from pathlib import Path
from socket import SHUT_RDWR
from typing import Final

import attrs
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

import exposition
import livegate.asyncio
import livegate.trio
import running
from livegate.emulator import Emulator, Options
from livegate.protocol import Limits, SessionOptions, journal
from livegate.protocol.errors import FATAL, ErrorCode
from livegate.protocol.inputs import Fault
from livegate.protocol.journal import Entry, Header
from livegate.protocol.limits import BreakerLimits, WireLimits
from livegate.protocol.replay import Replay
from livegate.shell.faults import DialError
from livegate.shell.journals import Journals
from livegate.shell.settings import Settings
from livegate.shell.sockets import Closed, Message, listen
from livegate.shell.target import target
from shell_player import MemoryClient, MemoryUpstream, Runtime
from virtual import ON

NOWHERE: Final = target("ws://192.0.2.1", "canary")
GATEWAYS: Final = {"asyncio": livegate.asyncio.Gateway, "trio": livegate.trio.Gateway}
RECEIVE_S: Final = 20.0
TEXT: Final = '{"type":"text","text":"Hello"}'
CLIENTS: Final = 20
_DOWN: Final = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


# On virtual time


class Answering(MemoryUpstream):
    """A link that accepts its setup, and ends each turn at once."""

    async def send(self, payload: bytes) -> None:
        """Answer a message."""
        is_setup = payload.startswith(b'{"setup"')
        self.put(
            b'{"setupComplete":{}}' if is_setup else b'{"serverContent":{"turnComplete":true}}'
        )


class Gemini:
    """A service that is down at first."""

    def __init__(self, lent: Runtime) -> None:
        self._lent = lent
        self.is_up = False
        self.dials = 0

    @contextlib.asynccontextmanager
    async def dial(self) -> AsyncGenerator[MemoryUpstream, None]:
        """Be dialled."""
        self.dials += 1
        await self._lent.sleep(0.1)
        if not self.is_up:
            raise DialError(Fault.REFUSED)
        yield Answering(self._lent.new_bell())


class Talker:
    """A client that asks once a second until it has its answer."""

    def __init__(self, lent: Runtime) -> None:
        self.socket = MemoryClient(lent.new_bell())
        self._lent = lent
        self.is_answered = False

    async def talk(self) -> None:
        """Ask, and leave in the end."""
        while not self.is_answered:
            self.socket.put(Message(TEXT.encode(), is_text=True))
            await self._lent.sleep(1.0)
            self.is_answered = any(b'"turn_complete"' in one.payload for one in self.socket.got)
        self.socket.put(Closed(1000))


def counted(page: bytes) -> dict[str, float]:
    """Return what a gateway has counted of this."""
    found = exposition.read(page)
    names = (
        "breaker_open",
        "upstream_held_off_total",
        'upstream_failures_total{fault="refused"}',
    )
    return {name: found[name] for name in names}


@pytest.mark.parametrize("runtime", ON)
def test_outage(runtime: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In a minute of outage twenty clients dial not much more often than one of them alone would."""
    caplog.set_level(logging.INFO)
    limits = BreakerLimits()

    async def play(lent: Runtime) -> None:
        gemini = Gemini(lent)
        journals = Journals(folder=tmp_path, key=NOWHERE.key, keeps_media=False)
        options = SessionOptions(limits=Limits(retrying_s=600.0))
        gateway = GATEWAYS[runtime](NOWHERE, options, dial=gemini.dial, journals=journals)
        talkers = [Talker(lent) for _ in range(CLIENTS)]
        for one in talkers:
            lent.start(partial(gateway.serve, one.socket))
            lent.start(one.talk)
            await lent.sleep(0.2)
        await lent.sleep(60.0)
        assert not any(one.is_answered for one in talkers)
        found = counted(gateway.metrics.page())
        assert found["breaker_open"] == 1
        assert found["upstream_held_off_total"] > 5 * CLIENTS
        assert found['upstream_failures_total{fault="refused"}'] == gemini.dials
        # To open it; and after rests of at least half of 1, 2, 4, 8, 16, 30, 30, ... seconds.
        assert 8 < gemini.dials <= 15
        assert gateway.unready == ""
        gemini.is_up, before = True, gemini.dials
        await lent.sleep(limits.rest_max_s + 2 * Limits().retry_max_s + 5.0)
        assert all(one.is_answered for one in talkers)
        assert gemini.dials - before in (CLIENTS - 1, CLIENTS)  # one may have been under way
        assert counted(gateway.metrics.page())["breaker_open"] == 0

    ON[runtime](play)
    lines = [str(record.msg).partition(" ")[0] for record in caplog.records]
    assert lines.count("breaker.opened") == lines.count("breaker.closed") == 1
    assert "upstream.held_off" not in lines
    replayed(tmp_path)


def replayed(folder: Path) -> None:
    """Replay each journal: it needs no breaker, and comes out the same."""
    paths = [*folder.iterdir()]
    assert len(paths) == CLIENTS
    for path in paths:
        data = path.read_bytes()
        assert b'{"type":"DialFailed","link":' in data
        assert b'"fault":"resting"' in data
        header, *entries = map(journal.decode, data.splitlines(keepends=True))
        assert isinstance(header, Header)
        replay = Replay(header)
        for entry in entries:
            assert isinstance(entry, Entry)
            assert replay.step(entry).difference is None


# With sockets


class DeadEnd:
    """An address where whoever asks hears that it is down."""

    def __init__(self) -> None:
        (self._listening,) = listen("127.0.0.1", 0)
        self.port: int = self._listening.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}"
        self.dials = 0
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError):
                client.recv(WireLimits().head_bytes)
                self.dials += 1
                client.sendall(_DOWN)

    def end(self) -> None:
        """Let the address be free."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(SHUT_RDWR)  # wakes `accept`
        self._thread.join()
        self._listening.close()


@pytest.fixture
def dead() -> Generator[DeadEnd, None, None]:
    """An address of a Gemini that is down."""
    found = DeadEnd()
    try:
        yield found
    finally:
        found.end()


def hasty(breaker: BreakerLimits, limits: Limits) -> Callable[[Settings], Settings]:
    """Return what gives a gateway this breaker, and its sessions these limits."""

    def changed(usual: Settings) -> Settings:
        session = attrs.evolve(usual.session, limits=limits)
        return attrs.evolve(usual, session=session, breaker=breaker)

    return changed


def heard(client: ClientConnection, *types: str) -> dict[str, object]:
    """Return the next frame of one of these types."""
    while True:
        frame: dict[str, object] = json.loads(client.recv(RECEIVE_S))
        if frame["type"] in types:
            return frame


@pytest.mark.parametrize("name", running.VARIANTS)
def test_dead_address(name: str, dead: DeadEnd) -> None:
    """However many clients there are, a dead address is dialled for the first three of them."""
    breaker = BreakerLimits(failures=3, rest_s=3600.0, rest_max_s=3600.0)
    changed = hasty(breaker, Limits(retrying_s=0.0))
    errors: list[dict[str, object]] = []
    with running.variant(name, "canary-key", dead.url, changed=changed) as gateway:
        for _ in range(12):
            with connect(gateway.url, close_timeout=1) as client:
                with contextlib.suppress(ConnectionClosed):  # Gemini was dialled before
                    client.send(TEXT)
                errors.append(heard(client, "error"))
                with pytest.raises(ConnectionClosed) as caught:
                    client.recv(RECEIVE_S)
                assert caught.value.rcvd is not None
                assert caught.value.rcvd.code == FATAL[ErrorCode.UPSTREAM_UNAVAILABLE]
    assert {one["code"] for one in errors} == {ErrorCode.UPSTREAM_UNAVAILABLE}
    held_off = [Fault.RESTING.value in str(one["data"]) for one in errors]
    assert held_off == [False] * 3 + [True] * 9
    assert dead.dials == 3


@pytest.mark.parametrize("name", running.VARIANTS)
def test_back_again(name: str, dead: DeadEnd) -> None:
    """When Gemini is back, all who were held off are served."""
    breaker = BreakerLimits(failures=2, rest_s=0.1, rest_max_s=0.1)
    changed = hasty(breaker, Limits(retry_s=0.01, retry_max_s=0.01, notice_s=0.0))
    with (
        running.variant(name, "canary-key", dead.url, changed=changed) as gateway,
        contextlib.ExitStack() as stack,
    ):
        clients = [stack.enter_context(connect(gateway.url, close_timeout=1)) for _ in range(10)]
        for client in clients:
            client.send(TEXT)
        for client in clients:
            assert str(heard(client, "system")["data"]).endswith("trying again")
        dead.end()
        with Emulator(options=Options(pace=0), host="127.0.0.1", port=dead.port):
            for client in clients:
                heard(client, "turn_complete")
