"""Write what the pages say of the code: `python docs/make.py`, `--check` to compare only.

In each page of this folder, what stands between `<!-- made by docs/make.py: NAME -->` and
`<!-- end -->` comes from the code's own tables and from the literal under each of their names.
"""

import argparse
import ast
import enum
import inspect
import itertools
import re
import sys
import textwrap
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

import attrs

from example_journal import journal_example
from livegate.protocol import frames, replies, verdicts
from livegate.protocol.commands import LEVELS, Event
from livegate.protocol.emulator import SCENARIOS, Faults, Options
from livegate.protocol.errors import CLOSES, FATAL, RETRYABLE, ErrorCode
from livegate.protocol.inputs import Fault
from livegate.protocol.limits import KIB, MIB, BreakerLimits, Limits, WireLimits
from livegate.protocol.options import SessionOptions
from livegate.protocol.settings import GENERATION_KEYS, KEYS, Setting
from livegate.protocol.states import (
    CLOCKED,
    TRANSITIONS,
    TURNS,
    Phase,
    Trigger,
    Turn,
    TurnTrigger,
)
from livegate.protocol.timers import Timer
from livegate.protocol.verdicts import Stage
from livegate.shell.metrics import ROWS, Row

FOLDER: Final = Path(__file__).parent
_PLACE: Final = re.compile(
    r"(<!-- made by docs/make\.py: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL
)
_EXPECTATION: Final = re.compile(r"must be (.*), got ")
_MANY: Final = 4
"""So many arrows with one name and one end would hide the others."""
_S = TypeVar("_S", bound=enum.Enum)
_T = TypeVar("_T", bound=enum.Enum)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---" for _ in head], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _said(of: type) -> Mapping[str, str]:
    """Return the literal under each name of a class, as one line without its full stop."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(of))).body
    assert isinstance(body, ast.ClassDef)  # noqa: S101 - it is the source of a class
    said: dict[str, str] = {}
    for before, node in itertools.pairwise(body.body):
        match before, node:
            case (
                ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                said[name] = " ".join(text.split()).removesuffix(".")
            case _:
                pass
    return said


def _names(members: Iterable[enum.Enum]) -> str:
    return ", ".join(f"`{member.name}`" for member in members)


def _meanings(of: type[enum.Enum]) -> str:
    """Return every member of an enum, and what it means."""
    said = _said(of)
    head = (inspect.getdoc(of) or "").removesuffix(".")
    return _table(("", head), [(f"`{one.name}`", said[one.name]) for one in of])


# The client protocol


def client_frames() -> str:
    """Return every kind of client frame: what it is called, and what it means."""
    heads = [(inspect.getdoc(kind) or "").split("\n")[0] for kind in typing.get_args(frames.Frame)]
    return _table(("frame", "meaning"), [head.removesuffix(".").split(": ", 1) for head in heads])


def server_frames() -> str:
    """Return every type of server frame: what it means, and who gets it."""
    rows = [
        (f"`{name}`", kind.meaning, kind.audience.value) for name, kind in replies.TYPES.items()
    ]
    return _table(("type", "meaning", "sent to"), rows)


def errors() -> str:
    """Return every error code: what it means, and what comes of it."""
    said = _said(ErrorCode)
    rows: list[tuple[str, ...]] = []
    for code in ErrorCode:
        after = "the same frame may succeed later" if code in RETRYABLE else ""
        if code in FATAL:
            after = f"the session ends with close {FATAL[code]}"
        rows.append((f"`{code}`", said[code.name], after))
    return _table(("code", "meaning", "and then"), rows)


def closes() -> str:
    """Return every close code: what it means, and what a client does then."""
    rows = [(f"{code}", close.meaning, close.advice.value) for code, close in CLOSES.items()]
    return _table(("close", "meaning", "the client should"), rows)


def config() -> str:
    """Return every setting; neighbours that may be the same are one row."""
    rows: list[tuple[str, ...]] = []
    for (what, inside), group in itertools.groupby(
        KEYS, lambda name: (_expected(KEYS[name]), name in GENERATION_KEYS)
    ):
        names: list[str] = []
        for name in group:
            aliases = [f"`{alias}`" for alias in KEYS[name].aliases]
            names.append(f"`{name}`" + (f" (or {', '.join(aliases)})" if aliases else ""))
        rows.append((", ".join(names), what, "yes" if inside else ""))
    return _table(("key", "what it may be", "in `generation_config` too"), rows)


def _expected(setting: Setting) -> str:
    """Return what a setting's check says of something that is nothing it knows."""
    try:
        setting.check(object())
    except ValueError as error:
        if found := _EXPECTATION.search(str(error)):
            return found[1]
        raise
    raise AssertionError("a check that takes anything")


def limits() -> str:
    """Return every limit of a session: its default, and why it is that."""
    defaults = {"grace_s": SessionOptions().grace_s, **attrs.asdict(Limits())}
    said = {**_said(SessionOptions), **_said(Limits)}
    rows = [(f"`{name}`", _amount(name, value), said[name]) for name, value in defaults.items()]
    return _table(("limit", "default", "what it bounds, and why so"), rows)


