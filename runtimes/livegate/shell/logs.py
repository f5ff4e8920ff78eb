"""Log lines: `commands.Log` as the standard library's, one event and its fields a line."""

import json
import logging
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias, get_args

import attrs

from livegate.protocol import commands
from livegate.protocol.commands import Level, Scalar
from livegate.protocol.secret import Secret, redacted

LOGGER: Final = logging.getLogger("livegate")

LEVELS: Final = {
    Level.DEBUG: logging.DEBUG,
    Level.INFO: logging.INFO,
    Level.WARNING: logging.WARNING,
}
Form: TypeAlias = Literal["text", "json"]
"""What a line looks like."""
FORMS: Final[tuple[str, ...]] = get_args(Form)


@attrs.frozen
class Line:
    """What is logged: as text it reads `event key=value ...`."""

    event: str
    fields: Mapping[str, Scalar] = attrs.field(factory=dict[str, Scalar])
    exception: str = ""
    """A traceback, without secrets."""

    def __str__(self) -> str:
        told = f"{self.event} {fields(self.fields)}" if self.fields else self.event
        return f"{told}\n{self.exception}" if self.exception else told


def write(command: commands.Log) -> None:
    """Write one line, unless its level is not wanted."""
    level = LEVELS[command.level]
    if LOGGER.isEnabledFor(level):
        LOGGER.log(level, Line(command.event, command.fields))


def write_fault(event: str, secrets: Sequence[Secret]) -> None:
    """Write the exception at hand, a fault of ours, without the secrets that it may hold."""
    LOGGER.error(Line(event, exception=redacted(traceback.format_exc(), secrets)))


def fields(values: Mapping[str, Scalar]) -> str:
    """Return `key=value` pairs; what a peer could have chosen is quoted and escaped."""
    return " ".join(
        f"{key}={ascii(str(value)) if isinstance(value, str) else value}"
        for key, value in values.items()
    )


class Text(logging.Formatter):
    """Lines for people, without a secret, whatever library wrote them."""

    def __init__(self, secrets: Sequence[Secret]) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s")
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as text."""
        return redacted(super().format(record), self._secrets)


class Json(logging.Formatter):
    """Lines for machines, each a JSON object, without a secret, whatever library wrote them."""

    def __init__(self, secrets: Sequence[Secret]) -> None:
        super().__init__()
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as JSON on one line."""
        line = record.msg if isinstance(record.msg, Line) else self._others(record)
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told: dict[str, Scalar] = {
            "time": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": line.event,
            **line.fields,
            **({"exception": line.exception} if line.exception else {}),
        }
        # Before they are encoded, or a strange key could take JSON's own marks away.
        return json.dumps(
            {
                name: redacted(value, self._secrets) if isinstance(value, str) else value
                for name, value in told.items()
            }
        )

    def _others(self, record: logging.LogRecord) -> Line:
        """Return what another library has logged."""
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        return Line("log", {"logger": record.name, "message": record.getMessage()}, trace)


_FORMATTERS: Final[Mapping[str, type[Text | Json]]] = {"text": Text, "json": Json}


def set_up(level: str, secrets: Sequence[Secret], form: Form = "text") -> None:
    """Write the log of livegate, and the warnings of all else, to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(_FORMATTERS[form](secrets))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    LOGGER.setLevel(level.upper())
