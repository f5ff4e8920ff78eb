"""Conversations that outlive their links to Gemini, over real sockets."""

import base64
import json
from typing import Final

import pytest
from websockets.sync.client import ClientConnection, connect

import running
from livegate.emulator import Emulator, Options
from livegate.protocol import Limits
from livegate.protocol.emulator.memory import Record

RECEIVE_S: Final = 20.0
LINKS: Final = 101
"""100 hand-overs."""
CHUNK: Final = 320
"""Bytes of sound in one frame."""
PATIENT: Final = Limits(flush_after_s=3600.0)
"""On a busy machine a turn takes longer than speech may pause: no silence is put in."""
FORGOTTEN: Final = "Gemini may have forgotten what was said last"
LIFE_S: Final = 0.08
"""Of a link: it is announced at half of it that it ends."""


def send(client: ClientConnection, **frame: object) -> None:
    """Send one frame."""
    client.send(json.dumps(frame))


def texts_in(records: list[Record]) -> list[str]:
    """Return all texts that Gemini was asked, in order, over all links; not what it was reminded of."""
    found: list[str] = []
    for record in records:
        is_seeded = record.setup is not None and "historyConfig" in record.setup
        for message in record.messages[int(is_seeded) :]:
            match message:
                case {"clientContent": {"turns": [{"parts": [{"text": str(text)}]}]}}:
                    found.append(text)
                case _:
                    pass
    return found


def chunks_in(records: list[Record]) -> list[int]:
    """Return the numbers of all pieces of sound that Gemini got, in order."""
    sound = b"".join(bytes(record.audio) for record in records)
    pieces = [sound[at : at + CHUNK] for at in range(0, len(sound), CHUNK)]
    assert all(piece == piece[:4] * (CHUNK // 4) for piece in pieces)
    return [int.from_bytes(piece[:4], "little") for piece in pieces]


@pytest.mark.parametrize("way", running.RUNTIMES)
def test_hundred_handovers(way: str) -> None:
    """Whatever is said reaches Gemini once, in order; each answer reaches the client once.

    What was on its way when Gemini ended a link may be gone: then its turn is told to be lost, or,
    where only its sound is gone, that Gemini may have forgotten it.
    """
    with (
        Emulator(options=Options(pace=0, link_life_s=LIFE_S)) as gemini,
        running.variant(way, "canary", gemini.url, PATIENT) as gateway,
        connect(gateway.url, max_size=None) as client,
    ):
        turns: list[int] = []
        lost: set[int] = set()
        forgotten: set[int] = set()
        send(client, type="config", data={"response_modalities": ["AUDIO"]})
        while gemini.service.links_total < LINKS:
            number = len(turns)
            pcm = number.to_bytes(4, "little") * (CHUNK // 4)
            send(client, type="audio", data=base64.b64encode(pcm).decode())
            send(client, type="text", text=f"question {number}")
            while (frame := json.loads(client.recv(RECEIVE_S)))["type"] != "turn_complete":
                assert frame["type"] != "error" or frame["code"] == "upstream_lost", frame
                if frame.get("data") == FORGOTTEN:
                    forgotten.add(number)
            turns.append(frame["turn"])
            if frame["reason"] == "LOST":
                lost.add(number)
        records = gemini.service.received
    assert turns == [*range(1, len(turns) + 1)]
    texts = [int(text.removeprefix("question ")) for text in texts_in(records)]
    for got, told in ((texts, lost), (chunks_in(records), lost | forgotten)):
        assert got == sorted(set(got)), "twice, or out of order"
        assert {*range(len(turns))} - set(got) <= told, "lost, and not told"
