"""The gateway in Starlette on trio.

Run it: python examples/mount_trio.py --emulator (or with GEMINI_API_KEY set, without).
Nothing here runs on asyncio: `livegate.trio.serve` is hypercorn's trio worker, and Starlette
(FastAPI too) finds out which runtime it is on.
"""

import os
import sys
from functools import partial

import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from livegate.emulator import Emulator
from livegate.shell.settings import settings
from livegate.shell.sockets import listen
from livegate.trio import App, serve


async def hello(_request: Request) -> PlainTextResponse:
    """Answer a browser, with a task of trio's."""
    return PlainTextResponse(f"This is {trio.lowlevel.current_task().name}.")


def mounted(gateway: App) -> Starlette:
    """Return the application around the gateway."""
    return Starlette(routes=[Route("/hello", hello), Mount("/voice", gateway)])


with Emulator() as gemini:
    is_played = "--emulator" in sys.argv
    there = settings("any", gemini.url) if is_played else settings(os.environ["GEMINI_API_KEY"])
    sockets = listen("localhost", int(os.environ.get("PORT", "8000")))
    print(f"ws://localhost:{sockets[0].getsockname()[1]}/voice/api/gemini/ws", flush=True)
    trio.run(partial(serve, there, sockets, wrap=mounted))
