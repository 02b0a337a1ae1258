"""The parts of a document that can hold cells, so that megabytes of prose need no parser.

A fence or an HTML block begins with its marker at the start of a line, behind container marks at most. Where none
does for a long stretch, nothing of that stretch matters: at a line that starts with a letter or `#` in the first
column and follows a blank line, every list, quote and paragraph before it is over. Windows end at such lines, and
begin at them or at a fence in the first column. Whether a fence or a comment is still open at the end of a window
only the parser can say; it is then handed a larger one.
"""

from __future__ import annotations

import re

from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GAP = 1000  # characters of prose that are worth a cut
OPENING = re.compile(r"^[ \t>*+\-0-9.)]*(?:```|~~~|<)", re.MULTILINE)
RESET = re.compile(r"\n[ \t]*\n(?=[A-Za-z#])")


class Window(NamedTuple):
    """A part of a text: its offsets, and the number of lines before it."""

    start: int
    end: int
    line: int


def windows(text: str, is_open: Callable[[Window], bool], gap: int = GAP) -> Iterator[Window]:
    """Every part of a text that may hold fences, in order and apart; the parts between them hold none.

    `is_open` parses a window and says whether a fence or an HTML block is still open at its end; the last answer for a
    window is about exactly the window that is then given out.
    """
    at = line = 0
    while (opening := OPENING.search(text, at)) is not None:
        start = _start(text, at, opening.start())
        line += text.count("\n", at, start)
        end = _reset_after(text, opening.end(), gap)
        while is_open(Window(start, end, line)) and end < len(text):
            end = _reset_after(text, min(end + (end - start), len(text)), gap)
        yield Window(start, end, line)
        line += text.count("\n", start, end)
        at = end


def _start(text: str, at: int, opening: int) -> int:
    """Where a window for an opening begins: a fence in the first column ends whatever was open before it."""
    return opening if text.startswith(("```", "~~~"), opening) else _reset_before(text, at, opening)


def _reset_before(text: str, at: int, opening: int) -> int:
    """The last reset between two offsets, or the first of them."""
    step = 4096
    while True:
        low = max(at, opening - step)
        last = None
        for last in RESET.finditer(text, max(low - 2, 0), opening + 1):  # noqa: B007 - the last one is wanted
            pass
        if last is not None and last.end() > at:
            return last.end()
        if low == at:
            return at
        step *= 4


def _reset_after(text: str, at: int, gap: int) -> int:
    """The first reset behind an offset from which no opening follows for a while, or the end of the text."""
    while (reset := RESET.search(text, at)) is not None:
        opening = OPENING.search(text, reset.end(), reset.end() + gap)
        if opening is None:
            return reset.end()
        at = opening.end()
    return len(text)
