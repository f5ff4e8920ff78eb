"""Runs the machine for as long as is wanted, for people and for fuzzers."""

import time
from collections.abc import Callable
from typing import Final

import attrs
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import get_state_machine_test, run_state_machine_as_test

from livegate.protocol.testing.machine import GatewayMachine
from livegate.protocol.testing.systems import SystemUnderTest
from livegate.protocol.transcript import ClientGets, ClientSends

_CHECKS: Final = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)
_SOME: Final = 5


def fuzz_one_input(
    machine: type[GatewayMachine] = GatewayMachine,
) -> Callable[[bytes], bytes | None]:
    """Return a function that lets bytes decide what a machine does, for a fuzzer.

    It raises what the machine finds; it returns the bytes that mattered, or None if they did not
    make a whole conversation (hypothesis, "Use with external fuzzers"). For atheris, once
    `livegate` was imported under its `instrument_imports`:

        atheris.Setup(sys.argv, fuzz_one_input())
        atheris.Fuzz()

    Args:
        machine: What to run; by default livegate's own core.
    """
    test = get_state_machine_test(
        machine, settings=settings(database=None, deadline=None, suppress_health_check=_CHECKS)
    )
    fuzz: Callable[[bytes], bytes | None] = test.hypothesis.fuzz_one_input  # type: ignore[attr-defined] # it is on the function that @given makes
    return fuzz


@attrs.define
class Tally:
    """What a campaign has done so far."""

    sessions: int = 0
    sent: int = 0
    """Frames of the client."""
    got: int = 0
    """Frames of the gateway."""


@attrs.frozen
class Finding:
    """A broken promise."""

    words: str
    transcript: str
    """The shortest conversation that shows it, as `transcript.parse` reads it."""


def campaign(
    new_system: Callable[[], SystemUnderTest],
    seconds: float,
    progress: Callable[[Tally], object] = lambda _: None,
    *,
    patience_s: float = GatewayMachine.patience_s,
    shrinks: bool = True,
) -> Finding | None:
    """Run the machine on fresh systems for so long; return the first finding.

    Args:
        new_system: Makes what is tested, once a session.
        seconds: How long to begin new sessions.
        progress: Is told now and then how far it is.
        patience_s: How long a server that runs may be silent while it owes an answer.
        shrinks: Whether a finding is made as short as can be, which may take minutes.

    Raises:
        OSError: The system cannot be reached.
    """
    tally = Tally()
    failures: list[str] = []

    class Machine(GatewayMachine):
        """The machine, counted."""

        def new_system(self) -> SystemUnderTest:
            return new_system()

        def teardown(self) -> None:
            try:
                super().teardown()
            finally:
                # Whoever was never reached has broken no promise.
                if self.failure and len(self.told) > 1:
                    failures.append(self.failure)
            tally.sessions += 1
            tally.sent += sum(isinstance(one, ClientSends) for one in self.told)
            tally.got += sum(isinstance(one, ClientGets) for one in self.told)

    Machine.patience_s = patience_s
    some = settings(
        max_examples=_SOME,
        stateful_step_count=50,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=_CHECKS,
        phases=[Phase.generate, Phase.shrink] if shrinks else [Phase.generate],
    )
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            run_state_machine_as_test(Machine, settings=some)
        except Exception as error:
            if isinstance(error, OSError) and not failures:
                raise
            # A server that runs need not fail twice alike, and one that has died fails otherwise:
            # hypothesis may say no more than that.
            told = min(failures, key=len, default=f"# {type(error).__name__}: {error}")
            return Finding(told.partition("\n")[0].removeprefix("# "), told)
        progress(tally)
    return None
