"""The gateway in Starlette, run by a server of your own.

Run it: python examples/mount_starlette.py --emulator (or with GEMINI_API_KEY set, without).
A mounted application is not told of the end in time: so `drain` it.
"""

import asyncio
import os
import signal
import sys

from hypercorn.asyncio import serve  # pyright: ignore[reportUnknownVariableType]
from hypercorn.config import Config
from starlette.applications import Starlette
from starlette.routing import Mount

from livegate.asyncio import app
from livegate.emulator import Emulator
from livegate.shell.settings import Settings, settings


async def main(there: Settings) -> None:
    """Serve until SIGINT or SIGTERM."""
    asked, gateway, config = asyncio.Event(), app(there), Config()
    config.bind = [f"localhost:{os.environ.get('PORT', '8000')}"]
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)

    async def until() -> None:
        await asked.wait()
        await gateway.drain()

    site = Starlette(routes=[Mount("/voice", gateway)])
    await serve(site, config, shutdown_trigger=until)  # type: ignore[arg-type] # its own ASGI types


with Emulator() as gemini:
    is_played = "--emulator" in sys.argv
    there = settings("any", gemini.url) if is_played else settings(os.environ["GEMINI_API_KEY"])
    asyncio.run(main(there))
