"""The Markdown pages as tests see them: headings, and fenced blocks with what they stand under."""

import re
from pathlib import Path
from typing import Final

import attrs

from livegate.protocol import transcript
from livegate.protocol.transcript import Transcript

ROOT: Final = Path(__file__).resolve().parents[2]
API: Final = ROOT / "docs" / "api.md"
WIRE: Final = ROOT / "docs" / "wire.md"
README: Final = ROOT / "README.md"
EMBEDDING: Final = ROOT / "docs" / "embedding.md"
MOUNTING: Final = ROOT / "docs" / "mounting.md"
OPERATIONS: Final = ROOT / "docs" / "operations.md"
ACCESS: Final = ROOT / "docs" / "access.md"
RESUMING: Final = ROOT / "docs" / "resuming.md"
JOURNAL: Final = ROOT / "docs" / "journal.md"
PAGES: Final = sorted(
    page
    for top in ROOT.iterdir()
    if not top.name.startswith(".")
    for page in (top.rglob("*.md") if top.is_dir() else [top])
    if page.suffix == ".md"
)
_FENCE: Final = "```"
_LINK: Final = re.compile(r"\]\(([^)\s]+)\)")


@attrs.frozen
class Block:
    """One fenced block."""

    language: str
    text: str
    headings: tuple[str, ...]
    """Those it stands under, the page's title first."""
    line: int
    mark: str
    """The comment right above it, if any."""

    @property
    def name(self) -> str:
        """What to call it in a test's id."""
        return f"{self.line}-{self.headings[-1]}"


@attrs.frozen
class Page:
    """One Markdown page."""

    headings: tuple[str, ...]
    blocks: tuple[Block, ...]
    links: tuple[str, ...]

    @property
    def anchors(self) -> frozenset[str]:
        """What links may name behind `#`, as GitHub makes it of the headings."""
        slugs = [re.sub(r"[^\w\- ]", "", one.lstrip("# ").lower()) for one in self.headings]
        counted = [
            f"{slug}-{before}" if (before := slugs[:at].count(slug)) else slug
            for at, slug in enumerate(slugs)
        ]
        return frozenset(slug.replace(" ", "-") for slug in counted)

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
    links: list[str] = []
    above: list[str] = []
    mark = ""
    lines = enumerate(path.read_text("utf-8").splitlines(keepends=True), 1)
    for number, line in lines:
        if line.startswith(_FENCE):
            inside: list[str] = []
            for _, row in lines:
                if row.startswith(_FENCE):
                    break
                inside.append(row)
            language = line[3:].strip()
            blocks.append(Block(language, "".join(inside), tuple(above), number, mark))
        elif found := re.match(r"(#+) (.*)", line):
            above[len(found[1]) - 1 :] = [found[2].strip()]
            headings.append(f"{found[1]} {found[2].strip()}")
        links += _LINK.findall(line)
        mark = line.strip() if line.startswith("<!--") else ""
    return Page(tuple(headings), tuple(blocks), tuple(links))


def conversations(page: Page) -> list[Transcript]:
    """Return a page's transcripts; one that does not begin at the beginning goes on from the first."""
    blocks = [block for block in page.blocks if block.language == "transcript"]
    return [
        transcript.parse(
            block.name,
            block.text
            if block.text.startswith(("options:", "client opens"))
            else blocks[0].text + block.text,
        )
        for block in blocks
    ]


def commands(block: Block) -> list[str]:
    """Return the commands of a bash block, without comments."""
    lines = (re.sub(r"(^|\s)# .*", "", line).strip() for line in block.text.splitlines())
    return [line for line in lines if line]
