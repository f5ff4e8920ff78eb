"""What every test folder shares: how hard hypothesis tries."""

import os

from hypothesis import Phase, settings

settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=300, deadline=None, derandomize=True)
settings.register_profile("fuzz", max_examples=20_000, deadline=None)
settings.register_profile(
    "mutants",
    max_examples=25,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),  # nobody reads the example, so none is shrunk
)
settings.load_profile(
    os.environ.get("LIVEGATE_HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev")
)
