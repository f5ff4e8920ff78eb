"""What the operator decided for every session."""

import attrs

from livegate.protocol.config import Config
from livegate.protocol.limits import Limits
from livegate.protocol.profiles import DEFAULT_MODEL


@attrs.frozen(kw_only=True)
class SessionOptions:
    """The same for many sessions, but for the id."""

    session_id: str = ""
    """For the log."""
    has_key: bool = True
    """Whether the shell can dial Gemini at all."""
    default_model: str = DEFAULT_MODEL
    maps_retired: bool = True
    """Whether a retired model's name means the default model."""
    config: Config = attrs.field(factory=Config)
    """What holds wherever a client asks for nothing else."""
    grace_s: float = 0.3
    """How long a client may say nothing before Gemini is dialled with the defaults."""
    limits: Limits = attrs.field(factory=Limits)
