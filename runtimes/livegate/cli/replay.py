"""`livegate replay`: recorded sessions once more, and whether they are the same."""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Final

import click

from livegate.protocol import __version__, journal, transcript
from livegate.protocol.commands import Command, Event, Log
from livegate.protocol.journal import Entry, Header, JournalError, Line, Stopped
from livegate.protocol.replay import Difference, Replay, Step, done, told

_WHY: Final[Mapping[Event, str]] = MappingProxyType(
    {
        Event.PHASE_CHANGED: "{phase} ({trigger})",
        Event.TIMER_EXPIRED: "timer {timer}",
        Event.CLIENT_REJECTED: "error {code}",
    }
)
"""Log lines that explain, in short."""
_LONG: Final = re.compile(r"[A-Za-z0-9+/=_-]{64,}")
"""A word that nobody reads: sound, a picture, a handle."""
_SHOWN_OF_LONG: Final = 24
_SHOWN: Final = 400
_SHOWN_BEFORE: Final = 60
"""How many characters of what is equal, before a difference."""


@click.command("replay")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--quiet", is_flag=True, help="Only say of each file whether it is equal.")
def command(files: tuple[Path, ...], *, quiet: bool) -> None:
    """Replay sessions that livegate serve --journal has recorded.

    FILES are journals. Each session is told once more what it was told then, at the same times.
    Shown is the conversation, by seconds since its beginning: what its client and Gemini sent (>)
    and got (<), and after -- how the session's state changed, and why. The exit status is 1 if a
    session answers anything but what was recorded, or if a file cannot be read.
    """
    verdicts = [_replay(path, quiet=quiet) for path in files]
    sys.exit(int(not all(verdicts)))


def _replay(path: Path, *, quiet: bool) -> bool:
    """Replay one file, and return whether it is equal."""
    try:
        with path.open("rb") as file:
            return _compare(path, _lines(file), quiet=quiet)
    except OSError as error:
        click.echo(f"{path}: {error.strerror}", err=True)
    except JournalError as error:
        click.echo(f"{path}, {error}", err=True)
    return False


def _lines(file: BinaryIO) -> Iterator[tuple[int, Line]]:
    """Yield each line with its number; one that was cut off is the end.

    Raises:
        JournalError: A line is none of a journal.
    """
    for number, raw in enumerate(file, 1):
        if not raw.endswith(b"\n") and number > 1:
            yield number, Stopped(f"line {number} is cut off: the process ended in mid-write")
            return
        try:
            yield number, journal.decode(raw)
        except JournalError as error:
            raise JournalError(f"line {number}: {error}") from None


def _compare(path: Path, lines: Iterator[tuple[int, Line]], *, quiet: bool) -> bool:
    """Replay lines, show them, and return whether they are equal."""
    _, header = next(lines, (1, None))
    if not isinstance(header, Header):
        raise JournalError("line 1: it is not the first line of a journal")
    if header.version != __version__:
        click.echo(
            f"warning: {path} was recorded by livegate {header.version}, and this is "
            f"{__version__}: what differs may have been changed on purpose",
            err=True,
        )
    screen = None if quiet else _Screen(path, header)
    session = Replay(header)
    inputs = commands = 0
    end = ""
    for number, line in lines:
        if isinstance(line, Stopped):
            end = f"; {line.reason}"
            break
        if isinstance(line, Header):
            raise JournalError(f"line {number}: another journal begins")
        step = session.step(line)
        if screen is not None:
            screen.show(line, step)
        if step.difference is not None:
            _show_difference(path, number, step.difference)
            return False
        inputs += line.event is not None
        commands += len(step.given)
    verdict = click.style("equal", fg="green")
    click.echo(f"{path}: {verdict}, {inputs} inputs gave the same {commands} commands{end}")
    return True


class _Screen:
    """Shows a conversation."""

    def __init__(self, path: Path, header: Header) -> None:
        self._began: float | None = None
        self._turn = ""
        media = "with" if header.media else "without"
        click.echo(
            f"{path}: session {_printable(header.session)}, {_printable(header.began)}, "
            f"on {_printable(header.runtime)}, {media} media"
        )

    def show(self, entry: Entry, step: Step) -> None:
        """Show what happened, what was done, and why."""
        if self._began is None:
            self._began = entry.now
        actions = [told(entry.event), *map(done, step.given)]
        rows = [_shortened(transcript.line_of(one)) for one in actions if one is not None]
        if why := ", ".join(self._reasons(entry, step)):
            rows.append(click.style(f"-- {_shortened(why)}", dim=True))
        time = f"{entry.now - self._began:10.3f}"
        for row in rows:
            click.echo(f"{click.style(time, fg='cyan')}  {row}")
            time = " " * len(time)

    def _reasons(self, entry: Entry, step: Step) -> Iterator[str]:
        for one in step.given:
            if isinstance(one, Log) and one.event in _WHY:
                yield _WHY[one.event].format_map(one.fields)
        turn = step.turn.name.lower()
        if self._turn not in ("", turn):
            yield f"turn {turn}"
        self._turn = turn
        if entry.error:
            yield entry.error


def _show_difference(path: Path, number: int, difference: Difference) -> None:
    """Show what was recorded and what came instead, from shortly before they part."""
    verdict = click.style("differs", fg="red")
    click.echo(f"{path}: {verdict} at line {number}, so far equal")
    texts = [_described(difference.recorded), _described(difference.replayed)]
    pairs = enumerate(zip(*texts, strict=False))
    parts_at = next((at for at, (one, other) in pairs if one != other), 0)
    start = max(0, parts_at - _SHOWN_BEFORE)
    for title, text in zip(("recorded", "replayed"), texts, strict=True):
        cut = ("..." if start else "") + text[start:]
        click.echo(f"  {title}  {_shortened(cut)}")


def _described(one: Command | str | None) -> str:
    if one is None:
        return "nothing"
    return one if isinstance(one, str) else journal.text_of(one)


def _shortened(text: str) -> str:
    """Return a line that fits a screen, and can do it no harm."""
    text = _LONG.sub(lambda word: f"{word[0][:_SHOWN_OF_LONG]}...({len(word[0])})", text)
    text = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... {len(text)} characters"
    return _printable(text)


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
