"""`livegate check`: is everything in place to talk to Gemini? Each answer with its cure."""

import asyncio
import base64
import json
import ssl
import sys
from collections.abc import Awaitable, Mapping
from typing import Final

import attrs
import click

from livegate import recordings
from livegate.asyncio.dialling import connected
from livegate.asyncio.gateway import Gateway
from livegate.cli import environment, options
from livegate.protocol.hello import Hello
from livegate.protocol.limits import Limits
from livegate.protocol.media.kinds import Kind
from livegate.shell import faults, logs
from livegate.shell.decoding import HAS_FFMPEG
from livegate.shell.sockets import Closed, Message
from livegate.shell.target import SettingsError, Target

_CONNECT_S: Final = 10.0
_TURN_S: Final = 60.0
_ONE_TRY: Final = Limits(retrying_s=0.0)
_QUESTION: Final = "Please answer with one short sentence: are you there?"


class FailedStepError(Exception):
    """A step that did not work: the cause, and the cure."""


@click.command()
@options.gemini_url
@options.model
@options.emulated
@click.pass_obj
def check(
    from_file: Mapping[str, str], gemini_url: str | None, model: str, *, emulated: bool
) -> None:
    """Check everything on the way to Gemini, step by step.

    The key, the address, TLS, the model, one turn by text and one by voice. With a key it costs two short answers. With --emulator it shows what good looks like.
    """
    try:
        with options.gemini(
            from_file, emulated=emulated, gemini_url=gemini_url, model=model
        ) as gemini:
            logs.set_up("error", [gemini.target.key])
            is_good = asyncio.run(_check(gemini))
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    sys.exit(0 if is_good else 1)


async def _check(gemini: options.Gemini) -> bool:
    """Take the steps in order, and stop at the first that fails."""
    try:
        await _step("key", _key(gemini))
        await _step("address", _address(gemini))
        await _step("TLS", _tls(gemini))
        await _step("recordings", _recordings())
        await _turns(gemini)
    except FailedStepError:
        return False
    click.echo("all is well: livegate serve")
    return True


async def _turns(gemini: options.Gemini) -> None:
    """Be a client of a gateway of our own, for a turn by text and one by voice."""
    client = Client()
    session = attrs.evolve(gemini.session, limits=_ONE_TRY)
    serving = asyncio.create_task(Gateway(gemini.target, session).serve(client))
    try:
        await _step("setup", client.configure(gemini.session.default_model))
        await _step("text turn", client.ask({"type": "text", "text": _QUESTION}))
        await _step("audio turn", client.ask(*_spoken()))
    finally:
        client.leave()
        await serving


async def _step(title: str, step: Awaitable[str]) -> None:
    """Take one step, and print its line."""
    try:
        click.echo(f"  ok      {title:<10} {await step}")
    except FailedStepError as error:
        click.echo(f"  FAILED  {title:<10} {error}")
        raise


async def _key(gemini: options.Gemini) -> str:
    if not gemini.session.has_key:
        names = " or ".join(environment.KEY_NAMES)
        raise FailedStepError(f"no API key: set {names} in the environment or in .env")
    return gemini.key_words


async def _address(gemini: options.Gemini) -> str:
    """Open a TCP connection, without TLS."""
    await _open(gemini.target, None)
    return f"{gemini.target.host} port {gemini.target.port} answers"


async def _tls(gemini: options.Gemini) -> str:
    if gemini.target.ssl_context is None:
        return "none: the address is plain"
    await _open(gemini.target, gemini.target.ssl_context)
    return "the certificate is good"


async def _open(target: Target, context: ssl.SSLContext | None) -> None:
    try:
        async with asyncio.timeout(_CONNECT_S):
            found = await connected(target.host, target.port)
            _, writer = await asyncio.open_connection(
                sock=found, ssl=context, server_hostname=target.host if context else None
            )
    except OSError as error:
        fault = faults.of_exception(error)
        raise FailedStepError(
            f"cannot reach {target.host} port {target.port}: {fault.value}"
        ) from None
    writer.close()


async def _recordings() -> str:
    if HAS_FFMPEG:
        return f"{', '.join(Kind)} can be decoded"
    return "only PCM and WAV: pip install 'livegate[audio]' for those of browsers and phones"


def _spoken() -> list[dict[str, object]]:
    """Return frames that speak the recorded question."""
    speech = recordings.hello()
    data = {
        "data": base64.b64encode(speech.pcm).decode(),
        "mime_type": f"audio/pcm;rate={speech.rate}",
    }
    return [{"type": "audio", "data": data}, {"type": "audio_end"}]


class Client:
    """A client of the gateway, in this process: what it checks is the product itself."""

    hello = Hello(peer="livegate check")

    def __init__(self) -> None:
        self._to_gateway: asyncio.Queue[Message | Closed] = asyncio.Queue()
        self._from_gateway: asyncio.Queue[dict[str, object]] = asyncio.Queue()

    async def receive(self) -> Message | Closed:
        """Give the gateway the next frame."""
        return await self._to_gateway.get()

    async def send(self, payload: bytes, *, is_text: bool) -> None:  # noqa: ARG002 - a protocol
        """Take a frame of the gateway."""
        self._from_gateway.put_nowait(json.loads(payload))

    async def close(self, code: int, reason: str) -> None:
        """Take the gateway's end for an error; what it was has been said before."""
        self._from_gateway.put_nowait({"type": "error", "data": f"closed with {code}, {reason}"})

    def leave(self) -> None:
        """End the session."""
        self._to_gateway.put_nowait(Closed(1000))

    def say(self, frame: dict[str, object]) -> None:
        """Send one frame."""
        self._to_gateway.put_nowait(Message(json.dumps(frame).encode(), is_text=True))

    async def configure(self, model: str) -> str:
        """Ask for sound, and wait until Gemini has accepted the setup for this model."""
        data = {"response_modalities": ["AUDIO"], "events": ["input_transcript"]}
        self.say({"type": "config", "data": data})
        while (await self._next())["type"] != "config_success":
            pass
        return f"accepted for {model}"

    async def ask(self, *frames: dict[str, object]) -> str:
        """Ask, and return what came back in words."""
        for frame in frames:
            self.say(frame)
        text, heard, sound = "", "", 0
        while True:
            match await self._next():
                case {"type": "response", "text": str(piece)}:
                    text += piece
                case {"type": "input_transcript", "text": str(piece)}:
                    heard += piece
                case {"type": "audio", "data": str(data), "sampleRate": int(rate)}:
                    sound += len(data) * 3 // 4 * 1000 // (2 * rate)
                case {"type": "turn_complete"}:
                    break
                case _:
                    pass
        if not text:
            raise FailedStepError("the turn ended without an answer; try another --model")
        said = f"heard {heard.strip()!r}, " if heard else ""
        return f"{said}answered {text.strip()!r} and {sound / 1000:.1f} s of sound"

    async def _next(self) -> dict[str, object]:
        try:
            async with asyncio.timeout(_TURN_S):
                frame = await self._from_gateway.get()
        except TimeoutError:
            raise FailedStepError(f"nothing came for {_TURN_S:g} s; try another --model") from None
        if frame["type"] == "error":
            raise FailedStepError(str(frame["data"]))
        return frame
