"""`livegate chat`: talk to any gateway of this protocol from a terminal."""

import asyncio
import base64
import binascii
import json
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import click
import websockets

from livegate import recordings
from livegate.cli.call import Call
from livegate.protocol.errors import CLOSES
from livegate.protocol.media import kinds
from livegate.shell.asgi import PATH

HELP: Final = "type and press Enter; /audio FILE speaks a recording, /help, /quit"
_ANSWER_S: Final = 30.0


@click.command()
@click.argument("url", default="ws://localhost:8000/api/gemini/ws")
@click.option("--text", "text_only", is_flag=True, help="Ask for text alone, no sound.")
@click.option(
    "--token",
    metavar="TOKEN",
    envvar="LIVEGATE_TOKEN",
    show_envvar=True,
    help="What the gateway knows you by: livegate token new.",
)
@click.option("--voice", help="The voice that answers.")
@click.option("--model", help="The model that answers; by default the gateway's.")
@click.option(
    "--save",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Where answers are saved as WAV files.",
)
def chat(
    url: str,
    token: str | None,
    voice: str | None,
    model: str | None,
    save: Path,
    *,
    text_only: bool,
) -> None:
    """Talk to a gateway: type, read and hear.

    URL is its address, by default that of livegate serve on this machine. Lines may be piped in:
    each then waits for the answer to the one before, and the exit status is 1 if one had none. When the
    connection breaks it comes back by itself, to the same conversation.
    """
    modalities = ["TEXT"] if text_only else ["AUDIO"]
    asked = {"response_modalities": modalities, "voice": voice, "model": model}
    config: dict[str, object] = {key: value for key, value in asked.items() if value is not None}
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        config["events"] = ["input_transcript"]
        config["audio"] = {"format": "pcm16"}  # whatever the gateway's default is
        url = _socket_url(url)
        code = asyncio.run(_converse(url, headers, config, save))
    except websockets.InvalidStatus as error:
        said = error.response.body.decode(errors="replace").partition("\n")[0]
        raise click.ClickException(f"cannot talk to {url}: {error}: {said}") from None
    except (OSError, websockets.InvalidURI, websockets.InvalidHandshake) as error:
        raise click.ClickException(
            f"cannot reach {url}: {error}; is the gateway running? livegate serve --emulator"
        ) from None
    except KeyboardInterrupt:
        code = 0
    sys.exit(code)


def _socket_url(url: str) -> str:
    """Return the address of a gateway's WebSocket, though it may be its page's that was given."""
    scheme, _, rest = url.partition("://")
    if scheme in {"http", "https"} and not rest.partition("/")[2]:
        return f"ws{scheme.removeprefix('http')}://{rest.rstrip('/')}{PATH}"
    return url


async def _converse(
    url: str, headers: dict[str, str], config: dict[str, object], save: Path
) -> int:
    """Talk until either side has had enough; return the exit status."""
    listener = Listener(save)
    call = Call(url, headers, config, listener.lost)
    speaking = asyncio.create_task(_speak(call, listener))
    try:
        await call.run(listener.hear)
    finally:
        speaking.cancel()
    status = _farewell(call.code, call.reason)
    return status or int(listener.has_failed and not sys.stdin.isatty())


def _farewell(code: int, reason: str) -> int:
    """Say why it ended; return the exit status."""
    if code == 1000:  # noqa: PLR2004 - RFC 6455
        return 0
    row = CLOSES.get(code)
    advice = f"{row.meaning}: {row.advice.value}" if row else reason or "the connection was lost"
    click.echo(f"closed with {code}: {advice}", err=True)
    return 1


async def _speak(call: Call, listener: "Listener") -> None:
    """Send what the user types; at the end of input, wait for the last answer and leave."""
    await call.begun()
    click.echo(HELP)
    async for line in _lines():
        command, _, rest = line.partition(" ")
        if command == "/quit":
            break
        if command == "/help":
            click.echo(HELP)
        elif command == "/audio":
            if (recording := _recording(rest.strip())) is None:
                listener.has_failed = True
            else:
                await call.send(type="audio", data=recording)
                await call.send(type="audio_end")
                listener.expect()
        elif line:
            await call.send(type="message", data={"text": line})
            listener.expect()
        if not sys.stdin.isatty():
            await listener.answered()
    else:
        await listener.answered()
    await call.close()


