"""Write the tables of `api.md` from the code: `python docs/make.py`, `--check` to compare only.

A table stands between `<!-- made by docs/make.py: NAME -->` and `<!-- end -->`.
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

from livegate.protocol import errors
from livegate.protocol.errors import CLOSES, FATAL, RETRYABLE, ErrorCode
from livegate.protocol.settings import GENERATION_KEYS, KEYS, Setting

PAGE: Final = Path(__file__).with_name("api.md")
_PLACE: Final = re.compile(
    r"(<!-- made by docs/make\.py: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL
)
_EXPECTATION: Final = re.compile(r"must be (.*), got ")


def errors_table() -> str:
    """Return every error code: what it means, and what comes of it."""
    meanings = _meanings()
    rows: list[tuple[str, ...]] = []
    for code in ErrorCode:
        after = "the same frame may succeed later" if code in RETRYABLE else ""
        if code in FATAL:
            after = f"the session ends with close {FATAL[code]}"
        rows.append((f"`{code}`", meanings[code], after))
    return _table(("code", "meaning", "and then"), rows)


def _meanings() -> Mapping[ErrorCode, str]:
    """Return what the literal under each code says, or else its close, or its name."""
    (body,) = ast.parse(inspect.getsource(errors.ErrorCode)).body
    assert isinstance(body, ast.ClassDef)  # noqa: S101 - it is the source of a class
    said: dict[ErrorCode, str] = {}
    for code in ErrorCode:
        said[code] = CLOSES[FATAL[code]].meaning if code in FATAL else code.replace("_", " ")
    for before, node in itertools.pairwise(body.body):
        match before, node:
            case (
                ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                said[ErrorCode[name]] = text.removesuffix(".")
            case _:
                pass
    return said


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


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


TABLES: Final[Mapping[str, Callable[[], str]]] = MappingProxyType(
    {"errors": errors_table, "closes": closes_table, "config": config_table}
)


def made(text: str) -> str:
    """Return the page with its tables as the code says."""
    return _PLACE.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], text)


def main() -> str | None:
    """Write the page, or say whether it is as it would be written."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "--check", action="store_true", help="change nothing; fail if it differs"
    )
    is_check = arguments.parse_args().check
    text = PAGE.read_text("utf-8")
    new = made(text)
    if new == text:
        return None
    if is_check:
        return f"{PAGE.name} differs from the code: run python docs/make.py"
    PAGE.write_text(new, "utf-8")
    return None


if __name__ == "__main__":
    sys.exit(main())
