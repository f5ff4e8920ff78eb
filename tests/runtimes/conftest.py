"""What tests of the runtimes share: the SDK in memory, and programs from npm."""

from collections.abc import Generator

import pytest

from sdk import Sdk


@pytest.fixture(scope="module")
def sdk() -> Generator[Sdk, None, None]:
    """The SDK, on links in memory."""
    with Sdk.in_memory() as found:
        yield found