async def _lines() -> AsyncIterator[str]:
    """Yield lines of standard input, read by a thread that cannot hold up the end."""
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[str | None]()

    def read() -> None:
        try:
            for line in sys.stdin:
                loop.call_soon_threadsafe(queue.put_nowait, line.strip())
        except ValueError as error:
            click.echo(f"this line is no text: {error}", err=True)
        loop.call_soon_threadsafe(queue.put_nowait, None)

    threading.Thread(target=read, daemon=True).start()
    while (line := await queue.get()) is not None:
        yield line


def _recording(path: str) -> str | None:
    """Return a recording in base64, or say why that cannot be had."""
    if not path:
        click.echo("/audio takes a file: /audio question.wav", err=True)
        return None
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        click.echo(f"{path}: {error.strerror}", err=True)
        return None
    if kinds.begins(data[: kinds.HEAD_BYTES]) is None:
        click.echo(f"{path}: no recording: it is none of {', '.join(kinds.Kind)}", err=True)
        return None
    return base64.b64encode(data).decode()


class Listener:
    """Prints and saves what the gateway says."""

    def __init__(self, save: Path) -> None:
        self._save = save
        self._pcm = bytearray()
        self._rate = 24_000
        self._number = 1
        """Of the next answer that is saved."""
        self._is_mid_line = False
        self._owed = 0
        self._progress = asyncio.Event()
        self.has_failed = False
        """Whether a question was left without an answer."""

    def expect(self) -> None:
        """Count one more answer that is to come."""
        self._owed += 1

    def lost(self, code: int, wait_s: float) -> None:
        """Say that the connection was lost, and that there will be another."""
        when = f" in {wait_s:.0f} s" if wait_s else ""
        self._line(f"the connection was lost ({code}): coming back{when}", err=True)

    async def answered(self) -> None:
        """Wait until no answer is owed, or none has come for half a minute."""
        try:
            while self._owed > 0:
                self._progress.clear()
                async with asyncio.timeout(_ANSWER_S):
                    await self._progress.wait()
        except TimeoutError:
            self._owed, self.has_failed = 0, True
            self._line("no answer came", err=True)

    def hear(self, frame: dict[str, object]) -> None:
        """Show one frame."""
        self._progress.set()
        match frame:
            case {"type": "response", "text": str(text)}:
                click.echo(text if self._is_mid_line else f"Gemini: {text.lstrip()}", nl=False)
                self._is_mid_line = True
            case {"type": "audio", "data": str(data), "sampleRate": int(rate)}:
                self._rate = rate
                self._pcm += _decoded(data)
            case {"type": "input_transcript", "text": str(text)}:
                self._line(f"heard: {text.strip()}")
            case {"type": "interrupted"}:
                self._pcm.clear()
                self._line("(interrupted)")
            case {"type": "turn_complete"}:
                self._owed -= 1
                self._finish()
            case {"type": "resumed", "recovered": False} if self._owed:
                self._owed, self.has_failed = 0, True
                self._line("the answer was lost: ask again", err=True)
            case {"type": "tool_call", "name": str(name)}:
                self._line(f"(Gemini calls {name}; nothing here answers calls)")
            case {"type": "error", "code": "unauthorized", "data": str(text)}:
                self._fail(f"{text}: --token TOKEN, or LIVEGATE_TOKEN")
            case {"type": "error", "data": str(text)}:
                self._fail(text)
            case {"type": "system", "data": str(text)}:
                self._line(f"({text})")
            case {"type": "config_success", "refused": refused} if refused:
                self._line(f"refused: {json.dumps(refused)}", err=True)
            case _:
                pass

    def _fail(self, text: str) -> None:
        """Say what is wrong; nothing is owed any more."""
        self._owed, self.has_failed = 0, True
        self._line(f"error: {text}", err=True)

    def _finish(self) -> None:
        """End the line, and save the sound of the turn."""
        self._line("")
        if self._pcm:
            self._keep(recordings.wav(bytes(self._pcm), self._rate))
            self._pcm.clear()

    def _keep(self, wav: bytes) -> None:
        """Save an answer, beside those that are there."""
        while (path := self._save / f"answer-{self._number}.wav").exists():
            self._number += 1
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(wav)
        except OSError as error:
            self._line(f"cannot save {path}: {error.strerror}; try --save FOLDER", err=True)
        else:
            seconds = len(self._pcm) / 2 / self._rate
            click.echo(f"        {seconds:.1f} s of sound in {path}")

    def _line(self, text: str, *, err: bool = False) -> None:
        """Write a line of its own, after whatever line is open."""
        if self._is_mid_line:
            click.echo()
            self._is_mid_line = False
        if text:
            click.echo(text, err=err)


def _decoded(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error:
        return b""
