"""Log lines: `commands.Log` as the standard library's, one event and its fields a line."""

import logging
from collections.abc import Mapping
from typing import Final

from livegate.protocol import commands
from livegate.protocol.commands import Level

LOGGER: Final = logging.getLogger("livegate")

LEVELS: Final = {
    Level.DEBUG: logging.DEBUG,
    Level.INFO: logging.INFO,
    Level.WARNING: logging.WARNING,
}


def write(command: commands.Log) -> None:
    """Write one line, unless its level is not wanted."""
    level = LEVELS[command.level]
    if LOGGER.isEnabledFor(level):
        LOGGER.log(level, "%s %s", command.event, fields(command.fields))


def fields(values: Mapping[str, commands.Scalar]) -> str:
    """Return `key=value` pairs; what a peer could have chosen is quoted and escaped."""
    return " ".join(
        f"{key}={ascii(value) if isinstance(value, str) else value}"
        for key, value in values.items()
    )


class Redacting(logging.Filter):
    """Removes a secret from whatever any library logs."""

    def __init__(self, secret: str) -> None:
        super().__init__()
        self._secret = secret

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through, cleaned."""
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        if self._secret in text:
            record.msg, record.args = text.replace(self._secret, "[key]"), None
            record.exc_info = record.exc_text = None
        return True


def set_up(level: str, secret: str) -> None:
    """Write the log of livegate, and the warnings of all else, to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    if secret:
        handler.addFilter(Redacting(secret))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    LOGGER.setLevel(level.upper())
