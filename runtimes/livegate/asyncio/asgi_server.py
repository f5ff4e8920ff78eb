"""hypercorn, run by livegate, on asyncio."""

from functools import partial
from typing import Any, Final, cast

import hypercorn.asyncio

from livegate.asyncio.signals import signals
from livegate.shell import hypercorn_server

_run: Final = cast("Any", hypercorn.asyncio).serve  # hypercorn has types of its own for ASGI
serve: Final = partial(hypercorn_server.serve, _run, signals)
"""Serve an application until asked to end: see `hypercorn_server.serve`."""
