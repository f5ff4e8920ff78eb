"""The Markdown pages as tests see them: headings, and fenced blocks with what they stand under."""

import re
from pathlib import Path
from typing import Final

import attrs

ROOT: Final = Path(__file__).resolve().parents[2]
API: Final = ROOT / "docs" / "api.md"
README: Final = ROOT / "README.md"
EMBEDDING: Final = ROOT / "docs" / "embedding.md"
MOUNTING: Final = ROOT / "docs" / "mounting.md"
JOURNAL: Final = ROOT / "docs" / "journal.md"
PAGES: Final = (API, README, EMBEDDING, MOUNTING, JOURNAL)
_FENCE: Final = "```"


@attrs.frozen
class Block:
    """One fenced block."""

    language: str
    text: str
    headings: tuple[str, ...]
    """Those it stands under, the page's title first."""
    line: int

    @property
    def name(self) -> str:
        """What to call it in a test's id."""
        return f"{self.line}-{self.headings[-1]}"


@attrs.frozen
class Page:
    """One Markdown page."""

    headings: tuple[str, ...]
    blocks: tuple[Block, ...]

    def under(self, heading: str, language: str) -> list[Block]:
        """Return the blocks of one language under a heading, and under those below it."""
        return [
            block
            for block in self.blocks
            if block.language == language and heading in block.headings
        ]


def read(path: Path) -> Page:
    """Return what a page holds."""
    headings: list[str] = []
    blocks: list[Block] = []
    above: list[str] = []
    lines = enumerate(path.read_text("utf-8").splitlines(keepends=True), 1)
    for number, line in lines:
        if line.startswith(_FENCE):
            inside: list[str] = []
            for _, row in lines:
                if row.startswith(_FENCE):
                    break
                inside.append(row)
            blocks.append(Block(line[3:].strip(), "".join(inside), tuple(above), number))
        elif found := re.match(r"(#+) (.*)", line):
            above[len(found[1]) - 1 :] = [found[2].strip()]
            headings.append(f"{found[1]} {found[2].strip()}")
    return Page(tuple(headings), tuple(blocks))


def commands(block: Block) -> list[str]:
    """Return the commands of a bash block, without comments."""
    lines = (re.sub(r"(^|\s)# .*", "", line).strip() for line in block.text.splitlines())
    return [line for line in lines if line]
