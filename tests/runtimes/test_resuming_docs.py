"""docs/resuming.md: its client in Python is run as it stands, on connections that are cut."""

import asyncio
from collections.abc import AsyncIterator, Generator
from typing import Any, Final, Protocol

import pytest
from websockets.sync.client import connect

import docs
import running
from faulty_tcp import FaultyTcp, Flow, Plan
from livegate.emulator import Emulator, Options
from livegate.protocol.admission import Rules
from livegate.protocol.errors import CLOSES, Advice
from livegate.protocol.tokens import Allowance
from livegate.shell.settings import settings

PAGE: Final = docs.read(docs.RESUMING)
CLIENT, MAIN = PAGE.under("In Python", "python")
JAVASCRIPT: Final = PAGE.under("In JavaScript", "javascript")
URL: Final = "ws://localhost:8000/api/gemini/ws"
PATIENCE_S: Final = 20.0
CUTS: Final = 3


class Conversation(Protocol):
    """The page's."""

    seq: int
    token: str
    failures: int
    wait_s: float

    def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        """Yield frames."""
        ...

    async def send(self, **frame: object) -> None:
        """Send one."""

    async def close(self) -> None:
        """Say goodbye."""


def conversation(url: str, **config: object) -> Conversation:
    """Return a conversation of the page's client."""
    names: dict[str, Any] = {}
    exec(CLIENT.text, names)  # noqa: S102 - it is ours
    made: Conversation = names["Conversation"](url, **config)
    return made


@pytest.fixture(params=running.RUNTIMES)
def path(request: pytest.FixtureRequest) -> Generator[FaultyTcp, None, None]:
    """A path to a gateway of each runtime."""
    with (
        Emulator(options=Options(pace=0)) as gemini,
        running.gateway(str(request.param), settings("any", gemini.url)) as gateway,
        FaultyTcp(gateway.url) as found,
    ):
        yield found


async def _converse(url: str, *questions: str) -> list[dict[str, Any]]:
    """Ask one question after the other; return all frames."""
    frames: list[dict[str, Any]] = []
    left = list(questions)
    talk = conversation(url, response_modalities=["AUDIO"])
    async for frame in talk:
        frames.append(frame)
        if frame["type"] == "session" and left:
            await talk.send(type="text", text=left.pop(0))
        elif frame["type"] == "session":
            await talk.close()
    return frames


def test_client(path: FaultyTcp) -> None:
    """It loses nothing where it is cut in the middle of answers."""
    path.plan(*[Plan(down=Flow(cut_at=20_000))] * CUTS)
    asked = [f"this is question {number}" for number in range(2)]
    frames = asyncio.run(asyncio.wait_for(_converse(path.url, *asked), PATIENCE_S))
    assert len(path.seen) == CUTS + 1
    resumed = [one for one in frames if one["type"] == "resumed"]
    assert [one["recovered"] for one in resumed] == [True] * CUTS
    numbers = [one["seq"] for one in frames if one["type"] != "resumed"]
    assert numbers == list(range(1, len(numbers) + 1))
    said = "".join(one["text"] for one in frames if one["type"] == "response")
    assert said == "".join(f"You said: {one}" for one in asked)


def test_refused() -> None:
    """Where there is no room it hears so, has no number of it, and waits as it is asked to."""

    async def converse(url: str) -> tuple[dict[str, Any], Conversation]:
        talk = conversation(url)
        async for frame in talk:
            return frame, talk
        raise AssertionError("it heard nothing")

    rules = Rules(overall=Allowance(sessions=1))
    with (
        Emulator(options=Options(pace=0)) as gemini,
        running.gateway("asyncio", settings("any", gemini.url, rules=rules)) as gateway,
        connect(gateway.url) as first,
    ):
        first.send('{"type":"ping"}')
        first.recv(PATIENCE_S)
        frame, talk = asyncio.run(asyncio.wait_for(converse(gateway.url), PATIENCE_S))
    assert frame["code"] == "overloaded"
    assert (talk.seq, talk.wait_s) == (0, frame["retry_after_ms"] / 1000)
    assert talk.wait_s > 0


def test_main(path: FaultyTcp, capsys: pytest.CaptureFixture[str]) -> None:
    """What the page does with it runs as it stands."""
    assert MAIN.text.count(URL) == 1
    exec(CLIENT.text + MAIN.text.replace(URL, path.url), {})  # noqa: S102 - it is ours
    assert capsys.readouterr().out == "You said: Hello!"


def test_closes() -> None:
    """The page's table says the same as the table of close codes, and so do its clients."""
    text = docs.RESUMING.read_text("utf-8")
    (come_back,) = (line for line in text.splitlines() if line.startswith("| none (1006)"))
    (stop,) = (line for line in text.splitlines() if "| stop:" in line)
    for code, close in CLOSES.items():
        row = stop if close.advice is Advice.STOP else come_back
        assert f"{code}" in row
        for block in (CLIENT, JAVASCRIPT[0]):
            (stops,) = (line for line in block.text.splitlines() if "1000, 1002" in line)
            assert (f"{code}" in stops) is (close.advice is Advice.STOP)
