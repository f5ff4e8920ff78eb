"""A gateway in a process of its own, attacked over real sockets and watched from outside.

How hard it is attacked is one choice for all: some seconds in all by default, some minutes where
the environment says `LIVEGATE_ABUSE=full`.
"""

import contextlib
import itertools
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Final, TypeVar

import attrs
import psutil

from livegate.protocol.limits import Limits, WireLimits
from raw_client import RawClient
from terminal import LIVEGATE, clean_environment

KIB: Final = 1024
MIB: Final = 1024 * KIB
TEXT: Final = 1
BINARY: Final = 2
PATIENCE_S: Final = 20.0
IS_FULL: Final = os.environ.get("LIVEGATE_ABUSE") == "full"
DELAY_S: Final = 0.5
"""How long nobody else may wait meanwhile, 99 times in 100, on a slow machine."""
LONG: Final = b'{"type":"text","text":"/long"}'
"""Asks for twenty seconds of sound."""
SOUND: Final = b'{"type":"config","data":{"response_modalities":["AUDIO"]}}'
_LOOK_S: Final = 0.01
_PAUSE_S: Final = 0.005
_MOMENT_S: Final = 0.45
"""Longer than a link to Gemini may take to hear its close."""
_SHORT_S: Final = 0.2
_IDLE_CPU_S: Final = 0.02
_FEWEST: Final = 20
"""Answers that say something of how long they take."""
_STARTED: Final = re.compile(r"websocket +(ws\S+)(?s:.*)livegate is listening")
IMPATIENT: Final = """
import json, sys
from livegate.protocol import limits
for name, said in json.loads(sys.argv.pop(1)).items():
    getattr(limits, name).__init__.__kwdefaults__.update(said)
from livegate.__main__ import main
main()
"""
"""Serves with other limits."""
Clock = Callable[[], contextlib.AbstractContextManager[Callable[[], float]]]
_T = TypeVar("_T")


def scaled(quick: _T, full: _T) -> _T:
    """Return how much of something there is in this run."""
    return full if IS_FULL else quick


LIMITS: Final = scaled(WireLimits(head_s=2.0, close_s=1.0, stall_s=1.2), WireLimits())
"""What holds for each connection: the waits are shorter where there is little time."""


def limits_said(*several: WireLimits | Limits) -> str:
    """Return limits as `IMPATIENT` takes them: those that are not as usual."""
    said: dict[str, dict[str, float]] = {}
    for limits in several:
        usual = attrs.asdict(type(limits)())
        given: dict[str, float] = attrs.asdict(limits)
        changed = {name: value for name, value in given.items() if value != usual[name]}
        said[type(limits).__name__] = changed
    return json.dumps(said)


def let_pass(seconds: float) -> None:
    """Let time pass while something goes on that is then measured."""
    time.sleep(seconds)


def wait_until(
    holds: Callable[[], _T | None], within_s: float = PATIENCE_S, what: str = "it"
) -> _T:
    """Wait until something is true; return what it is then.

    Raises:
        AssertionError: It never was.
    """
    until = time.monotonic() + within_s
    while not (found := holds()):
        assert time.monotonic() < until, f"waited {within_s:g} s in vain: {what}"
        time.sleep(_LOOK_S)
    return found


@attrs.frozen
class Row:
    """What was promised, and what was found."""

    runtime: str
    promise: str
    measured: float
    limit: float
    unit: str

    def __str__(self) -> str:
        found, limit = f"{self.measured:,.6g}", f"{self.limit:,.6g}"
        return f"{self.runtime:<8} {self.promise:<66} {found:>10} {limit:>10} {self.unit}"


