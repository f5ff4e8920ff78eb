"""Connections to Gemini, at the first of its addresses that answers, on asyncio."""

import asyncio
import contextlib
import socket
from typing import Any, Final

_NEXT_AFTER_S: Final = 2.0
"""How long an address may be silent until the next is tried: a packet that was lost comes again."""


async def connected(host: str, port: int) -> socket.socket:
    """Return a socket that is connected by TCP.

    One address after the other: where asyncio races them and is cancelled, a socket may stay open.

    Raises:
        OSError: There is no such name, or the last of its addresses could not be connected to.
    """
    loop = asyncio.get_running_loop()
    *others, last = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for one in others:
        with contextlib.suppress(OSError):  # as TimeoutError is
            async with asyncio.timeout(_NEXT_AFTER_S):
                return await _connected(loop, *one)
    return await _connected(loop, *last)


async def _connected(
    loop: asyncio.AbstractEventLoop,
    family: int,
    kind: int,
    protocol: int,
    _name: str,
    address: Any,
) -> socket.socket:
    found = socket.socket(family, kind, protocol)
    try:
        found.setblocking(False)  # noqa: FBT003 - the standard library's
        await loop.sock_connect(found, address)
    except BaseException:
        found.close()
        raise
    return found
