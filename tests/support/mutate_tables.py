# pyright: reportPrivateUsage=false
"""Breaks each row of the core's tables, and asks whether the tests notice.

    python tests/support/mutate_tables.py
    python tests/support/mutate_tables.py TURNS        only the mutants whose name has this in it

A row is deleted, or leads elsewhere. The transcripts judge first, then the tables and the
properties; a mutant that all of them let live makes the run fail. Left out, with the reason: the
levels of log lines (a matter of taste), the words of close codes and errors (for people), the
list of voices (Gemini's data, any of which works as the next).
"""

import contextlib
import copy
import gc
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Final, cast

import attrs
import pytest

import transcripts
from livegate.protocol import (
    audio,
    commands,
    config,
    errors,
    frames,
    profiles,
    replies,
    settings,
    states,
    verdicts,
)
from livegate.protocol.testing.play import play
from livegate.protocol.testing.systems import CoreSystem

TESTS: Final = Path(__file__).parent.parent / "protocol"
SUBSET: Final = tuple(
    str(TESTS / f"test_{name}.py")
    for name in (
        "verdicts",
        "uplink",
        "config",
        "config_properties",
        "frames",
        "audio",
        "properties",
        "machine",
        "admission",
    )
)
_TRANSCRIPTS: Final = transcripts.load()
# No answer is waited for in these states, so none is given up; the rows make the table whole.
EQUIVALENT: Final = frozenset(
    f"TURNS[{turn.name}][GIVEN_UP] = {other.name}"
    for turn in (states.Turn.IDLE, states.Turn.MODEL)
    for other in states.Turn
    if other is not turn
)
Table = MutableMapping[object, object]
_JOBS: Final = 2
_LONGEST_S: Final = 120


@attrs.frozen
class Mutant:
    """One row, broken."""

    name: str
    apply: Callable[[], None]


def _inner(proxy: object) -> Table:
    """Return the dict behind a read-only table."""
    return cast("Table", gc.get_referents(proxy)[0])


def _rows(name: str, table: Table, others: Sequence[object] = ()) -> Iterator[Mutant]:
    """Yield mutants of a table: each row deleted, and led to each other value."""
    for key, value in list(table.items()):
        said = f"{name}[{_shown(key)}]"
        yield Mutant(f"{said} deleted", partial(table.__delitem__, key))
        for other in others:
            if other != value:
                yield Mutant(f"{said} = {_shown(other)}", _change(table, key, other))


def _change(table: Table, key: object, value: object) -> Callable[[], None]:
    return partial(table.__setitem__, key, value)


def _members(name: str, modules: tuple[ModuleType, ...]) -> Iterator[Mutant]:
    """Yield mutants of a set or tuple: each member left out."""
    whole = cast("frozenset[object]", getattr(modules[0], name))
    for member in whole:
        rest = type(whole)(one for one in whole if one != member)
        yield Mutant(f"{name} without {_shown(member)}", _assignment(modules, name, rest))


def _assignment(modules: tuple[ModuleType, ...], name: str, value: object) -> Callable[[], None]:
    def assign() -> None:
        for module in modules:
            setattr(module, name, value)

    return assign


def _shown(value: object) -> str:
    return str(getattr(value, "name", value))[:60]


def _verdicts() -> Iterator[Mutant]:
    tables = _inner(verdicts.TABLES)
    others = (
        *(verdicts._KEY, verdicts._QUOTA, verdicts._HANDLE, verdicts._MODEL),
        *(verdicts._SETUP, verdicts._UNAVAILABLE, verdicts._LOST),
    )
    for stage, table in list(verdicts.TABLES.items()):
        for at, row in enumerate(table):
            said = f"verdicts.TABLES[{stage.name}][{at}: {row.reason!r}]"
            without = (*table[:at], *table[at + 1 :])
            yield Mutant(f"{said} deleted", _change(tables, stage, without))
            for other in others:
                if other != row.verdict:
                    changed = (*table[:at], attrs.evolve(row, verdict=other), *table[at + 1 :])
                    means = f"{said} = {other.happened}"
                    yield Mutant(means, _change(tables, stage, changed))


def _profiles() -> Iterator[Mutant]:
    table = _inner(profiles.PROFILES)
    yield from _rows("PROFILES", table)
    changes: dict[str, list[object]] = {
        "modalities": [("AUDIO",), ("AUDIO", "TEXT")],
        "text_path": list(profiles.TextPath),
        "thinking": list(profiles.Thinking),
        "hears_stream_end": [True, False],
    }
    for key, value in list(table.items()):
        profile = cast("profiles.Profile", value)
        for field, values in changes.items():
            for one in values:
                if one != getattr(profile, field):
                    changed = copy.copy(profile)
                    object.__setattr__(changed, field, one)
                    name = f"PROFILES[{key}].{field} = {_shown(one)}"
                    yield Mutant(name, _change(table, key, changed))