class Attacked:
    """A running gateway.

    Args:
        runtime: What it runs on.
        process: Its process.
        log: The file that its output goes to.
        note: Takes what is measured.
    """

    def __init__(
        self,
        runtime: str,
        process: "subprocess.Popen[bytes]",
        log: Path,
        note: Callable[[Row], None],
    ) -> None:
        self.runtime = runtime
        self.process = process
        self._log = log
        self._note = note
        self._watched = psutil.Process(process.pid)
        self._clients: list[RawClient] = []
        started = wait_until(lambda: _STARTED.search(self.log), what="the gateway starts")
        self.url = started[1].replace("localhost", "127.0.0.1")

    # Attacks

    def client(
        self,
        handshake: bytes | None = None,
        source: str = "127.0.0.1",
        segment_bytes: int | None = None,
    ) -> RawClient:
        """Connect, for as long as the test runs. TLS, where it listens so, begins here."""
        client = RawClient(self.url, handshake, source=source, segment_bytes=segment_bytes)
        self._clients.append(client)
        return client

    def drop_clients(self) -> None:
        """End what is left of all connections."""
        for client in self._clients:
            client.leave()
        self._clients.clear()

    def asker(self, segment_bytes: int | None = None) -> RawClient:
        """Return a client that has asked for a long answer."""
        client = self.client(segment_bytes=segment_bytes)
        client.send(TEXT, SOUND)
        client.send(TEXT, LONG)
        return client

    def talker(self) -> RawClient:
        """Return a client to whom Gemini speaks already."""
        client = self.asker()
        client.read_until(b'"audio"')
        return client

    def converse(self) -> None:
        """Have a conversation, as anybody might at any time."""
        with self.client() as client:
            client.send(TEXT, b'{"type":"text","text":"/bundled"}')
            client.read_until(b'"turn_complete"')
            assert b'"response"' in client.got

    @contextlib.contextmanager
    def echoing(self) -> Generator["Echo", None, None]:
        """Have somebody else's session measure delays for as long as the block runs."""
        with RawClient(self.url) as client:
            echo = Echo(client, self.clock)
            thread = threading.Thread(target=echo.run)
            thread.start()
            try:
                yield echo
            finally:
                echo.is_over.set()
                thread.join()
        assert not echo.failure, echo.failure
        self.expect("somebody else's ping is answered meanwhile, p99", echo.p99_s, DELAY_S, "s")

    # Facts

    @property
    def log(self) -> str:
        """All that it has printed."""
        return self._log.read_text(errors="replace")

    @property
    def rss_bytes(self) -> int:
        """Memory that it has now."""
        return int(self._watched.memory_info().rss)

    @property
    def descriptors(self) -> int:
        """Files and sockets that it has open."""
        return self._watched.num_fds()

    @contextlib.contextmanager
    def clock(self) -> Generator[Callable[[], float], None, None]:
        """Yield what tells this thread the time, in seconds.

        It stands still while the gateway waits for a core, or this thread or our main one, without
        which no other gets on: what else a busy machine has to do is none of the gateway's doing.
        Where cores are free, nobody waits.
        """
        threads = {self.process.pid, os.getpid(), threading.get_native_id()}
        with contextlib.ExitStack() as stack:
            files: list[int] = []
            for thread in threads:
                with contextlib.suppress(OSError):  # Linux's; other systems have none
                    files.append(os.open(f"/proc/{thread}/schedstat", os.O_RDONLY))
                    stack.callback(os.close, files[-1])

            def now() -> float:
                return time.monotonic() - sum(map(_queued_s, files))

            yield now

    @property
    def cpu_s(self) -> float:
        """How long it has computed."""
        times = self._watched.cpu_times()
        return float(times.user + times.system)

    @contextlib.contextmanager
    def growth(
        self, promise: str, limit_bytes: float, *, unit_bytes: int = MIB
    ) -> Generator[None, None, None]:
        """Expect memory never to grow by more than this while the block runs, even for a moment."""
        self.settle(_SHORT_S)
        before = self.rss_bytes
        self._forget_peak()
        yield
        grown = max(self._peak_bytes(), self.rss_bytes) - before
        unit = {KIB: "KiB", MIB: "MiB"}[unit_bytes]
        self.expect(promise, grown / unit_bytes, limit_bytes / unit_bytes, unit)

    def _forget_peak(self) -> None:
        with contextlib.suppress(OSError):  # proc(5); other systems have none
            Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def _peak_bytes(self) -> int:
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{self.process.pid}/status").read_text()
            return int(status.partition("VmHWM:")[2].split()[0]) * KIB
        return 0

    def settle(self, moment_s: float = _MOMENT_S) -> float:
        """Wait until it computes nothing, and closes nothing, for a moment; return how long that took."""
        began = time.monotonic()
        until = began + PATIENCE_S
        while True:
            at, used, descriptors = time.monotonic(), self.cpu_s, self.descriptors
            let_pass(moment_s)
            if self.cpu_s - used <= _IDLE_CPU_S and self.descriptors == descriptors:
                return at - began
            assert at < until, "the gateway always finds something to do"

    def expect(self, promise: str, measured: float, limit: float, unit: str) -> None:
        """Expect a number to be within its limit."""
        row = Row(self.runtime, promise, measured, limit, unit)
        self._note(row)
        assert measured <= limit, str(row)

    def expect_no_descriptors(self, left_of: str, before: int) -> None:
        """Expect it to hold no more open files than before, now or soon."""
        with contextlib.suppress(AssertionError):
            wait_until(lambda: self.descriptors <= before)
        self.expect(f"descriptors left of {left_of}", self.descriptors - before, 0, "")

    def expect_unharmed(self) -> None:
        """Expect it to live, to serve, and never to have raised anything."""
        assert self.process.poll() is None, f"it ended:\n{self.log[-4000:]}"
        self.converse()
        self.expect_clean_log()

    def expect_clean_log(self) -> None:
        """Expect no trace of a fault."""
        log = self.log
        at = min((log.find(sign) for sign in _FAULTS if sign in log), default=-1)
        assert at < 0, f"it logged a fault:\n{log[max(0, at - 500) : at + 4000]}"

    def limit_descriptors(self, number: int) -> None:
        """Let it have no more open files than this, from now on."""
        resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, (number, number))

    def terminate(self) -> None:
        """Ask it to end."""
        self.process.send_signal(signal.SIGTERM)


