"""The pages that people read, as tests see them: README.md and docs/, with their fences, links and anchors."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

from spry.core import markdown
from spry.core.source import source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from spry.core.markdown import Cell

ROOT = Path(__file__).resolve().parents[2]
PAGES = tuple(sorted(str(path.relative_to(ROOT)) for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))))
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
PUNCTUATION = re.compile(r"[^\w\- ]")


class Fence(NamedTuple):
    """A fence of a page. `title` is the file that a reader makes of it; `words` are what else its info string says.

    `add` appends to that file, `change` replaces the cell of the same name in it, `wrong` means an invalid runbook;
    a `console` fence that is `unordered` shows its lines in any order.
    """

    language: str
    title: str
    words: frozenset[str]
    body: str
    line: int
    end: int

    @property
    def commands(self) -> Iterator[tuple[str, str]]:
        """The commands of a console fence with the output below each."""
        for piece in ("\n" + self.body).split("\n$ ")[1:]:
            command, _, output = piece.partition("\n")
            yield command, output


def text(page: str) -> str:
    """The text of a page."""
    return (ROOT / page).read_text(encoding="utf-8")


def fences(page: str) -> list[Fence]:
    """All fences of a page, in order."""
    return [_fence(cell) for cell in markdown.cells(source(text(page)))[0]]


def _fence(cell: Cell) -> Fence:
    words = shlex.split(cell.info)[1:]
    titles = [word.removeprefix("title=") for word in words if word.startswith("title=")]
    return Fence(cell.language, "".join(titles), frozenset(words), cell.body, cell.line, cell.end)


def prose(page: str) -> str:
    """The text of a page without its fences, line numbers kept."""
    lines = text(page).split("\n")
    for fence in fences(page):
        lines[fence.line - 1 : fence.end] = [""] * (fence.end - fence.line + 1)
    return "\n".join(lines)


def links(page: str) -> list[str]:
    """The relative links and images of a page."""
    bare = re.sub(r"`[^`\n]*`", "", prose(page))
    return [link for link in LINK.findall(bare) if not re.match(r"[a-z]+:", link)]


def anchors(path: Path) -> set[str]:
    """The anchors that a forge gives to the headings of a page."""
    page = str(path.relative_to(ROOT))
    headings = [line.lstrip("#").strip() for line in prose(page).split("\n") if line.startswith("#")]
    return {PUNCTUATION.sub("", heading.lower()).replace(" ", "-") for heading in headings}


def rows(page: str, heading: str) -> list[str]:
    """The first word in backticks of each table row below a heading, down to the next heading of any level."""
    found = []
    inside = False
    for line in prose(page).split("\n"):
        if line.startswith("#"):
            inside = line.lstrip("#").strip().replace("`", "") == heading
        elif inside and line.startswith("| `"):
            found.append(line.split("`")[1])
    return found
