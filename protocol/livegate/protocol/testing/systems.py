"""What can be tested: anything that speaks the client protocol, seen from outside."""

from collections import deque
from typing import Final, Protocol, assert_never

import msgspec

from livegate.protocol import Session, SessionOptions, _json, commands, inputs, transcript
from livegate.protocol.inputs import Side
from livegate.protocol.media.decoder import Decoder
from livegate.protocol.transcript import Observation, Stimulus

_REPLACED: Final = 4202


class SystemUnderTest(Protocol):
    """A gateway with one client, between two peers that the test plays.

    Its sockets are as fast as can be: what it sends is there at the next `output`. What comes on a
    WebSocket of the client that another has replaced is not reported, but that it is closed.
    """

    plays_gemini: bool
    """Whether the test is Gemini, too; if not, only the client's side is fed and observed."""

    def feed(self, stimulus: Stimulus) -> None:
        """Let a peer do something."""

    def output(self) -> list[Observation]:
        """Return what the gateway has done since the last call, in order on each side."""
        ...

    def advance(self, seconds: float) -> None:
        """Let time pass, virtual where the system's clock is; each deadline is kept."""

    def close(self) -> None:
        """Let go of everything: the test is over."""


class CoreSystem:
    """livegate's own `Session`, with perfect sockets and a clock of its own."""

    plays_gemini = True

    def __init__(self, options: SessionOptions | None = None, *, seed: int = 0) -> None:
        self._session = Session(options or SessionOptions(), seed=seed)
        self._now = 1000.0
        self._link = 0
        self._client_link = 1
        self._tokens = 0
        self._seen: list[Observation] = []
        self._events: deque[inputs.Input] = deque()
        self._decoder = Decoder()
        self._unread: deque[inputs.Input] = deque()
        """What the client sent while the session did not want to read."""
        self._session.start(self._now)

    def feed(self, stimulus: Stimulus) -> None:
        """Let a peer do something; what the client sends waits until the session reads."""
        match stimulus:
            case transcript.ClientOpens(is_v1=is_v1):
                self._handle(inputs.ClientOpened(1, "192.0.2.1", is_v1=is_v1))
            case transcript.ClientReturns(seq=seq):
                self._unread.clear()
                self._client_link += 1
                self._handle(inputs.ClientReturned(self._client_link, seq, "192.0.2.1"))
            case transcript.ClientSends(payload=payload, is_text=is_text):
                self._unread.append(inputs.ClientFrame(self._client_link, payload, is_text))
            case transcript.ClientLeaves(code=code):
                self._unread.append(inputs.ClientGone(self._client_link, code))
            case transcript.GeminiOpens():
                self._handle(inputs.UpstreamOpened(self._link))
            case transcript.GeminiUnreachable(fault=fault):
                self._handle(inputs.DialFailed(self._link, fault))
            case transcript.GeminiSends(payload=payload):
                self._handle(inputs.UpstreamFrame(self._link, payload))
            case transcript.GeminiCloses(code=code, reason=reason):
                self._handle(inputs.UpstreamGone(self._link, code, reason))
            case transcript.ClientDismissed(refusal=refusal):
                self._handle(inputs.ClientDismissed(refusal))
            case transcript.ShutsDown():
                self._handle(inputs.ShutdownRequested())
            case _:
                assert_never(stimulus)
        self._read()

    def output(self) -> list[Observation]:
        """Return what the session has done since the last call."""
        seen, self._seen = self._seen, []
        return seen

    def advance(self, seconds: float) -> None:
        """Let virtual time pass."""
        until = self._now + seconds
        while (deadline := self._session.deadline) is not None and deadline <= until:
            self._now = max(self._now, deadline)
            self._handle(inputs.DeadlineReached())
            assert self._session.deadline != deadline, "the deadline stands still"
            self._read()
        self._now = until

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""

    def _read(self) -> None:
        while self._unread and self._session.reading.client:
            self._handle(self._unread.popleft())

    def _handle(self, event: inputs.Input) -> None:
        self._events.append(event)
        while self._events:
            for command in self._session.handle(self._events.popleft(), self._now):
                self._do(command)

    def _do(self, command: commands.Command) -> None:
        match command:
            case commands.SendClient(link=link, payload=payload, is_text=is_text):
                assert link == self._client_link, "a frame to a WebSocket that was replaced"
                frame = decoded(payload) if is_text else payload
                self._seen.append(transcript.ClientGets(frame))
                self._events.append(inputs.Sent(Side.CLIENT, link, len(payload)))
            case commands.SendUpstream(link=link, payload=payload):
                self._seen.append(transcript.GeminiGets(decoded(payload)))
                self._events.append(inputs.Sent(Side.UPSTREAM, link, len(payload)))
            case commands.OpenUpstream(link=link):
                self._link = link
                self._seen.append(transcript.GeminiDialled())
            case commands.CloseUpstream():
                self._seen.append(transcript.GeminiClosed())
            case commands.CloseClient(link=link, code=code):
                is_newest = link == self._client_link
                assert is_newest is (code != _REPLACED), (
                    f"the wrong WebSocket is closed with {code}"
                )
                self._seen.append(transcript.ClientClosed(code))
                if not is_newest:
                    self._events.append(inputs.ClientGone(link, code))
            case commands.Decode():
                self._events.append(self._decoder.step(command))
            case commands.StopDecoding(job=job):
                self._decoder.stop(job)
            case commands.Seal():
                self._tokens += 1
                self._events.append(inputs.Sealed(f"token {self._tokens}"))
            case commands.Resume():
                self._events.append(inputs.TokenRefused())
            case commands.DropSound() | commands.Log():
                pass
            case _:
                assert_never(command)


def decoded(payload: bytes) -> object:
    """Return what a message says as JSON, or as the text that it is instead."""
    try:
        value: object = msgspec.json.decode(payload)
    except _json.MALFORMED:
        return payload.decode("utf-8", "replace")
    return value
