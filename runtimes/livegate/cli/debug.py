"""`livegate debug`: the gateway with every frame in its log, and the page to send them."""

import itertools
import json
import logging
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, cast

import click

from livegate.cli import options
from livegate.cli.serve import run
from livegate.shell.asgi import Application, Receive, Scope, Send
from livegate.shell.settings import Settings
from livegate.shell.target import SettingsError

_FRAMES: Final = logging.getLogger("livegate.frames")
_SHOWN_OF_TEXT: Final = 200
_SHOWN_OF_MEDIA: Final = 24
"""How many characters of a long string; one without a space in it is sound or a picture."""


@click.command()
@options.runtime
@options.host
@options.port(8001)
@options.gemini_url
@options.model
@options.emulated
@click.pass_obj
def debug(
    from_file: Mapping[str, str],
    runtime: str,
    host: str,
    port: int,
    gemini_url: str | None,
    model: str,
    *,
    emulated: bool,
) -> None:
    """Run the gateway, and log every frame.

    Its page sends frames as they are typed. What users say is in this log, and on the screen:
    it is for trying out, not for service.
    """
    try:
        with options.gemini(
            from_file, emulated=emulated, gemini_url=gemini_url, model=model
        ) as gemini:
            settings = Settings(
                target=gemini.target, session=gemini.session, page="debug_test.html"
            )
            run(gemini, settings, runtime, host, port, "debug", wrap=Frames)
    except (SettingsError, OSError) as error:
        raise options.failed(error) from None


class Frames:
    """An ASGI application around the gateway's: logs what its WebSockets carry.

    Args:
        inner: The gateway's.
    """

    def __init__(self, inner: Application) -> None:
        self._inner = inner
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "websocket":
            await self._inner(scope, receive, send)
            return
        number = next(self._numbers)

        async def receive_and_show() -> MutableMapping[str, Any]:
            event = await receive()
            _show(number, ">", event)
            return event

        async def show_and_send(event: MutableMapping[str, Any]) -> None:
            _show(number, "<", event)
            await send(event)

        await self._inner(scope, receive_and_show, show_and_send)


def _show(number: int, arrow: str, event: Mapping[str, Any]) -> None:
    """Log what one ASGI event carries, if anything."""
    match event:
        case {"type": "websocket.receive" | "websocket.send", "text": str(text)}:
            _FRAMES.debug("client %d %s %s", number, arrow, shortened(text))
        case {"type": "websocket.receive", "bytes": bytes(payload)}:
            _FRAMES.debug("client %d %s (%d bytes)", number, arrow, len(payload))
        case {"type": "websocket.disconnect" | "websocket.close"}:
            _FRAMES.debug(
                "client %d %s close %s %s",
                number, arrow, event.get("code"), ascii(event.get("reason") or ""),
            )  # fmt: skip
        case _:
            pass


def shortened(text: str) -> str:
    """Return a text frame on one line, with long strings cut and all else as it is."""
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return ascii(_cut(text))
    return json.dumps(_shortened(value))


def _shortened(value: object) -> object:
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, list):
        return [_shortened(item) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        return {_cut(key): _shortened(item) for key, item in members.items()}
    return value


def _cut(text: str) -> str:
    if len(text) <= _SHOWN_OF_TEXT:
        return text
    shown = text[: _SHOWN_OF_TEXT if " " in text else _SHOWN_OF_MEDIA]
    return f"{shown}... {len(text)} characters"
