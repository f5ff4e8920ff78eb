"""Journals: what is written is read again, and a replay tells equal from different."""

import json
import math
from typing import Final, cast

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis import given

from fuzz import walk
from livegate.protocol import Limits, SessionOptions, commands, inputs, journal, transcript
from livegate.protocol.commands import Command, Event, Level
from livegate.protocol.errors import FATAL, ErrorCode, Refusal
from livegate.protocol.inputs import Fault, Input, Side
from livegate.protocol.journal import Entry, Header, JournalError, Line, Stopped
from livegate.protocol.media.kinds import Kind
from livegate.protocol.redaction import Redaction
from livegate.protocol.replay import Difference, Replay, done, told
from livegate.protocol.states import Phase, Turn
from recorder import recorded, replayed

HEADER: Final = Header(
    version="0.1.0",
    session="s",
    seed=2**64 - 1,
    options=SessionOptions(session_id="s", grace_s=math.inf, limits=Limits(retry_s=0.1 + 0.2)),
    media=False,
    runtime="trio",
    began="2026-01-01T00:00:00+00:00",
)
_payloads: Final = st.one_of(
    st.binary(max_size=50),
    st.text(max_size=50).map(str.encode),
    st.lists(st.sampled_from([b"A" * 63, b"A" * 64, b"A" * 500, b"B", b"\xc3\xa9"])).map(b"".join),
)
_links: Final = st.integers(1, 9)
_text: Final = st.text(max_size=20)
_scalars: Final = _text | st.integers(-9, 9) | st.booleans() | st.floats(allow_nan=False, width=16)
_refusals: Final = st.builds(
    Refusal, st.sampled_from(sorted(FATAL)), _text, st.none() | st.floats(0, 9, width=16)
)
_settings: Final = st.dictionaries(
    _text, _scalars | st.none() | st.lists(_text, max_size=2), max_size=3
)
_inputs: Final[st.SearchStrategy[Input]] = st.one_of(
    st.builds(inputs.ClientOpened, _links, _text, _text, st.booleans()),
    st.builds(inputs.ClientReturned, _links, st.integers(0, 2**53 - 1), _text),
    st.just(inputs.ClientMoved()),
    st.builds(inputs.TokenOpened, _text, st.none() | _text, _settings),
    st.just(inputs.TokenRefused()),
    st.builds(inputs.Sealed, _text),
    st.builds(inputs.ClientFrame, _links, _payloads, st.booleans()),
    st.builds(inputs.ClientGone, _links, st.integers(1000, 4999), _text),
    st.builds(inputs.UpstreamOpened, _links),
    st.builds(inputs.UpstreamFrame, _links, _payloads),
    st.builds(inputs.UpstreamGone, _links, st.integers(1000, 4999), _text),
    st.builds(inputs.DialFailed, _links, st.sampled_from(Fault)),
    st.builds(inputs.Sent, st.sampled_from(Side), _links, st.integers(0, 10**9)),
    st.just(inputs.DeadlineReached()),
    st.builds(inputs.ClientDismissed, _refusals),
    st.just(inputs.ShutdownRequested()),
)
_commands: Final[st.SearchStrategy[Command]] = st.one_of(
    st.builds(commands.SendClient, _links, _payloads, st.booleans(), st.integers(0, 9)),
    st.builds(commands.DropSound, _links, st.integers(0, 9)),
    st.builds(commands.CloseClient, _links, st.integers(1000, 4999), _text),
    st.builds(commands.OpenUpstream, _links),
    st.builds(commands.SendUpstream, _links, _payloads),
    st.builds(commands.CloseUpstream, _links, st.integers(1000, 4999)),
    st.builds(commands.Resume, _text, st.integers(0, 2**53 - 1)),
    st.builds(commands.Seal, _text, st.none() | _text, _settings),
    st.builds(
        commands.Log,
        st.sampled_from(Level),
        st.sampled_from(Event),
        st.dictionaries(_text, _scalars.filter(lambda one: one not in (math.inf, -math.inf))),
    ),
)
_nows: Final = st.floats(allow_nan=False, allow_infinity=False)
_lines: Final[st.SearchStrategy[Line]] = st.one_of(
    st.just(HEADER),
    st.builds(Stopped, _text),
    st.builds(Entry, _nows, st.none(), st.just(()), st.just("")),
    st.builds(Entry, _nows, _inputs, st.lists(_commands, max_size=3).map(tuple), _text),
)


@given(_lines)
def test_lines(line: Line) -> None:
    """Whatever is written is read as itself, to the last bit of its time."""
    written = journal.encode(line)
    assert written.endswith(b"\n")
    assert written.count(b"\n") == 1
    assert journal.decode(written) == line


