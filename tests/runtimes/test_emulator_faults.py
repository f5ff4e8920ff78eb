"""What the emulator lets go wrong on real sockets: pings, resets, and links that linger."""

import contextlib
import json
import math
import time
from collections.abc import Callable, Generator
from typing import Any, Final

import pytest
import websockets
from websockets.sync.client import ClientConnection, connect

from faulty_tcp import Ending, FaultyTcp, Flow, Plan
from livegate.emulator import Emulator, Fate, Options

PATH: Final = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
PATIENCE_S: Final = 20.0
LINGERING: Final = Options(pace=0, lingering=1_000)


@contextlib.contextmanager
def dial(url: str, handle: str = "") -> Generator[ClientConnection]:
    """Open a link that asks for handles, or goes on from one."""
    resumption = {"handle": handle} if handle else {}
    setup = {"model": "models/gemini-3.8-live", "sessionResumption": resumption}
    url = f"{url}{PATH}?key=abc"
    with connect(url, proxy=None, ping_interval=None, close_timeout=0.1) as link:
        link.send(json.dumps({"setup": setup}))
        yield link


@contextlib.contextmanager
def ready(url: str, handle: str = "") -> Generator[ClientConnection]:
    """Open a link, and wait until it is set up."""
    with dial(url, handle) as link:
        assert json.loads(link.recv(PATIENCE_S)) == {"setupComplete": {}}
        yield link


def say(link: ClientConnection, text: str) -> None:
    """Send a turn of text."""
    turns = [{"role": "user", "parts": [{"text": text}]}]
    link.send(json.dumps({"clientContent": {"turns": turns, "turnComplete": True}}))


def ask(link: ClientConnection, text: str) -> str:
    """Ask, and return the handle that comes with the answer's end."""
    say(link, text)
    while True:
        message: dict[str, Any] = json.loads(link.recv(PATIENCE_S))
        if handle := message.get("sessionResumptionUpdate", {}).get("newHandle"):
            return str(handle)


def end_of(link: ClientConnection) -> websockets.ConnectionClosed:
    """Read to the end of a link, and return how it ended."""
    while True:
        try:
            link.recv(PATIENCE_S)
        except websockets.ConnectionClosed as closed:
            return closed


def test_pongs() -> None:
    """A ping is answered at once with its payload, while the link waits and while it is busy."""
    with Emulator() as gemini, ready(gemini.url) as link:
        pongs = [link.ping(f"{number}") for number in range(5)]
        for pong in pongs:
            assert pong.wait(PATIENCE_S)
        say(link, "/long")
        for _ in range(5):
            link.recv(PATIENCE_S)
            assert link.ping().wait(PATIENCE_S)


def test_late_pongs() -> None:
    """A pong comes as late as it was told to, and never, when told so; the link goes on."""
    with Emulator(options=Options(pace=0, pong_delay_s=0.3)) as gemini, ready(gemini.url) as link:
        begun = time.monotonic()
        assert link.ping().wait(PATIENCE_S)
        assert time.monotonic() - begun >= 0.3
        gemini.service.faults.delay_pongs(math.inf)
        never = link.ping()
        ask(link, "Hello")
        assert not never.is_set()


def test_drop_is_a_reset() -> None:
    """A link that is cut is reset: neither WebSocket nor TCP says goodbye."""
    with Emulator(options=Options(pace=0)) as gemini, FaultyTcp(gemini.url) as path:
        with ready(path.url) as link:
            say(link, "/drop")
            closed = end_of(link)
        assert closed.rcvd is None
        assert isinstance(closed.__cause__, ConnectionResetError)


def test_fates_of_links_to_come() -> None:
    """A test decides how the next links end, while others are open."""
    with Emulator(options=Options(pace=0)) as gemini, ready(gemini.url) as link:
        gemini.service.faults.doom(1, Fate())
        gemini.service.faults.doom(1, Fate(after_s=0.0, code=1008, reason="aborted"))
        with dial(gemini.url) as first:
            assert end_of(first).rcvd is None
        with dial(gemini.url) as second:
            end = end_of(second).rcvd
        assert end is not None
        assert (end.code, end.reason) == (1008, "aborted")
        ask(link, "Hello")


Part = Callable[[ClientConnection, FaultyTcp], object]


def leave(link: ClientConnection, _: FaultyTcp) -> None:
    """Close a link as one should."""
    link.close()


def cut(_: ClientConnection, path: FaultyTcp) -> None:
    """Lose a link, and have the other end know."""
    path.cut_all()


@pytest.mark.parametrize("part", [leave, cut])
def test_links_that_have_ended_do_not_linger(part: Part) -> None:
    """Once the TCP connection of a link has ended, others go on from its handles."""
    with Emulator(options=LINGERING) as gemini, FaultyTcp(gemini.url) as path:
        with ready(path.url) as link:
            handle = ask(link, "Hello")
            part(link, path)
        gemini.wait_until(lambda service: not service.received[0].is_connected)
        with ready(path.url, handle) as again:
            ask(again, "Hello again")


def test_link_that_lingers_in_a_hole() -> None:
    """A client that has lost a link is refused for as long as the service does not know of that."""
    with (
        Emulator(options=Options(pace=0, lingering=1_000)) as gemini,
        FaultyTcp(gemini.url) as path,
    ):
        with ready(path.url) as link:
            handle = ask(link, "one")
            path.hole_all()
            link.close()
        path.heal()
        for _ in range(2):
            with dial(path.url, handle) as refused:
                end = end_of(refused).rcvd
            assert end is not None
            assert end.code == 1011
        path.cut_all()
        gemini.wait_until(lambda service: not service.received[0].is_connected)
        with ready(path.url, handle) as again:
            ask(again, "two")
        assert gemini.service.memory().texts == ("one", "two")
        assert gemini.service.memory().links == (1, 4)


@pytest.mark.parametrize("by", Ending)
def test_cut_in_mid_answer(by: Ending) -> None:
    """What the service remembers of a link that was cut in an answer is what its handle covers."""
    with Emulator() as gemini, FaultyTcp(gemini.url) as path:
        with ready(path.url) as link:
            handle = ask(link, "/empty")
        path.plan(Plan(down=Flow(cut_at=20_000, cut_by=by)))
        with ready(path.url, handle) as second:
            say(second, "/long")
            assert end_of(second).rcvd is None
        gemini.wait_until(lambda service: service.links_open == 0)
        assert gemini.service.memory().texts == ("/empty", "/long")
        assert gemini.service.covered(handle).texts == ("/empty",)
        with ready(path.url, handle):
            assert gemini.service.memory().texts == ("/empty",)
