"""Changes the core's code piece by piece, and asks whether the core's own tests notice.

    nox -s mutation
    nox -s mutation -- session turns        only the mutants of these modules

mutmut makes and judges the mutants, in a copy of the code under `build/mutation`. A run that was
interrupted goes on where it was, unless the code or a test has changed meanwhile. What functions
do is mutated; the tables beside them are broken by `mutate_tables.py`. What reads media is left
out: recordings judge it, and FFmpeg, which the core's own tests do not have.

A mutant that no test notices must be listed in `tests/data/surviving_mutants.txt`, under the
reason why it may live. The run fails if one is not, if a listed one does not survive, and if
more than one in twenty of all mutants does.
"""

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs

ROOT: Final = Path(__file__).parent.parent.parent
COPY: Final = ROOT / "build" / "mutation"
LISTED: Final = ROOT / "tests" / "data" / "surviving_mutants.txt"
MODULES: Final = (
    *("states", "session", "leg", "conversation", "history", "client", "missed"),
    *("turns", "line", "memory", "terms", "flow", "timers", "speech"),
    *("uplink", "outbox", "frames", "gemini", "config", "settings", "audio", "replies"),
    *("verdicts", "_json", "errors", "tally", "pages", "playback", "link"),
    *("intake", "decoding", "hearing", "media.kinds", "breaker"),
)
MUTATED: Final = tuple(
    f"src/livegate/protocol/{module.replace('.', '/')}.py" for module in MODULES
)
LEAST_PERCENT: Final = 95
_JOBS: Final = "2"
_PACKAGE: Final = "livegate.protocol"
_OTHERS: Final = ("connection", "emulator", "long_streams", "purity", "testing", "wire")
"""Tests of what is around the core, or of its memory, by the beginnings of their names."""
_CONFIG: Final = """
[tool.mutmut]
source_paths = ["src"]
only_mutate = {files}
pytest_add_cli_args = ["-p", "no:cacheprovider", "-p", "mutmut_plugin", "--assert=plain"]
pytest_add_cli_args_test_selection = {tests}
use_git_change_detection = false
process_isolation = "{isolation}"
timeout_multiplier = 3.0
forkserver_warmup = "import"
preload_modules_file = "preloaded.txt"
"""
_PRELOADED: Final = "attrs\nhypothesis.stateful\nhypothesis.strategies\nmsgspec\npytest\n"
_RESULT: Final = re.compile(rf"^ +({_PACKAGE}\.[\w.]+\.x[_ǁ]\S+): (.+)$", re.MULTILINE)
_ALIVE: Final = frozenset({"survived", "no tests", "not checked", "suspicious"})
"""What mutmut says of a mutant for which no test failed; a crash or a timeout is a failure."""


@attrs.frozen(order=True)
class Mutant:
    """One change, known by what it does: its name stays when the code around it moves."""

    function: str
    change: tuple[str, ...]

    @property
    def module(self) -> str:
        """The module that it is in."""
        return next(module for module in MODULES if self.function.startswith(f"{module}."))

    def __str__(self) -> str:
        return "\n".join((self.function, *self.change))


def prepare() -> None:
    """Copy code and tests to where mutmut works, unless it has begun there with the same."""
    files = [
        path
        for folder in ("protocol", "tests/protocol", "tests/support", "tests/transcripts")
        for path in sorted((ROOT / folder).rglob("*.*"))
        if path.suffix != ".pyc"
    ]
    files += [
        path
        for path in sorted((ROOT / "tests" / "data").rglob("*"))
        if path.is_file() and path != LISTED
    ]
    files += [ROOT / "tests" / "conftest.py", ROOT / "pyproject.toml"]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    if (COPY / digest).exists():
        return
    shutil.rmtree(COPY, ignore_errors=True)
    for path in files:
        name = path.relative_to(ROOT)
        if name.parts[0] == "protocol":  # mutmut wants it so
            name = "src" / name.relative_to("protocol")
        copied = COPY / name
        copied.parent.mkdir(parents=True, exist_ok=True)
        if str(name) in MUTATED:
            copied.write_text(without_decorators(path.read_text()))
        else:
            shutil.copy(path, copied)
    (COPY / "preloaded.txt").write_text(_PRELOADED)
    (COPY / digest).touch()


