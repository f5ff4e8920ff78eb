"""Plays a transcript on a shell: sockets in memory, a virtual clock, the real gateway.

The player is plain async code: what differs between the runtimes is handed to it.
"""

import contextlib
import json
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Protocol, assert_never

import attrs

from livegate.protocol import tokens, transcript
from livegate.protocol.hello import Hello
from livegate.protocol.inputs import Fault
from livegate.protocol.transcript import Step, Transcript
from livegate.shell.faults import DialError
from livegate.shell.pump import Bell
from livegate.shell.sockets import ClientSocket, Closed, Message


class Gateway(Protocol):
    """What both runtimes' gateways do."""

    async def serve(self, client: ClientSocket) -> None:
        """Run a session."""

    async def drain(self) -> None:
        """End all sessions."""


@attrs.frozen
class Runtime:
    """What a runtime lends the player."""

    new_bell: Callable[[], Bell]
    sleep: Callable[[float], Awaitable[None]]
    until_idle: Callable[[], Awaitable[None]]
    start: Callable[[Callable[[], Awaitable[None]]], None]
    """Run something beside the player; all of it has ended when the player's test ends."""


class MemoryClient:
    """A client's WebSocket."""

    def __init__(self, bell: Bell, *, is_v1: bool = False) -> None:
        offered = (tokens.V1,) if is_v1 else ()
        self.hello = Hello(peer="192.0.2.1", subprotocols=offered)
        self.tokens: list[str] = []
        """For coming back."""
        self._bell = bell
        self._to_gateway: deque[Message | Closed] = deque()
        self.got: deque[Message] = deque()
        self.closed: list[int] = []

    def put(self, event: Message | Closed) -> None:
        """Send, or leave."""
        self._to_gateway.append(event)
        self._bell.ring()

    async def receive(self) -> Message | Closed:
        """Wait for what the client does next."""
        while not self._to_gateway:
            await self._bell.heard()
        return self._to_gateway.popleft()

    async def send(self, payload: bytes, *, is_text: bool) -> None:
        """Take a frame."""
        assert not self.closed, "a frame after the close"
        self.got.append(Message(payload, is_text))
        if is_text and (frame := json.loads(payload))["type"] == "session":
            self.tokens.append(frame["token"])

    async def close(self, code: int, reason: str) -> None:
        """Take the close."""
        assert reason is not None
        self.closed.append(code)


