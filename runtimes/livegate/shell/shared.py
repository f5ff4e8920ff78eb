"""What the sessions of one gateway share."""

import attrs

from livegate.shell.metrics import Metrics
from livegate.shell.returns import Returns


@attrs.frozen
class Shared:
    """One of each, for one gateway."""

    metrics: Metrics
    """What is counted."""
    returns: Returns
    """Those that a client can come back to."""
