"""What recordings cost: how soon their sound leaves, and how much of a processor that takes.

Some clients send what recorders deliver, at its real pace, to a gateway in a process of its own.
This process plays both them and Gemini, so one clock says when a piece came and when its sound
left. All forms take turns on both runtimes, round by round: compare them within one run only.
"""

import asyncio
import base64
import contextlib
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Generator, Iterator, Sequence
from importlib.metadata import version
from itertools import islice
from statistics import median
from typing import Final

import attrs
import click
import websockets
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection

from endless import FORMS, PIECE_S

RUNTIMES: Final = ("asyncio", "trio")
BASELINE: Final = next(iter(FORMS))
ROUNDS: Final = 3
LEAST_PIECES: Final = 4
BETWEEN_S: Final = 0.5
"""What connecting and leaving takes, about."""
TARGET_MS: Final = 20.0
TARGET_CPU_MS: Final = 2.5
_KEY: Final = "AIzaBenchmark"
_URL: Final = re.compile(r"ws://localhost:\d+/\S+")
_SOUND: Final = '{"realtimeInput":{"audio":{"data":"'
_PER_CHARACTER_S: Final = 3 / 4 / 2 / 16_000
"""Of base64 of 16-bit PCM at 16 kHz."""


@attrs.define
class Link:
    """What Gemini hears on one link."""

    heard: list[tuple[float, float]] = attrs.field(factory=list[tuple[float, float]])
    """(when, seconds of sound)."""

    async def serve(self, connection: ServerConnection) -> None:
        """Accept any setup, and say nothing."""
        await connection.recv()
        await connection.send('{"setupComplete":{}}')
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                message = await connection.recv(decode=True)
                if message.startswith(_SOUND):
                    end = message.index('"', len(_SOUND))
                    seconds = (end - len(_SOUND)) * _PER_CHARACTER_S
                    self.heard.append((time.monotonic(), seconds))


class Gemini:
    """Gemini, as far as sound goes."""

    def __init__(self) -> None:
        self.links: list[Link] = []
        self.url = ""

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncGenerator[None, None]:
        """Listen for as long as the block runs."""
        async with websockets.serve(self._serve, "localhost", 0, compression=None) as server:
            self.url = f"ws://localhost:{next(iter(server.sockets)).getsockname()[1]}"
            yield

    async def _serve(self, connection: ServerConnection) -> None:
        self.links.append(Link())
        await self.links[-1].serve(connection)


@attrs.define
class Speaker:
    """One client, its link, and when it sent what."""

    client: ClientConnection
    link: Link
    pieces: Sequence[str]
    sent: list[float] = attrs.field(factory=list[float])

    async def speak(self, begin_at: float) -> None:
        """Send each piece in its time."""
        for number, piece in enumerate(self.pieces):
            await asyncio.sleep(begin_at + number * PIECE_S - time.monotonic())
            self.sent.append(time.monotonic())
            await self.client.send(piece)

    def waits_ms(self) -> Iterator[float | None]:
        """Yield for each piece how long the last of its sound took, or None if none came."""
        for number, sent_at in enumerate(self.sent):
            later = self.sent[number + 1] if number + 1 < len(self.sent) else sent_at + PIECE_S
            came = [at for at, _ in self.link.heard if sent_at <= at < later]
            yield (came[-1] - sent_at) * 1000 if came else None


@attrs.define
class Figures:
    """What one form was like on one runtime."""

    first_ms: list[float] = attrs.field(factory=list[float])
    later_ms: list[float] = attrs.field(factory=list[float])
    silent: int = 0
    """Pieces of which no sound came before the next, but for the first."""
    cpu_ms: list[float] = attrs.field(factory=list[float])
    """Per second of sound, of each round."""

    def add(self, speakers: Sequence[Speaker], cpu_s: float) -> None:
        """Take note of a round; `cpu_s` is what all but the first pieces took."""
        for speaker in speakers:
            waits = list(speaker.waits_ms())
            self.first_ms += [wait for wait in waits[:1] if wait is not None]
            later = [wait for wait in waits[1:] if wait is not None]
            self.later_ms += later
            self.silent += len(waits) - 1 - len(later)
        seconds = sum(len(speaker.sent) - 1 for speaker in speakers) * PIECE_S
        self.cpu_ms.append(cpu_s * 1000 / seconds)


@attrs.frozen
class Gateway:
    """A gateway's process."""

    url: str
    process: subprocess.Popen[str]

    def cpu_s(self) -> float:
        """Return what all its threads have used, those that have ended too (Linux)."""
        return time.clock_gettime(~self.process.pid << 3 | 2)  # clock_getcpuclockid(3)


