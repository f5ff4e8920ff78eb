"""A Gemini that speaks without end, as fast as it is listened to."""

import asyncio
import base64
import contextlib
import json
import socket
import threading
from collections.abc import Generator
from typing import Final

import attrs
import websockets
from websockets.asyncio.server import ServerConnection, serve

_SOUND: Final = base64.b64encode(bytes(12_000)).decode()
MESSAGE: Final = json.dumps(
    {
        "serverContent": {
            "modelTurn": {
                "parts": [{"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": _SOUND}}]
            }
        }
    }
).encode()
"""A quarter of a second of silence."""
ANSWER: Final = json.dumps(
    {"serverContent": {"modelTurn": {"parts": [{"text": "Yes."}]}, "turnComplete": True}}
).encode()
"""What is said to anything but `/long`."""
_BUFFER_BYTES: Final = 64 * 1024
"""What the operating system keeps of each link, so that little hides there."""
_START_S: Final = 20.0


@attrs.frozen
class Flood:
    """Where it is, and how much it could say."""

    url: str
    sent: list[int]
    """Bytes that each link has taken, in the order in which they came."""


@contextlib.contextmanager
def flood() -> Generator[Flood, None, None]:
    """Listen for as long as the block runs."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
    found = Flood(f"ws://127.0.0.1:{listening.getsockname()[1]}", [])
    ends: list[asyncio.Event] = []
    is_up = threading.Event()

    async def speak(link: ServerConnection) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            await link.recv()
            await link.send(b'{"setupComplete":{}}')
            while b"/long" not in await link.recv(decode=False):
                await link.send(ANSWER)
            number = len(found.sent)
            found.sent.append(0)
            while True:
                await link.send(MESSAGE)
                found.sent[number] += len(MESSAGE)
                await asyncio.sleep(0)  # `send` waits for nobody while there is room

    async def run() -> None:
        loop, asked = asyncio.get_running_loop(), asyncio.Event()
        async with serve(
            speak, sock=listening, compression=None, ping_interval=None, close_timeout=0,
            write_limit=len(MESSAGE),
        ):  # fmt: skip
            ends.append(asked)
            loops.append(loop)
            is_up.set()
            await asked.wait()

    loops: list[asyncio.AbstractEventLoop] = []
    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    assert is_up.wait(_START_S)
    try:
        yield found
    finally:
        loops[0].call_soon_threadsafe(ends[0].set)
        thread.join(_START_S)
