"""Why a dial failed: exceptions of sockets, TLS and HTTP as the core's `Fault`."""

import socket
import ssl

from livegate.protocol.inputs import Fault

_FORBIDDEN = (401, 403)


class DialError(Exception):
    """Gemini could not be reached."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


def of_exception(error: BaseException) -> Fault:
    """Return the fault behind an exception, or behind what caused it."""
    chain: BaseException | None = error
    while chain is not None:
        match chain:
            case ssl.SSLError():
                return Fault.TLS
            case socket.gaierror():
                return Fault.NAME
            case ConnectionRefusedError():
                return Fault.REFUSED
            case TimeoutError():
                return Fault.TIMEOUT
            case _:
                chain = chain.__cause__ or chain.__context__
    return Fault.NETWORK


def of_status(status: int) -> Fault:
    """Return the fault behind an HTTP answer that was no upgrade."""
    return Fault.FORBIDDEN if status in _FORBIDDEN else Fault.HTTP
