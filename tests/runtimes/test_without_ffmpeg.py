"""A gateway without the extra `audio`."""

import subprocess
import sys

import recorded
from livegate.protocol.commands import Decode
from livegate.protocol.errors import ErrorCode
from livegate.protocol.inputs import Decoded, DecodeFailed
from livegate.protocol.media.decoder import Decoder
from livegate.protocol.media.kinds import Kind

ALONE = """
import sys
sys.modules["av"] = None  # as if it were not installed
from livegate.shell.decoding import HAS_FFMPEG, new_decoder
from livegate.asyncio import app
from livegate.trio import app
from livegate.protocol.media.decoder import Decoder
assert not HAS_FFMPEG
assert type(new_decoder()) is Decoder
"""


def test_it_starts() -> None:
    """What is not installed is not asked for."""
    subprocess.run([sys.executable, "-c", ALONE], check=True, timeout=60)  # noqa: S603 - our own


def test_what_it_cannot_decode() -> None:
    """The error says what to install, whether the kind or what is in it is the reason."""
    opus = recorded.BY_NAME["webm-opus-blob.webm"].data
    for command in (Decode(1, Kind.MP4, b"any"), Decode(2, Kind.WEBM, opus)):
        answer = Decoder().step(command)
        assert isinstance(answer, DecodeFailed)
        assert answer.code is ErrorCode.AUDIO_FORMAT
        assert "pip install 'livegate[audio]'" in answer.message


def test_pcm_in_webm() -> None:
    """PCM needs nothing, in whatever it comes."""
    one = recorded.BY_NAME["webm-pcm16k-250ms.webm"]
    decoder, pcm, data = Decoder(), b"", one.data
    while True:
        answer = decoder.step(Decode(1, Kind.WEBM, data))
        assert isinstance(answer, Decoded)
        pcm += answer.pcm
        data = b""
        if not answer.has_more:
            break
    assert answer.rate == recorded.RATE
    assert recorded.likeness(one.reference, pcm).correlation > 0.99999
