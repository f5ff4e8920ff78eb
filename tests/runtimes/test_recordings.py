"""What browsers' recorders make, from the client's frame to the PCM that Gemini gets."""

from collections.abc import Generator

import pytest
from websockets.sync.client import connect

import recorded
import running
import sending
from livegate.emulator import Emulator, Options
from recorded import Recorded


@pytest.fixture(params=running.VARIANTS)
def variant(request: pytest.FixtureRequest) -> str:
    """Each runtime, sockets that it was handed, and the SDK."""
    return str(request.param)


@pytest.fixture(scope="module")
def gemini() -> Generator[Emulator, None, None]:
    """An emulator that holds nothing back."""
    with Emulator(options=Options(pace=0)) as emulator:
        yield emulator


def check(one: Recorded, pcm: bytes) -> None:
    """Check that this is what the recording sounds like."""
    found = recorded.likeness(one.reference, pcm)
    assert found.correlation >= (0.99 if one.name.endswith(".mp4") else 0.999)
    assert abs(found.longer_s) <= 0.02
    assert found.louder == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "pieces"])
@pytest.mark.parametrize("one", recorded.ALL, ids=lambda one: one.name)
def test_recording(variant: str, gemini: Emulator, one: Recorded, *, is_whole: bool) -> None:
    """Each recording reaches Gemini as it sounds, whole as base64 or in the recorder's pieces."""
    with (
        running.variant(variant, "canary", gemini.url) as gateway,
        connect(gateway.url) as client,
    ):
        for piece in [one.data] if is_whole else one.pieces:
            sending.send(client, piece, is_text=is_whole)
        client.send('{"type":"audio_end"}')
        answer = sending.until_answered(client)
    assert not [frame for frame in answer if frame["type"] == "error"]
    check(one, sending.heard_by(gemini))


@pytest.mark.parametrize("name", ["webm-opus-blob.webm", "webm-pcm-blob.webm"])
def test_nobody_says_that_it_ended(variant: str, gemini: Emulator, name: str) -> None:
    """The original's page sends a recording and nothing more, and yet is answered."""
    one = recorded.BY_NAME[name]
    with (
        running.variant(variant, "canary", gemini.url) as gateway,
        connect(gateway.url) as client,
    ):
        sending.send(client, one.data, is_text=True)
        sending.until_answered(client)
    check(one, sending.heard_by(gemini))


def test_two_in_a_session(variant: str, gemini: Emulator) -> None:
    """A second recording may follow on the first, of another kind, and PCM on that."""
    first, second = (recorded.BY_NAME[f"{name}-opus-100ms.{name}"] for name in ("webm", "mp4"))
    with (
        running.variant(variant, "canary", gemini.url) as gateway,
        connect(gateway.url) as client,
    ):
        for one in (first, second):
            for piece in one.pieces:
                sending.send(client, piece, is_text=False)
        client.send('{"type":"audio_end"}')
        sending.until_answered(client)
        client.send(first.reference)
        client.send('{"type":"audio_end"}')
        sending.until_answered(client)
    heard = sending.heard_by(gemini)
    silent = len(heard) - len(first.reference) - sending.SILENCE_BYTES
    check(first, heard[: len(first.reference)])
    check(second, heard[len(first.reference) : silent])
    assert heard[-len(first.reference) :] == first.reference
