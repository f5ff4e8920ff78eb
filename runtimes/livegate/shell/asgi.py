"""The gateway as an ASGI application: one WebSocket path, for any server and framework.

ASGI is the same under trio and asyncio, so this file is shared; the `Gateway` it is given is not.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from livegate.protocol import pages, tokens
from livegate.protocol.pages import Answer, Unready
from livegate.shell import faults, hellos, house
from livegate.shell.gateway import Gateway
from livegate.shell.house import House
from livegate.shell.sockets import Closed, Message

PATH: Final = "/api/gemini/ws"
_OF_HTTP_1: Final = ("connection", "upgrade")

Scope = MutableMapping[str, Any]  # the ASGI specification's own loose types
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class AsgiSocket:
    """A WebSocket of an ASGI server's, accepted already.

    Args:
        scope: The connection's.
        receive: The server's, or that of a framework's `WebSocket`.
        send: Likewise.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._is_open = True
        self.hello = hellos.of_scope(scope)

    async def receive(self) -> Message | Closed:
        """Wait for the next message, or for the end."""
        event = await self._receive()
        if event["type"] != "websocket.receive":
            self._is_open = False
            return Closed(event.get("code") or 1006, event.get("reason") or "")
        text = event.get("text")
        if text is not None:
            # A server may let lone surrogates through: what they become is no valid JSON string.
            return Message(text.encode("utf-8", "surrogatepass"), is_text=True)
        return Message(event.get("bytes") or b"", is_text=False)

    async def send(self, payload: bytes, *, is_text: bool) -> None:
        """Send one message; nothing, once the client has gone (a server may spin otherwise)."""
        if self._is_open:
            body = {"text": payload.decode()} if is_text else {"bytes": payload}
            await self._try_send({"type": "websocket.send", **body})

    async def close(self, code: int, reason: str) -> None:
        """Close it, unless the client has gone already."""
        if self._is_open:
            await self._try_send({"type": "websocket.close", "code": code, "reason": reason})
            self._is_open = False

    async def _try_send(self, event: MutableMapping[str, Any]) -> None:
        """Send, unless the server knows before us that the client has gone (ASGI, Send)."""
        try:
            await self._send(event)
        except Exception as error:
            # Frameworks raise an exception of their own over the server's OSError.
            if not any(isinstance(one, OSError) for one in faults.behind(error)):
                raise
            self._is_open = False


class App:
    """The ASGI application.

    Args:
        gateway: Of the runtime that the server runs on.
        path: Where the WebSocket is, below the path that the application is mounted at.
        page: The name of a page of `livegate.pages` to show at `/`, if any.
    """

    def __init__(self, gateway: Gateway, *, path: str = PATH, page: str | None = None) -> None:
        self._gateway = gateway
        self._path = path
        self._page = None if page is None else house.page(page)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, or the server's start and end."""
        match scope["type"]:
            case "websocket":
                await self._websocket(scope, receive, send)
            case "http":
                await self._http(scope, receive, send)
            case "lifespan":
                await self._lifespan(receive, send)
            case other:
                raise ValueError(f"livegate does not speak {other!r}")

    async def drain(self) -> None:
        """Close all sessions with 1012 and admit no more: for a server that is about to end.

        Most servers say so to an application (`lifespan.shutdown`) only after they have cut its
        connections, and frameworks do not pass it on to what they mount.
        """
        await self._gateway.drain()

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (await receive())["type"] != "websocket.connect":
            return
        if _path_below_mount(scope) != self._path != scope["path"]:
            await send({"type": "websocket.close", "code": 1008, "reason": "no such path"})
            return
        if self._gateway.is_draining and "websocket.http.response" in (
            scope.get("extensions") or ()
        ):
            answer = pages.unavailable(pages.RETRY_AFTER_S, Unready.DRAINING)
            await _send(send, answer, scope, "websocket.")
            return
        socket = AsgiSocket(scope, receive, send)
        selected = tokens.subprotocol(socket.hello)
        await send({"type": "websocket.accept", "subprotocol": selected})
        await self._gateway.serve(socket)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for no WebSocket."""
        while (await receive()).get("more_body"):
            pass  # hypercorn would wait for ever to hand over what is not taken
        asked = House(
            gateway=self._gateway,
            socket_path=self._path,
            mounted_at=scope.get("root_path", "").rstrip("/"),
            hello=hellos.of_scope(scope),
            page=self._page,
        )
        answer = pages.answer(scope["method"], _path_below_mount(scope), asked)
        await _send(send, answer, scope)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()  # lifespan.startup
        async with self._gateway:
            await send({"type": "lifespan.startup.complete"})
            await receive()  # lifespan.shutdown
        await send({"type": "lifespan.shutdown.complete"})


async def _send(send: Send, answer: Answer, scope: Scope, prefix: str = "") -> None:
    """Send an answer, as an event of HTTP or of what a WebSocket has in its place."""
    headers = _headers(answer, scope)
    start = {"type": f"{prefix}http.response.start", "status": answer.status, "headers": headers}
    await send(start)
    await send({"type": f"{prefix}http.response.body", "body": answer.body})


def _path_below_mount(scope: Scope) -> str:
    """Return the path without the prefix that a framework mounted the application at."""
    path, prefix = str(scope["path"]), str(scope.get("root_path") or "")
    return path.removeprefix(prefix) if prefix else path


def _headers(answer: Answer, scope: Scope) -> list[tuple[bytes, bytes]]:
    """Return an answer's headers, without what HTTP/2 forbids (RFC 9113, 8.2.2)."""
    is_old = str(scope.get("http_version", "1.1")).startswith("1")
    return [
        (name.encode(), value.encode())
        for name, value in answer.headers
        if is_old or name not in _OF_HTTP_1
    ]
