"""A browser, a gateway with its emulator, and the small servers that the page tests need."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from playwright.sync_api import Browser, Page, Playwright

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 20
TIMEOUT_MS = 15_000
"""Also of what is spoken, which takes seconds to be answered."""


@dataclass(frozen=True)
class Gateway:
    """Where a running gateway listens."""

    http_url: str
    ws_url: str

    @property
    def port(self) -> int:
        """The port of both addresses."""
        return int(self.http_url.rstrip("/").rpartition(":")[2])


@pytest.fixture(scope="session")
def chromium() -> str:
    """Find the browser's executable."""
    found = shutil.which("chromium")
    if found is None:
        message = "there is no chromium; .ci/install-browser installs one"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


# Playwright's sync API keeps an event loop running in this thread, in which no other test could
# start its own: hence one per module, and never one per session.
@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Run Playwright's driver while this module's tests run."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    sync_api.expect.set_options(timeout=TIMEOUT_MS)
    with sync_api.sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="module")
def browser(playwright: Playwright, chromium: str) -> Iterator[Browser]:
    """A browser without a microphone."""
    launched = playwright.chromium.launch(executable_path=chromium)
    yield launched
    launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh page that fails its test if a script on it fails."""
    context = browser.new_context()
    with _strict_page(context.new_page()) as made:
        yield made
    context.close()


@pytest.fixture
def speaking_page(playwright: Playwright, chromium: str) -> Iterator[Page]:
    """A page whose microphone says `livegate.recordings.hello` once.

    The recording begins at the first use of the microphone in a new browser, so each test has its
    own browser.
    """
    wav = ROOT / "runtimes" / "livegate" / "recordings" / "hello.wav"
    launched = playwright.chromium.launch(
        executable_path=chromium,
        ignore_default_args=["--mute-audio"],
        args=[
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-audio-capture={wav}%noloop",
        ],
    )
    with _strict_page(launched.new_page()) as made:
        yield made
    launched.close()


@contextmanager
def _strict_page(page: Page) -> Generator[Page]:
    faults: list[str] = []
    page.on("pageerror", lambda fault: faults.append(str(fault)))
    page.set_default_timeout(TIMEOUT_MS)
    yield page
    assert faults == []


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def runtime(request: pytest.FixtureRequest) -> str:
    """Name the runtime that the gateway runs on."""
    return str(request.param)


@pytest.fixture(scope="module")
def gateway(runtime: str) -> Iterator[Gateway]:
    """A gateway that serves the demo page and talks to its emulator."""
    with _serve("serve", "--emulator", "--runtime", runtime) as found:
        yield found


@pytest.fixture(scope="module")
def debug_gateway(runtime: str) -> Iterator[Gateway]:
    """A gateway that serves the debug page and talks to its emulator."""
    with _serve("debug", "--emulator", "--runtime", runtime) as found:
        yield found


@contextmanager
def _serve(*arguments: str) -> Generator[Gateway]:
    command = [sys.executable, "-u", "-m", "livegate", *arguments, "--port", "0"]
    with subprocess.Popen(  # noqa: S603 - the arguments are ours
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT
    ) as process:
        try:
            assert process.stdout is not None
            yield _read_address(process.stdout, process)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _read_address(output: IO[str], process: subprocess.Popen[str]) -> Gateway:
    """Wait for the line that names the address, then keep the pipe empty."""
    watchdog = threading.Timer(START_TIMEOUT_S, process.kill)
    watchdog.start()
    said: list[str] = []
    try:
        for line in output:
            said.append(line)
            if match := re.search(r"http://(127\.0\.0\.1|localhost):(\d+)", line):
                threading.Thread(target=lambda: list(output), daemon=True).start()
                base = f"127.0.0.1:{match[2]}"
                return Gateway(f"http://{base}/", f"ws://{base}/api/gemini/ws")
    finally:
        watchdog.cancel()
    raise AssertionError(
        f"the gateway named no address within {START_TIMEOUT_S} s: {''.join(said)}"
    )


@pytest.fixture
def serve_html(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Serve markup as a page from a further port of localhost; returns its address."""
    with ExitStack() as stack:

        def serve(markup: str) -> str:
            (tmp_path / "index.html").write_text(markup, "utf-8")
            handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
            server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), handler))
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            return f"http://localhost:{server.server_port}/"

        yield serve
