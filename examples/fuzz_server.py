"""Fuzz a server of this protocol that you wrote yourself, here livegate's own core.

Run it: python examples/fuzz_server.py, or with pytest. A failure prints the shortest conversation
that shows it. A `SystemUnderTest` has four methods; for a server that runs, there is `LiveSystem`.
"""

import hypothesis
from hypothesis.stateful import run_state_machine_as_test

from livegate.testing import CoreSystem, GatewayMachine, SystemUnderTest


class MyMachine(GatewayMachine):
    """Both peers of my server."""

    def new_system(self) -> SystemUnderTest:
        """Return a fresh server, to be thrown away after one session."""
        return CoreSystem()  # yours: what has feed, output, advance and close


TestMine = MyMachine.TestCase  # for pytest

if __name__ == "__main__":
    patient = hypothesis.settings(
        max_examples=50,
        deadline=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],  # a server may take its time
    )
    run_state_machine_as_test(MyMachine, settings=patient)
    print("nothing found")
