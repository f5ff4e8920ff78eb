"""The emulator's sockets: asyncio on a thread of its own, so that any program can use it."""

import asyncio
import contextlib
import http
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from socket import socket
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Final, Self
from urllib.parse import parse_qs, urlsplit
from weakref import WeakSet

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from livegate import recordings
from livegate.emulator.connection import MAX_BYTES, Connection
from livegate.emulator.tls import Certificate, certificate
from livegate.protocol.emulator import Gone, Hello, Link, Options, Recording, Service
from livegate.protocol.gemini import KEY_HEADER
from livegate.shell.sockets import listen

# websockets logs request headers at DEBUG, and the caller's key is one.
_QUIET: Final = logging.getLogger("livegate.emulator")
_QUIET.setLevel(logging.ERROR)
_UNSENT_BYTES: Final = 64 * 1024 * 1024
"""Until so much waits for a client that does not read, it is still listened to."""
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
        self._running = contextlib.ExitStack()
        self._certificate: Certificate | None = None

    def __enter__(self) -> Self:
        """Start listening.

        Raises:
            OSError: The address cannot be had.
            ImportError: TLS was asked for, and the extra is missing.
        """
        with contextlib.ExitStack() as stack:
            if self._tls:
                folder = stack.enter_context(TemporaryDirectory(prefix="livegate-"))
                self._certificate = certificate(Path(folder))
            sockets = listen(self._host, self._port)
            for one in sockets:
                stack.enter_context(one)
            self._port = sockets[0].getsockname()[1]
            end: Future[Callable[[], object]] = Future()
            thread = threading.Thread(
                target=self._run, args=(sockets, end), name="livegate emulator"
            )
            thread.start()
            stack.callback(thread.join)
            stack.callback(end.result())
            self._running = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Cut all links and stop listening."""
        self._running.close()

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
        until = time.monotonic() + timeout_s
        while not holds(self.service):
            if time.monotonic() >= until:
                raise TimeoutError(
                    f"waited {timeout_s:g} s in vain: {self.service.links_open} links are open, "
                    f"{self.service.links_total} came"
                )
            time.sleep(_LOOK_S)

    def _run(self, sockets: list[socket], end: Future[Callable[[], object]]) -> None:
        """Serve on this thread; `end` takes what ends it, or why it could not begin."""
        try:
            asyncio.run(self._serve(sockets, end))
        except Exception as error:
            if end.done():
                raise
            end.set_exception(error)

    async def _serve(self, sockets: list[socket], end: Future[Callable[[], object]]) -> None:
        """Listen until told to end, then cut every link."""
        context = self._certificate.server_context() if self._certificate else None
        transports: WeakSet[asyncio.Transport] = WeakSet()

        class Known(Connection):
            """One that is known from its first byte, before the handshake."""

            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                if isinstance(transport, asyncio.Transport):
                    transports.add(transport)
                super().connection_made(transport)

        servers = [
            await serve(
                self._run_link,
                sock=one,
                ssl=context,
                create_connection=Known,
                process_request=self._find,
                compression=None,
                logger=_QUIET,
                ping_interval=None,
                close_timeout=_CLOSE_S,
                max_size=MAX_BYTES,
                write_limit=_UNSENT_BYTES,
            )
            for one in sockets
        ]
        asked = asyncio.Event()
        loop = asyncio.get_running_loop()
        end.set_result(lambda: loop.call_soon_threadsafe(asked.set))
        await asked.wait()
        for server in servers:
            server.close(close_connections=False)
        # Nobody is waited for, not even those that are still shaking hands.
        for transport in transports:
            transport.abort()

    def _find(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer 404 to all paths but those of the Live API."""
        if self.service.version(request.path) is None:
            return connection.respond(http.HTTPStatus.NOT_FOUND, "no such method\n")
        return None

    async def _run_link(self, connection: ServerConnection) -> None:
        """Carry messages between one client and its link."""
        assert isinstance(connection, Connection)  # noqa: S101 - it was made so
        assert connection.request is not None  # noqa: S101 - the handshake is over
        link = Link(self.service, _hello(connection.request))
        clock = asyncio.get_running_loop().time
        try:
            while True:
                event = await connection.next_event(link.deadline)
                for command in link.handle(event, clock()):
                    await connection.do(command)
                if isinstance(event, Gone):
                    return
                await asyncio.sleep(0)  # however much has come, others have their turn
        finally:
            link.handle(Gone(), clock())


def _hello(request: Request) -> Hello:
    query = parse_qs(urlsplit(request.path).query)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    given = [
        request.headers.get(KEY_HEADER, ""),
        *query.get("key", ()),
        # Ephemeral tokens: the SDK's way, and the one of browsers.
        token if scheme == "Token" else "",
        *query.get("access_token", ()),
    ]
    return Hello(path=request.path, key=next(filter(None, given), ""))
