# pyright: reportPrivateUsage=false
"""A plugin of pytest that makes mutmut's verdicts true, where the two misunderstand each other.

mutmut asks only those tests about a mutant that have run its function, by their names.

- A function that makes others when its module is imported has run before the first test, so
  that only this one would be asked. It counts as run by every test.
- pytest escapes a name anew when it collects the tests once more in the same process, and then
  does not find it.
- mutmut takes a test that was not found for one that failed. Here the mutant survives, so that it
  does not go unnoticed; but where a file of tests could not be imported, the mutant has broken it.
"""

import os
import sys

import pytest


def _ran() -> set[str]:
    """Return the functions that mutmut has seen running since the test before."""
    ran: set[str] = sys.modules["mutmut.state"].state()._stats
    return ran


class Plugin:
    """What is done in each run."""

    def __init__(self) -> None:
        self._imported: set[str] = set()
        self._is_broken = False
        """A file of tests could not be imported."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Forget the names that were made when the tests were collected before."""
        for mark in metafunc.definition.iter_markers("parametrize"):
            if mark._param_ids_from is not None:
                object.__setattr__(mark._param_ids_from, "_param_ids_generated", None)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Take note of what cannot be collected."""
        self._is_broken |= report.failed

    def pytest_collection_finish(self) -> None:
        """Take note of what ran during the imports."""
        self._imported = set(_ran())

    def pytest_runtest_setup(self) -> None:
        """Count it as run by this test."""
        _ran().update(self._imported)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Let no mutant die of a test that was not found."""
        is_mutant = "__mutmut_" in os.environ.get("MUTANT_UNDER_TEST", "")
        is_lost = session.exitstatus == pytest.ExitCode.USAGE_ERROR and not self._is_broken
        if is_mutant and is_lost:
            os._exit(pytest.ExitCode.OK)  # of this process, which is the mutant's own


def pytest_configure(config: pytest.Config) -> None:
    """Take part."""
    config.pluginmanager.register(Plugin())