class MemoryUpstream:
    """A link to Gemini, before, while and after it is open."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._decision: Fault | str = ""
        self._from_gemini: deque[bytes | Closed] = deque()
        self.got: deque[bytes] = deque()
        self.is_ended_by_gemini = False

    def decide(self, decision: Fault | str) -> None:
        """Open the link, or say why it cannot be opened."""
        self._decision = decision
        self._bell.ring()

    async def opened(self) -> None:
        """Wait for the decision."""
        while not self._decision:
            await self._bell.heard()
        if isinstance(self._decision, Fault):
            self.is_ended_by_gemini = True
            raise DialError(self._decision)

    def put(self, event: bytes | Closed) -> None:
        """Send, or end the link."""
        self.is_ended_by_gemini |= isinstance(event, Closed)
        self._from_gemini.append(event)
        self._bell.ring()

    async def receive(self) -> bytes | Closed:
        """Wait for what Gemini does next."""
        while not self._from_gemini:
            await self._bell.heard()
        return self._from_gemini.popleft()

    async def send(self, payload: bytes) -> None:
        """Take a message."""
        self.got.append(payload)

    async def close(self, code: int) -> None:
        """Take the close."""
        assert code == 1000


class ShellPlayer:
    """Both peers of one session, and what it did that no step has expected yet."""

    def __init__(self, told: Transcript, runtime: Runtime) -> None:
        self._told = told
        self._runtime = runtime
        self._clients: list[MemoryClient] = []
        """The newest is the last."""
        self._dials: deque[MemoryUpstream] = deque()
        self._links: list[MemoryUpstream] = []
        self._closed_links = 0
        self.gateway: Gateway | None = None

    @contextlib.asynccontextmanager
    async def dial(self) -> AsyncGenerator[MemoryUpstream, None]:
        """Be Gemini, for one link."""
        upstream = MemoryUpstream(self._runtime.new_bell())
        self._dials.append(upstream)
        try:
            await upstream.opened()
            yield upstream
        finally:
            if not upstream.is_ended_by_gemini:
                self._closed_links += 1

    async def play(self, gateway: Gateway) -> None:
        """Play all steps, then leave.

        Raises:
            AssertionError: The shell did not do what the transcript says.
        """
        for step in self._told.steps:
            try:
                await self._play(step, gateway)
                await self._runtime.until_idle()
            except AssertionError as error:
                raise AssertionError(
                    f"{self._told.name}.txt:{step.line}: {step.text}\n  {error}"
                ) from None
        left = {
            "frames to the client": [list(one.got) for one in self._clients if one.got],
            "messages to Gemini": [list(link.got) for link in self._links if link.got],
            "dials": list(self._dials),
            "closed links": self._closed_links,
        }
        unexpected = {what: found for what, found in left.items() if found}
        for client in self._clients[-1:]:
            client.put(Closed(1000))
        assert not unexpected, f"{self._told.name}.txt, at the end: {unexpected}"

    async def _play(self, step: Step, gateway: Gateway) -> None:
        match step.action:
            case transcript.ClientOpens(is_v1=is_v1):
                self._connect(gateway, is_v1=is_v1)
            case transcript.ClientReturns(seq=seq):
                token = [token for one in self._clients for token in one.tokens][-1]
                data = {"session": token, "seq": seq}
                self._connect(gateway, is_v1=True)
                resume = json.dumps({"type": "resume", "data": data}).encode()
                self._client.put(Message(resume, is_text=True))
            case transcript.ClientSends(payload=payload, is_text=is_text):
                self._client.put(Message(payload, is_text))
            case transcript.ClientGets(expected=expected):
                got = self._client.got
                _expect(expected, _seen(got.popleft()) if got else None)
            case transcript.ClientLeaves(code=code):
                self._client.put(Closed(code))
            case transcript.ClientClosed(code=code):
                closed = [one.closed for one in self._clients]
                assert [code] in closed, f"closed with {closed}"
            case transcript.GeminiDialled():
                self._take_dial()
            case transcript.GeminiOpens():
                self._take_dial().decide("open")
            case transcript.GeminiUnreachable(fault=fault):
                self._take_dial().decide(fault)
            case transcript.GeminiGets(expected=expected):
                messages = self._oldest_unread()
                _expect(expected, json.loads(messages.popleft()) if messages else None)
            case transcript.GeminiSends(payload=payload):
                self._links[-1].put(payload)
            case transcript.GeminiCloses(code=code, reason=reason):
                self._links[-1].put(Closed(code, reason))
            case transcript.GeminiClosed():
                assert self._closed_links, "no link was closed"
                self._closed_links -= 1
            case transcript.TimePasses(seconds=seconds):
                await self._runtime.sleep(seconds)
            case transcript.ClientDismissed():
                raise AssertionError("a gateway decides this itself")
            case transcript.ShutsDown():
                self._runtime.start(gateway.drain)
            case _:
                assert_never(step.action)

    @property
    def _client(self) -> MemoryClient:
        return self._clients[-1]

    def _connect(self, gateway: Gateway, *, is_v1: bool) -> None:
        client = MemoryClient(self._runtime.new_bell(), is_v1=is_v1)
        self._clients.append(client)
        self._runtime.start(lambda: gateway.serve(client))

    def _take_dial(self) -> MemoryUpstream:
        if self._dials:
            self._links.append(self._dials.popleft())
        assert self._links, "nothing was dialled"
        return self._links[-1]

    def _oldest_unread(self) -> deque[bytes]:
        """Return what Gemini got: on the first link that has something, as one line of talk."""
        return next((link.got for link in self._links if link.got), deque[bytes]())


def _seen(frame: Message) -> object:
    return json.loads(frame.payload) if frame.is_text else frame.payload


def _expect(expected: object, got: object) -> None:
    assert transcript.fits(expected, got), f"got {got!r}"
