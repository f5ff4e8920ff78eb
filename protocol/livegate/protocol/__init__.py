"""The pure part of livegate: no sockets, clocks, threads, randomness or logging.

`Session` is the heart: tell it what happened (`inputs`), do what it answers (`commands`).
"""

from livegate.protocol import commands, errors, inputs
from livegate.protocol.errors import LocalProtocolError, ProtocolError, RemoteProtocolError
from livegate.protocol.limits import Limits
from livegate.protocol.options import SessionOptions
from livegate.protocol.session import Session

__version__ = "0.1.0"

__all__ = [
    "Limits",
    "LocalProtocolError",
    "ProtocolError",
    "RemoteProtocolError",
    "Session",
    "SessionOptions",
    "__version__",
    "commands",
    "errors",
    "inputs",
]
