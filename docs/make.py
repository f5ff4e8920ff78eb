"""Write what the pages say of the code: `python docs/make.py`, `--check` to compare only.

In each page of this folder, what stands between `<!-- made by docs/make.py: NAME -->` and
`<!-- end -->` comes from the code's own tables and from the literal under each of their names.
"""

# ruff: noqa: INP001 - a script, no package

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

from livegate.protocol import frames, inputs, journal, replies, verdicts
from livegate.protocol.commands import LEVELS, Event
from livegate.protocol.errors import CLOSES, FATAL, RETRYABLE, ErrorCode
from livegate.protocol.inputs import Fault
from livegate.protocol.journal import Entry, Header
from livegate.protocol.limits import KIB, MIB, Limits
from livegate.protocol.options import SessionOptions
from livegate.protocol.redaction import Redaction
from livegate.protocol.session import Session
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
    rows: list[tuple[str, ...]] = []
    for (when, codes, verdict), group in itertools.groupby(
        dict.fromkeys((*verdicts.RESUMING, *verdicts.LIVE)),
        lambda row: (_when(row), row.codes, row.verdict),
    ):
        reasons = [f"“{row.reason}”" for row in group if row.reason]
        targets = {row[verdict.trigger] for row in TRANSITIONS.values() if verdict.trigger in row}
        heard = f"`{verdict.code}`: {verdict.happened} (...); {verdict.cure}"
        rows.append(
            (
                when,
                ", ".join(map(str, sorted(codes))) or "any",
                " or ".join(reasons) or "any",
                f"`{verdict.trigger.name}`, to {_names(_in_order(targets))}",
                heard if verdict.trigger is not Trigger.HANDLE_REFUSED else "no error",
            )
        )
    return _table(("when", "code", "its reason has", "taken for", "the client hears"), rows)


def _when(row: verdicts.Row) -> str:
    """Return when a close of Gemini's is looked up in a table that has this row."""
    if row not in verdicts.LIVE:
        before = "before `setupComplete`"
        return before if row in verdicts.SETTING_UP else f"{before}, resuming"
    return "at any time" if row in verdicts.SETTING_UP else "after `setupComplete`"


def faults() -> str:
    """Return every reason why a link cannot be opened, in the client's words."""
    rows = [(f"`{fault.name.lower()}`", f"cannot reach Gemini: {fault.value}") for fault in Fault]
    return _table(("fault", "the client hears"), rows)


# Journals


_HEARD: Final = (
    b'{"sessionResumptionUpdate":{"newHandle":"CihoYW5kbGU4","resumable":true}}',
    b'{"serverContent":{"modelTurn":{"parts":[{"inlineData":{"mimeType":"audio/pcm;rate=24000",'
    b'"data":"%b"}}]},"outputTranscription":{"text":"Hello!"}}}' % (b"VGhl" * 300),
    b'{"serverContent":{"turnComplete":true}}',
)


def journal_example() -> str:
    """Return the journal of a short session."""
    asked = b'{"type":"text","text":"Hello Gemini!"}'
    told: tuple[tuple[float, inputs.Input | None], ...] = (
        (5000.0, None),
        (5000.0, inputs.ClientOpened(1, "127.0.0.1")),
        (5000.125, inputs.ClientFrame(1, asked, is_text=True)),
        (5000.25, inputs.UpstreamOpened(1)),
        (5000.5, inputs.UpstreamFrame(1, b'{"setupComplete":{}}')),
        *((5001.0 + at / 4, inputs.UpstreamFrame(1, one)) for at, one in enumerate(_HEARD)),
        (5002.0, inputs.ClientGone(1, 1000)),
    )
    options, redaction = SessionOptions(session_id="9f3c01ab"), Redaction(salt=b"an example")
    session = Session(options, seed=4711)
    lines = [
        journal.encode(
            Header(
                version="0.1.0",
                session=options.session_id,
                seed=4711,
                options=options,
                media=False,
                runtime="asyncio",
                began="2026-01-31T12:00:00.000+00:00",
            )
        )
    ]
    for now, event in told:
        given = session.start(now) if event is None else session.handle(event, now)
        redacted = tuple(map(redaction.command, given))
        lines.append(journal.encode(Entry(now, event and redaction.input(event), redacted)))
    return f"```json\n{b''.join(lines).decode()}```\n"


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
            journal_example,
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
