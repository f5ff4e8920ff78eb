"""The same conversations over real sockets: each way to run a gateway, Gemini plain and with TLS.

`tests/conformance/*.txt` have the client's side alone; Gemini's is the emulator's own.
"""

import json
from collections.abc import Generator
from pathlib import Path
from typing import assert_never, cast

import pytest
import websockets
from websockets.sync.client import ClientConnection, connect

import running
from livegate.emulator import Emulator, Options
from livegate.protocol import transcript
from livegate.protocol.transcript import Step, Transcript
from livegate.shell.settings import settings

FOLDER = Path(__file__).parent.parent / "conformance"
TALES = [transcript.parse(path.stem, path.read_text()) for path in sorted(FOLDER.glob("*.txt"))]
RECEIVE_S = 10.0


@pytest.fixture(scope="module", params=["plain", "tls"])
def gemini(request: pytest.FixtureRequest) -> Generator[Emulator, None, None]:
    """An emulator that holds nothing back."""
    with (
        Emulator(options=Options(pace=0), tls=request.param == "tls") as emulator,
        pytest.MonkeyPatch.context() as patch,
    ):
        if emulator.ca_file is not None:
            patch.setenv("SSL_CERT_FILE", str(emulator.ca_file))
        yield emulator


@pytest.fixture(scope="module", params=(*running.WAYS, running.THREADS))
def address(request: pytest.FixtureRequest, gemini: Emulator) -> Generator[str, None, None]:
    """A gateway of each runtime, with sockets of its own and with those of others."""
    with running.gateway(request.param, settings("canary", gemini.url)) as gateway:
        yield gateway.url


@pytest.mark.parametrize("told", TALES, ids=lambda told: told.name)
def test_conversation(told: Transcript, address: str) -> None:
    """The client gets what the transcript says, in this order."""
    with connect(address, max_size=None, close_timeout=1) as socket:
        known: dict[str, str] = {}
        for step in told.steps:
            try:
                _play(step, socket, known)
            except AssertionError as error:
                raise AssertionError(
                    f"{told.name}.txt:{step.line}: {step.text}\n  {error}"
                ) from None


def _play(step: Step, socket: ClientConnection, known: dict[str, str]) -> None:
    match step.action:
        case transcript.ClientSends(payload=payload, is_text=is_text):
            for ours, theirs in known.items():
                payload = payload.replace(ours.encode(), theirs.encode())
            socket.send(payload, text=is_text)
        case transcript.ClientGets(expected=expected):
            frame = dict(cast("dict[str, str]", expected))
            got = _next_frame(socket, skips_sound=frame["type"] != "audio")
            if frame["type"] == "tool_call":
                known[frame.pop("id")] = got["id"]  # the emulator counts all of its links
            assert transcript.fits(frame, got), f"got {json.dumps(got)}"
        case transcript.ClientClosed(code=code):
            with pytest.raises(websockets.ConnectionClosed) as closed:
                socket.recv(RECEIVE_S)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == code
        case other:
            assert_never(other)  # type: ignore[arg-type] # the rest is Gemini's side


def _next_frame(socket: ClientConnection, *, skips_sound: bool) -> dict[str, str]:
    while True:
        frame: dict[str, str] = json.loads(socket.recv(RECEIVE_S))
        if not (skips_sound and frame["type"] == "audio"):
            return frame
