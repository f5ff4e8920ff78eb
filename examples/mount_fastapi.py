"""The gateway inside a FastAPI application.

Run it: python examples/mount_fastapi.py --emulator (or with GEMINI_API_KEY set, without).
Mounted at /voice, the WebSocket is /voice/api/gemini/ws. livegate's own `serve` runs it all; asked
to end, it closes the sessions first.
"""

import asyncio
import os
import sys

from fastapi import FastAPI

from livegate.asyncio import App, serve
from livegate.emulator import Emulator
from livegate.shell.settings import settings
from livegate.shell.sockets import listen


def mounted(gateway: App) -> FastAPI:
    """Return the application around the gateway."""
    api = FastAPI()

    @api.get("/hello")
    async def hello() -> str:  # pyright: ignore[reportUnusedFunction] - FastAPI uses it
        return "This is the application."

    api.mount("/voice", gateway)
    return api


with Emulator() as gemini:
    is_played = "--emulator" in sys.argv
    there = settings("any", gemini.url) if is_played else settings(os.environ["GEMINI_API_KEY"])
    sockets = listen("localhost", int(os.environ.get("PORT", "8000")))
    print(f"ws://localhost:{sockets[0].getsockname()[1]}/voice/api/gemini/ws", flush=True)
    asyncio.run(serve(there, sockets, wrap=mounted))
