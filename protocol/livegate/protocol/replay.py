"""A recorded session once more: told the same at the same times, does it answer the same?"""

from itertools import zip_longest
from typing import assert_never

import attrs
import msgspec

from livegate.protocol import commands, inputs, transcript
from livegate.protocol.commands import Command
from livegate.protocol.inputs import Input
from livegate.protocol.journal import Entry, Header, raised
from livegate.protocol.redaction import comparable
from livegate.protocol.session import Session
from livegate.protocol.states import Phase, Turn
from livegate.protocol.transcript import Action


@attrs.frozen
class Difference:
    """Where a replay first gave something else: a command, what was raised, or nothing."""

    recorded: Command | str | None
    replayed: Command | str | None


@attrs.frozen
class Step:
    """What came of one input."""

    given: tuple[Command, ...]
    """What the session answers now."""
    difference: Difference | None
    phase: Phase
    turn: Turn


class Replay:
    """One journal, entry by entry.

    Args:
        header: Its first line.
    """

    def __init__(self, header: Header) -> None:
        self._session = Session(header.options, seed=header.seed)
        self._keeps_media = header.media

    def step(self, entry: Entry) -> Step:
        """Tell the session what happened, and compare what it answers."""
        given: tuple[Command, ...] = ()
        error = ""
        try:
            if entry.event is None:
                given = tuple(self._session.start(entry.now))
            else:
                given = tuple(self._session.handle(entry.event, entry.now))
        except Exception as fault:  # noqa: BLE001 - a recorded fault may be of any kind
            error = raised(fault)
        difference = self._compare(entry, given, error)
        return Step(given, difference, self._session.phase, self._session.turn)

    def _compare(self, entry: Entry, given: tuple[Command, ...], error: str) -> Difference | None:
        replayed = [comparable(command, keeps_media=self._keeps_media) for command in given]
        before = [*entry.commands, *([entry.error] if entry.error else [])]
        after = [*replayed, *([error] if error else [])]
        for one, other in zip_longest(before, after):
            if one != other:
                return Difference(one, other)
        return None


def told(event: Input | None) -> Action | None:
    """Return an input in the words of a transcript, if they have one for it."""
    match event:
        case inputs.ClientOpened(is_v1=is_v1):
            return transcript.ClientOpens(is_v1)
        case inputs.ClientReturned(seq=seq):
            return transcript.ClientReturns(seq)
        case inputs.ClientFrame(payload=payload, is_text=is_text):
            return transcript.ClientSends(payload, is_text)
        case inputs.ClientGone(code=code):
            return transcript.ClientLeaves(code)
        case inputs.UpstreamOpened():
            return transcript.GeminiOpens()
        case inputs.UpstreamFrame(payload=payload):
            return transcript.GeminiSends(payload)
        case inputs.UpstreamGone(code=code, reason=reason):
            return transcript.GeminiCloses(code, reason)
        case inputs.DialFailed(fault=fault):
            return transcript.GeminiUnreachable(fault)
        case inputs.ShutdownRequested():
            return transcript.ShutsDown()
        case inputs.ClientDismissed(refusal=refusal):
            return transcript.ClientDismissed(refusal)
        case inputs.Sent() | inputs.DeadlineReached() | None:
            return None
        case inputs.TokenOpened() | inputs.TokenRefused() | inputs.Sealed():
            return None
        case inputs.ClientMoved():
            return None
        case inputs.Decoded() | inputs.DecodeFailed():
            return None  # whoever plays the transcript decodes, too
        case _:
            assert_never(event)


def done(command: Command) -> Action | None:
    """Return a command in the words of a transcript, if they have one for it."""
    match command:
        case commands.SendClient(payload=payload, is_text=False):
            return transcript.ClientGets(f"{len(payload)} bytes")
        case commands.SendClient(payload=payload):
            return transcript.ClientGets(msgspec.json.decode(payload))
        case commands.SendUpstream(payload=payload):
            return transcript.GeminiGets(msgspec.json.decode(payload))
        case commands.CloseClient(code=code):
            return transcript.ClientClosed(code)
        case commands.OpenUpstream():
            return transcript.GeminiDialled()
        case commands.CloseUpstream():
            return transcript.GeminiClosed()
        case commands.DropSound() | commands.Log() | commands.Decode() | commands.StopDecoding():
            return None
        case commands.Resume() | commands.Seal():
            return None
        case _:
            assert_never(command)
