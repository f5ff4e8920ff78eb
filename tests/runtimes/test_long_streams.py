"""Recordings that do not end, in processes of their own: they take no more memory than short ones.

`support/long_stream.py` can be told to listen for hours.
"""

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]  # busy machines take their time

PROGRAM: Final = Path(__file__).parent.parent / "support" / "long_stream.py"
HOURS: Final = 2 / 3
"""What grows by steps that double has grown by two of them since the tenth minute."""
MOST_KB: Final = {"WebM, Opus": 128, "WebM, float PCM": 128, "WAV": 128, "MP4, Opus": 2560}
"""How much each may grow. FFmpeg keeps an index of all that it has read of an MP4: 1 KiB for a
second of a browser's, which is gone with the recording."""


def test_memory() -> None:
    """From the tenth minute on, a recording takes no more memory, or what is known."""
    with contextlib.ExitStack() as stack:
        running: dict[str, subprocess.Popen[str]] = {}
        for form in MOST_KB:
            command = [sys.executable, str(PROGRAM), form, str(HOURS)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ours
            running[form] = stack.enter_context(process)
            stack.callback(process.kill)
        for form, process in running.items():
            said, _ = process.communicate()
            assert process.returncode == 0, form
            rows = [tuple(map(int, line.split())) for line in said.splitlines()]
            assert rows[-1][0] >= HOURS * 3600
            grown = rows[-1][1] - rows[0][1]
            assert grown <= MOST_KB[form], f"{form}: {grown} KiB more at {rows}"
