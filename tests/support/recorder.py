"""A journal in memory: what a shell would write of a session, without a disk."""

from collections.abc import Iterable, Sequence

from livegate.protocol import SessionOptions, __version__, inputs, journal
from livegate.protocol.commands import Command
from livegate.protocol.journal import Entry, Header
from livegate.protocol.redaction import Redaction
from livegate.protocol.replay import Difference, Replay

History = Iterable[tuple[inputs.Input, float, Sequence[Command]]]


def recorded(
    options: SessionOptions, seed: int, started: float, history: History, redaction: Redaction
) -> list[bytes]:
    """Return the lines of a session that was told and answered so."""
    header = Header(
        version=__version__,
        session=options.session_id,
        seed=seed,
        options=options,
        media=redaction.keeps_media,
        runtime="none",
        began="2026-01-01T00:00:00+00:00",
    )
    entries = [Entry(started, None, ())]
    for event, now, given in history:
        redacted = tuple(map(redaction.command, given))
        entries.append(Entry(now, redaction.input(event), redacted))
    return [journal.encode(header), *map(journal.encode, entries)]


def replayed(lines: Iterable[bytes]) -> Difference | None:
    """Replay lines; return the first difference, if there is any."""
    replay: Replay | None = None
    for raw in lines:
        line = journal.decode(raw)
        if isinstance(line, Header):
            replay = Replay(line)
        elif isinstance(line, Entry):
            assert replay is not None
            if (difference := replay.step(line).difference) is not None:
                return difference
    return None
