"""Journals on disk: one file per session, a line per input, for `livegate replay`."""

import contextlib
import errno
import io
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import attrs

from livegate.protocol import Session, SessionOptions, __version__, inputs, journal
from livegate.protocol.commands import Command, Event, Log
from livegate.protocol.journal import Entry, Header, Stopped
from livegate.protocol.redaction import Redaction
from livegate.protocol.secret import Secret, redacted
from livegate.shell.identity import Identity
from livegate.shell.logs import LOGGER, Line

DEFAULT_MAX_MB: Final = 64
"""Half an hour of talk without a pause, in pieces of 20 ms, their sound left out."""
_MB: Final = 1_000_000


@attrs.frozen(kw_only=True)
class Journals:
    """Where and how sessions are recorded."""

    folder: Path
    key: Secret
    """Cut out of whatever is written."""
    others: tuple[Secret, ...] = ()
    """Likewise."""
    keeps_media: bool = False
    max_mb: float = DEFAULT_MAX_MB
    """Where a journal ends, however long its session."""

    def prepare(self) -> None:
        """Make the folder, and try to write there.

        Raises:
            OSError: It cannot be made, or not be written to; the text names it.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            trial = self.folder / f".livegate-{secrets.token_hex(4)}"
            os.close(_create(trial))
            trial.unlink()
        except OSError as error:
            cause = error.strerror or str(error)
            raise OSError(
                error.errno, f"cannot write journals to {self.folder}: {cause}; try --journal DIR"
            ) from None

    def session(self, options: SessionOptions, identity: Identity, runtime: str) -> Session:
        """Return a session that is recorded."""
        began = datetime.now(UTC)
        name = f"{began:%Y%m%dT%H%M%S}Z-{options.session_id}.jsonl"
        header = Header(
            version=__version__,
            session=options.session_id,
            seed=identity.seed,
            options=options,
            media=self.keeps_media,
            runtime=runtime,
            began=began.isoformat(timespec="milliseconds"),
        )
        return RecordedSession(header, Journal(self.folder / name, self, identity.salt))


class Journal:
    """One file. Whatever goes wrong with it is logged once and ends it; the session goes on."""

    def __init__(self, path: Path, journals: Journals, salt: bytes) -> None:
        self._path = path
        self._secrets = (journals.key, *journals.others)
        self._redaction = Redaction(
            keeps_media=journals.keeps_media,
            api_key=journals.key.value,
            salt=salt,
        )
        full = f"a journal may hold {journals.max_mb:g} MB, see --journal-max-mb"
        self._last = journal.encode(Stopped(full))
        self._left = int(journals.max_mb * _MB) - len(self._last)
        self._file: io.FileIO | None = None
        try:
            self._file = io.FileIO(_create(path), "w")
        except OSError as error:
            self._fail(error)

    def write(self, line: Header | Entry) -> None:
        """Write one line at once, unless the journal has ended."""
        if self._file is None:
            return
        try:
            encoded = self._encoded(line)
            self._left -= len(encoded)
            self._append(self._file, encoded if self._left >= 0 else self._last)
        except Exception as error:  # noqa: BLE001 - no journal is worth a session
            self._fail(error)
        if self._left < 0:
            self.close()

    def close(self) -> None:
        """End it."""
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):  # some disks tell only now that they are full
                file.close()

    def _encoded(self, line: Header | Entry) -> bytes:
        if isinstance(line, Entry):
            event = line.event and self._redaction.input(line.event)
            given = tuple(map(self._redaction.command, line.commands))
            line = Entry(line.now, event, given, line.error)
        return redacted(journal.encode(line).decode(), self._secrets).encode()

    def _append(self, file: io.FileIO, encoded: bytes) -> None:
        if file.write(encoded) != len(encoded):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _fail(self, error: Exception) -> None:
        cause = error.strerror if isinstance(error, OSError) else type(error).__name__
        LOGGER.warning(Line("journal.failed", {"path": str(self._path), "cause": str(cause)}))
        self.close()


class RecordedSession(Session):
    """A session that writes down all that it is told and answers."""

    def __init__(self, header: Header, file: Journal) -> None:
        super().__init__(header.options, seed=header.seed)
        self._file = file
        file.write(header)

    def start(self, now: float) -> list[Command]:
        """Begin the session."""
        given = super().start(now)
        self._file.write(Entry(now, None, tuple(given)))
        return given

    def handle(self, event: inputs.Input, now: float) -> list[Command]:
        """Take note of what happened and return what to do, in order."""
        try:
            given = super().handle(event, now)
        except Exception as fault:
            self._file.write(Entry(now, event, (), journal.raised(fault)))
            self._file.close()
            raise
        self._file.write(Entry(now, event, tuple(given)))
        if any(isinstance(one, Log) and one.event is Event.SESSION_CLOSED for one in given):
            self._file.close()
        return given


def _create(path: Path) -> int:
    """Create a file that only its owner may read, and return its descriptor."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
