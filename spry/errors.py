"""What can go wrong, as values and as exceptions, with the exit code of each.

    SpryError            message, hint, exit_code
    ├── UsageError       2   the request is wrong: unknown task, missing parameter, nothing selected
    ├── RunbookError     2   the runbook is wrong: carries every Problem found, in every file
    └── HostError        3   the machine is wrong: no interpreter, disk full, unreadable store

A user's mistake is always one of these and is printed without a traceback; anything else is a bug of ours.
"""

from __future__ import annotations

from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

OK, FAILED, INVALID, INTERNAL, TIMED_OUT = 0, 1, 2, 3, 124


class Problem(NamedTuple):
    """One thing wrong in a runbook, with the place to click on.

    `line` and `column` are 1-based positions in the file as it is on disk; line 0 means the file as a whole.
    `excerpt` is the source line, `length` the number of characters to underline, `hint` an action.
    A `note` is worth saying and changes no exit code.
    """

    message: str
    path: str = ""
    line: int = 0
    column: int = 0
    length: int = 1
    excerpt: str = ""
    hint: str = ""
    severity: str = "error"

    @property
    def place(self) -> str:
        """`file:line:column`, as editors understand it, or the file alone."""
        return f"{self.path}:{self.line}:{self.column}" if self.line else self.path


class SpryError(Exception):
    """Anything spry can explain: what happened, and what to do about it."""

    exit_code = INTERNAL

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def gist(self) -> str:
        """What is wrong, in one line that stands alone."""
        return self.message


class UsageError(SpryError):
    """The request cannot be met as it stands; nothing was run."""

    exit_code = INVALID


class RunbookError(SpryError):
    """The runbook is invalid; `problems` holds everything that is wrong with it, in document order."""

    exit_code = INVALID

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        super().__init__(f"{count} problem{'' if count == 1 else 's'}; nothing was run")

    def __str__(self) -> str:
        """All of it, for programs: a traceback of theirs shows nothing else."""
        return "\n".join([self.message, *(f"{problem.place}: {problem.message}" for problem in self.problems)])

    @property
    def gist(self) -> str:
        """The first problem with its place, and how many there are besides."""
        first, *others = self.problems
        return f"{first.place}: {first.message}{f' (and {len(others)} more)' if others else ''}"


class HostError(SpryError):
    """The machine cannot do what was asked."""

    exit_code = INTERNAL
