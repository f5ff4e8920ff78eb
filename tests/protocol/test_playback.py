"""Sound as its client wants it, where a transcript would be long-winded."""

import base64
import io
import json
import wave
from typing import Final

import pytest

from livegate.protocol import Limits, config
from livegate.protocol.config import Config, Delivery
from livegate.protocol.gemini import Sound
from livegate.protocol.limits import MIB
from livegate.protocol.playback import Playback
from livegate.protocol.replies import Reply

PLAIN: Final = Delivery()
WHOLE: Final = Delivery(is_whole=True)
FILE: Final = Delivery(is_wav=True, is_whole=True)
FILE_BYTES: Final = Delivery(is_wav=True, is_whole=True, is_binary=True)
BYTES: Final = Delivery(is_binary=True)


def sound(pcm: bytes, rate: int = 24_000) -> Sound:
    """Return a piece of sound as Gemini sends it."""
    return Sound(base64.b64encode(pcm).decode(), rate)


def samples(reply: Reply) -> bytes:
    """Return the sound of a frame, without what is around it."""
    data = base64.b64decode(json.loads(reply.payload)["data"]) if reply.is_text else reply.payload
    if not data.startswith(b"RIFF"):
        return data
    with wave.open(io.BytesIO(data)) as file:
        return bytes(file.readframes(file.getnframes()))


# The setting


@pytest.mark.parametrize(
    ("asked", "applied", "delivery"),
    [
        ({}, ("pcm16", "piece", "base64"), PLAIN),
        ({"format": "pcm16"}, ("pcm16", "piece", "base64"), PLAIN),
        ({"per": "piece"}, ("pcm16", "piece", "base64"), PLAIN),
        ({"per": "turn"}, ("pcm16", "turn", "base64"), WHOLE),
        ({"Format": "WAV"}, ("wav", "turn", "base64"), FILE),
        ({"format": "wav", "per": "piece"}, ("wav", "piece", "base64"), Delivery(is_wav=True)),
        ({"encoding": "Binary"}, ("pcm16", "piece", "binary"), BYTES),
        ({"format": "wav", "encoding": "binary"}, ("wav", "turn", "binary"), FILE_BYTES),
    ],
)
def test_setting(
    asked: dict[str, object], applied: tuple[str, str, str], delivery: Delivery
) -> None:
    """How sound comes is told in full, never sent to Gemini, and by default as it always was."""
    delta = config.parse({"audio": asked})
    plan = config.resolve(Config().merge(delta))
    told = dict(zip(("format", "per", "encoding"), applied, strict=True))
    assert config.report(delta, plan)["applied"] == {"audio": told}
    assert plan.delivery == delivery
    assert plan.delivery.is_plain == (delivery == PLAIN)
    assert plan.setup == config.resolve(Config()).setup


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        ("wav", "audio must be an object of format, per, encoding, got 'wav'"),
        ([], "audio must be an object of format, per, encoding, got []"),
        ({"format": "mp3"}, "audio has format that must be one of pcm16, wav, got 'mp3'"),
        ({"per": None}, "audio has per that must be one of piece, turn, got None"),
        ({"encoding": 64}, "audio has encoding that must be one of base64, binary, got 64"),
        ({"encode": "binary"}, "audio has an unknown key 'encode'; did you mean encoding?"),
    ],
)
def test_faulty_setting(asked: object, fault: str) -> None:
    """What the setting cannot be is a fault with a sentence."""
    assert config.parse({"audio": asked}).fault == fault


# What is played


def test_plain_sound_is_not_looked_at() -> None:
    """Base64 goes to the client as it came, even if it is none."""
    playback = Playback(Limits())
    [reply] = playback.play(Sound("@@", 8000), 3, PLAIN)
    assert json.loads(reply.payload) == {
        "type": "audio",
        "data": "@@",
        "format": "pcm16",
        "sampleRate": 8000,
    }
    assert (reply.type, reply.turn, reply.is_text) == ("audio", 3, True)
    assert playback.flush() == []


@pytest.mark.parametrize("rate", [8000, 24_000, 9_999_999])
@pytest.mark.parametrize("delivery", [FILE, FILE_BYTES])
def test_files_are_played_by_others(delivery: Delivery, rate: int) -> None:
    """A file is one for the standard library's reader: 16-bit mono of Gemini's rate."""
    playback = Playback(Limits())
    assert playback.play(sound(b"\1\0\2\0", rate), 1, delivery) == []
    [reply] = playback.flush()
    data = reply.payload
    if reply.is_text:
        told = json.loads(data)
        assert (told["format"], told["sampleRate"]) == ("wav", rate)
        data = base64.b64decode(told["data"])
    assert len(data) == 44 + 4
    with wave.open(io.BytesIO(data)) as file:
        assert file.getparams()[:4] == (1, 2, rate, 2)
    assert samples(reply) == b"\1\0\2\0"
    assert reply.turn == 1


@pytest.mark.parametrize("delivery", [WHOLE, FILE, FILE_BYTES])
def test_half_samples_are_joined(delivery: Delivery) -> None:
    """Pieces may be cut anywhere: together they are samples again; what is left is no sample."""
    playback = Playback(Limits())
    for piece in (b"\1", b"\0\2", b"\0\3"):
        assert playback.play(sound(piece), 1, delivery) == []
    [reply] = playback.flush()
    assert samples(reply)[:4] == b"\1\0\2\0"


@pytest.mark.parametrize("now", [PLAIN, FILE, FILE_BYTES, BYTES])
def test_order(now: Delivery) -> None:
    """What was collected goes out in its own form, before whatever comes in another."""
    playback = Playback(Limits())
    playback.play(sound(b"\1\0"), 1, WHOLE)
    found = [*playback.play(sound(b"\2\0"), 1, now), *playback.flush()]
    assert list(map(samples, found)) == [b"\1\0", b"\2\0"]
    assert [reply.turn for reply in found] == [1, 1]
    assert json.loads(found[0].payload)["format"] == "pcm16"


def test_nothing_is_kept_twice() -> None:
    """What went out, or was thrown away, is gone."""
    playback = Playback(Limits())
    playback.play(sound(b"\1\0"), 1, WHOLE)
    assert len(playback.flush()) == 1
    assert playback.flush() == []
    playback.play(sound(b"\1\0"), 1, WHOLE)
    playback.forget()
    assert playback.flush() == []


@pytest.mark.parametrize("delivery", [WHOLE, FILE, FILE_BYTES])
def test_bound(delivery: Delivery) -> None:
    """However long an answer is, no frame of pieces is larger than a message may be."""
    limits = Limits()
    playback = Playback(limits)
    piece = sound(bytes(range(256)) * (4 * MIB // 256))
    found = [reply for _ in range(5) for reply in playback.play(piece, 1, delivery)]
    assert [len(samples(one)) for one in found] == [8 * MIB, 8 * MIB]
    assert max(len(one.payload) for one in found) < limits.frame_bytes
    assert [len(samples(one)) for one in playback.flush()] == [4 * MIB]
    full = sound(bytes(limits.turn_sound_bytes))
    assert playback.play(full, 1, delivery) == []
    [reply] = playback.play(sound(b"\1\0"), 1, delivery)
    assert len(reply.payload) < limits.frame_bytes
    assert len(samples(reply)) == limits.turn_sound_bytes
