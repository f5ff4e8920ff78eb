"""Write what pages take from the code: `python docs/make.py`, `--check` to compare only.

It stands between `<!-- made by docs/make.py: NAME -->` and `<!-- end -->`.
"""

# ruff: noqa: INP001 - a script, no package

import argparse
import ast
import inspect
import itertools
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from livegate.protocol import SessionOptions, errors, inputs, journal
from livegate.protocol.commands import LEVELS, Event
from livegate.protocol.errors import CLOSES, FATAL, RETRYABLE, ErrorCode
from livegate.protocol.journal import Entry, Header
from livegate.protocol.redaction import Redaction
from livegate.protocol.session import Session
from livegate.protocol.settings import GENERATION_KEYS, KEYS, Setting

PAGES: Final = tuple(Path(__file__).with_name(name) for name in ("api.md", "journal.md"))
_PLACE: Final = re.compile(
    r"(<!-- made by docs/make\.py: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL
)
_EXPECTATION: Final = re.compile(r"must be (.*), got ")


def errors_table() -> str:
    """Return every error code: what it means, and what comes of it."""
    said = _literals(errors.ErrorCode)
    rows: list[tuple[str, ...]] = []
    for code in ErrorCode:
        after = "the same frame may succeed later" if code in RETRYABLE else ""
        if code in FATAL:
            after = f"the session ends with close {FATAL[code]}"
        rows.append((f"`{code}`", _meaning(code, said), after))
    return _table(("code", "meaning", "and then"), rows)


def _literals(cls: type) -> Mapping[str, str]:
    """Return what the literal under each member of an enum says, on one line."""
    (body,) = ast.parse(inspect.getsource(cls)).body
    assert isinstance(body, ast.ClassDef)  # noqa: S101 - it is the source of a class
    said: dict[str, str] = {}
    for before, node in itertools.pairwise(body.body):
        match before, node:
            case (
                ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                said[name] = " ".join(text.split()).removesuffix(".")
            case _:
                pass
    return said


def _meaning(code: ErrorCode, said: Mapping[str, str]) -> str:
    """Return what the literal under a code says, or else its close, or its name."""
    if code.name in said:
        return said[code.name]
    return CLOSES[FATAL[code]].meaning if code in FATAL else code.replace("_", " ")


def closes_table() -> str:
    """Return every close code: what it means, and what a client does then."""
    rows = [(f"{code}", close.meaning, close.advice.value) for code, close in CLOSES.items()]
    return _table(("close", "meaning", "the client should"), rows)


def config_table() -> str:
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


def log_table() -> str:
    """Return every event of the log: how loud it is, and what it has."""
    said = _literals(Event)
    rows = [(f"`{event}`", LEVELS[event].value, said[event.name]) for event in Event]
    return _table(("event", "level", "fields"), rows)


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


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


TABLES: Final[Mapping[str, Callable[[], str]]] = MappingProxyType(
    {
        "errors": errors_table,
        "closes": closes_table,
        "config": config_table,
        "log": log_table,
        "journal": journal_example,
    }
)


def made(text: str) -> str:
    """Return a page with what it takes from the code."""
    return _PLACE.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], text)


def main() -> str | None:
    """Write the pages, or say whether they are as they would be written."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "--check", action="store_true", help="change nothing; fail if it differs"
    )
    is_check = arguments.parse_args().check
    for page in PAGES:
        text = page.read_text("utf-8")
        new = made(text)
        if new != text and is_check:
            return f"{page.name} differs from the code: run python docs/make.py"
        page.write_text(new, "utf-8")
    return None


if __name__ == "__main__":
    sys.exit(main())
