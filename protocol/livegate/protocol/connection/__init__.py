"""What a listener drives: bytes in, bytes out, one deadline, for a client and its links to Gemini.

`Connection` is told what happened to byte streams (`events`), and answers what to do with them.
It puts together what each knows alone: `Doorstep` HTTP's request head, `WebSocket` messages over
bytes, `Session` the conversation. The frames themselves are made and read by websockets' Sans-IO
layer, and heads by h11.

Nothing else of `livegate.protocol` imports this package: websockets loads sockets and logging, and
draws its masks and keys at random.
"""

from livegate.protocol.connection.connection import Connection
from livegate.protocol.connection.gate import Gate, Refused, Service

__all__ = ["Connection", "Gate", "Refused", "Service"]
