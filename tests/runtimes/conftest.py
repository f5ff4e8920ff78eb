"""What tests of the runtimes share: the SDK in memory, and programs from npm."""

import os
import shutil
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path
from typing import NoReturn

import pytest

import terminal
from sdk import Sdk


@pytest.fixture(scope="module")
def sdk() -> Generator[Sdk, None, None]:
    """The SDK, on links in memory."""
    with Sdk.in_memory() as found:
        yield found


@pytest.fixture(scope="session")
def npm(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return what installs a package for this run; the folder that it returns is its prefix."""
    program = shutil.which("npm")
    prefix = tmp_path_factory.mktemp("npm")

    def install(package: str) -> Path:
        if program is None:
            _give_up(f"there is no npm to install {package} with")
        try:
            done = terminal.run(program, "install", "-g", package, "--prefix", str(prefix))
        except subprocess.TimeoutExpired as late:
            _give_up(str(late))
        if done.returncode:
            _give_up(f"npm could not install {package}: {done.stdout[-200:]}")
        return prefix

    return install


def _give_up(why: str) -> NoReturn:
    """Skip for want of npm or of its registry, but never where everything must run."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)
