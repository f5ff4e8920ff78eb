"""What only real sockets can show: sound through and through, many at once, and clean ends."""

import asyncio
import base64
import json
import socket
from collections.abc import Generator
from typing import Final

import psutil
import pytest
import websockets
from websockets.sync.client import ClientConnection, connect

import running
from livegate import recordings
from livegate.emulator import Emulator, Options, echo_of, tone_of
from livegate.protocol import Limits
from raw_client import RawClient

RECEIVE_S = 20.0
SILENCE = bytes(32_000)
MANY = 100
GONE_S = 10.0
"""Half as long as the answer goes on."""


@pytest.fixture(params=running.VARIANTS)
def variant(request: pytest.FixtureRequest) -> str:
    """Each runtime, sockets that it was handed, and the SDK."""
    return str(request.param)


@pytest.fixture
def gemini() -> Generator[Emulator, None, None]:
    """An emulator that holds nothing back."""
    with Emulator(options=Options(pace=0)) as emulator:
        yield emulator


def send(client: ClientConnection, **frame: object) -> None:
    """Send one frame."""
    client.send(json.dumps(frame))


def until(client: ClientConnection, type_: str) -> list[dict[str, str]]:
    """Return all frames up to one of this type."""
    found: list[dict[str, str]] = []
    while not found or found[-1]["type"] != type_:
        found.append(json.loads(client.recv(RECEIVE_S)))
    return found


def sound_in(frames: list[dict[str, str]]) -> bytes:
    """Return the PCM of all audio frames."""
    return b"".join(base64.b64decode(one["data"]) for one in frames if one["type"] == "audio")


def text_in(frames: list[dict[str, str]]) -> str:
    """Return the text of all response frames."""
    return "".join(one["text"] for one in frames if one["type"] == "response")


PATIENT: Final = Limits(flush_after_s=3600.0)
"""However late a piece comes on a busy machine, it belongs to the same speech."""


@pytest.mark.parametrize("piece_ms", [20, 40, 100])
@pytest.mark.parametrize("form", ["base64", "binary"])
def test_speech(variant: str, gemini: Emulator, piece_ms: int, form: str) -> None:
    """Speech reaches Gemini sample for sample, and its answer the client byte for byte."""
    pcm = recordings.hello().pcm
    step = 32 * piece_ms
    with (
        running.variant(variant, "canary", gemini.url, PATIENT) as gateway,
        connect(gateway.url) as client,
    ):
        send(client, type="config", data={"response_modalities": ["AUDIO"]})
        for at in range(0, len(pcm), step):
            piece = pcm[at : at + step]
            if form == "binary":
                client.send(piece)
            else:
                send(client, type="audio", data=base64.b64encode(piece).decode())
        send(client, type="audio_end")
        frames = until(client, "turn_complete")
    heard = bytes(gemini.service.received[-1].audio)
    assert heard == pcm + SILENCE
    spoken = sound_in(frames)
    assert spoken
    assert spoken in echo_of(pcm)  # what was heard, without the silence around it
    assert text_in(frames).startswith("You said: [speech ")


def test_many_sessions(variant: str, gemini: Emulator) -> None:
    """A hundred sessions at once each get their own answer, and leave nothing behind."""
    process = psutil.Process()

    async def talk(url: str, number: int, ready: asyncio.Barrier) -> None:
        async with websockets.connect(url, compression=None) as client:
            config = {"response_modalities": ["AUDIO"], "session_id": str(number)}
            await client.send(json.dumps({"type": "config", "data": config}))
            while json.loads(await client.recv())["type"] != "config_success":
                pass
            await ready.wait()
            text = f"I am number {number}"
            await client.send(json.dumps({"type": "text", "text": text}))
            frames: list[dict[str, str]] = []
            while not frames or frames[-1]["type"] != "turn_complete":
                frames.append(json.loads(await client.recv()))
            await ready.wait()
        assert text_in(frames) == f"You said: {text}"
        assert sound_in(frames) == tone_of(f"You said: {text}")

    async def talk_all(url: str) -> None:
        ready = asyncio.Barrier(MANY)
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for number in range(MANY):
                group.create_task(talk(url, number, ready))

    with running.variant(variant, "canary", gemini.url) as gateway:
        with connect(gateway.url) as client:  # whatever is made once is made now
            idle = gateway.count_tasks() - 1
            send(client, type="text", text="first")
            until(client, "turn_complete")
        gemini.wait_until(lambda service: service.links_open == 0)
        before = process.num_fds()
        asyncio.run(talk_all(gateway.url))
        assert gemini.service.links_peak == MANY
        gemini.wait_until(lambda service: service.links_open == 0)
        gemini.wait_until(lambda _: gateway.count_tasks() <= idle)
        gemini.wait_until(lambda _: process.num_fds() <= before)


@pytest.mark.parametrize("way", [*running.WAYS, running.THREADS, running.SDK])
def test_client_leaves(way: str, gemini: Emulator) -> None:
    """When the client leaves in mid-answer, with a word or without, the link to Gemini ends."""
    long = b'{"type":"text","text":"/long"}'
    with running.variant(way, "canary", gemini.url) as gateway:
        for is_polite in (True, False):
            with connect(gateway.url, close_timeout=0) as client:
                client.send(long, text=True)
                until(client, "response")
                if not is_polite:
                    client.socket.shutdown(socket.SHUT_RDWR)
            gemini.wait_until(lambda service: service.links_open == 0, timeout_s=GONE_S)
        with RawClient(gateway.url) as deaf:  # it takes in less than there is to send
            deaf.send(1, b'{"type":"config","response_modalities":["AUDIO"]}')
            deaf.send(1, long)
            deaf.read_until(b'"audio"')
            deaf.reset()
            gemini.wait_until(lambda service: service.links_open == 0, timeout_s=GONE_S)
