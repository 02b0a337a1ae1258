"""CommonMark to cells: every fence of a runbook, where it stands, and what is wrong with its fences.

markdown-it-py decides what is a fence (its block rules only: inline markup costs thirty times as much and says
nothing about fences); positions and info strings are read from the source lines, which it does not keep.
"""

from __future__ import annotations

from markdown_it import MarkdownIt

from spry.core.windows import windows
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token

    from spry.core.source import Source
    from spry.core.windows import Window
    from spry.errors import Problem

# Deeper than any document people read; markdown-it's own 20 would hide fences in ten nested lists.
NESTING = 100
COMMENT = "<!-- spry:"


class Comment(NamedTuple):
    """A `<!-- spry: … -->` above a fence: `text` is the whole source line, `start` and `end` its words' offsets."""

    line: int
    text: str
    start: int
    end: int


class Cell(NamedTuple):
    """One fence: `line` is its opening line, `info_start` the offset of its info string in that line.

    `indents` are the characters that containers took from the start of each body line.
    """

    line: int
    end: int
    marker: str
    info: str
    info_start: int
    level: int
    body: str
    indents: tuple[int, ...]
    comment: Comment | None = None
    closed: bool = True

    @property
    def language(self) -> str:
        """The first word of the info string, in lower case, without attributes that follow at once."""
        word = self.info.split(maxsplit=1)[0] if self.info.strip() else ""
        return word.split("{", 1)[0].lower()

    @property
    def rest_start(self) -> int:
        """The offset in the opening line behind the language."""
        return self.info_start + len(self.info) - len(self.info.lstrip()) + len(self.language)


def cells(source: Source, skip: int = 0) -> tuple[list[Cell], list[Problem]]:
    """All fences of a document in order, and its faulty ones; the first `skip` lines are front matter."""
    found: list[Cell] = []
    problems: list[Problem] = []
    comment: Comment | None = None
    for token, offset in _blocks(source, skip):
        start, end = _lines(token, offset)
        if token.type == "html_block":
            _stray(comment, source, problems)
            comment = _comment(token, source, start, end, problems)
        else:
            above = comment if comment is not None and comment.line == start else None
            if above is None:
                _stray(comment, source, problems)
            comment = None
            found.append(_cell(token, source, start, end, above))
    _stray(comment, source, problems)
    return found, problems


def _lines(token: Token, offset: int) -> tuple[int, int]:
    """The first line of a block (from 0) and the line behind it, in the file."""
    start, end = token.map or (0, 0)
    return start + offset, end + offset


def _blocks(source: Source, skip: int) -> Iterator[tuple[Token, int]]:
    """The fences and HTML blocks of a document, each with the number of file lines before its window."""
    reader = MarkdownIt("commonmark", {"maxNesting": NESTING})
    reader.core.ruler.enableOnly(["normalize", "block"])
    text = "\n".join(source.lines[skip:]) if skip else source.text
    text = text if text.endswith("\n") else text + "\n"
    tokens: list[Token] = []

    def is_open(window: Window) -> bool:
        part = text[window.start : window.end]
        tokens[:] = (token for token in reader.parse(part) if token.type in {"fence", "html_block"})
        return bool(tokens) and _reaches(tokens[-1], part.count("\n"))

    for window in windows(text, is_open):
        yield from ((token, skip + window.line) for token in tokens)


def _reaches(token: Token, lines: int) -> bool:
    """Whether a block goes on to the end of its window without an end of its own."""
    start, end = token.map or (0, 0)
    if token.type == "html_block":
        return end >= lines
    return end - start < token.content.count("\n") + 2 and end >= lines


def _cell(token: Token, source: Source, start: int, end: int, comment: Comment | None) -> Cell:
    opening = source.lines[start]
    info_start = opening.index(token.markup) + len(token.markup)
    body = token.content.split("\n")[:-1]
    return Cell(
        start + 1,
        end,
        token.markup,
        opening[info_start:],
        info_start,
        token.level,
        token.content,
        tuple(max(len(source.lines[start + 1 + row]) - len(line), 0) for row, line in enumerate(body)),
        comment,
        end - start == len(body) + 2,
    )


def _comment(token: Token, source: Source, start: int, end: int, problems: list[Problem]) -> Comment | None:
    """The spry comment that ends an HTML block, if it does; a comment that swallows cells is a problem."""
    _swallowed(token, source, start, problems)
    line = source.lines[end - 1] if end else ""
    at = line.find(COMMENT)
    close = line.find("-->", at)
    if at < 0 or close < 0 or line[close + 3 :].strip():
        return None
    return Comment(end, line, at + len(COMMENT), close)


def _swallowed(token: Token, source: Source, start: int, problems: list[Problem]) -> None:
    text = token.content.lstrip()
    if text.startswith("<!--") and "-->" not in text and ("```" in text or "~~~" in text):
        line = source.lines[start]
        problems.append(
            source.problem(
                "unterminated comment hides the cells below it",
                start + 1,
                line.index("<!--") + 1,
                4,
                "close the comment with -->",
            )
        )


def _stray(comment: Comment | None, source: Source, problems: list[Problem]) -> None:
    if comment is not None:
        problems.append(
            source.problem(
                "this comment names no cell",
                comment.line,
                comment.start - len(COMMENT) + 1,
                len(COMMENT),
                "put it on the line right above a fence",
            )
        )


def unclosed(cell: Cell, source: Source) -> Problem | None:
    """What is wrong with the end of a fence.

    A fence that its container or the file ends is unterminated. One that holds the opening line of another fence of
    its own kind was most likely never closed: what follows would silently be text, so that is an error as well.
    """
    column = cell.info_start - len(cell.marker) + 1
    inner = _inner_opening(cell)
    if inner:
        message = f"this fence is not closed before another opens on line {inner}"
        hint = (
            f"close it before line {inner}, or open it with {len(cell.marker) + 1} of {cell.marker[0]} if that is text"
        )
        return source.problem(message, cell.line, column, len(cell.marker), hint)
    if cell.closed:
        return None
    return source.problem(
        "unterminated fence", cell.line, column, len(cell.marker), f"close it with a line {cell.marker}"
    )


def _inner_opening(cell: Cell) -> int:
    """The file line of the first body line that would open a fence of the same marker, with an info string; or 0."""
    if cell.marker not in cell.body:
        return 0
    for row, line in enumerate(cell.body.split("\n")):
        text = line.lstrip(" ")
        info = text.lstrip(cell.marker[0])
        if len(line) - len(text) > 3 or len(text) - len(info) < len(cell.marker) or not info.strip():
            continue
        if cell.marker[0] == "~" or "`" not in info:
            return cell.line + 1 + row
    return 0
