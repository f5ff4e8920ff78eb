"""The gateway on connections of trio-websocket's own server.

Run it: python examples/handed_trio_websocket.py --emulator (or with GEMINI_API_KEY set, without).
"""

import os
import signal
import sys
from functools import partial

import trio
from trio_websocket import WebSocketRequest, serve_websocket

from livegate.emulator import Emulator
from livegate.protocol.tokens import selected
from livegate.shell.settings import Settings, settings
from livegate.trio import Gateway

MAX_MESSAGE = 32 * 1024 * 1024  # above livegate's own 16 MiB, of which the client is told


async def main(there: Settings) -> None:
    """Serve until SIGINT or SIGTERM."""
    gateway, port = Gateway.of(there), int(os.environ.get("PORT", "8000"))

    async def take(request: WebSocketRequest) -> None:
        subprotocol = selected(request.proposed_subprotocols)
        await gateway.serve(await request.accept(subprotocol=subprotocol))

    listen = partial(serve_websocket, take, "127.0.0.1", port, None, max_message_size=MAX_MESSAGE)
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            print(f"ws://localhost:{(await nursery.start(listen)).port}/", flush=True)
            async with gateway:
                await anext(signals)
            nursery.cancel_scope.cancel()


with Emulator() as gemini:
    is_played = "--emulator" in sys.argv
    there = settings("any", gemini.url) if is_played else settings(os.environ["GEMINI_API_KEY"])
    trio.run(main, there)
