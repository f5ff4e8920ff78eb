"""A random conversation with a real gateway, drawn from a seed: both peers, and the time between.

What is drawn depends on what the peers see, and on nothing else: gateways that behave the same
hear the same. Time passes in odd steps, so that nothing falls on a deadline of the gateway's.
"""

import base64
import contextlib
import json
import random
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final

import attrs

import strategies as pools
from livegate.protocol import Limits, SessionOptions
from livegate.shell.identity import Identity
from livegate.shell.sockets import Closed, Message
from shell_player import Gateway, MemoryClient, MemoryUpstream, Runtime

LIMITS: Final = Limits(
    high_water=8 * 1024,
    low_water=4 * 1024,
    free_json_bytes=2048,
    upstream_chunk_chars=1024,
    link_age_s=20.0,
)
_LENGTH: Final = 40
_SPANS: Final = (0.0137, 0.1171, 0.5113, 1.1519, 3.0171, 11.0133, 61.0719)
_FLOOD: Final = 8
_LOUD: Final = bytes(range(256)) * 8


@attrs.frozen
class Move:
    """Something that may happen now."""

    weight: int
    may: Callable[["Talk"], bool]
    do: Callable[["Talk"], Awaitable[None]]


class SlowClient(MemoryClient):
    """A client that may stop reading for a while."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime.new_bell())
        self._reads = runtime.new_bell()
        self.is_slow = False

    def read_again(self) -> None:
        """Take what is waiting."""
        self.is_slow = False
        self._reads.ring()

    async def send(self, payload: bytes, *, is_text: bool) -> None:
        """Take a frame, in time."""
        while self.is_slow:
            await self._reads.heard()
        await super().send(payload, is_text=is_text)


class SlowUpstream(MemoryUpstream):
    """A link on which Gemini may stop reading for a while."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime.new_bell())
        self._reads = runtime.new_bell()
        self.is_slow = self.is_open = self.is_ready = self.is_ended = False

    def read_again(self) -> None:
        """Take what is waiting."""
        self.is_slow = False
        self._reads.ring()

    async def send(self, payload: bytes) -> None:
        """Take a message, in time."""
        while self.is_slow:
            await self._reads.heard()
        await super().send(payload)


