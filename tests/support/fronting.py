"""TLS in front of a plain server, for clients that speak nothing else."""

import asyncio
import contextlib
import threading
from collections.abc import Generator
from concurrent.futures import Future
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from livegate.emulator.tls import Certificate, certificate

_PIECE = 65536


@contextlib.contextmanager
def over_tls(url: str) -> Generator[tuple[str, Path], None, None]:
    """Yield a wss address that leads to a ws address, and the certificate to trust."""
    port = urlsplit(url).port
    assert port is not None
    listening: Future[tuple[int, asyncio.Event, asyncio.AbstractEventLoop]] = Future()
    with TemporaryDirectory(prefix="livegate-") as folder:
        made = certificate(Path(folder))
        thread = threading.Thread(target=lambda: asyncio.run(_serve(port, made, listening)))
        thread.start()
        ours, ended, loop = listening.result()
        try:
            yield f"wss://localhost:{ours}", made.ca_file
        finally:
            loop.call_soon_threadsafe(ended.set)
            thread.join()


async def _serve(
    port: int,
    made: Certificate,
    listening: "Future[tuple[int, asyncio.Event, asyncio.AbstractEventLoop]]",
) -> None:
    connections: set[asyncio.Task[None]] = set()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            # At the end they are cancelled; before Python 3.12 asyncio makes a fault of that.
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await _join(reader, writer, port)
        finally:
            connections.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(join, "127.0.0.1", 0, ssl=made.server_context())
    ended = asyncio.Event()
    listening.set_result((server.sockets[0].getsockname()[1], ended, asyncio.get_running_loop()))
    await ended.wait()
    server.close()
    for task in connections:
        task.cancel()


async def _join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Carry bytes both ways until one side ends."""
    plain_reader, plain_writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        ways = {
            asyncio.ensure_future(_carry(reader, plain_writer)),
            asyncio.ensure_future(_carry(plain_reader, writer)),
        }
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        writer.close()
        await writer.wait_closed()
    finally:
        plain_writer.transport.abort()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(_PIECE):
        writer.write(piece)
        await writer.drain()
