"""Links to Gemini that take each other's place, on both runtimes: sockets in memory, virtual time."""

import contextlib
from collections.abc import AsyncGenerator
from typing import Final

import pytest

import livegate.asyncio
import livegate.trio
from livegate.protocol import SessionOptions
from livegate.protocol.inputs import Fault
from livegate.shell.sockets import Closed, Message
from livegate.shell.target import CLOSE_GRACE_S, target
from shell_player import MemoryClient, MemoryUpstream, Runtime
from virtual import ON

NOWHERE: Final = target("ws://192.0.2.1", "canary")
GATEWAYS: Final = {"asyncio": livegate.asyncio.Gateway, "trio": livegate.trio.Gateway}
ANSWER: Final = (
    b'{"serverContent":{"turnComplete":true}}',
    b'{"sessionResumptionUpdate":{"newHandle":"h","resumable":true}}',
)
ASKS: Final = Message(b'{"type":"text","text":"Hello"}', is_text=True)
GO_AWAY: Final = b'{"goAway":{"timeLeft":"50s"}}'
AGAIN: Final = 10
"""Trio runs what is ready in an order of its own, each time another."""


class Link(MemoryUpstream):
    """A link that tells what happens to it."""

    def __init__(self, number: int, story: list[str], runtime: Runtime) -> None:
        super().__init__(runtime.new_bell())
        self._never = runtime.new_bell()
        self._number = number
        self._story = story
        self.takes = True
        """Whether messages are taken."""
        self.answers_close = True

    async def send(self, payload: bytes) -> None:
        """Take a message, or never."""
        if not self.takes:
            await self._never.heard()
        await super().send(payload)

    async def close(self, code: int) -> None:
        """Hear the goodbye; answer it, or never."""
        self._story.append(f"goodbye to {self._number}")
        if not self.answers_close:
            await self._never.heard()
        await super().close(code)


class Gemini:
    """All links of one session, and a client that has asked something."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.client = MemoryClient(runtime.new_bell())
        self.links: list[Link] = []
        self.story: list[str] = []
        """What happened, in order."""

    @contextlib.asynccontextmanager
    async def dial(self) -> AsyncGenerator[Link, None]:
        """Be Gemini, for one link."""
        number = len(self.links) + 1
        link = Link(number, self.story, self._runtime)
        self.links.append(link)
        self.story.append(f"dial {number}")
        try:
            await link.opened()
            yield link
        finally:
            self.story.append(f"end of {number}")

    async def begin(self, name: str) -> None:
        """Serve a client until its first question has been answered."""
        gateway = GATEWAYS[name](NOWHERE, SessionOptions(), dial=self.dial)
        self._runtime.start(lambda: gateway.serve(self.client))
        self.client.put(ASKS)
        await self._runtime.until_idle()
        await self.accept()
        await self.say(*ANSWER)
        self.story.clear()

    async def accept(self) -> None:
        """Open the newest link, and accept its setup."""
        self.links[-1].decide("open")
        await self.say(b'{"setupComplete":{}}')

    async def say(self, *messages: bytes | Closed) -> None:
        """Send on the newest link, or end it."""
        for message in messages:
            self.links[-1].put(message)
        await self._runtime.until_idle()

    async def is_asked(self) -> bool:
        """Have the client ask again; return whether the newest link hears it."""
        heard = len(self.links[-1].got)
        self.client.put(ASKS)
        await self._runtime.until_idle()
        return len(self.links[-1].got) == heard + 1

    async def end(self) -> None:
        """Have the client leave; nobody is left behind."""
        self.client.put(Closed(1001))
        await self._runtime.sleep(CLOSE_GRACE_S)


@pytest.mark.parametrize("name", ON)
def test_hand_over(name: str) -> None:
    """The old link hears the goodbye before another is dialled."""

    async def play(runtime: Runtime) -> None:
        gemini = Gemini(runtime)
        await gemini.begin(name)
        await gemini.say(GO_AWAY)
        assert gemini.story == ["goodbye to 1", "dial 2", "end of 1"]
        await gemini.accept()
        assert await gemini.is_asked()
        await gemini.end()

    for _ in range(AGAIN):
        ON[name](play)


@pytest.mark.parametrize("name", ON)
def test_nobody_answers_the_goodbye(name: str) -> None:
    """A link that does not close is cut in time, while another has long been in use."""

    async def play(runtime: Runtime) -> None:
        gemini = Gemini(runtime)
        await gemini.begin(name)
        gemini.links[0].answers_close = False
        await gemini.say(GO_AWAY)
        assert gemini.story == ["goodbye to 1", "dial 2"]
        await gemini.accept()
        gemini.links[0].put(ANSWER[0])
        assert await gemini.is_asked()
        await gemini.say(*ANSWER)
        await runtime.sleep(CLOSE_GRACE_S)
        await runtime.until_idle()
        assert gemini.story[2:] == ["end of 1"]
        assert await gemini.is_asked()
        await gemini.end()

    ON[name](play)


@pytest.mark.parametrize("name", ON)
def test_nobody_takes_the_goodbye(name: str) -> None:
    """A link that takes nothing in holds no other up."""

    async def play(runtime: Runtime) -> None:
        gemini = Gemini(runtime)
        await gemini.begin(name)
        gemini.links[0].takes = False
        assert not await gemini.is_asked()
        await gemini.say(b'{"goAway":{"timeLeft":"0s"}}')
        await runtime.sleep(0)
        await runtime.until_idle()
        assert gemini.story == ["dial 2"]
        await gemini.accept()
        assert await gemini.is_asked()
        await runtime.sleep(CLOSE_GRACE_S)
        await runtime.until_idle()
        assert gemini.story[1:] == ["end of 1"]
        await gemini.end()

    ON[name](play)


@pytest.mark.parametrize("name", ON)
def test_lost(name: str) -> None:
    """After a loss another link is dialled at once, and nothing is left of the one before."""

    async def play(runtime: Runtime) -> None:
        gemini = Gemini(runtime)
        await gemini.begin(name)
        for number in range(2, 5):
            await gemini.say(Closed(1006))
            assert sorted(gemini.story) == sorted(
                [f"dial {number}", f"goodbye to {number - 1}", f"end of {number - 1}"]
            )
            gemini.story.clear()
            await gemini.accept()
            assert await gemini.is_asked()
            await gemini.say(*ANSWER)
        await gemini.end()

    ON[name](play)


@pytest.mark.parametrize("name", ON)
def test_dials_that_fail(name: str) -> None:
    """What fails is dialled again, and what takes too long is given up before that."""

    async def play(runtime: Runtime) -> None:
        gemini = Gemini(runtime)
        await gemini.begin(name)
        await gemini.say(Closed(1006))
        assert not await gemini.is_asked()
        gemini.links[-1].decide(Fault.NETWORK)
        await runtime.sleep(0.5)
        await runtime.until_idle()
        assert gemini.story[-2:] == ["end of 2", "dial 3"]
        await runtime.sleep(11)
        await runtime.until_idle()
        assert gemini.story[-2:] == ["end of 3", "dial 4"]
        await gemini.accept()
        assert any(b"Hello" in message for message in gemini.links[-1].got)
        await gemini.end()

    ON[name](play)