_OF_LINKS: Final = (
    "setup_s",
    "link_age_s",
    "gemini_session_s",
    "go_away_margin_s",
    "handover_s",
    "handle_s",
    "retry_s",
    "retry_max_s",
    "retrying_s",
    "notice_s",
    "resume_tries",
    "seed_bytes",
    "tail_s",
    "answer_s",
    "call_s",
)


def link_limits() -> str:
    """Return the limits of links to Gemini, and of Gemini's patience and ours."""
    said = _said(Limits)
    values: dict[str, float] = attrs.asdict(Limits())
    rows = [(f"`{name}`", _amount(name, values[name]), said[name]) for name in _OF_LINKS]
    return _table(("limit", "default", "meaning"), rows)


def wire_limits() -> str:
    """Return what bounds a connection of livegate's own listener."""
    return _limits_of(WireLimits())


def breaker_limits() -> str:
    """Return when Gemini is left alone, and for how long."""
    return _limits_of(BreakerLimits())


def _limits_of(one: WireLimits | BreakerLimits) -> str:
    said = _said(type(one))
    values: dict[str, float] = attrs.asdict(one)
    rows = [(f"`{name}`", _amount(name, value), said[name]) for name, value in values.items()]
    return _table(("limit", "value", "meaning"), rows)


def _amount(name: str, value: float) -> str:
    if name.endswith("_s"):
        return f"{value:g} s"
    for size, unit in ((MIB, "MiB"), (KIB, "KiB")):
        if value >= size:
            return f"{value / size:g} {unit}"
    return f"{value:g}"


def log_events() -> str:
    """Return every event that is logged: how loud, and with which fields."""
    said = _said(Event)
    rows = [(f"`{event}`", LEVELS[event].value, said[event.name]) for event in Event]
    return _table(("event", "level", "its fields"), rows)


# The states


def phases() -> str:
    """Return every phase, and what it means."""
    return _meanings(Phase)


def phase_diagram() -> str:
    """Return how phases follow one another."""
    return _diagram(TRANSITIONS)


def phase_triggers() -> str:
    """Return every trigger of a phase, and what the picture does not show."""
    return _triggers(Trigger, TRANSITIONS)


def turns() -> str:
    """Return every turn state, and what it means."""
    return _meanings(Turn)


def turn_diagram() -> str:
    """Return how turn states follow one another."""
    return _diagram(TURNS)


def turn_triggers() -> str:
    """Return every trigger of a turn, and what the picture does not show."""
    return _triggers(TurnTrigger, TURNS)


def _diagram(table: Mapping[_S, Mapping[_T, _S]]) -> str:
    """Return a table as a picture, without what changes nothing or comes from many."""
    first = next(iter(table))
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {first.name}"]
    for state, row in table.items():
        ways: dict[_S, list[str]] = {}
        for trigger, target in row.items():
            if target is not state and _common(table, trigger) is None:
                ways.setdefault(target, []).append(trigger.name)
        lines += [
            f"    {state.name} --> {target.name}: {'<br>'.join(names)}"
            for target, names in ways.items()
        ]
        if not row:
            lines.append(f"    {state.name} --> [*]")
    return "\n".join([*lines, "```", ""])


def _common(table: Mapping[_S, Mapping[_T, _S]], trigger: _T) -> _S | None:
    """Return where a trigger leads, if that is one state from many."""
    targets = [row[trigger] for row in table.values() if trigger in row]
    return targets[0] if len(targets) >= _MANY and len(set(targets)) == 1 else None


def _triggers(of: type[_T], table: Mapping[_S, Mapping[_T, _S]]) -> str:
    said = _said(of)
    rows: list[tuple[str, str, str]] = []
    for trigger in of:
        beside = ""
        if (target := _common(table, trigger)) is not None:
            beside = f"leads to `{target.name}` from {_names(state for state in table if trigger in table[state])}"
        elif stays := [state for state, row in table.items() if row.get(trigger) is state]:
            beside = f"stays in {_names(stays)}"
        rows.append((f"`{trigger.name}`", said[trigger.name], beside))
    return _table(("", (inspect.getdoc(of) or "").removesuffix("."), "not drawn"), rows)


def timers() -> str:
    """Return every timer: what it measures, and which phases it is stopped with."""
    said = _said(Timer)
    rows = [
        (f"`{timer.name}`", said[timer.name], _names(_in_order(CLOCKED.get(timer, ()))))
        for timer in Timer
    ]
    return _table(("timer", "its span, and what it means", "stops on leaving"), rows)


def _in_order(some: Iterable[Phase]) -> list[Phase]:
    return sorted(some, key=list(Phase).index)


