"""Text taken from a runbook that still knows where every character of it was written."""

from __future__ import annotations

from bisect import bisect_right

from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from spry.core.source import Source
    from spry.errors import Problem


class Passage:
    """A run of lines of one file, as the body of a cell is: for everyone who reports a place inside it.

    `line` is the file line of its first line. `indents` counts, line by line, the characters that containers (lists,
    block quotes) put before the text and that `text` lacks; missing ones are 0.
    """

    __slots__ = ("_starts", "indents", "line", "source", "text")

    def __init__(self, text: str, source: Source, line: int = 1, indents: tuple[int, ...] = ()) -> None:
        self.text = text
        self.source = source
        self.line = line
        self.indents = indents
        self._starts: list[int] = []

    def place(self, offset: int) -> tuple[int, int]:
        """The line and the column in the file (both from 1) of the character at an offset of `text`."""
        starts = self._starts or self._find_starts()
        row = bisect_right(starts, offset) - 1
        indent = self.indents[row] if row < len(self.indents) else 0
        return self.line + row, offset - starts[row] + indent + 1

    def problem(self, offset: int, message: str, length: int = 1, hint: str = "") -> Problem:
        """What is wrong at an offset of `text`, with its place in the file."""
        line, column = self.place(offset)
        return self.source.problem(message, line, column, length, hint)

    def _find_starts(self) -> list[int]:
        self._starts.append(0)
        at = self.text.find("\n")
        while at >= 0:
            self._starts.append(at + 1)
            at = self.text.find("\n", at + 1)
        return self._starts


class Piece(NamedTuple):
    """A stretch of composed text: `text` is found in `passage` at offset `start`, or was added after that offset."""

    text: str
    passage: Passage
    start: int


class Composed:
    """Text put together from pieces: for finding the cell and the place that an offset of the whole came from."""

    __slots__ = ("_starts", "pieces", "text")

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces = tuple(pieces)
        self.text = "".join(piece.text for piece in pieces)
        self._starts: list[int] = []
        total = 0
        for piece in pieces:
            self._starts.append(total)
            total += len(piece.text)

    def origin(self, offset: int) -> tuple[Passage, int]:
        """The passage that the character at `offset` was taken from, and its offset in there."""
        index = bisect_right(self._starts, offset) - 1
        piece = self.pieces[index]
        return piece.passage, piece.start + offset - self._starts[index]

    def problem(self, offset: int, message: str, length: int = 1, hint: str = "") -> Problem:
        """What is wrong at an offset of the whole, with the place where it was written."""
        passage, start = self.origin(offset)
        return passage.problem(start, message, length, hint)

    def lines(self) -> tuple[tuple[str, int], ...]:
        """The file and the line in it of every line of the whole, for error messages that name lines of a script."""
        places = []
        offset = 0
        for line in self.text.removesuffix("\n").split("\n") if self.text else ():
            passage, start = self.origin(offset)
            places.append((passage.source.path, passage.place(start)[0]))
            offset += len(line) + 1
        return tuple(places)
