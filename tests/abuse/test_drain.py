"""Asked to end, a gateway tells whoever can hear, waits for the others not long, and ends."""

import contextlib
import json
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from attacked import LIMITS, Attacked, Row, attacked
from flooding import flood
from raw_client import CLOSE, RawClient, opening

EXIT_S = LIMITS.close_s + 4.0
AT_ONCE_S = 4.0


def test_sessions_of_all_kinds(runtime: str, note: Callable[[Row], None]) -> None:
    """Idle and busy sessions hear of it, stalled ones and half a handshake do not hold it up."""
    with flood() as gemini, attacked(runtime, note, gemini_url=gemini.url) as gateway:
        for head in (b"", b"GET / HT", opening()[:-2]):
            gateway.client(head)
        idle, busy = gateway.client(), gateway.talker()
        gateway.talker()  # and does not listen
        reading = threading.Thread(target=_hears_all, args=(busy,))
        reading.start()
        began = time.monotonic()
        gateway.terminate()
        _hears_all(idle)
        assert not _is_welcome(gateway)
        reading.join()
        assert busy.close_code == 1012
        took = _ended(gateway, began)
        gateway.expect("it ends, with sessions idle, busy, stalled and to be", took, EXIT_S, "s")


def test_attentive_sessions(runtime: str, note: Callable[[Row], None]) -> None:
    """Where all can hear it ends at once."""
    with attacked(runtime, note) as gateway:
        clients = [gateway.talker() if number % 2 else gateway.client() for number in range(10)]
        began = time.monotonic()
        gateway.terminate()
        for client in clients:
            _hears_all(client)
        took = _ended(gateway, began)
        gateway.expect("it ends, with sessions that hear", took, AT_ONCE_S, "s")


def _hears_all(client: RawClient) -> None:
    """Expect the last words: a `system` frame, then 1012; and say goodbye, too."""
    while client.close_code is None:
        assert client.read_some(), "it ended without a close"
    with contextlib.suppress(ConnectionError):
        client.send(CLOSE, client.close_code.to_bytes(2))
    *_, (_, last), (_, close) = client.frames()
    assert json.loads(last)["type"] == "system"
    assert client.close_code == 1012, close


def _is_welcome(gateway: Attacked) -> bool:
    """Whether a new client is let in; if not, it is told so, or nobody listens any more."""
    where = urlsplit(gateway.url)
    try:
        with gateway.client(opening(where.path)) as client:
            client.read_to_end()
    except ConnectionRefusedError:
        return False
    return not client.got.startswith(b"HTTP/1.1 %d " % HTTPStatus.SERVICE_UNAVAILABLE)


def _ended(gateway: Attacked, began: float) -> float:
    """Wait for the end, expect that it was a good one, and return how long it took."""
    assert gateway.process.wait(20) == 0, gateway.log
    return time.monotonic() - began
