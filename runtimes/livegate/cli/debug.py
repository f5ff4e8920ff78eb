"""`livegate debug`: the gateway with every frame in its log, and the page to send them."""

import itertools
import json
import logging
from collections.abc import Mapping
from typing import ClassVar, Final, cast

import click

from livegate.cli import admission, options
from livegate.cli.serve import opened, run
from livegate.protocol import Session, SessionOptions, commands, inputs
from livegate.protocol.commands import Command
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
@admission.options
@click.pass_obj
def debug(
    from_file: Mapping[str, str],
    runtime: str,
    host: str,
    port: int,
    gemini_url: str | None,
    model: str,
    *,
    asked: admission.Asked,
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
                target=gemini.target,
                session=gemini.session,
                session_type=ShownSession,
                rules=asked.rules(emulated=emulated),
                page="debug_test.html",
            )
            with opened(host, port) as sockets:
                run(gemini, settings, asked, runtime, host, sockets, "debug")
    except (SettingsError, OSError) as error:
        raise options.failed(error) from None


class ShownSession(Session):
    """A session that logs what its client sends and gets."""

    _numbers: ClassVar = itertools.count(1)

    def __init__(self, options: SessionOptions, *, seed: int) -> None:
        super().__init__(options, seed=seed)
        self._number = next(self._numbers)

    def handle(self, event: inputs.Input, now: float) -> list[Command]:
        """Take note of what happened and return what to do, in order."""
        match event:
            case inputs.ClientFrame():
                self._show(">", event.payload, is_text=event.is_text)
            case inputs.ClientGone():
                self._show_close(">", event.code, event.reason)
            case _:
                pass
        given = super().handle(event, now)
        for command in given:
            match command:
                case commands.SendClient():
                    self._show("<", command.payload, is_text=command.is_text)
                case commands.CloseClient():
                    self._show_close("<", command.code, command.reason)
                case _:
                    pass
        return given

    def _show(self, arrow: str, payload: bytes, *, is_text: bool) -> None:
        if is_text:
            text = shortened(payload.decode("utf-8", "backslashreplace"))
            _FRAMES.debug("client %d %s %s", self._number, arrow, text)
        else:
            _FRAMES.debug("client %d %s (%d bytes)", self._number, arrow, len(payload))

    def _show_close(self, arrow: str, code: int, reason: str) -> None:
        _FRAMES.debug("client %d %s close %s %s", self._number, arrow, code, ascii(reason))


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
        return [_shortened(item) for item in cast("list[object]", value)]  # isinstance tells none
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)  # isinstance tells none
        return {_cut(key): _shortened(item) for key, item in members.items()}
    return value


def _cut(text: str) -> str:
    if len(text) <= _SHOWN_OF_TEXT:
        return text
    shown = text[: _SHOWN_OF_TEXT if " " in text else _SHOWN_OF_MEDIA]
    return f"{shown}... {len(text)} characters"