@contextlib.contextmanager
def gateway(runtime: str, gemini_url: str) -> Generator[Gateway, None, None]:
    """Run `livegate serve` for as long as the block runs."""
    env = {**os.environ, "GEMINI_API_KEY": _KEY, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "livegate", "serve", "--port", "0", "--runtime", runtime]
    options = ["--gemini-url", gemini_url, "--log-level", "warning"]
    with subprocess.Popen(  # noqa: S603 - ours
        [*command, *options], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            for line in process.stdout:
                if (found := _URL.search(line)) is not None:
                    yield Gateway(found[0], process)
                    break
            else:
                raise RuntimeError("the gateway did not start")
        finally:
            process.terminate()


async def measured(
    gateway: Gateway, gemini: Gemini, pieces: Sequence[str], clients: int
) -> tuple[list[Speaker], float]:
    """Have clients speak at the same time, spread over a piece; return them, and the CPU time."""
    async with contextlib.AsyncExitStack() as stack:
        speakers: list[Speaker] = []
        for _ in range(clients):
            client = await stack.enter_async_context(connect(gateway.url, compression=None))
            await client.send('{"type":"config","data":{}}')
            while json.loads(await client.recv())["type"] != "config_success":
                pass
            speakers.append(Speaker(client, gemini.links[-1], pieces))
        begin_at = time.monotonic() + 0.05
        async with asyncio.TaskGroup() as group:
            for number, speaker in enumerate(speakers):
                group.create_task(speaker.speak(begin_at + number * PIECE_S / clients))
            await asyncio.sleep(begin_at + PIECE_S - PIECE_S / clients / 2 - time.monotonic())
            before_s = gateway.cpu_s()
        await asyncio.sleep(PIECE_S / clients / 2)
        used_s = gateway.cpu_s() - before_s
        await asyncio.sleep(PIECE_S / 4)
    return speakers, used_s


def frames_of(form: str, count: int) -> list[str]:
    """Return what a client sends; an MP4 file's header is no piece of its own here."""
    pieces = list(islice(FORMS[form](), count + 1))
    if form.startswith("MP4"):
        pieces[:2] = [pieces[0] + pieces[1]]
    return [
        json.dumps({"type": "audio", "data": base64.b64encode(piece).decode()})
        for piece in pieces[:count]
    ]


async def run(seconds: float, clients: int) -> dict[tuple[str, str], Figures]:
    """Measure everything, in turns."""
    turns = ROUNDS * len(FORMS) * len(RUNTIMES)
    count = max(LEAST_PIECES, round((seconds / turns - BETWEEN_S) / PIECE_S))
    found = {(form, runtime): Figures() for form in FORMS for runtime in RUNTIMES}
    gemini = Gemini()
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(gemini.listening())
        gateways = {
            runtime: stack.enter_context(gateway(runtime, gemini.url)) for runtime in RUNTIMES
        }
        with click.progressbar(length=turns, label="measuring", file=sys.stderr) as bar:
            for number in range(ROUNDS):
                for form in FORMS:
                    frames = frames_of(form, count)
                    for runtime in RUNTIMES if number % 2 == 0 else reversed(RUNTIMES):
                        done = await measured(gateways[runtime], gemini, frames, clients)
                        found[form, runtime].add(*done)
                        bar.update(1)
    return found


def table(found: dict[tuple[str, str], Figures]) -> Iterator[str]:
    """Yield lines for people."""
    yield "| form | runtime | first, ms | median | p99 | max | CPU, ms/s | spread | ratio |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for (form, runtime), one in found.items():
        base = found[BASELINE, runtime].cpu_ms
        ratio = median(mine / its for mine, its in zip(one.cpu_ms, base, strict=True))
        later = sorted(one.later_ms)
        p99 = later[min(len(later) - 1, len(later) * 99 // 100)]
        yield (
            f"| {form} | {runtime} | {median(one.first_ms):.1f} | {median(later):.1f} | {p99:.1f} | "
            f"{later[-1]:.1f} | {median(one.cpu_ms):.2f} | "
            f"{min(one.cpu_ms):.2f}-{max(one.cpu_ms):.2f} | {ratio:.1f} |"
        )
    for (form, runtime), one in found.items():
        if one.silent:
            yield f"No sound of {one.silent} pieces of {form} came on {runtime} before the next."


def machine() -> str:
    """Return where and with what this was measured."""
    packages = ("livegate", "av", "trio", "websockets")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    return (
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} processors ({_processor()}), load {load}; "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, {versions}"
    )


def _processor() -> str:
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as told:  # noqa: PTH123
        for line in told:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


@click.command()
@click.option("--seconds", default=60.0, show_default=True, help="How long it takes, about.")
@click.option("--clients", default=8, show_default=True, help="How many speak at once.")
def main(seconds: float, clients: int) -> None:
    """Measure what recordings cost."""
    found = asyncio.run(run(seconds, clients))
    print(machine())
    print(f"{clients} clients at a time, pieces of {PIECE_S * 1000:.0f} ms, {ROUNDS} rounds")
    print(f"Wanted: a median of {TARGET_MS:g} ms, and {TARGET_CPU_MS:g} ms/s for WebM with Opus\n")
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()
