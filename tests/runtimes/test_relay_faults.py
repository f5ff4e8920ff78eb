"""A fault of the gateway's own, on both runtimes: sockets in memory, virtual time."""

import asyncio
from collections.abc import Callable

import attrs
import pytest
import trio
import trio.testing

import exposition
import livegate.asyncio
import livegate.asyncio.relay
import livegate.trio
import livegate.trio.relay
import running
from livegate.protocol import Session, SessionOptions
from livegate.protocol.admission import Rules
from livegate.protocol.hello import Hello
from livegate.protocol.tokens import Allowance
from livegate.shell.pump import Bell
from livegate.shell.settings import settings
from livegate.shell.sockets import Closed, Message
from livegate.shell.target import FAREWELL_S, target
from virtual_loop import VirtualLoop

NOWHERE = target("ws://192.0.2.1", "canary")


@attrs.define
class BadClient:
    """A client's socket: it brings one message, and a fault as soon as that is answered."""

    never: Bell
    is_sending: Bell
    takes_messages: bool
    hello: Hello = attrs.field(factory=Hello)
    received: int = 0
    closed: list[int] = attrs.field(factory=list[int])

    async def receive(self) -> Message | Closed:
        """Return a message, then fail in a way that nobody expects."""
        self.received += 1
        if self.received == 1:
            return Message(b'{"type":"ping"}', is_text=True)
        await self.is_sending.heard()
        raise ZeroDivisionError

    async def send(self, payload: bytes, *, is_text: bool) -> None:
        """Take a message, or wait for ever."""
        assert payload, is_text
        self.is_sending.ring()
        if not self.takes_messages:
            await self.never.heard()

    async def close(self, code: int, reason: str) -> None:
        """Wait for ever for the client to close, too."""
        assert reason == ""
        self.closed.append(code)
        await self.never.heard()


def serve(runtime: str, *, takes_messages: bool) -> tuple[list[int], float]:
    """Serve one bad client; return how it was closed, and how long all took."""

    async def play(
        gateway: livegate.trio.Gateway | livegate.asyncio.Gateway,
        new_bell: Callable[[], Bell],
        clock: Callable[[], float],
    ) -> tuple[list[int], float]:
        client, since = BadClient(new_bell(), new_bell(), takes_messages), clock()
        await gateway.serve(client)
        assert exposition.read(gateway.metrics.page())["session_faults_total"] == 1
        return client.closed, clock() - since

    if runtime == "trio":
        clock = trio.testing.MockClock(autojump_threshold=0)
        trio_gateway = livegate.trio.Gateway(NOWHERE, SessionOptions())
        return trio.run(
            play, trio_gateway, livegate.trio.relay.Bell, clock.current_time, clock=clock
        )
    loop = VirtualLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        gateway = livegate.asyncio.Gateway(NOWHERE, SessionOptions())
        return runner.run(play(gateway, livegate.asyncio.relay.Bell, loop.time))


@pytest.mark.parametrize("runtime", running.RUNTIMES)
def test_told(runtime: str, caplog: pytest.LogCaptureFixture) -> None:
    """The client is told by 1011, and given as long as any other to close."""
    closed, took_s = serve(runtime, takes_messages=True)
    assert closed == [1011]
    assert took_s == pytest.approx(FAREWELL_S)
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("runtime", running.RUNTIMES)
def test_no_room_is_lost(runtime: str) -> None:
    """A session that could not be made takes nobody's place."""

    class Broken(Session):
        def __init__(self, *_: object, **__: object) -> None:
            raise ZeroDivisionError

    async def play(gateway: livegate.trio.Gateway | livegate.asyncio.Gateway, bell: Bell) -> None:
        for _ in range(3):
            client = BadClient(bell, bell, takes_messages=True)
            with pytest.raises(ZeroDivisionError):
                await gateway.serve(client)

    asked = settings("any", rules=Rules(overall=Allowance(sessions=2)))
    broken = attrs.evolve(asked, session_type=Broken)
    if runtime == "trio":
        trio.run(play, livegate.trio.Gateway.of(broken), livegate.trio.relay.Bell())
    else:
        asyncio.run(play(livegate.asyncio.Gateway.of(broken), livegate.asyncio.relay.Bell()))


@pytest.mark.parametrize("runtime", running.RUNTIMES)
def test_torn(runtime: str) -> None:
    """A message that was cut short is the last: a close frame would be read as its rest."""
    closed, took_s = serve(runtime, takes_messages=False)
    assert closed == []
    assert took_s == pytest.approx(0.0)
