"""Programs run as people run them: what they print is waited for, what they are told is typed."""

import contextlib
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Final

import websockets
from websockets.sync.client import ClientConnection, connect

PATIENCE_S: Final = 20.0
AT_ONCE_S: Final = 15.0
"""Within which a gateway ends that waits for nobody; one that does takes 20 s."""
LIVEGATE: Final = (sys.executable, "-m", "livegate")
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


def clean_environment(**more: str) -> dict[str, str]:
    """Return this environment without whatever livegate would read from it, and with more."""
    ours = ("LIVEGATE_", "GEMINI_", "GOOGLE_", "SSL_CERT_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "PYTHONUNBUFFERED": "1", **more}


@contextlib.contextmanager
def own_port() -> Generator[int, None, None]:
    """Keep a port of this machine: nobody else is given it, whoever names it can listen there."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


class Program:
    """A running program, its output, and its input.

    Args:
        process: The program.
        output: What it prints, a file descriptor.
        keyboard: What it reads, likewise.
    """

    def __init__(self, process: subprocess.Popen[bytes], output: int, keyboard: int) -> None:
        self.process = process
        self.printed = ""
        """All of its output so far, without what only moves a cursor."""
        self._output = output
        self._keyboard = keyboard
        self._seen = 0

    def expect(self, pattern: str, patience_s: float = PATIENCE_S) -> re.Match[str]:
        """Wait until it prints something, behind what was expected before."""
        until = time.monotonic() + patience_s
        while (found := re.compile(pattern).search(self.printed, self._seen)) is None:
            assert self._read(until), f"no {pattern!r} came, but:\n{self.printed}"
        self._seen = found.end()
        return found

    def type(self, line: str) -> None:
        """Type a line and press Enter."""
        os.write(self._keyboard, f"{line}\n".encode(errors="surrogateescape"))

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def status(self, patience_s: float = AT_ONCE_S) -> int:
        """Wait until it ends; return its exit status."""
        until = time.monotonic() + patience_s
        while self._read(until):
            pass
        return self.process.wait(max(0.1, until - time.monotonic()))

    def _read(self, until: float) -> bool:
        """Read a piece of output; return whether there was any, or it is too late or at an end."""
        ready, _, _ = select.select([self._output], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            return False
        try:
            piece = os.read(self._output, 65_536)
        except OSError:  # Linux: the other end of a pty was closed
            return False
        self.printed += _ESCAPES.sub("", piece.decode(errors="replace"))
        return bool(piece)


@contextlib.contextmanager
def program(
    *command: str,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    on_terminal: bool = False,
) -> Generator[Program, None, None]:
    """Run a program for as long as the block runs: on pipes, or on a terminal of its own."""
    if on_terminal:
        ours, theirs = pty.openpty()
        modes = termios.tcgetattr(theirs)
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(theirs, termios.TCSANOW, modes)
        output, keyboard = ours, os.dup(ours)
        its_input = its_output = theirs
    else:
        its_input, keyboard = os.pipe()
        output, its_output = os.pipe()
    with _ctrl_c_heard():
        process = subprocess.Popen(  # noqa: S603 - tests run what they name
            command,
            stdin=its_input,
            stdout=its_output,
            stderr=its_output,
            env=dict(environment) if environment is not None else clean_environment(),
            cwd=folder,
            start_new_session=on_terminal,
        )
    for one in {its_input, its_output}:
        os.close(one)
    try:
        yield Program(process, output, keyboard)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for one in (output, keyboard):
            os.close(one)


@contextlib.contextmanager
def _ctrl_c_heard() -> Generator[None, None, None]:
    """Let what is started hear Ctrl+C, even if this run is a job in the background.

    A script's shell starts such a job with SIGINT ignored, and whoever ignores a signal hands that
    on to what it starts. A handler is not handed on, but the system's default in its place.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def run(
    *command: str,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    typed: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end on what is typed beforehand; its errors are part of its output."""
    return subprocess.run(  # noqa: S603 - tests run what they name
        command,
        input=typed,
        env=dict(environment) if environment is not None else clean_environment(),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_S * 2,
        check=False,
    )


def arrive(url: str) -> ClientConnection:
    """Connect as soon as somebody listens there."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return connect(url, close_timeout=1)
        except ConnectionRefusedError:
            assert time.monotonic() < until, f"nobody listens at {url}"


def closed(client: ClientConnection) -> int:
    """Wait for the end of a connection; return its code."""
    try:
        while True:
            client.recv(PATIENCE_S)
    except websockets.ConnectionClosed as ended:
        return ended.rcvd.code if ended.rcvd else 1006