def without_decorators(source: str) -> str:
    """Return code that makes its properties by a call: mutmut skips decorated functions."""
    lines = source.splitlines()
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    for node in sorted(functions, key=lambda node: -node.lineno):
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Name) and decorator.id == "property":
                made = f"{' ' * node.col_offset}{node.name} = property({node.name})"
                lines.insert(node.end_lineno or node.lineno, made)
                del lines[decorator.lineno - 1]
    return "\n".join([*lines, ""])


def mutmut(*arguments: str) -> str:
    """Return what mutmut answers.

    Raises:
        RuntimeError: It failed, with the last that it said.
    """
    done = subprocess.run(  # noqa: S603 - our own environment's
        [Path(sys.executable).parent / "mutmut", *arguments],
        cwd=COPY,
        env={
            **os.environ,
            "LIVEGATE_HYPOTHESIS_PROFILE": "mutants",
            "PYTHONPATH": str(COPY / "tests" / "support"),  # where the plugin is
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        last = done.stdout[-2000:]
        raise RuntimeError(f"mutmut {arguments[0]} ended with {done.returncode}: ...{last}")
    return done.stdout


def _module_of(name: str) -> str:
    """Return the module of the mutant that mutmut calls by this name."""
    return re.split(r"\.x[_ǁ]", name.removeprefix(f"{_PACKAGE}."))[0]


def judge(modules: Sequence[str], names: list[str], *, isolation: str) -> dict[str, str]:
    """Have these mutants judged, or all that are not yet; return mutmut's name -> result.

    Args:
        modules: Whose results to return; none means all.
        names: Of mutants, with wild cards.
        isolation: With `fork` each is turned on in a process that has imported all: fast, but it
            comes too late for what was made during the imports. With `forkserver` it does not.
    """
    tests = ["tests/protocol", *(f"--ignore-glob=*/test_{name}*" for name in _OTHERS)]
    config = _CONFIG.format(files=list(MUTATED), tests=tests, isolation=isolation)
    (COPY / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text() + config)
    mutmut("run", "--max-children", _JOBS, *names)
    return {
        name: said
        for name, said in _RESULT.findall(mutmut("results", "--all", "true"))
        if _module_of(name) in (modules or MODULES)
    }


def shown(name: str) -> Mutant:
    """Return the mutant that mutmut calls by this name."""
    change = tuple(
        f"{line[0]} {line[1:].strip()}"
        for line in mutmut("show", name).splitlines()
        if line.startswith(("+", "-")) and not line.startswith(("+++", "---"))
    )
    mangled = name.removeprefix(f"{_PACKAGE}.").partition("__mutmut")[0]
    return Mutant(re.sub(r"\.(x_|xǁ)", ".", mangled).replace("ǁ", "."), change)


def listed() -> dict[Mutant, str]:
    """Return the mutants that may live, and why."""
    found: dict[Mutant, str] = {}
    reason = ""
    for block in LISTED.read_text().strip().split("\n\n"):
        head, *change = block.splitlines()
        if head.startswith("#"):
            reason = block.removeprefix("# ")
        else:
            found[Mutant(head, tuple(change))] = reason
    return found


def main(*modules: str) -> int:
    """Judge all mutants, or those of some modules; return the exit code."""
    began = time.monotonic()
    prepare()
    found = judge(modules, [f"{_PACKAGE}.{module}.*" for module in modules], isolation="fork")
    if again := [name for name, said in found.items() if said in _ALIVE]:
        found = judge(modules, again, isolation="forkserver")
    judged: defaultdict[str, Counter[bool]] = defaultdict(Counter)
    for name, said in found.items():
        judged[_module_of(name)][said in _ALIVE] += 1
    alive = {shown(name) for name, said in found.items() if said in _ALIVE}
    known = {mutant for mutant in listed() if mutant.module in judged}
    for mutant in sorted(alive - known):
        print(f"survived, but is not listed: {mutant}\n")
    for mutant in sorted(known - alive):
        print(f"is listed, but did not survive: {mutant}\n")
    judged["all"] = sum(judged.values(), Counter[bool]())
    print(f"{'':14} mutants  killed  survived")
    for module, count in judged.items():
        percent = 100 * count[False] / count.total()
        print(f"{module:14}{count.total():8}{count[False]:8}{count[True]:10}{percent:8.1f} %")
    print(f"{time.monotonic() - began:.0f} s")
    # Of all together: one equivalent change is 3 % of the smallest module.
    is_enough = 100 * judged["all"][False] >= LEAST_PERCENT * judged["all"].total()
    return int(alive != known or not is_enough)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
