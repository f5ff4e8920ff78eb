# pyright: reportPrivateUsage=false
"""`docs/wire.md`: what it shows is what the core does, and nothing is left out.

Transcripts of other pages are played here, too.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

import docs
from docs import Block
from livegate.protocol import Limits, _json, frames, replies, transcript
from livegate.protocol.errors import FATAL, ErrorCode
from livegate.protocol.intake import Intake
from livegate.protocol.testing.frames_seen import SHAPES
from livegate.protocol.testing.play import play
from livegate.protocol.testing.systems import CoreSystem
from livegate.protocol.transcript import Observation, Transcript

PAGE = docs.read(docs.WIRE)
TALES = docs.conversations(PAGE)
ACTIONS = [step.action for told in TALES for step in told.steps]
SENT = [action for action in ACTIONS if isinstance(action, transcript.ClientSends)]


class Remembering(CoreSystem):
    """A session, and all that its client got."""

    def __init__(self, told: Transcript) -> None:
        super().__init__(told.options)
        self.got: list[object] = []

    def output(self) -> list[Observation]:
        """Return what the session has done since the last call."""
        seen = super().output()
        self.got += _frames(seen)
        return seen


def _frames(actions: Sequence[transcript.Action]) -> list[object]:
    """Return the frames that a client gets, as JSON."""
    gets = [action for action in actions if isinstance(action, transcript.ClientGets)]
    return [one.expected for one in gets if one.expected is not None]


def _values(key: str) -> set[object]:
    """Return what the frames to the client have under a key."""
    return {frame[key] for frame in _frames(ACTIONS) if _json.is_object(frame) and key in frame}


@pytest.mark.parametrize("told", TALES, ids=lambda told: told.name)
def test_examples(told: Transcript) -> None:
    """Each conversation goes as the page says, and each frame to the client is shown whole."""
    system = Remembering(told)
    play(told, system)
    assert system.got == _frames([step.action for step in told.steps])


@pytest.mark.parametrize("path", docs.PAGES, ids=lambda path: path.name)
def test_any_page(path: Path) -> None:
    """Each conversation of any page goes as the page says."""
    for told in docs.conversations(docs.read(path)):
        play(told, CoreSystem(told.options))


@pytest.mark.parametrize(
    "block",
    [block for block in PAGE.blocks if block.language == "json"],
    ids=lambda block: block.name,
)
def test_forms(block: Block) -> None:
    """All lines of a block are frames that mean the same."""
    first, *others = [_meaning(line.encode()) for line in block.text.splitlines()]
    assert others == [first] * len(others)


def _meaning(payload: bytes) -> object:
    frame = frames.decode(payload, Limits())
    return Intake().take(frame, 0.0) if isinstance(frame, frames.Audio) else frame


def test_client_frames() -> None:
    """Each type that a client may send has an example, and so has a binary frame."""
    types = {json.loads(sent.payload)["type"] for sent in SENT if sent.payload.startswith(b"{")}
    assert types >= set(frames._READERS)
    assert not all(sent.is_text for sent in SENT)


def test_server_frames() -> None:
    """Each type that a client may get has an example, and the tests of gateways know it."""
    assert _values("type") == set(replies.TYPES) == set(SHAPES)


def test_errors() -> None:
    """Each error has an example, and so has each close that the core decides on."""
    assert _values("code") == set(ErrorCode)
    closed = {action.code for action in ACTIONS if isinstance(action, transcript.ClientClosed)}
    assert closed == {*FATAL.values(), 1012}


@pytest.mark.parametrize(
    ("heading", "types"),
    [("What a client sends", frames._READERS), ("What a client gets", replies.TYPES)],
)
def test_sections(heading: str, types: Mapping[str, object]) -> None:
    """Each type stands in a heading, on the side of the page where it belongs."""
    at = PAGE.headings.index(f"## {heading}") + 1
    end = next(
        number for number, one in enumerate(PAGE.headings[at:], at) if one.startswith("## ")
    )
    said = " ".join(PAGE.headings[at:end])
    assert [name for name in types if f"`{name}`" not in said] == []
