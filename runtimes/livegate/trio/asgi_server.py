"""hypercorn, run by livegate, on trio."""

from functools import partial
from typing import Any, Final, cast

import hypercorn.trio

from livegate.shell import hypercorn_server
from livegate.trio.signals import signals

_run: Final = cast("Any", hypercorn.trio).serve  # hypercorn has types of its own for ASGI
serve: Final = partial(hypercorn_server.serve, _run, signals)
"""Serve an application until asked to end: see `hypercorn_server.serve`."""
