"""Conversations as text: what is written can be read again."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

import transcripts
from livegate.protocol import transcript
from livegate.protocol.transcript import Action, ClientSends, GeminiSends, Transcript


def read(line: str) -> Action:
    """Return the action of one line."""
    (step,) = transcript.parse("test", line).steps
    return step.action


@pytest.mark.parametrize("told", transcripts.load(), ids=lambda told: told.name)
def test_steps(told: Transcript) -> None:
    """Each step of each transcript is written as a line that reads the same."""
    for step in told.steps:
        assert read(transcript.line_of(step.action)) == step.action


@given(st.binary() | st.text().map(str.encode), st.booleans())
def test_payloads(payload: bytes, is_text: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    """Any payload is written on one line, and read as itself."""
    for action in (ClientSends(payload, is_text), GeminiSends(payload)):
        assert read(transcript.line_of(action)) == action


@pytest.mark.parametrize("payload", [b"", b"bytes 00", b"text 00", b"\xff", "\u2028".encode()])
def test_awkward_payloads(payload: bytes) -> None:
    """A payload that looks like another line, or is none, is written in hexadecimal."""
    for action in (ClientSends(payload, is_text=True), GeminiSends(payload)):
        assert read(transcript.line_of(action)) == action


@pytest.mark.parametrize("text", ["h\xe9", "\x85", "\u2028"])
def test_awkward_frames(text: str) -> None:
    """A frame with a character that ends a line is written on one line, and read as itself."""
    action = transcript.ClientGets({"data": text})
    assert read(transcript.line_of(action)) == action


def test_binary_frames() -> None:
    """A binary frame to the client is written in hexadecimal, and is never taken for text."""
    action = transcript.ClientGets(b"\x00\xff")
    assert transcript.line_of(action) == "client< bytes 00ff"
    assert read("client< bytes 00ff") == action
    assert not transcript.fits(action.expected, "\x00\xff")


def test_text() -> None:
    """The first comment is the title, empty lines mean nothing, and options are options."""
    told = transcript.parse(
        "test", '# Title\n\n# more\noptions: {"grace_s": 0, "limits": {"setup_s": 1}}\n\nwait 1'
    )
    assert (told.title, told.options.grace_s, told.options.limits.setup_s) == ("Title", 0, 1)
    assert [(step.line, step.action) for step in told.steps] == [(6, transcript.TimePasses(1.0))]


def test_no_step() -> None:
    """A line that is no step is refused, with its place."""
    with pytest.raises(ValueError, match="test, line 3: client sings"):
        transcript.parse("test", "client opens\n\nclient sings")


@pytest.mark.parametrize(
    ("expected", "got", "fits"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": 1}, {"b": 2}, False),
        ({"a": {"b": []}}, {"a": {"b": [1]}}, False),
        ([{"a": 1}], [{"a": 1, "b": 2}], True),
        ([], [1], False),
        (1, 1.0, False),
        (True, 1, False),
        ("a", "a", True),
        (None, None, True),
    ],
)
def test_fits(expected: object, got: object, fits: bool) -> None:  # noqa: FBT001 - a table
    """An object fits if each expected key does, a list if each item does, all else if equal."""
    assert transcript.fits(expected, got) is fits
