"""What every test folder shares: how hard hypothesis tries, and what begins first."""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings

# Nothing that is tested is elsewhere, whatever proxy this machine has for that.
os.environ["no_proxy"] = os.environ["NO_PROXY"] = "localhost,127.0.0.1,::1"

settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=50, deadline=None, derandomize=True)
settings.register_profile("tables", phases=(Phase.explicit,))  # nothing is drawn at random
settings.register_profile("fuzz", max_examples=20_000, deadline=None)
settings.register_profile(
    "mutants",
    max_examples=25,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),  # nobody reads the example, so none is shrunk
    suppress_health_check=(HealthCheck.too_slow,),  # a busy machine kills no mutant
)
settings.load_profile(
    os.environ.get("LIVEGATE_HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev")
)


def pytest_xdist_auto_num_workers() -> int:
    """Use two workers a core: much of the suite waits, for sockets, programs or what is spoken."""
    return 2 * (os.cpu_count() or 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, so that no core waits for it at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
