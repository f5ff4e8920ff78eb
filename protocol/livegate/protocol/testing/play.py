"""Plays a transcript on anything that can be tested."""

import json
from collections import deque
from typing import TypeAlias

from livegate.protocol import transcript
from livegate.protocol.testing.systems import SystemUnderTest
from livegate.protocol.transcript import Observation, TimePasses, Transcript

_PATIENCE_S = 5.0

_Kind: TypeAlias = type[Observation]


class Player:
    """A system, and what it did that no step has expected yet."""

    def __init__(self, told: Transcript, system: SystemUnderTest) -> None:
        self._told = told
        self._system = system
        self._seen: deque[Observation] = deque()

    def play(self) -> None:
        """Play all steps.

        Raises:
            AssertionError: The system did not do what the transcript says, and nothing else.
        """
        for step in self._told.steps:
            try:
                self._play(step.action)
            except AssertionError as error:
                raise AssertionError(
                    f"{self._told.name}, line {step.line}: {step.text}\n  {error}"
                ) from None
        left = [transcript.line_of(seen) for seen in self._seen]
        assert not left, f"{self._told.name}, at the end: {left}"

    def _play(self, action: transcript.Action) -> None:
        match action:
            case TimePasses(seconds=seconds):
                self._system.advance(seconds)
            case (
                transcript.ClientGets()
                | transcript.ClientClosed()
                | transcript.GeminiDialled()
                | transcript.GeminiGets()
                | transcript.GeminiClosed()
            ):
                self._expect(action)
            case transcript.GeminiOpens() | transcript.GeminiUnreachable():
                self._take(transcript.GeminiDialled)  # it goes without saying
                self._system.feed(action)
            case _:
                self._system.feed(action)
        self._seen += self._system.output()

    def _expect(self, wanted: Observation) -> None:
        got = self._take(type(wanted))
        match wanted, got:
            case transcript.ClientGets(expected=None), _:
                assert got is None, f"got {_shown(got)}"
            case transcript.GeminiGets(expected=None), _:
                assert got is None, f"got {_shown(got)}"
                assert self._take(transcript.GeminiDialled) is None, "it was dialled"
            case _:
                assert got is not None, "it did not"
                assert _fits(wanted, got), f"got {_shown(got)}"

    def _take(self, kind: _Kind) -> Observation | None:
        """Return the next thing of one kind that the system did: each side sees its own order."""
        if not self._system.plays_gemini and not any(isinstance(x, kind) for x in self._seen):
            self._system.advance(_PATIENCE_S)
            self._seen += self._system.output()
        found = next((seen for seen in self._seen if isinstance(seen, kind)), None)
        if found is not None:
            self._seen.remove(found)
        return found


def play(told: Transcript, system: SystemUnderTest) -> None:
    """Play a transcript on a system, to its end.

    Raises:
        AssertionError: The system did not do what the transcript says, and nothing else.
    """
    Player(told, system).play()


def _fits(wanted: Observation, got: Observation) -> bool:
    match wanted, got:
        case transcript.ClientGets(expected=frame), transcript.ClientGets(expected=seen):
            return transcript.fits(frame, seen)
        case transcript.GeminiGets(expected=message), transcript.GeminiGets(expected=seen):
            return transcript.fits(message, seen)
        case _:
            return wanted == got


def _shown(seen: Observation | None) -> str:
    return json.dumps(None) if seen is None else transcript.line_of(seen)
