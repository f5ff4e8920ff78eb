# pyright: reportPrivateUsage=false
"""A client over bytes that comes back: to the connection that it had, from another one."""

import json
from typing import Final

from websockets.frames import Close, Frame, Opcode

from byte_line import READY, Line, gemini, head, parsed
from byte_line import text as said
from livegate.protocol import commands, inputs
from livegate.protocol.connection import events
from livegate.protocol.inputs import ClientGone, Side
from livegate.protocol.limits import WireLimits

V1: Final = head(Sec_WebSocket_Protocol="livegate.v1")
CONFIG: Final = said(
    b'{"type":"config","data":{"resumable":true,"response_modalities":["AUDIO"]}}'
)
PING: Final = said(b'{"type":"ping","data":1}')
CLIENT: Final = Side.CLIENT
UNHEARD: Final = ClientGone(1, 4000, "the client answers no ping")


def begun(limits: WireLimits | None = None) -> Line:
    """Return a connection whose client can come back; it has three frames."""
    line = Line(limits=limits)
    line.client(V1 + CONFIG)
    line.open_link()
    line.gemini(gemini(READY))
    line.do(inputs.Sealed("token"))
    assert [one["seq"] for one in line.told] == [1, 2, 3]
    return line


def asking(line: Line, seq: int = 3, before: bytes = b"", behind: bytes = b"") -> Line:
    """Return the connection of somebody who says to be that client."""
    asked = json.dumps({"type": "resume", "data": {"session": "token", "seq": seq}})
    other = Line(now=line.now)
    other.client(V1)
    other.client(before + said(asked.encode()) + behind)
    assert other.actions.count(commands.Resume("token", seq)) == 1
    return other


def moved(line: Line, other: Line, seq: int = 3) -> list[events.Action]:
    """Let that client go on with the conversation that it has had; return what is done."""
    since = len(line.actions)
    client, peer, done = other.connection.release(other.now)
    other._settle(done)
    line._settle(line.connection.adopt(client, peer, seq, line.now))
    return line.actions[since:]


def back(line: Line, seq: int = 3) -> list[events.Action]:
    """Let the client come back; return what is done."""
    return moved(line, asking(line, seq), seq)


def frames(line: Line, link: int = 2) -> list[Frame]:
    """Return the frames that one of the client's WebSockets was given."""
    data = bytes(line.given.get((CLIENT, link), b""))
    return parsed(data if link > 1 else data.partition(b"\r\n\r\n")[2])


def told(line: Line, link: int = 2) -> list[dict[str, object]]:
    """Return the messages among them."""
    return [json.loads(bytes(one.data)) for one in frames(line, link) if one.opcode is Opcode.TEXT]


def closed(line: Line, link: int = 1) -> int | None:
    """Return the code with which it was closed."""
    codes = [
        Close.parse(bytes(one.data)).code
        for one in frames(line, link)
        if one.opcode is Opcode.CLOSE
    ]
    assert len(codes) < 2
    return codes[0] if codes else None


def cut(line: Line, link: int = 1) -> bool:
    """Return whether that stream was ended."""
    count = line.actions.count(events.Abort(CLIENT, link))
    assert count < 2
    return bool(count)


def sends(line: Line, data: bytes, link: int = 2) -> list[events.Action]:
    """Let one of the client's WebSockets send bytes."""
    return line.do(events.BytesReceived(CLIENT, link, data))


def seqs(line: Line, link: int = 2) -> list[object]:
    """Return the numbers of the frames that a WebSocket was given, behind `resumed`."""
    first, *rest = told(line, link)
    assert first["type"] == "resumed"
    return [one["seq"] for one in rest]
