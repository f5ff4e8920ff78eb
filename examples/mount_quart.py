"""The gateway beside a Quart application, told apart by the beginning of the path.

Run it: python examples/mount_quart.py --emulator (or with GEMINI_API_KEY set, without).
"""

import asyncio
import os
import sys
from typing import cast

from quart import Quart

from livegate.asyncio import App, serve
from livegate.emulator import Emulator
from livegate.shell.asgi import Application, Receive, Scope, Send
from livegate.shell.settings import settings
from livegate.shell.sockets import listen

site = Quart(__name__)
site.get("/hello")(lambda: "This is the application.")


def mounted(gateway: App) -> Application:
    """Return both: Quart mounts nothing itself, and has types of its own for ASGI."""

    async def both(scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path", "").startswith("/voice/"):
            await gateway({**scope, "root_path": "/voice"}, receive, send)
        else:
            await cast("Application", site)(scope, receive, send)

    return both


with Emulator() as gemini:
    is_played = "--emulator" in sys.argv
    there = settings("any", gemini.url) if is_played else settings(os.environ["GEMINI_API_KEY"])
    sockets = listen("localhost", int(os.environ.get("PORT", "8000")))
    print(f"ws://localhost:{sockets[0].getsockname()[1]}/voice/api/gemini/ws", flush=True)
    asyncio.run(serve(there, sockets, wrap=mounted))
