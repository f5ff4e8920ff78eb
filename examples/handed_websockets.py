"""The gateway on connections of websockets' own server, on asyncio.

Run it: python examples/handed_websockets.py --emulator (or with GEMINI_API_KEY set, without).
Asked to end, the gateway closes its sessions first, then the server closes what else it has.
"""

import asyncio
import os
import signal
import sys

from websockets.asyncio.server import serve

from livegate.asyncio import Gateway
from livegate.emulator import Emulator
from livegate.protocol.tokens import selected
from livegate.shell.settings import Settings, settings

MAX_MESSAGE = 32 * 1024 * 1024  # above livegate's own 16 MiB, of which the client is told


async def main(there: Settings) -> None:
    """Serve until SIGINT or SIGTERM."""
    gateway, asked = Gateway.of(there), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    port = int(os.environ.get("PORT", "8000"))
    async with serve(
        gateway.serve, "127.0.0.1", port, max_size=MAX_MESSAGE, compression=None,
        select_subprotocol=lambda _, offered: selected(offered),
    ) as server:  # fmt: skip
        print(f"ws://localhost:{server.sockets[0].getsockname()[1]}/", flush=True)
        async with gateway:
            await asked.wait()


with Emulator() as gemini:
    is_played = "--emulator" in sys.argv
    there = settings("any", gemini.url) if is_played else settings(os.environ["GEMINI_API_KEY"])
    asyncio.run(main(there))
