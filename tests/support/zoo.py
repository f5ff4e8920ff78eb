"""Which planted bugs `GatewayMachine` finds from outside, and how soon.

    python tests/support/zoo.py
    python tests/support/zoo.py twice         only the bugs whose name has this in it

Prints a table: the bug, the seconds it took, and what the machine said. Fails if a bug that can
be seen from outside lives longer than a minute.
"""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from livegate.protocol import Limits, SessionOptions
from livegate.testing import CoreSystem, campaign
from planted_bugs import BUGS, Bug, planted

_JOBS: Final = 2
_PATIENCE_S: Final = 60.0
_MISSED_BYTES: Final = 1500
"""A few frames."""


def forgetful() -> CoreSystem:
    """Return the core, which keeps so little for clients that come back that some is gone."""
    return CoreSystem(SessionOptions(limits=Limits(missed_bytes=_MISSED_BYTES)))


def judge(bug: Bug) -> tuple[float, str]:
    """Return how many seconds a bug lived, and what the machine said of it, if anything."""
    with planted(bug) as copy:
        began = time.monotonic()
        try:
            done = subprocess.run(  # noqa: S603 - our own interpreter
                [sys.executable, __file__, "--hunt"],
                env={**os.environ, "PYTHONPATH": str(copy)},
                capture_output=True,
                text=True,
                check=False,
                timeout=2 * _PATIENCE_S,
            )
        except subprocess.TimeoutExpired:
            return time.monotonic() - began, ""
        return time.monotonic() - began, done.stdout.strip() or done.stderr[-200:]


def main(wanted: str = "") -> int:
    """Judge all bugs; return the exit code."""
    if wanted == "--hunt":
        found = campaign(forgetful, _PATIENCE_S, shrinks=False)
        print(found.words if found else "")
        return 0
    bugs = [bug for bug in BUGS if wanted in bug.name]
    seen = [bug for bug in bugs if not bug.unseen]
    survived = 0
    with ThreadPoolExecutor(_JOBS) as pool:
        for bug, (lived_s, said) in zip(seen, pool.map(judge, seen), strict=True):
            print(f"{bug.name:48} {lived_s:5.1f} s  {said[:90] or 'SURVIVED'}", flush=True)
            survived += not said
    for bug in bugs:
        if bug.unseen:
            print(f"{bug.name:48} not looked for: {bug.unseen}")
    print(f"{len(seen)} bugs planted, {survived} survived a minute of GatewayMachine")
    return int(survived > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
