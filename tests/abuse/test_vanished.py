"""A client whose host is gone from one moment to the next, on a cable that is cut."""

import sys
import time
from collections.abc import Callable
from typing import Final

import netns
import terminal
from attacked import IMPATIENT, PATIENCE_S, Row, limits_said, scaled
from livegate.protocol.limits import WireLimits
from raw_client import RawClient

LIMITS: Final = scaled(WireLimits(ping_s=0.6), WireLimits())
WITHIN_S: Final = scaled(2.0, 40.0)


def test_vanished_host(runtime: str, note: Callable[[Row], None]) -> None:
    """The gateway finds out in time, by its pings; a client that is there stays."""
    with netns.cable() as cable:
        command = cable.near.command(
            sys.executable,
            *("-c", IMPATIENT, limits_said(LIMITS)),
            *("serve", "--emulator", "--host", cable.near.address, "--port", "0"),
            *("--no-auth", "--runtime", runtime),
        )
        with terminal.program(*command) as server:
            url = server.expect(r"ws://[0-9.:]+/api/gemini/ws")[0]
            server.expect("listening")
            with cable.far.entered():
                vanishing = RawClient(url, source=cable.far.address)
            with cable.near.entered():
                staying = RawClient(url, source=cable.near.address)
            for client in (vanishing, staying):
                client.read_until(b'"system"')
            cable.cut()
            began = time.monotonic()
            server.expect("session.closed", WITHIN_S + PATIENCE_S)
            took_s = time.monotonic() - began
            note(Row(runtime, "a vanished host is found", took_s, WITHIN_S, "s"))
            assert took_s <= WITHIN_S
            staying.send(1, b'{"type":"ping"}')
            staying.read_until(b'"pong"')
            assert server.printed.count("session.closed") == 1
            vanishing.leave()
            staying.leave()
