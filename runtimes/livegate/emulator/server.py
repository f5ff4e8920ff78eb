"""The emulator's sockets: asyncio on a thread of its own, so that any program can use it."""

import asyncio
import contextlib
import http
import threading
from collections.abc import Callable
from pathlib import Path
from socket import socket
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Final, Self, assert_never
from urllib.parse import parse_qs, urlsplit

import websockets
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from livegate import recordings
from livegate.emulator.tls import Certificate, certificate
from livegate.protocol.emulator import (
    Abort,
    Close,
    Command,
    DeadlineReached,
    Event,
    Frame,
    Gone,
    Hello,
    Link,
    Options,
    Recording,
    Send,
    Service,
)
from livegate.shell.sockets import listen
from livegate.shell.target import KEY_HEADER

_MAX_BYTES: Final = 32 * 1024 * 1024
_START_S: Final = 10.0
_CLOSE_S: Final = 0.5
_LOOK_S: Final = 0.01


class Emulator:
    """Gemini Live on this machine, for as long as a `with` block runs.

    It listens on a thread of its own, so it serves tests on trio, on asyncio and on neither.

    Args:
        options: How Gemini is played; by default with one known recording, at its real pace.
        tls: Listen with TLS, on a certificate made for this run (extra `testing`).
        host: Where to listen; `localhost` is 127.0.0.1 and ::1.
        port: 0 takes a free one.
    """

    def __init__(
        self,
        *,
        options: Options | None = None,
        tls: bool = False,
        host: str = "localhost",
        port: int = 0,
    ) -> None:
        if options is None:
            hello = recordings.hello()
            known = Recording(recordings.HELLO_TEXT, hello.pcm, hello.rate)
            options = Options(recordings=(known,))
        self.service = Service(options)
        self._tls = tls
        self._host = host
        self._port = port
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked_to_end: asyncio.Event | None = None
        self._is_up = threading.Event()
        self._folder: TemporaryDirectory[str] | None = None
        self._certificate: Certificate | None = None

    def __enter__(self) -> Self:
        """Start listening.

        Raises:
            OSError: The address cannot be had.
            ImportError: TLS was asked for, and the extra is missing.
        """
        if self._tls:
            self._folder = TemporaryDirectory(prefix="livegate-")
            self._certificate = certificate(Path(self._folder.name))
        sockets = listen(self._host, self._port)
        self._port = sockets[0].getsockname()[1]
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(sockets)), name="livegate emulator"
        )
        self._thread.start()
        self._is_up.wait(_START_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Cut all links and stop listening."""
        if self._loop is not None and self._asked_to_end is not None:
            self._loop.call_soon_threadsafe(self._asked_to_end.set)
        if self._thread is not None:
            self._thread.join()
        if self._folder is not None:
            self._folder.cleanup()

    @property
    def url(self) -> str:
        """The address without a path: `ws://localhost:PORT`, or `wss://`."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'wss' if self._tls else 'ws'}://{host}:{self._port}"

    @property
    def ca_file(self) -> Path | None:
        """The certificate that clients have to trust, if TLS is on."""
        return self._certificate.ca_file if self._certificate else None

    def wait_until(self, holds: Callable[[Service], object], timeout_s: float = 5.0) -> None:
        """Block this thread until the service is as expected.

        Raises:
            TimeoutError: It never was.
        """
        waited = threading.Event()
        for _ in range(int(timeout_s / _LOOK_S)):
            if holds(self.service):
                return
            waited.wait(_LOOK_S)
        raise TimeoutError(
            f"waited {timeout_s} s in vain: {self.service.links_open} links are open, "
            f"{self.service.links_total} came"
        )

    async def _serve(self, sockets: list[socket]) -> None:
        """Listen until told to end, then cut every link."""
        self._loop, self._asked_to_end = asyncio.get_running_loop(), asyncio.Event()
        context = self._certificate.server_context() if self._certificate else None
        async with contextlib.AsyncExitStack() as stack:
            servers = [
                await stack.enter_async_context(
                    serve(
                        self._run_link,
                        sock=one,
                        ssl=context,
                        process_request=self._find,
                        compression=None,
                        ping_interval=None,
                        close_timeout=_CLOSE_S,
                        max_size=_MAX_BYTES,
                    )
                )
                for one in sockets
            ]
            self._is_up.set()
            await self._asked_to_end.wait()
            for server in servers:
                for connection in server.connections:
                    connection.transport.abort()

    def _find(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer 404 to all paths but those of the Live API."""
        if self.service.version(request.path) is None:
            return connection.respond(http.HTTPStatus.NOT_FOUND, "no such method\n")
        return None

    async def _run_link(self, connection: ServerConnection) -> None:
        """Carry messages between one client and its link."""
        assert connection.request is not None  # noqa: S101 - the handshake is over
        link = Link(self.service, _hello(connection.request))
        clock = asyncio.get_running_loop().time
        try:
            while True:
                event = await _next_event(connection, link.deadline)
                for command in link.handle(event, clock()):
                    await _do(command, connection)
                if isinstance(event, Gone):
                    return
        finally:
            link.handle(Gone(), clock())


def _hello(request: Request) -> Hello:
    query = parse_qs(urlsplit(request.path).query)
    key = request.headers.get(KEY_HEADER) or (query.get("key") or [""])[0]
    return Hello(path=request.path, key=key)


async def _next_event(connection: ServerConnection, deadline: float | None) -> Event:
    try:
        async with asyncio.timeout_at(deadline):
            message = await connection.recv()
    except TimeoutError:
        return DeadlineReached()
    except websockets.ConnectionClosed as closed:
        return Gone(closed.rcvd.code if closed.rcvd else 1006)
    is_text = isinstance(message, str)
    return Frame(message.encode() if isinstance(message, str) else message, is_text)


async def _do(command: Command, connection: ServerConnection) -> None:
    with contextlib.suppress(websockets.ConnectionClosed):
        match command:
            case Send(payload=payload, is_text=is_text):
                await connection.send(payload, text=is_text)
            case Close(code=code, reason=reason):
                await connection.close(code, reason)
            case Abort():
                connection.transport.abort()
            case _:
                assert_never(command)
