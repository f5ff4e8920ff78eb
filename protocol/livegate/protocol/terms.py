"""The config that a session runs on: asked for, in force, and accepted by Gemini."""

from collections.abc import Mapping

from livegate.protocol import config
from livegate.protocol.config import Config, Delta, Plan
from livegate.protocol.options import SessionOptions
from livegate.protocol.settings import KEYS


class Terms:
    """The config of the link that is, or is being opened.

    Args:
        options: Has what the operator wants where the client leaves it open.
    """

    def __init__(self, options: SessionOptions) -> None:
        self._options = options
        self._default = options.config
        self._config = self._accepted = Config()
        self._unanswered: list[Delta] = []
        self.size = 0
        """Bytes of the config frames that have no answer yet."""
        self.plan = self._accepted_plan = self._resolve(self._config)

    @property
    def is_changed(self) -> bool:
        """Whether Gemini has not accepted a setup like this yet."""
        return self.plan.setup != self._accepted_plan.setup

    @property
    def config(self) -> Mapping[str, object]:
        """The client's own settings in force: the table's name -> value as it goes upstream."""
        return self._config.values

    def want_all(self) -> None:
        """Give the client frames of all types, unless it says otherwise."""
        default = Config({"events": ["all"], **self._default.values})
        self._default = default
        self.plan = self._accepted_plan = self._resolve(self._config)

    def restore(self, values: Mapping[str, object]) -> None:
        """Put settings in force that were accepted elsewhere, maybe by another version."""
        known = {name: value for name, value in values.items() if name in KEYS}
        self._config = self._accepted = Config(known)
        self.plan = self._accepted_plan = self._resolve(self._config)

    def with_(self, delta: Delta) -> Plan:
        """Return what the config would come to with `delta` on top."""
        return self._resolve(self._config.merge(delta))

    def absorb(self, delta: Delta, size: int) -> None:
        """Put a config in force; the client has its answer to come."""
        self._config = self._config.merge(delta)
        self.size += size
        self._unanswered.append(delta)
        self.plan = self._resolve(self._config)

    def accept(self) -> list[Delta]:
        """Take note that Gemini accepted; return the configs to answer, in order."""
        self._accepted, self._accepted_plan = self._config, self.plan
        return self._answered()

    def roll_back(self) -> list[Delta]:
        """Return to what Gemini accepted last; return the configs that this undoes."""
        self._config, self.plan = self._accepted, self._accepted_plan
        return self._answered()

    def _answered(self) -> list[Delta]:
        deltas, self._unanswered = self._unanswered, []
        self.size = 0
        return deltas

    def _resolve(self, asked: Config) -> Plan:
        return config.resolve(
            asked.over(self._default),
            default_model=self._options.default_model,
            maps_retired=self._options.maps_retired,
        )
