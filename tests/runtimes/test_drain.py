"""How a gateway sends many clients away, on either runtime: what is shared, on a clock of its own."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import NoReturn, TypeVar

import pytest

from livegate.protocol import SessionOptions, inputs
from livegate.protocol.admission import Rules, Ticket
from livegate.protocol.drain import WAVE
from livegate.protocol.errors import Refusal
from livegate.shell.gateway import Gateway, Relay, Runtime
from livegate.shell.sessions import Maker, Sessions
from livegate.shell.sockets import ClientSocket, Dial
from livegate.shell.target import FAREWELL_S, target

_T = TypeVar("_T")
Sleep = Callable[[float], Awaitable[None]]


class Clock:
    """Time passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    async def sleep(self, seconds: float) -> None:
        """Let it pass."""
        assert seconds > 0
        self.now += seconds


class Bell:
    """One that nobody has to wait for."""

    def ring(self) -> None:
        """Do nothing."""

    async def heard(self) -> None:
        """Nobody asks: all have ended when they were told."""
        raise AssertionError("somebody was not told")


class Client:
    """A connection that ends when it is told to."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.told_at: list[float] = []

    @property
    def has_conversation(self) -> bool:
        """Whether it was not told yet."""
        return not self.told_at

    def feed(self, event: inputs.ShutdownRequested) -> None:
        """End."""
        assert isinstance(event, inputs.ShutdownRequested)
        self.told_at.append(self._clock.now)


def no_relay(client: ClientSocket, ticket: Ticket, dial: Dial, sessions: Sessions) -> Relay:
    """Nobody connects here."""
    raise AssertionError(client, ticket, dial, sessions)


async def no_refusal(client: ClientSocket, refusal: Refusal) -> None:
    """Nobody is refused here."""
    raise AssertionError(client, refusal)


def no_dial() -> NoReturn:
    """Nobody is dialled here."""
    raise AssertionError


def crowd(
    clock: Clock, count: int, drain_s: float, sleep: Sleep | None = None
) -> tuple[Gateway, list[Client]]:
    """Return a gateway with so many clients."""
    gateway = Gateway(
        target(None, "any"),
        Maker(options=SessionOptions(), runtime="none"),
        no_dial,
        Runtime(no_relay, Bell, no_refusal, lambda: clock.now, sleep or clock.sleep),
        rules=Rules(),
        drain_s=drain_s,
    )
    clients = [Client(clock) for _ in range(count)]
    for client in clients:
        gateway.sessions.join(client)
    return gateway, clients


def done(work: Coroutine[object, object, _T]) -> None:
    """Run what never waits for anybody else."""
    with pytest.raises(StopIteration):
        work.send(None)


@pytest.mark.parametrize(("count", "drain_s"), [(0, 20.0), (1, 20.0), (1000, 20.0), (9000, 8.0)])
def test_waves(count: int, drain_s: float) -> None:
    """Each is told once, few of them at a time, early enough to leave before the end."""
    clock = Clock()
    gateway, clients = crowd(clock, count, drain_s)
    done(gateway.drain())
    told = [client.told_at for client in clients]
    assert all(len(one) == 1 for one in told)
    moments = [one[0] for one in told]
    assert max((moments.count(at) for at in moments), default=0) <= WAVE
    assert max(moments, default=0) + FAREWELL_S < drain_s
    assert gateway.is_draining


def test_no_time_at_all() -> None:
    """With no time to spend all are told, one wave right behind the other."""
    clock = Clock()
    gateway, clients = crowd(clock, 3 * WAVE, drain_s=FAREWELL_S)
    done(gateway.drain())
    assert [client.told_at for client in clients] == [[0.0]] * len(clients)


def test_cancelled() -> None:
    """If nobody waits for it any more, the rest are told at once."""

    async def interrupted(seconds: float) -> None:
        raise TimeoutError(seconds)

    gateway, clients = crowd(Clock(), 5 * WAVE, drain_s=20.0, sleep=interrupted)
    with pytest.raises(TimeoutError):
        gateway.drain().send(None)
    assert [client.told_at for client in clients] == [[0.0]] * len(clients)
