"""What is wrong with a runbook or a request, as people read it: place, message, excerpt with a caret, hint."""

from __future__ import annotations

from spry.core.text import plural
from spry.errors import RunbookError
from spry.view.columns import cut, head, printable, width
from spry.view.screen import paint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from spry.errors import Problem, SpryError

LONGEST = 160  # columns of an excerpt where no terminal sets the width: enough to find the place
TAB = 4


def explain(error: SpryError, *, columns: int = 0, colour: bool = False) -> str:
    """Any error that spry can explain, with a line end; `columns` is the terminal's width, 0 without one."""
    if isinstance(error, RunbookError):
        return report(error.problems, columns=columns, colour=colour) + f"\n{tally(error.problems)}; nothing was run.\n"
    lines = [f"{paint('Error:', 'bad', on=colour)} {printable(error.message)}", *_hint(error.hint, "  ", on=colour)]
    return "\n".join(lines) + "\n"


def report(problems: Iterable[Problem], *, columns: int = 0, colour: bool = False) -> str:
    """Problems one below the other, a blank line between them."""
    return "\n".join("\n".join(_problem(problem, columns, on=colour)) + "\n" for problem in problems)


def tally(problems: Sequence[Problem]) -> str:
    """How many there are: `2 problems, 1 note`."""
    notes = sum(problem.severity == "note" for problem in problems)
    wrong = plural(len(problems) - notes, "problem") if len(problems) > notes or not notes else ""
    return ", ".join(filter(None, (wrong, plural(notes, "note") if notes else "")))


def _problem(problem: Problem, columns: int, *, on: bool) -> list[str]:
    note = problem.severity == "note"
    label = paint("Note:", "note", on=on) if note else paint("Error:", "bad", on=on)
    place = f"{paint(printable(problem.place), 'name', on=on)}: " if problem.place else ""
    gutter = " " * (len(str(problem.line)) + 4)
    excerpt = _excerpt(problem, columns, on=on) if problem.excerpt and problem.line else []
    return [f"{place}{label} {printable(problem.message)}", *excerpt, *_hint(problem.hint, gutter, on=on)]


def _hint(hint: str, indent: str, *, on: bool) -> list[str]:
    return [f"{indent}{paint('hint:', 'note', on=on)} {printable(hint)}"] if hint else []


def _excerpt(problem: Problem, columns: int, *, on: bool) -> list[str]:
    number = f"   {problem.line} | "
    empty = f"{'| ':>{len(number)}}"
    room = (columns or LONGEST + len(number)) - len(number)
    shown, caret, length = window(problem.excerpt, problem.column - 1, problem.length, room)
    return [f"{number}{shown}", f"{empty}{' ' * caret}{paint('^' * length, 'bad', on=on)}"]


def window(line: str, start: int, length: int, room: int) -> tuple[str, int, int]:
    """The part of a line around a marked stretch that fits `room` columns: text, column and width of the mark."""
    start = min(max(start, 0), len(line))
    far = max(start - 2 * room, 0)
    pieces = _pieces(line[far : start + max(length, 2 * room)])
    before = "".join(pieces[: start - far])
    marked = "".join(pieces[start - far : start - far + length])
    after = "".join(pieces[start - far + length :])
    if far or width(before) + min(width(marked), room // 2) >= room:
        behind = min(width(after), room // 4)
        before = "…" + head(before[::-1], max(room // 3, room - width(marked) - behind - 1))[::-1]
    caret = width(before)
    return cut(before + marked + after, room), caret, max(min(width(marked), room - caret), 1)


def _pieces(line: str) -> list[str]:
    """What each character is shown as: tabs as blanks, control characters written out."""
    pieces = []
    column = 0
    for letter in line:
        piece = " " * (TAB - column % TAB) if letter == "\t" else printable(letter)
        column += width(piece)
        pieces.append(piece)
    return pieces
