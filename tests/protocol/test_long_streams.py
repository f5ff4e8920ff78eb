"""A session of hours, in no time."""

import random
import tracemalloc
from typing import Final

import pytest

import wav_files
from livegate.protocol import Session, SessionOptions, commands, inputs
from livegate.protocol.inputs import Side
from livegate.protocol.media.decoder import Decoder

pytestmark = pytest.mark.long

HOURS: Final = 4
RATE: Final = 8_000
PIECE_S: Final = 1.0
PIECE: Final = bytes(range(1, 251)) * 32
"""A second of it, of 8 bits, as the recorder counts."""


class Talker:
    """A session that hears one recording, and what comes of it."""

    def __init__(self) -> None:
        self._session = Session(SessionOptions(), seed=0)
        self._decoder = Decoder()
        self.given = 0
        self.errors: list[bytes] = []
        self._session.start(0.0)
        self.feed(inputs.ClientOpened(1), 0.0)
        self.feed(inputs.ClientFrame(1, b'{"type":"config","data":{}}', is_text=True), 0.0)
        self.feed(inputs.UpstreamOpened(1), 0.0)
        self.feed(inputs.UpstreamFrame(1, b'{"setupComplete":{}}'), 0.0)

    def feed(self, event: inputs.Input, now: float) -> None:
        """Tell the session, and do at once what it wishes for."""
        for command in self._session.handle(event, now):
            match command:
                case commands.Decode():
                    self.feed(self._decoder.step(command), now)
                case commands.SendUpstream(link=link, payload=payload):
                    self.given += len(payload)
                    self.feed(inputs.Sent(Side.UPSTREAM, link, len(payload)), now)
                case commands.SendClient(payload=payload):
                    if b'"error"' in payload:
                        self.errors.append(payload)
                    self.feed(inputs.Sent(Side.CLIENT, 1, len(payload)), now)
                case _:
                    pass


@pytest.mark.parametrize("drift", [-0.01, 0.01])
def test_hours(drift: float) -> None:
    """A recorder whose clock is wrong by 1 % may talk for hours; nothing grows in the last."""
    rng = random.Random(4711)  # noqa: S311 - not for secrets
    talker = Talker()
    header = wav_files.wav(wav_files.fmt(rate=RATE, bits=8), wav_files.chunk(b"data", size=0))
    talker.feed(inputs.ClientFrame(1, header, is_text=False), 0.0)
    now, before = 0.0, 0
    count = round(HOURS * 3600 / PIECE_S)
    try:
        for number in range(1, count + 1):
            if number == count - round(3600 / PIECE_S):
                tracemalloc.start()
                before = tracemalloc.get_traced_memory()[0]
            now = max(now, number * PIECE_S / (1 + drift) + rng.uniform(-0.4, 0.4))
            talker.feed(inputs.ClientFrame(1, PIECE, is_text=False), now)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert talker.errors == []
    assert talker.given > count * RATE * 2
    assert grown < 16 * 1024, f"{grown} bytes more than an hour before"
