"""The gateway behind a FastAPI route of one's own, which may look at who comes and refuse.

Run it: python examples/handed_fastapi.py --emulator (or with GEMINI_API_KEY set, without).
"""

import asyncio
import os
import signal
import sys

from fastapi import FastAPI, WebSocket
from hypercorn.asyncio import serve  # pyright: ignore[reportUnknownVariableType]
from hypercorn.config import Config

from livegate.asyncio import AsgiSocket, Gateway
from livegate.emulator import Emulator
from livegate.protocol.tokens import selected
from livegate.shell.settings import settings

with Emulator() as gemini:
    is_played = "--emulator" in sys.argv
    there = settings("any", gemini.url) if is_played else settings(os.environ["GEMINI_API_KEY"])
    api, gateway, config = FastAPI(), Gateway.of(there), Config()
    config.bind = [f"localhost:{os.environ.get('PORT', '8000')}"]

    @api.websocket("/rooms/{name}")
    async def room(websocket: WebSocket, name: str) -> None:
        """Accept a client into one of our rooms, and leave the rest to the gateway."""
        if name == "kitchen":
            await websocket.accept(subprotocol=selected(websocket.scope["subprotocols"]))
            await gateway.serve(AsgiSocket(websocket.scope, websocket.receive, websocket.send))

    async def until() -> None:
        """Wait for SIGINT or SIGTERM, then tell all clients."""
        asked = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, asked.set)
        async with gateway:
            await asked.wait()

    asyncio.run(serve(api, config, shutdown_trigger=until))  # type: ignore[arg-type] # own ASGI types