def closes_of_gemini() -> str:
    """Return every verdict: what Gemini's close is taken for, and what the client hears."""
    stages: dict[verdicts.Row, list[Stage]] = {}
    for stage, table in verdicts.TABLES.items():
        for row in table:
            stages.setdefault(row, []).append(stage)
    last = {row: at for table in verdicts.TABLES.values() for at, row in enumerate(table)}
    rows: list[tuple[str, ...]] = []
    for (when, codes, verdict), group in itertools.groupby(
        sorted(stages, key=lambda row: (not row.reason, not row.codes, last[row])),
        lambda row: (_when(stages[row]), row.codes, row.verdict),
    ):
        reasons = [f"“{row.reason}”" for row in group if row.reason]
        targets = {row[verdict.trigger] for row in TRANSITIONS.values() if verdict.trigger in row}
        rows.append(
            (
                when,
                ", ".join(map(str, sorted(codes))) or "any",
                " or ".join(reasons) or "any",
                f"`{verdict.trigger.name}`, to {_names(_in_order(targets))}",
                _heard(verdict),
            )
        )
    return _table(("when", "code", "its reason has", "taken for", "the client hears"), rows)


def _when(stages: Sequence[Stage]) -> str:
    """Return which links a row of the verdicts is about."""
    if len(stages) == len(Stage):
        return "at any time"
    if Stage.LIVE in stages:
        return Stage.LIVE.value
    if len(stages) == len(Stage) - 1:
        return "before setupComplete"
    common = "before setupComplete, "
    return common + " or ".join(stage.value.removeprefix(common) for stage in stages)


def _heard(verdict: verdicts.Verdict) -> str:
    """Return what a client hears of a close, where the session cannot help itself."""
    said = f"`{verdict.code}`: {verdict.sentence(0, '').replace('(0)', '(...)')}"
    match verdict.trigger:
        case Trigger.LINK_FAILED:
            notice_s, retrying_s = Limits().notice_s, Limits().retrying_s
            return f"after {notice_s:g} s a notice; after {retrying_s:g} s {said}"
        case Trigger.LINK_LOST:
            return f"if an answer was owed, {said}; the running answer is lost: ask again"
        case Trigger.HANDLE_REFUSED:
            return "`context_lost`, once Gemini has started anew"
        case _:
            return said


def faults() -> str:
    """Return every reason why a link cannot be opened, in the client's words."""
    rows = [(f"`{fault.name.lower()}`", f"cannot reach Gemini: {fault.value}") for fault in Fault]
    return _table(("fault", "the client hears"), rows)


# Metrics


def metrics() -> str:
    """Return every metric: what it counts, and which labels it has."""
    rows = [(f"`livegate_{row.name}`", row.kind.value, row.meaning, _labels(row)) for row in ROWS]
    return _table(("metric", "type", "what it counts", "labels"), rows)


def _labels(row: Row) -> str:
    values = f": {', '.join(f'`{value}`' for value in row.values)}" if row.values else ""
    return ", ".join(f"`{label}`" for label in row.labels) + values


# The emulator


def scenarios() -> str:
    """Return every scenario, and what it does."""
    return _table(("scenario", ""), [(f"`/{name}`", what) for name, what in SCENARIOS.items()])


def emulator_options() -> str:
    """Return every option of the emulator, and what it means."""
    said = _said(Options)
    fields = [(one.name, one.default) for one in attrs.fields(Options)]
    rows = [(f"`{name}`", f"`{default!r}`", said[name]) for name, default in fields]
    return _table(("option", "default", "meaning"), rows)


def emulator_faults() -> str:
    """Return what may be told to the emulator's faults at any time."""
    told = (Faults.doom, Faults.linger, Faults.miss_texts, Faults.delay_pongs)
    rows: list[tuple[str, str]] = []
    for one in told:
        names = ", ".join([*inspect.signature(one).parameters][1:])
        said = " ".join((inspect.getdoc(one) or "").split())
        rows.append((f"`{one.__name__}({names})`", said.removesuffix(".")))
    return _table(("call", ""), rows)


MADE: Final[Mapping[str, Callable[[], str]]] = MappingProxyType(
    {
        make.__name__: make
        for make in (
            client_frames,
            server_frames,
            errors,
            closes,
            config,
            limits,
            link_limits,
            wire_limits,
            breaker_limits,
            log_events,
            phases,
            phase_diagram,
            phase_triggers,
            turns,
            turn_diagram,
            turn_triggers,
            timers,
            closes_of_gemini,
            faults,
            metrics,
            journal_example,
            scenarios,
            emulator_options,
            emulator_faults,
        )
    }
)


def made(text: str) -> str:
    """Return a page as the code says it should be."""
    return _PLACE.sub(lambda found: found[1] + MADE[found[2]]() + found[3], text)


def main() -> str | None:
    """Write the pages, or say which are not as they would be written."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "--check", action="store_true", help="change nothing; fail if a page differs"
    )
    is_check = arguments.parse_args().check
    stale: list[str] = []
    for page in sorted(FOLDER.glob("*.md")):
        text = page.read_text("utf-8")
        new = made(text)
        if new != text:
            stale.append(page.name)
            if not is_check:
                page.write_text(new, "utf-8")
    if is_check and stale:
        return f"{', '.join(stale)} differ from the code: run python docs/make.py"
    return None


if __name__ == "__main__":
    sys.exit(main())
