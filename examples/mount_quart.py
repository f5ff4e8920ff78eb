"""The gateway beside a Quart application.

Run it: python examples/mount_quart.py --emulator (or with GEMINI_API_KEY set, without).
Quart mounts nothing itself: hypercorn's dispatcher does, by the beginning of the path.
"""

import asyncio
import os
import sys
from typing import Any

from hypercorn.middleware import DispatcherMiddleware
from quart import Quart

from livegate.asyncio import App, serve
from livegate.emulator import Emulator
from livegate.shell.settings import settings
from livegate.shell.sockets import listen

site = Quart(__name__)


@site.get("/hello")
async def hello() -> str:
    """Answer a browser."""
    return "This is the application."


def mounted(gateway: App) -> Any:
    """Return both, told apart by path (hypercorn and Quart have types of their own for ASGI)."""
    return DispatcherMiddleware({"/voice": gateway, "": site})  # type: ignore[dict-item]


with Emulator() as gemini:
    is_played = "--emulator" in sys.argv
    there = settings("any", gemini.url) if is_played else settings(os.environ["GEMINI_API_KEY"])
    sockets = listen("localhost", int(os.environ.get("PORT", "8000")))
    print(f"ws://localhost:{sockets[0].getsockname()[1]}/voice/api/gemini/ws", flush=True)
    asyncio.run(serve(there, sockets, wrap=mounted))