def _audiences() -> Iterator[Mutant]:
    table = _inner(replies.TYPES)
    yield from _rows("TYPES", table)
    for key, kind in replies.TYPES.items():
        for other in replies.Audience:
            if other is not kind.audience:
                name = f"TYPES[{key}] for {other.name}"
                yield Mutant(name, _change(table, key, attrs.evolve(kind, audience=other)))


def _anything(value: object) -> object:
    return value


def _keys() -> Iterator[Mutant]:
    for name in ("KEYS", "GENERATION_KEYS"):
        table = _inner(getattr(settings, name))
        yield from _rows(name, table)
        for key, value in list(table.items()):
            row = cast("settings.Setting", value)
            changed = {
                "checks nothing": attrs.evolve(row, check=_anything),
                **{
                    f"without alias {alias}": attrs.evolve(
                        row, aliases=tuple(one for one in row.aliases if one != alias)
                    )
                    for alias in row.aliases
                },
            }
            if name == "KEYS" and row.path:  # only there the path is looked up
                changed["elsewhere"] = attrs.evolve(row, path=(*row.path[:-1], "elsewhere"))
                changed["nowhere"] = attrs.evolve(row, path=())
            for what, new in changed.items():
                yield Mutant(f"{name}[{key}] {what}", _change(table, key, new))


def mutants() -> Iterator[Mutant]:
    """Yield every mutant."""
    for phase, row in states.TRANSITIONS.items():
        table = cast("Table", row)
        elsewhere = [phase, states.Phase.UNLINKED, states.Phase.REFUSED, states.Phase.CLOSED]
        yield from _rows(f"TRANSITIONS[{phase.name}]", table, elsewhere)
    for turn, moves in states.TURNS.items():
        table = cast("Table", moves)
        yield from _rows(f"TURNS[{turn.name}]", table, list(states.Turn))
    clocked = _inner(states.CLOCKED)
    yield from _rows("CLOCKED", clocked)
    for timer, phases in states.CLOCKED.items():
        for phase in phases:
            without = f"CLOCKED[{timer.name}] without {phase.name}"
            yield Mutant(without, _change(clocked, timer, phases - {phase}))
    yield from _verdicts()
    yield from _rows("FATAL", _inner(errors.FATAL), [1011])
    yield from _members("RETRYABLE", (errors, replies))
    for code in errors.ErrorCode:
        more = errors.RETRYABLE | {code}
        if more != errors.RETRYABLE:
            yield Mutant(
                f"RETRYABLE with {code}", _assignment((errors, replies), "RETRYABLE", more)
            )
    used = {1012, *errors.FATAL.values()}  # the others are closes that only shells make
    yield from (
        mutant
        for mutant in _rows("CLOSES", _inner(errors.CLOSES))
        if any(str(c) in mutant.name for c in used)
    )
    yield from _rows("LEVELS", _inner(commands.LEVELS))
    yield from _profiles()
    yield from _members("RETIRED", (profiles, config))
    yield from _keys()
    yield from _members("LABELS", (settings, config))
    yield from _rows("_READERS", _inner(frames._READERS))
    yield from _audiences()
    yield from _members("_SAID_PCM", (audio,))


def _is_noticed() -> bool:
    """Whether the transcripts or the tests fail; asked in a process of its own."""
    try:
        for told in _TRANSCRIPTS:
            play(told, CoreSystem(told.options))
    except Exception:  # noqa: BLE001 - a mutant may break anything
        return True
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123
        code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *SUBSET])
    return code != pytest.ExitCode.OK


def _judge(mutant: Mutant) -> int:
    """Begin to judge in a forked process; return its id."""
    child = os.fork()
    if child == 0:
        signal.alarm(_LONGEST_S)  # one that never ends is noticed, too
        try:
            mutant.apply()
            os._exit(1 if _is_noticed() else 0)
        except BaseException:  # noqa: BLE001 - nothing may return into the parent's code
            os._exit(2)
    return child


def main(wanted: str = "") -> int:
    """Judge all mutants; return the exit code."""
    began = time.monotonic()
    os.environ["LIVEGATE_HYPOTHESIS_PROFILE"] = "mutants"
    if _is_noticed():  # here, so that the forked processes find all imported
        print("the tests fail without any mutant")
        return 1
    every = [
        mutant for mutant in mutants() if wanted in mutant.name and mutant.name not in EQUIVALENT
    ]
    survived: list[str] = []
    running: dict[int, Mutant] = {}
    for mutant in [*every, None]:
        while running and (mutant is None or len(running) >= _JOBS):
            child, status = os.wait()
            if status == 0:
                survived.append(running[child].name)
            del running[child]
        if mutant is not None:
            running[_judge(mutant)] = mutant
    print(*(f"survived: {name}" for name in survived), sep="\n")
    seconds = time.monotonic() - began
    print(f"{len(every)} mutants, {len(survived)} survived, {seconds:.0f} s")
    return int(bool(survived))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