def _queued_s(file: int) -> float:
    """Return how long a thread was ready to run, and did not, by its scheduler's statistics."""
    return int(os.pread(file, 100, 0).split()[1]) / 1e9


_FAULTS: Final = ("Traceback", " ERROR ", "Exception ignored", "never awaited", "never retrieved")


class Echo:
    """A session that pings without end, and measures how long each answer takes."""

    def __init__(self, client: RawClient, clock: Clock) -> None:
        self.is_over = threading.Event()
        self.failure: Exception | None = None
        self._client = client
        self._clock = clock
        self._took_s: list[float] = []

    def run(self) -> None:
        """Ping until told to end."""
        try:
            with self._clock() as now:
                self._ping(now)
        except (OSError, AssertionError) as error:
            self.failure = error

    def _ping(self, now: Callable[[], float]) -> None:
        for number in itertools.count():
            said = json.dumps({"type": "ping", "data": f"<{number}>"}).encode()
            began = now()
            self._client.send(TEXT, said)
            self._client.read_until(f"<{number}>".encode())
            self._took_s.append(now() - began)
            self._client.got = b""
            if self.is_over.wait(_PAUSE_S) and number >= _FEWEST:
                return

    @property
    def p99_s(self) -> float:
        """What 99 of 100 answers took at most."""
        assert self._took_s
        return sorted(self._took_s)[int(len(self._took_s) * 0.99)]


@contextlib.contextmanager
def attacked(
    runtime: str,
    note: Callable[[Row], None],
    *,
    gemini_url: str | None = None,
    options: tuple[str, ...] = (),
    limits: Limits | None = None,
) -> Generator[Attacked, None, None]:
    """Run `livegate serve` for as long as the block runs; at its end it must be unharmed.

    Args:
        runtime: What it runs on.
        note: Takes what is measured.
        gemini_url: Where Gemini is, if not in the same process.
        options: More of them.
        limits: What holds for each session, if not the usual.
    """
    gemini = ("--gemini-url", gemini_url) if gemini_url else ("--emulator",)
    program: tuple[str, ...] = LIVEGATE
    if WireLimits() != LIMITS or limits is not None:
        said = limits_said(LIMITS, limits or Limits())
        program = (sys.executable, "-c", IMPATIENT, said)
    command = (*program, "serve", *gemini, "--port", "0", "--runtime", runtime, *options)
    with (
        tempfile.TemporaryDirectory(prefix="livegate-") as folder,
        contextlib.ExitStack() as stack,
    ):
        log = Path(folder) / "log"
        process = subprocess.Popen(  # noqa: S603 - tests run what they name
            command,
            stdin=subprocess.DEVNULL,
            stdout=stack.enter_context(log.open("wb")),
            stderr=subprocess.STDOUT,
            env=clean_environment(GEMINI_API_KEY="canary-key"),
        )
        try:
            found = Attacked(runtime, process, log, note)
            stack.callback(found.drop_clients)
            yield found
            found.drop_clients()
            if process.poll() is None:
                found.expect_unharmed()
            else:
                found.expect_clean_log()
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


@attrs.frozen
class Book:
    """What was measured in this run."""

    rows: list[Row] = attrs.field(factory=list[Row])

    def table(self) -> list[str]:
        """Return all of it as lines, the worst of each kind."""
        worst: dict[tuple[str, str], Row] = {}
        for row in self.rows:
            known = worst.get((row.promise, row.runtime))
            if known is None or row.measured / row.limit > known.measured / known.limit:
                worst[row.promise, row.runtime] = row
        head = f"{'runtime':<8} {'promise':<66} {'measured':>10} {'limit':>10}"
        return [head, *(str(row) for row in worst.values())]