def test_the_last_line() -> None:
    """A journal that is stopped says why, in its last line."""
    assert json.loads(journal.encode(Stopped("full"))) == {"stopped": "full"}


def test_form() -> None:
    """Text stands as it is, what is none as base64, and zeros as their number."""
    frame = inputs.ClientFrame(1, b'{"type":"audio","data":"' + b"A" * 640 + b'"}', is_text=True)
    sent = commands.SendUpstream(2, b"\xff")
    line = journal.encode(Entry(1.5, frame, (sent,)))
    assert json.loads(line) == {
        "now": 1.5,
        "input": {
            "type": "ClientFrame",
            "link": 1,
            "payload": ['{"type":"audio","data":"', 640, '"}'],
            "is_text": True,
        },
        "commands": [{"type": "SendUpstream", "link": 2, "payload": {"base64": "/w=="}}],
    }


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"", "truncated"),
        (b"\xff\n", "malformed"),
        (b"[]", "no JSON object"),
        (b"{}", "missing required field `now`"),
        (b'{"journal":2,"livegate":"9.9"}', "reads journals of form 1, not 2: use livegate 9.9"),
        (b'{"journal":1}', "missing required field `livegate`"),
        (b'{"stopped":1}', "Expected `str`, got `int`"),
        (b'{"now":"1","input":{},"commands":[]}', "Expected `float`, got `str`"),
        (b'{"now":1,"input":{},"commands":[]}', "its type must be one of ClientOpened, "),
        (b'{"now":1,"input":{"type":"Dance"},"commands":[]}', "got 'Dance'"),
        (b'{"now":1,"input":{"type":"Sent"},"commands":[]}', "missing required field `side`"),
        (
            b'{"now":1,"input":{"type":"DialFailed","link":1,"fault":"fire"},"commands":[]}',
            "Invalid enum value 'fire'",
        ),
        (
            b'{"now":1,"input":{"type":"UpstreamFrame","link":1,"payload":5e9},"commands":[]}',
            "its payload cannot hold 5000000000.0",
        ),
        (
            b'{"now":1,"input":{"type":"UpstreamFrame","link":1,"payload":[true]},"commands":[]}',
            "its payload cannot hold True",
        ),
        (
            b'{"now":1,"input":{"type":"Sent","payload":{"base64":"@"}},"commands":[]}',
            "base64",
        ),
    ],
)
def test_what_is_no_line(line: bytes, said: str) -> None:
    """A line that is none is refused, with what is wrong with it."""
    with pytest.raises(JournalError) as refused:
        journal.decode(line)
    assert said in str(refused.value)


def test_a_wrong_seed() -> None:
    """A header whose seed is no number is refused; with another seed a replay differs."""
    header = json.loads(journal.encode(HEADER))
    with pytest.raises(JournalError, match="Expected `int`, got `str`"):
        journal.decode(json.dumps({**header, "seed": "7"}).encode())
    options = SessionOptions(limits=Limits(retry_s=1.0))
    told: list[tuple[Input, float]] = [
        (inputs.ClientOpened(1), 0.0),
        (inputs.ClientFrame(1, b'{"type":"text","text":"Hi"}', is_text=True), 0.1),
        (inputs.DialFailed(1, Fault.NETWORK), 0.2),
        (inputs.ClientFrame(1, b'{"type":"text","text":"Hi"}', is_text=True), 0.3),
    ]
    seeded = Replay(attrs.evolve(HEADER, options=options, seed=1))
    entries = [Entry(0.0, None, ())]
    seeded.step(entries[0])
    for event, now in [*told, (inputs.DeadlineReached(), 0.9)]:
        entries.append(Entry(now, event, seeded.step(Entry(now, event, ())).given))
    assert {bool(_first(options, seed, entries)) for seed in range(9)} == {True, False}


def _first(options: SessionOptions, seed: int, entries: list[Entry]) -> Difference | None:
    """Return the first difference of a replay with a seed."""
    lines: list[Line] = [attrs.evolve(HEADER, options=options, seed=seed), *entries]
    return replayed(map(journal.encode, lines))


@pytest.mark.parametrize("seed", range(60))
def test_walks(seed: int) -> None:
    """A random session is the same when it is replayed, with its media and without."""
    world = walk(seed)
    for keeps_media in (False, True):
        redaction = Redaction(keeps_media=keeps_media)
        assert replayed(recorded(world.options, seed, 100.0, world.history, redaction)) is None


def _replay(*entries: Entry) -> list[Difference | None]:
    """Replay entries after a start; return each one's difference."""
    replay = Replay(attrs.evolve(HEADER, options=SessionOptions(has_key=False)))
    return [replay.step(entry).difference for entry in (Entry(1.0, None, ()), *entries)]


