"""`code DEFAULTS` cells: lines of `<language glob> <name glob> <flags…>` that supply default flags."""

from __future__ import annotations

from fnmatch import fnmatchcase

from spry.core import fence
from spry.core.flags import TASK_FLAGS
from spry.core.words import Unterminated, next_word
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from spry.core.fence import Given
    from spry.core.markdown import Cell
    from spry.core.source import Source
    from spry.errors import Problem


class _Rule(NamedTuple):
    language: str
    name: str
    given: Sequence[Given]
    line: int


class Defaults:
    """The rules of one file, in document order."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.rules: list[_Rule] = []

    def add(self, cell: Cell) -> list[Problem]:
        """Take the rules of a DEFAULTS cell; what is wrong with them is returned."""
        problems: list[Problem] = []
        for row, text in enumerate(cell.body.split("\n")[:-1]):
            if text.strip() and not text.lstrip().startswith("#"):
                problems += self._rule(text, cell.line + 1 + row, cell.indents[row])
        return problems

    def _rule(self, text: str, line: int, indent: int) -> list[Problem]:
        language = next_word(text, 0)
        name = None if language is None or isinstance(language, Unterminated) else next_word(text, language.end)
        hint = "write: <language glob> <name glob> <flags…>, such as: bash * --timeout 5m"
        if language is None or isinstance(language, Unterminated) or name is None or isinstance(name, Unterminated):
            return [self.source.problem("a DEFAULTS line needs two globs", line, indent + 1, len(text), hint)]
        reading = fence.read(text, name.end, TASK_FLAGS, names=0)
        problems = [
            self.source.problem(fault.message, line, fault.start + indent + 1, fault.length, fault.hint)
            for fault in reading.faults
        ]
        if not reading.given and not problems:
            problems.append(self.source.problem("a DEFAULTS line without flags", line, indent + 1, len(text), hint))
        moved = [
            given._replace(start=given.start + indent, text_start=given.text_start + indent) for given in reading.given
        ]
        self.rules.append(_Rule(language.text.lower(), name.text, moved, line))
        return problems

    def of(self, language: str, name: str) -> list[tuple[Given, int]]:
        """The default flags of a task with their lines, earlier rules first."""
        return [
            (given, rule.line)
            for rule in self.rules
            if fnmatchcase(language, rule.language) and fnmatchcase(name, rule.name)
            for given in rule.given
        ]
