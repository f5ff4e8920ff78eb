"""How the tests themselves run programs."""

import signal
import sys

import terminal

ASK = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"


def test_programs_hear_ctrl_c() -> None:
    """A program hears Ctrl+C even if the tests, in the background of a script, ignore it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with terminal.program(sys.executable, "-c", ASK) as program:
            program.expect("True")
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