class Talk:
    """One conversation.

    Args:
        seed: Of all that is drawn, and of the session.
        runtime: What the gateway runs on.
    """

    def __init__(self, seed: int, runtime: Runtime) -> None:
        self._seed = seed
        self._rng = random.Random(seed)  # noqa: S311 - to be repeated, not to be guessed
        self._runtime = runtime
        self.client = SlowClient(runtime)
        self.links: list[SlowUpstream] = []
        self.moves: Counter[str] = Counter()
        self._said = 0
        self._has_left = False
        self.options = SessionOptions(limits=LIMITS, has_key=self._rng.random() > 0.02)

    def identity(self) -> Identity:
        """Return what the session is told of chance."""
        return Identity(f"talk-{self._seed}", self._seed, b"salt")

    @contextlib.asynccontextmanager
    async def dial(self) -> AsyncGenerator[SlowUpstream, None]:
        """Be Gemini, for one link."""
        upstream = SlowUpstream(self._runtime)
        self.links.append(upstream)
        try:
            await upstream.opened()
            upstream.is_open = True
            yield upstream
        finally:
            upstream.is_ended = True

    async def play(self, gateway: Gateway) -> None:
        """Talk for a while, then leave or end the gateway."""
        self._runtime.start(lambda: gateway.serve(self.client))
        await self._runtime.until_idle()
        weights = [move.weight for move in MOVES]
        for _ in range(_LENGTH):
            [move] = self._rng.choices(MOVES, weights)
            if not self.is_over and move.may(self):
                self.moves[move.do.__name__] += 1
                await move.do(self)
                await self._runtime.until_idle()
        if self._rng.random() < 0.3:
            self._runtime.start(gateway.drain)
            await self._runtime.until_idle()
        self.client.put(Closed(1001))

    # What the peers see

    @property
    def is_over(self) -> bool:
        """Whether the client was closed, or has left."""
        return self._has_left or bool(self.client.closed)

    @property
    def link(self) -> SlowUpstream | None:
        """The link there is, dialled or open."""
        link = self.links[-1] if self.links else None
        return None if link is None or link.is_ended or link.is_ended_by_gemini else link

    @property
    def is_dialling(self) -> bool:
        """Whether Gemini is being dialled."""
        return self.link is not None and not self.link.is_open

    @property
    def is_linked(self) -> bool:
        """Whether a link is open."""
        return self.link is not None and self.link.is_open

    @property
    def is_ready(self) -> bool:
        """Whether Gemini has accepted the setup."""
        return self.link is not None and self.link.is_ready

    # What they do

    def _send(self, frame: dict[str, object]) -> None:
        self.client.put(Message(json.dumps(frame).encode(), is_text=True))

    def _hear(self, message: bytes) -> None:
        if self.link is not None:
            self.link.put(message)
            self.link.is_ready |= b"setupComplete" in message

    async def asks(self) -> None:
        """The client asks something new."""
        self._said += 1
        self._send({"type": "text", "text": f"text {self._said}"})

    async def configures(self) -> None:
        """The client changes its mind."""
        pool = pools.CONFIGS if self._rng.random() < 0.8 else pools.BAD_CONFIGS
        self._send({"type": "config", "data": self._rng.choice(pool), "token": "its secret"})

    async def sends(self) -> None:
        """The client sends some other frame."""
        payload, is_text = self._rng.choice(pools.FRAMES)
        self.client.put(Message(payload, is_text))

    async def speaks(self) -> None:
        """The client sends sound, in one form or another, and of any length."""
        sound = self._rng.randbytes(2 * self._rng.choice((5, 320, 960, 2000)))
        if self._rng.random() < 0.3:
            self.client.put(Message(sound, is_text=False))
            return
        data = base64.b64encode(sound).decode()
        self._send({"type": "audio", "data": data if len(data) % 3 else {"b64": data}})

    async def babbles(self) -> None:
        """The client sends nonsense."""
        payload, is_text = self._rng.choice(pools.JUNK)
        self.client.put(Message(payload[:500], is_text))

    async def answers(self) -> None:
        """Gemini says something."""
        self._hear(self._rng.choice(pools.GEMINI))

    async def sounds(self) -> None:
        """Gemini is heard."""
        self._hear(self._sound())

    async def misspeaks(self) -> None:
        """Gemini says what nobody understands."""
        self._hear(self._rng.choice(pools.GEMINI_JUNK))

    async def interrupts(self) -> None:
        """Gemini hears the user, while the client still has sound to read."""
        self.client.is_slow = True
        for message in (self._sound(), self._sound(), b'{"serverContent":{"interrupted":true}}'):
            self._hear(message)
        await self._runtime.until_idle()
        self.client.read_again()

    async def renews(self) -> None:
        """Gemini ends its answer, and gives a handle."""
        handle = f"handle-{self._rng.randrange(10**9)}"
        update = {"newHandle": handle, "resumable": True}
        self._hear(b'{"serverContent":{"turnComplete":true}}')
        self._hear(json.dumps({"sessionResumptionUpdate": update}).encode())

    async def opens(self) -> None:
        """The dial succeeds."""
        if self.link is not None:
            self.link.decide("open")

    async def is_unreachable(self) -> None:
        """The dial fails."""
        if self.link is not None:
            self.link.decide(self._rng.choice(pools.FAULTS))

    async def accepts(self) -> None:
        """Gemini accepts the setup."""
        self._hear(b'{"setupComplete":{}}')

    async def hangs_up(self) -> None:
        """Gemini ends the link."""
        if self.link is not None:
            self.link.put(Closed(*self._rng.choice(pools.CLOSES)))

    async def forgets(self) -> None:
        """Gemini does not know the handle."""
        if self.link is not None:
            self.link.put(Closed(1008, "BidiGenerateContent session not found"))

    async def reads_late(self) -> None:
        """The client does not read for a while, and Gemini goes on."""
        self.client.is_slow = True
        for _ in range(_FLOOD):
            self._hear(self._sound())
        await self._runtime.until_idle()
        await self._runtime.sleep(self._rng.choice(_SPANS[:4]))
        self.client.read_again()

    async def is_read_late(self) -> None:
        """Gemini does not read for a while, and the client goes on."""
        if (link := self.link) is not None:
            link.is_slow = True
            for _ in range(_FLOOD):
                await self.speaks()
            await self._runtime.until_idle()
            await self._runtime.sleep(self._rng.choice(_SPANS[:4]))
            link.read_again()

    async def waits(self) -> None:
        """Time passes."""
        await self._runtime.sleep(self._rng.choice(_SPANS))

    async def leaves(self) -> None:
        """The client leaves."""
        self._has_left = True
        self.client.put(Closed(self._rng.choice((1000, 1001, 1006))))

    def _sound(self) -> bytes:
        data = base64.b64encode(self._rng.randbytes(1500)).decode()
        part = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": data}}
        return json.dumps({"serverContent": {"modelTurn": {"parts": [part]}}}).encode()


def _always(_: Talk) -> bool:
    return True


MOVES: Final = (
    Move(8, _always, Talk.asks),
    Move(6, _always, Talk.configures),
    Move(6, _always, Talk.sends),
    Move(6, _always, Talk.speaks),
    Move(2, _always, Talk.babbles),
    Move(10, lambda talk: talk.is_ready, Talk.answers),
    Move(6, lambda talk: talk.is_ready, Talk.sounds),
    Move(2, lambda talk: talk.is_linked, Talk.misspeaks),
    Move(3, lambda talk: talk.is_ready, Talk.interrupts),
    Move(6, lambda talk: talk.is_ready, Talk.renews),
    Move(14, lambda talk: talk.is_dialling, Talk.opens),
    Move(2, lambda talk: talk.is_dialling, Talk.is_unreachable),
    Move(14, lambda talk: talk.is_linked and not talk.is_ready, Talk.accepts),
    Move(2, lambda talk: talk.is_linked, Talk.hangs_up),
    Move(3, lambda talk: talk.is_linked and not talk.is_ready, Talk.forgets),
    Move(2, lambda talk: talk.is_ready, Talk.reads_late),
    Move(2, lambda talk: talk.is_ready, Talk.is_read_late),
    Move(6, _always, Talk.waits),
    Move(1, lambda talk: talk.is_ready, Talk.leaves),
)
