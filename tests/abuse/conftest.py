"""Gateways to attack, and the table of what was measured."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from typing import Final

import pytest

import running
from attacked import IS_FULL, Attacked, Book, Row, attacked
from terminal import LIVEGATE, program

_BOOK: Final = pytest.StashKey[Book]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin the table."""
    config.stash[_BOOK] = Book()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all that is in this folder."""
    for item in items:
        if item.path.parent.name == "abuse":
            item.add_marker("abuse")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Show the table, where somebody wants it."""
    if "LIVEGATE_ABUSE" in os.environ:
        terminalreporter.section("what was promised, and measured")
        for line in config.stash[_BOOK].table():
            terminalreporter.write_line(line)


@pytest.fixture(params=running.RUNTIMES, scope="session")
def runtime(request: pytest.FixtureRequest) -> str:
    """Each runtime."""
    return str(request.param)


@pytest.fixture(scope="session")
def note(request: pytest.FixtureRequest) -> Callable[[Row], None]:
    """Take what is measured; show it at once, where that takes long."""
    rows = request.config.stash[_BOOK].rows
    terminal = request.config.pluginmanager.get_plugin("terminalreporter")

    def take(row: Row) -> None:
        rows.append(row)
        if IS_FULL and terminal is not None:
            terminal.write_line(f"\n  {row}")

    return take


@pytest.fixture(scope="session")
def shared(runtime: str, note: Callable[[Row], None]) -> Generator[Attacked, None, None]:
    """A gateway that many tests attack, one after the other.

    Its Gemini is in a process of its own, for what that has to do delays nobody.
    """
    with (
        program(*LIVEGATE, "emulator", "--port", "0") as gemini,
        attacked(runtime, note, gemini_url=gemini.expect(r"--gemini-url (ws://\S+)")[1]) as found,
    ):
        found.converse()  # whatever is made once is made now
        yield found


@pytest.fixture
def gateway(shared: Attacked) -> Generator[Attacked, None, None]:
    """The same, which must be unharmed after each of them."""
    try:
        yield shared
    finally:
        shared.drop_clients()
    shared.expect_unharmed()
