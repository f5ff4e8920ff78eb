"""The same conversations over real sockets: each way to run a gateway, Gemini plain and with TLS.

`tests/conformance/*.txt` have the client's side alone; Gemini's is the emulator's own. What is
said in mid-answer (`paced_*.txt`) needs an emulator that takes its time.
"""

import json
from collections.abc import Generator
from typing import assert_never, cast

import pytest
import websockets
from websockets.sync.client import ClientConnection, connect

import conformance
import running
from livegate.emulator import Emulator
from livegate.protocol import transcript
from livegate.protocol.transcript import Step, Transcript

PACED = conformance.load("paced_*.txt")
TALES = [told for told in conformance.load() if told not in PACED]
EVERY = (*running.WAYS, running.THREADS, running.SDK)
RECEIVE_S = 20.0


@pytest.fixture(scope="module", params=["plain", "tls"])
def gemini(request: pytest.FixtureRequest) -> Generator[Emulator, None, None]:
    """An emulator that holds nothing back."""
    with (
        Emulator(options=conformance.options(pace=0), tls=request.param == "tls") as emulator,
        pytest.MonkeyPatch.context() as patch,
    ):
        if emulator.ca_file is not None:
            patch.setenv("SSL_CERT_FILE", str(emulator.ca_file))
        yield emulator


@pytest.fixture(scope="module", params=EVERY)
def address(request: pytest.FixtureRequest, gemini: Emulator) -> Generator[str, None, None]:
    """A gateway of each runtime, with sockets and links of its own and with those of others."""
    if request.param == running.THREADS and gemini.ca_file is not None:
        pytest.skip("two threads on one TLS connection may hang or crash (python/cpython#151508)")
    with running.variant(request.param, "canary", gemini.url) as gateway:
        yield gateway.url


@pytest.mark.parametrize("told", TALES, ids=lambda told: told.name)
def test_conversation(told: Transcript, address: str) -> None:
    """The client gets what the transcript says, in this order."""
    _converse(told, address)


@pytest.fixture(scope="module", params=EVERY)
def paced(request: pytest.FixtureRequest) -> Generator[str, None, None]:
    """The same gateways; Gemini's sound leaves four times as fast as it plays."""
    with (
        Emulator(options=conformance.options(pace=1)) as emulator,
        running.variant(request.param, "canary", emulator.url) as gateway,
    ):
        yield gateway.url


@pytest.mark.parametrize("told", PACED, ids=lambda told: told.name)
def test_interruption(told: Transcript, paced: str) -> None:
    """The client gets what the transcript says, and no sound of what it has interrupted."""
    _converse(told, paced)


def _converse(told: Transcript, address: str) -> None:
    with connect(address, max_size=None, close_timeout=1) as socket:
        ear = Ear(socket)
        known: dict[str, str] = {}
        is_hushed = False
        for step in told.steps:
            try:
                _play(step, socket, ear, known, is_hushed=is_hushed)
            except AssertionError as error:
                raise AssertionError(
                    f"{told.name}.txt:{step.line}: {step.text[:200]}\n  {error}"
                ) from None
            is_hushed = '"interrupted"' in step.text


def _play(
    step: Step, socket: ClientConnection, ear: "Ear", known: dict[str, str], *, is_hushed: bool
) -> None:
    match step.action:
        case transcript.ClientSends(payload=payload, is_text=is_text):
            for ours, theirs in known.items():
                payload = payload.replace(ours.encode(), theirs.encode())
            socket.send(payload, text=is_text)
        case transcript.ClientGets(expected=expected):
            frame = dict(cast("dict[str, str]", expected))
            # How much of an answer comes before it is stopped is a matter of time.
            running_on = {"audio", "response"} if frame["type"] == "interrupted" else {"audio"}
            skipped = set[str]() if is_hushed else running_on - {frame["type"]}
            got = ear.next_frame(frame["type"], skipped)
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


class Ear:
    """What a client hears; that Gemini is connected may come early, if the client takes its time."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._early: list[dict[str, str]] = []

    def next_frame(self, wanted: str, skipped: set[str]) -> dict[str, str]:
        """Return the next frame, but for what came early or is skipped."""
        if wanted == "system" and self._early:
            return self._early.pop()
        while True:
            frame: dict[str, str] = json.loads(self._socket.recv(RECEIVE_S))
            if wanted != "system" and frame.get("data") == "Connected to Gemini Live":
                self._early.append(frame)
            elif frame["type"] not in skipped:
                return frame
