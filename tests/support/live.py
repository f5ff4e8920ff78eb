"""What the real Gemini does otherwise than the emulator, transcript by transcript.

`python tests/support/live.py` plays the conformance transcripts twice, through two gateways: one
on the emulator, one on Gemini with the API key of the environment. Words and sounds differ, of
course; compared are the frames' types and keys, in their order. A transcript that asks for a
scenario of the emulator is left out. The cost is bounded: at most twenty short turns.
"""

import argparse
import difflib
import itertools
import json
import os
import sys
from typing import Final, cast

import websockets
from websockets.sync.client import ClientConnection, connect

import conformance
import running
from livegate.emulator import Emulator
from livegate.protocol import transcript
from livegate.protocol.transcript import Transcript
from livegate.shell.settings import settings

MAX_TURNS: Final = 20
WAIT_S: Final = 30.0
STREAMED: Final = ("response", "audio", "input_transcript")


def tales() -> list[Transcript]:
    """Return the transcripts that make sense on the real service, within the bound."""
    found: list[Transcript] = []
    turns = 0
    for told in conformance.load():
        texts = [step.text for step in told.steps if step.text.startswith("client>")]
        asked = sum('"text":"' in text or '"text"' in text for text in texts)
        if any('"/' in text for text in texts) or turns + asked > MAX_TURNS:
            continue
        turns += asked
        found.append(told)
    return found


def shape(frame: dict[str, object]) -> str:
    """Return a frame's type and keys; the name of an error's code counts, its sentence not."""
    keys = " ".join(sorted(set(frame) - {"type", "usage"}))
    code = f" {frame['code']}" if "code" in frame else ""
    return f"{frame['type']}{code} ({keys})"


def shapes(told: Transcript, url: str) -> list[str]:
    """Play the client's side; return what came, pieces of one stream taken together."""
    got: list[str] = []
    with connect(url, max_size=None) as socket:
        for step in told.steps:
            if isinstance(step.action, transcript.ClientSends):
                socket.send(step.action.payload, text=step.action.is_text)
            elif isinstance(step.action, transcript.ClientGets):
                expected = cast("dict[str, str]", step.action.expected)
                got += until(socket, expected["type"], got)
    return [one for one, _ in itertools.groupby(got)]


def until(socket: ClientConnection, type_: str, before: list[str]) -> list[str]:
    """Return the shapes of frames up to one of this type; none if it is in a running stream."""
    if type_ in STREAMED and before and before[-1].startswith(type_):
        return []
    got: list[str] = []
    while not got or not got[-1].startswith(type_):
        try:
            got.append(shape(json.loads(socket.recv(WAIT_S))))
        except TimeoutError:
            return [*got, f"nothing, for {WAIT_S:g} s"]
        except websockets.ConnectionClosed:
            return [*got, f"closed {socket.close_code}"]
    return got


def main() -> int:
    """Play, compare, print; return 1 if anything differs."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--gemini-url", help="another address for Gemini")
    options.add_argument("--runtime", choices=running.RUNTIMES, default="asyncio")
    asked = options.parse_args()
    key = os.environ.get("GEMINI_API_KEY") or os.environ.get("GOOGLE_API_KEY") or ""
    differs = False
    with (
        Emulator(options=conformance.options(pace=0)) as played,
        running.gateway(asked.runtime, settings("any", played.url)) as emulated,
        running.gateway(asked.runtime, settings(key, asked.gemini_url)) as real,
    ):
        for told in tales():
            print(f"{told.name}: {told.title}", flush=True)
            expected, got = shapes(told, emulated.url), shapes(told, real.url)
            difference = list(
                difflib.unified_diff(expected, got, "emulator", "Gemini", lineterm="")
            )
            differs |= bool(difference)
            for line in difference or ["the same"]:
                print(f"    {line}", flush=True)
    return int(differs)


if __name__ == "__main__":
    sys.exit(main())
