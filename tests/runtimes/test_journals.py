"""Journals: the same conversation without a loop, on trio and on asyncio; and on disk."""

import logging
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Final

import attrs
import pytest

import livegate.asyncio
import livegate.trio
from livegate.protocol import commands, journal
from livegate.protocol.admission import Rules
from livegate.protocol.commands import Command, Event
from livegate.protocol.journal import Entry, Header, Line
from livegate.protocol.replay import Replay
from livegate.protocol.states import TRANSITIONS, Trigger
from livegate.protocol.tokens import Allowance
from livegate.shell.journals import Journals
from livegate.shell.target import target
from shell_player import Runtime
from talk import MOVES, Talk
from virtual import ON

KEY: Final = "AIzaCanaryCanaryCanary4711"
NOWHERE: Final = target("ws://192.0.2.1", KEY)
GATEWAYS: Final = {"asyncio": livegate.asyncio.Gateway, "trio": livegate.trio.Gateway}
TALKS: Final = 200
AT_ONCE: Final = 25
HURRIED: Final = Rules(overall=Allowance(session_age_s=20, messages_per_minute=12))


def talked(runtime: str, seed: int, folder: Path) -> Talk:
    """Play a random conversation, recorded."""
    found: list[Talk] = []
    journals = Journals(folder=folder, key=NOWHERE.key, keeps_media=bool(seed % 2))

    async def play(lent: Runtime) -> None:
        talk = Talk(seed, lent)
        found.append(talk)
        gateway = GATEWAYS[runtime](
            NOWHERE,
            talk.options,
            rules=HURRIED if seed % 10 == 0 else None,
            dial=talk.dial,
            journals=journals,
            identify=talk.identity,
        )
        await talk.play(gateway)

    ON[runtime](play)
    return found[0]


def lines_in(folder: Path) -> list[Line]:
    """Return the lines of the only journal in a folder."""
    (path,) = folder.iterdir()
    return [journal.decode(line) for line in path.read_bytes().splitlines(keepends=True)]


def given_in(lines: list[Line]) -> list[Command]:
    """Return all commands of a journal, in order; spans in logs are rounded by each clock."""
    given = [one for line in lines if isinstance(line, Entry) for one in line.commands]
    return [_timeless(one) if isinstance(one, commands.Log) else one for one in given]


def _timeless(log: commands.Log) -> commands.Log:
    fields = {name: value for name, value in log.fields.items() if name not in ("s", "ms")}
    return attrs.evolve(log, fields=fields)


@pytest.fixture(autouse=True)
def quiet() -> Generator[None, None, None]:
    """Log nothing: what goes wrong in these conversations is meant to."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.long
@pytest.mark.parametrize("first", range(0, TALKS, AT_ONCE))
def test_three_ways(tmp_path: Path, first: int) -> None:
    """Random conversations give the same commands on asyncio, on trio and without a loop."""
    for seed in range(first, first + AT_ONCE):
        given: dict[str, list[Command]] = {}
        for runtime in ON:
            folder = tmp_path / f"{runtime}-{seed}"
            folder.mkdir()
            talked(runtime, seed, folder)
            header, *entries = lines_in(folder)
            assert isinstance(header, Header)
            replay = Replay(header)
            for number, entry in enumerate(entries, 2):
                assert isinstance(entry, Entry)
                assert replay.step(entry).difference is None, f"{folder}, line {number}"
            given[runtime] = given_in(entries)
        assert given["asyncio"] == given["trio"], f"seed {seed}"


@pytest.mark.long
def test_conversations_are_rich(tmp_path: Path) -> None:
    """The random conversations have every move, and every change of phase that there is."""
    moves = Counter[str]()
    reasons = set[tuple[str, str]]()
    for seed in range(TALKS):
        folder = tmp_path / f"{seed}"
        folder.mkdir()
        moves += talked("asyncio", seed, folder).moves
        for one in given_in(lines_in(folder)):
            if isinstance(one, commands.Log) and one.event is Event.PHASE_CHANGED:
                reasons.add((str(one.fields["trigger"]), str(one.fields["phase"])))
    assert set(moves) == {move.do.__name__ for move in MOVES}
    assert reasons == {
        (trigger.name.lower(), phase.name.lower())
        for before, row in TRANSITIONS.items()
        for trigger, phase in row.items()
        if phase is not before and trigger is not Trigger.CLIENT_MOVED  # that takes two sessions
    }
