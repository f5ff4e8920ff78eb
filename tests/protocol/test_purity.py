"""What the core may not touch, and how the tree is built."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent.parent
CORE: Final = sorted((ROOT / "protocol").rglob("*.py"))
BANNED: Final = frozenset(
    [
        "asyncio",
        "trio",
        "anyio",
        "socket",
        "ssl",
        "select",
        "selectors",
        "logging",
        "time",
        "datetime",
        "random",
        "secrets",
        "uuid",
        "os",
        "threading",
        "multiprocessing",
        "subprocess",
        "signal",
        "google",
        "pydantic",
        "websockets",
        "hypercorn",
        "io",
    ]
)
CONNECTION: Final = ROOT / "protocol/livegate/protocol/connection"
EXCEPTIONS: Final = {
    CONNECTION / "websocket.py": {"websockets", "logging"},  # it wants a logger to stay quiet
    CONNECTION / "doorstep.py": {"websockets"},
    CONNECTION / "upstream.py": {"websockets"},
}
"""Where websockets' Sans-IO layer is driven; what it imports itself is its own affair."""


def imported(path: Path) -> set[str]:
    """Return the top names of all that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found.add((node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_core_is_pure(path: Path) -> None:
    """No file of the core imports I/O, clocks, chance, logging or threads, or is asynchronous."""
    assert imported(path) & BANNED == EXCEPTIONS.get(path, set())
    for node in ast.walk(ast.parse(path.read_text())):
        assert not isinstance(
            node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith
        )
        assert not (isinstance(node, ast.Name) and node.id in ("open", "print", "input"))


def test_core_imports_no_runtime() -> None:
    """The core knows nothing of the folder that does I/O."""
    for path in CORE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("livegate"):
                assert (node.module or "").startswith("livegate.protocol"), path


def test_fresh_interpreter() -> None:
    """Importing the core loads no network, no event loop and no SDK."""
    code = (
        "import sys; before = set(sys.modules); import livegate.protocol; "
        "print(*sorted((sys.modules.keys() - before) & "
        "{'asyncio', 'trio', 'socket', 'ssl', 'google', 'pydantic', 'websockets', 'hypothesis'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)  # noqa: S603 - our own interpreter
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("root", ["protocol", "runtimes"])
def test_namespace(root: str) -> None:
    """Both roots share one namespace package, so neither has an __init__.py for it."""
    assert (ROOT / root / "livegate").is_dir()
    assert not (ROOT / root / "livegate" / "__init__.py").exists()


def test_small_files() -> None:
    """No Python file is longer than 500 lines."""
    folders = ("protocol", "runtimes", "tests", "examples")
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
    }
    assert not {path: length for path, length in lengths.items() if length > 500}


def test_phase_has_one_writer() -> None:
    """Only one line assigns a phase after the beginning, and one the state of a turn."""
    found = [
        (path.name, node.attr)
        for path in (ROOT / "protocol/livegate/protocol").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr in ("phase", "state")
        and isinstance(node.ctx, ast.Store)
    ]
    assert sorted(found) == [("leg.py", "phase")] * 2 + [("turns.py", "state")] * 2


def test_tests_of_the_core_use_no_runtime() -> None:
    """The core is tested without the folder that does I/O."""
    for path in sorted((ROOT / "tests/protocol").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("livegate"):
                assert (node.module or "").startswith("livegate.protocol"), path
