"""Why a dial failed: exceptions of sockets, TLS and HTTP as the core's `Fault`."""

import socket
import ssl
from collections.abc import Iterator
from typing import cast

from livegate.protocol.inputs import Fault

_FORBIDDEN = (401, 403)


class DialError(Exception):
    """Gemini could not be reached."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


def of_exception(error: BaseException, otherwise: Fault = Fault.NETWORK) -> Fault:
    """Return the fault behind an exception, or behind what caused it."""
    for one in behind(error):
        match one:
            case ssl.SSLError():
                return Fault.TLS
            case socket.gaierror():
                return Fault.NAME
            case ConnectionRefusedError():
                return Fault.REFUSED
            case TimeoutError():
                return Fault.TIMEOUT
            case _:
                pass
    return otherwise


def of_dial(error: BaseException) -> Fault:
    """Return the fault of the `DialError` that is, or is somewhere in, what was raised."""
    return next(one.fault for one in behind(error) if isinstance(one, DialError))


def behind(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and what is behind it; trio groups one for each address it tried."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            group = cast("BaseExceptionGroup[BaseException]", error)  # isinstance tells no members
            for one in group.exceptions:
                yield from behind(one)
        error = error.__cause__ or error.__context__


def of_status(status: int) -> Fault:
    """Return the fault behind an HTTP answer that was no upgrade."""
    return Fault.FORBIDDEN if status in _FORBIDDEN else Fault.HTTP
