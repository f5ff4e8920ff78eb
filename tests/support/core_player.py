"""Plays a transcript on a bare `Session`: two perfect sockets and a clock of its own."""

import json
from collections import deque
from typing import assert_never

from livegate.protocol import Session, commands, inputs, transcript
from livegate.protocol.inputs import Side
from livegate.protocol.transcript import Step, Transcript


class CorePlayer:
    """Both peers of one session, and what it did that no step has expected yet."""

    def __init__(self, told: Transcript) -> None:
        self._told = told
        self._session = Session(told.options, seed=0)
        self._now = 1000.0
        self._session.start(self._now)
        self._link = 0
        self._client: deque[bytes] = deque()
        self._gemini: deque[bytes] = deque()
        self._dials: deque[int] = deque()
        self._closed_links: deque[int] = deque()
        self._close_codes: deque[int] = deque()

    def play(self) -> None:
        """Play all steps.

        Raises:
            AssertionError: The session did not do what the transcript says.
        """
        for step in self._told.steps:
            try:
                self._play(step)
            except AssertionError as error:
                raise AssertionError(
                    f"{self._told.name}.txt:{step.line}: {step.text}\n  {error}"
                ) from None
        left = {
            "frames to the client": list(self._client),
            "messages to Gemini": list(self._gemini),
            "dials": list(self._dials),
            "closed links": list(self._closed_links),
            "closes of the client": list(self._close_codes),
        }
        unexpected = {what: found for what, found in left.items() if found}
        assert not unexpected, f"{self._told.name}.txt, at the end: {unexpected}"

    def _play(self, step: Step) -> None:
        match step.action:
            case transcript.ClientOpens():
                self._feed(inputs.ClientOpened(1, "192.0.2.1"))
            case transcript.ClientSends(payload=payload, is_text=is_text):
                self._feed(inputs.ClientFrame(1, payload, is_text))
            case transcript.ClientGets(expected=expected):
                self._expect(expected, self._client)
            case transcript.ClientLeaves(code=code):
                self._feed(inputs.ClientGone(1, code))
            case transcript.ClientClosed(code=code):
                assert list(self._close_codes) == [code], f"closed with {self._close_codes}"
                self._close_codes.clear()
            case transcript.GeminiDialled():
                assert self._dials, "nothing was dialled"
                self._link = self._dials.popleft()
            case transcript.GeminiOpens():
                self._feed(inputs.UpstreamOpened(self._take_dial()))
            case transcript.GeminiUnreachable(fault=fault):
                self._feed(inputs.DialFailed(self._take_dial(), fault))
            case transcript.GeminiGets(expected=expected):
                assert expected is not None or not self._dials, "it was dialled"
                self._expect(expected, self._gemini)
            case transcript.GeminiSends(payload=payload):
                self._feed(inputs.UpstreamFrame(self._link, payload))
            case transcript.GeminiCloses(code=code, reason=reason):
                self._feed(inputs.UpstreamGone(self._link, code, reason))
            case transcript.GeminiClosed():
                assert self._closed_links, "no link was closed"
                self._closed_links.popleft()
            case transcript.TimePasses(seconds=seconds):
                self._wait(seconds)
            case transcript.ShutsDown():
                self._feed(inputs.ShutdownRequested())
            case _:
                assert_never(step.action)

    def _take_dial(self) -> int:
        if self._dials:
            self._link = self._dials.popleft()
        assert self._link, "nothing was dialled"
        return self._link

    def _expect(self, expected: object, queue: deque[bytes]) -> None:
        got = json.loads(queue.popleft()) if queue else None
        assert transcript.fits(expected, got), f"got {json.dumps(got)}"

    def _wait(self, seconds: float) -> None:
        until = self._now + seconds
        while (deadline := self._session.deadline) is not None and deadline <= until:
            self._now = max(self._now, deadline)
            self._feed(inputs.DeadlineReached())
        self._now = until

    def _feed(self, event: inputs.Input) -> None:
        for command in self._session.handle(event, self._now):
            match command:
                case commands.SendClient(link=link, payload=payload):
                    self._client.append(payload)
                    self._session.handle(inputs.Sent(Side.CLIENT, link, len(payload)), self._now)
                case commands.SendUpstream(link=link, payload=payload):
                    self._gemini.append(payload)
                    self._session.handle(inputs.Sent(Side.UPSTREAM, link, len(payload)), self._now)
                case commands.OpenUpstream(link=link):
                    self._dials.append(link)
                case commands.CloseUpstream(link=link):
                    self._closed_links.append(link)
                case commands.CloseClient(code=code):
                    self._close_codes.append(code)
                case commands.DropSound() | commands.Log():
                    pass
                case _:
                    assert_never(command)
