"""The conversations of `tests/transcripts`, one per file."""

from pathlib import Path
from typing import Final

from livegate.protocol.transcript import Transcript, parse

FOLDER: Final = Path(__file__).parent.parent / "transcripts"


def load() -> list[Transcript]:
    """Return all transcripts, by name."""
    return [parse(path.stem, path.read_text()) for path in sorted(FOLDER.glob("*.txt"))]
