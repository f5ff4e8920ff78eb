"""The bugs that are planted to judge the tests by."""

import pytest

from mutate_code import MODULES
from mutate_tables import EQUIVALENT, mutants
from planted_bugs import BUGS, ROOT, Bug


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_place(bug: Bug) -> None:
    """What a bug breaks is in the code, once: else a change has left it without its place."""
    code = ROOT / "protocol" / "livegate" / "protocol" / bug.file
    assert code.read_text().count(bug.old) == 1


def test_mutants() -> None:
    """Each row of the tables can be broken, and those that change nothing by it are rows."""
    names = {mutant.name for mutant in mutants()}
    assert names >= EQUIVALENT
    assert len(names) > 900


@pytest.mark.parametrize("module", MODULES)
def test_module(module: str) -> None:
    """What is mutated is there."""
    assert (
        ROOT / "protocol" / "livegate" / "protocol" / f"{module.replace('.', '/')}.py"
    ).exists()