def test_differences() -> None:
    """The first command that is another, one too few and one too many are told."""
    opened = inputs.ClientOpened(1)
    replay = Replay(attrs.evolve(HEADER, options=SessionOptions(has_key=False)))
    replay.step(Entry(1.0, None, ()))
    step = replay.step(Entry(1.0, opened, ()))
    given = step.given
    assert (step.phase, step.turn) == (Phase.CLOSED, Turn.IDLE)
    assert _replay(Entry(1.0, opened, given)) == [None, None]
    assert _replay(Entry(1.0, opened, ())) == [None, Difference(None, given[0])]
    assert _replay(Entry(1.0, opened, given[:-1])) == [None, Difference(None, given[-1])]
    more = commands.OpenUpstream(1)
    assert _replay(Entry(1.0, opened, (*given, more))) == [None, Difference(more, None)]
    assert _replay(Entry(1.0, opened, (more, *given[1:]))) == [None, Difference(more, given[0])]


def test_errors_are_replayed() -> None:
    """What a session raised is part of the record, without what it may quote of a payload."""
    error = "LocalProtocolError: LINK_OPENED cannot happen in phase RETRYING"
    replay = Replay(HEADER)
    early = Entry(1.0, inputs.DeadlineReached(), (), "")
    text = "LocalProtocolError: handle() called before start()"
    assert replay.step(early).difference == Difference(None, text)
    assert replay.step(attrs.evolve(early, error=text)).difference is None
    assert replay.step(attrs.evolve(early, error=error)).difference == Difference(error, text)
    assert journal.raised(KeyError("payload")) == "KeyError: ..."


def test_text_of() -> None:
    """A command can be shown as its line has it."""
    assert journal.text_of(commands.OpenUpstream(3)) == '{"type":"OpenUpstream","link":3}'


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (None, None),
        (inputs.ClientOpened(1), "client opens"),
        (inputs.ClientOpened(1, is_v1=True), "client opens v1"),
        (inputs.ClientReturned(2, 7), "client returns 7"),
        (inputs.ClientMoved(), None),
        (inputs.TokenOpened("m", "h", {}), None),
        (inputs.TokenRefused(), None),
        (inputs.Sealed("token"), None),
        (inputs.ClientFrame(1, b"Hi", is_text=True), "client> Hi"),
        (inputs.ClientGone(1, 1001), "client leaves 1001"),
        (inputs.UpstreamOpened(1), "gemini opens"),
        (inputs.UpstreamFrame(1, b"{}"), "gemini> {}"),
        (inputs.UpstreamGone(1, 1011, "why"), "gemini closes 1011 why"),
        (inputs.DialFailed(1, Fault.NAME), "gemini unreachable name"),
        (
            inputs.ClientDismissed(Refusal(ErrorCode.OVERLOADED, "too many", 5.0)),
            "client dismissed overloaded 5.0 too many",
        ),
        (inputs.ShutdownRequested(), "shutdown"),
        (inputs.Sent(Side.CLIENT, 1, 1), None),
        (inputs.DeadlineReached(), None),
        (inputs.Decoded(1, b"\1\0"), None),
        (inputs.DecodeFailed(1, ErrorCode.AUDIO_BROKEN, "why"), None),
    ],
)
def test_told(event: Input | None, line: str | None) -> None:
    """An input is told in the words of a transcript."""
    action = told(event)
    assert (action and transcript.line_of(action)) == line


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (commands.SendClient(1, b'{"a":1}'), 'client< {"a": 1}'),
        (commands.SendClient(1, b"abc", is_text=False), 'client< "3 bytes"'),
        (commands.SendUpstream(1, b'{"a":1}'), 'gemini< {"a": 1}'),
        (commands.CloseClient(1, 4200), "client closed 4200"),
        (commands.OpenUpstream(1), "gemini dialled"),
        (commands.CloseUpstream(1), "gemini closed"),
        (commands.DropSound(1, 1), None),
        (commands.Decode(1, Kind.WAV, b"data"), None),
        (commands.StopDecoding(1), None),
        (commands.Resume("token", 7), None),
        (commands.Seal("m", "h", {}), None),
        (commands.Log(Level.INFO, Event.TURN_COMPLETED, {}), None),
    ],
)
def test_done(command: Command, line: str | None) -> None:
    """A command is told in the words of a transcript."""
    action = done(command)
    assert (action and transcript.line_of(action)) == line


def test_forgotten_cases() -> None:
    """A kind of value that nobody handles fails loudly instead of vanishing."""
    nothing = object()
    with pytest.raises(AssertionError, match="unreachable"):
        journal.encode(cast("Line", nothing))
    with pytest.raises(AssertionError, match="unreachable"):
        told(cast("Input", nothing))
    with pytest.raises(AssertionError, match="unreachable"):
        done(cast("Command", nothing))
