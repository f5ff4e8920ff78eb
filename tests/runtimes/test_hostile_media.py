"""Recordings that mean harm, and what they cost: little, and an error that says what is wrong."""

import base64
import json
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.sync.client import ClientConnection, connect

import made_media
import running
import weighed_media
from hostile_media import corpus
from livegate.emulator import Emulator, Options
from livegate.media import new_decoder
from livegate.media.codecs import Coded
from livegate.media.files import File
from livegate.protocol.commands import Decode
from livegate.protocol.errors import ErrorCode
from livegate.protocol.inputs import Decoded, DecodeFailed
from livegate.protocol.media.kinds import Kind, begins
from livegate.protocol.media.tracks import Track
from livegate.shell.decoding import new_decoder as new_shell_decoder
from livegate.shell.settings import settings

pytestmark = pytest.mark.timeout(600)  # busy machines take their time for so many

RECEIVE_S: Final = 20.0
TALKED: Final = (
    *("webm-tiny-entries", "webm-vorbis-256", "webm-bomb-120ms", "webm-cluster-only"),
    *("wav-1-hz", "wav-tag-11", "wav-avi", "ogg-endless-sound", "ogg-vorbis-200", "ogg-theora"),
    *("mp4-bomb-runs-1", "mp4-no-moov", "mp4-claim-uuid", "mp4-picture-png", "mp4-alac-16777216"),
    *("mp3-tag-of-playlist", "mp3-tags", "flac-1-hz", "flac-infos", "none-ffconcat", "none-svg"),
)
"""A few of each kind; all of them are errors."""
BINARY: Final = ("binary", "pieces")
"""Ways to send them that declare nothing."""


@pytest.mark.parametrize("packet", ["0b", "0b00", "0b3f", "1b3f"])
def test_opus_pause_that_is_none(packet: str) -> None:
    """A packet of no frames, or of seconds of them, is damaged; it is no fault of ours."""
    with pytest.raises(ValueError, match=r"."):
        Coded(Track(codec="opus", rate=48_000, channels=1)).decode(bytes.fromhex(packet))


@given(data=st.data())
def test_mutations(data: st.DataObject) -> None:
    """Whatever is done to a valid recording, there is sound or an error, and no thread is left."""
    name = data.draw(st.sampled_from(sorted(made_media.valid())))
    mutant = bytearray(made_media.valid()[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, min(len(mutant), 2000)))
        taken = data.draw(st.integers(0, 8))
        mutant[at : at + taken] = data.draw(st.binary(max_size=8))
    kind = begins(bytes(mutant[:12]))
    if kind is None:
        return
    decoder = new_decoder()
    answer, _, _ = weighed_media.decode(decoder, kind, bytes(mutant))
    decoder.close()
    assert isinstance(answer, Decoded | DecodeFailed)
    _join_all()


def _join_all() -> None:
    """Wait for all decoders' threads to end."""
    for thread in threading.enumerate():
        if thread.name.startswith("decoding"):
            thread.join(RECEIVE_S)
            assert not thread.is_alive()


@pytest.mark.parametrize("size", [0, 1, 10, 100, 1000, 5000, None])
@pytest.mark.parametrize("name", sorted(made_media.valid()))
def test_stopped(name: str, size: int | None) -> None:
    """A decoder that is closed leaves no thread, however far it has come."""
    data = made_media.valid()[name]
    kind = begins(data[:12])
    assert kind is not None
    decoder = new_shell_decoder()
    if size != 0:
        decoder.step(Decode(1, kind, data[:size]))
    decoder.close()
    _join_all()
    assert decoder.step(Decode(1, kind, data)) == Decoded(1)
    assert decoder.step(Decode(2, kind, data)) == Decoded(2)
    _join_all()


def test_stopped_in_mid_step() -> None:
    """What a step begins after the recording was stopped elsewhere leaves no thread, either."""
    recording = File(Kind.MP3)
    recording.stop()
    _join_all()
    recording.feed(made_media.valid()["mp3-plain"][:100], is_base64=False)
    _join_all()


@pytest.fixture(scope="module")
def gemini() -> Generator[Emulator, None, None]:
    """An emulator that holds nothing back."""
    with Emulator(options=Options(pace=0)) as emulator:
        yield emulator


@pytest.mark.long
@pytest.mark.parametrize("way", ["base64", "data URL", "binary", "pieces"])
@pytest.mark.parametrize("runtime", running.RUNTIMES)
def test_session(runtime: str, way: str, gemini: Emulator) -> None:
    """A session tells what was wrong with each recording, once, and goes on."""
    with (
        running.gateway(runtime, settings("canary", gemini.url)) as gateway,
        connect(gateway.url, max_size=None) as client,
    ):
        for name in TALKED:
            if way in BINARY and begins(corpus()[name][:12]) is None:
                continue  # what says nothing of itself is PCM
            _send(client, corpus()[name], way)
            client.send('{"type":"audio_end"}')
            client.send('{"type":"text","text":"hello"}')
            codes = _codes_until_answered(client)
            assert codes, name
            assert set(codes) <= set(ErrorCode), name


def _send(client: ClientConnection, data: bytes, way: str) -> None:
    """Send a recording; what it is said to be is not what it is."""
    if way in BINARY:
        size = max(7001, len(data) // 40) if way == "pieces" else len(data)
        for at in range(0, len(data), size):
            client.send(data[at : at + size])
        return
    text = base64.b64encode(data).decode()
    if way == "data URL":
        client.send(json.dumps({"type": "audio", "data": f"data:audio/webm;base64,{text}"}))
    else:
        client.send(json.dumps({"type": "audio", "data": {"data": text, "mimeType": "audio/wav"}}))


def _codes_until_answered(client: ClientConnection) -> list[str]:
    """Return the codes of all errors up to an answer's end."""
    codes: list[str] = []
    while True:
        frame = json.loads(client.recv(RECEIVE_S))
        if frame["type"] == "error":
            codes.append(frame["code"])
        elif frame["type"] == "turn_complete":
            return codes


def test_other_files_stay_closed(tmp_path: Path) -> None:
    """FFmpeg opens no file that a recording names, even if that is one of sound."""
    named = tmp_path / "named.mp4"
    named.write_bytes(made_media.valid()["mp4-aac"])
    url = made_media.box(b"url ", bytes(4), named.as_uri().encode() + b"\0")
    dinf = made_media.box(b"dinf", made_media.full(b"dref", 1, more=url))
    data = made_media.mp4(made_media.trak(made_media.tables(), dinf=dinf))
    answer, sound_s, _ = weighed_media.decode(new_decoder(), Kind.MP4, data)
    assert isinstance(answer, Decoded)
    assert sound_s == pytest.approx(0.3)  # its own
