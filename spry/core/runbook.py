"""Cells to tasks: what every cell of every file means, and everything that is wrong with them.

Precedence of a value: cell over DEFAULTS (a later line wins) over front matter over built-in. DEFAULTS and front
matter speak for their own file; names and partials are shared by all files given together.
"""

from __future__ import annotations

from spry.core import fence, frontmatter, markdown
from spry.core.defaults import Defaults
from spry.core.fields import Fields, contradictions
from spry.core.flags import PARTIAL_FLAGS, TASK_FLAGS
from spry.core.model import ENV, SHELLS, Settings, Task
from spry.core.partials import Partial
from spry.core.passage import Passage
from spry.core.words import Fault, Unterminated, next_word
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from spry.core.fence import Given, Reading
    from spry.core.markdown import Cell
    from spry.core.source import Source
    from spry.errors import Problem

LANGUAGES = (
    SHELLS | ENV | {"python", "py", "pwsh", "powershell", "javascript", "js", "node", "ruby", "perl", "prompt", "agent"}
)
DIRECTIVES = frozenset({"PARTIAL", "HEAD", "TAIL", "META", "HFM", "CONNECTIONS", "SPAWNABLES"})


class Draft(NamedTuple):
    """A task as its cell says it, before partials and expressions."""

    task: Task
    text: Passage


class Assembly(NamedTuple):
    """All files read: `owned` are the names of cells that are broken, so that nobody reports them as missing."""

    drafts: dict[str, Draft]
    partials: dict[str, Partial]
    settings: dict[str, Settings]
    problems: list[Problem]
    owned: frozenset[str]
    means_runbook: frozenset[str]


def assemble(sources: Sequence[Source]) -> Assembly:
    """Read every cell of every source; all problems are gathered, none stops the reading."""
    drafts: dict[str, Draft] = {}
    partials: dict[str, Partial] = {}
    settings: dict[str, Settings] = {}
    problems: list[Problem] = []
    owned: set[str] = set()
    means: set[str] = set()
    for source in sources:
        file = _File(source, drafts, partials, owned)
        file.read()
        settings[source.path] = file.front.settings
        problems += sorted(file.problems, key=lambda problem: (problem.line, problem.column))
        if file.means_runbook:
            means.add(source.path)
    return Assembly(drafts, partials, settings, problems, frozenset(owned), frozenset(means))


class _File:
    """The reading of one file."""

    def __init__(self, source: Source, drafts: dict[str, Draft], partials: dict[str, Partial], owned: set[str]) -> None:
        self.source, self.drafts, self.partials, self.owned = source, drafts, partials, owned
        self.front = frontmatter.parse(source)
        self.problems: list[Problem] = list(self.front.problems)
        self.languages = LANGUAGES | set(self.front.settings.interpreters)
        self.defaults = Defaults(source)
        self.means_runbook = any(line.startswith("spry:") for line in source.lines[: self.front.end_line])

    def read(self) -> None:
        cells, problems = markdown.cells(self.source, self.front.end_line)
        self.problems += problems
        for cell in cells:
            if cell.language == "code" and self._first_word(cell) == "DEFAULTS":
                self.problems += self.defaults.add(cell)
                self.means_runbook = True
        for cell in cells:
            self._cell(cell)

    def _first_word(self, cell: Cell) -> str:
        word = next_word(self.source.lines[cell.line - 1], cell.rest_start)
        return "" if word is None or isinstance(word, Unterminated) or word.quoted else word.text

    def _cell(self, cell: Cell) -> None:
        self._ending(cell)
        executable = cell.language in self.languages
        first = self._first_word(cell)
        if first in DIRECTIVES and "--not-directive" not in cell.info:
            if first == "PARTIAL":
                self._partial(cell)
        elif executable or cell.comment is not None:
            self._task(cell, executable=executable)

    def _ending(self, cell: Cell) -> None:
        """A fence that is not closed is an error where it could be a task, or hide one."""
        problem = markdown.unclosed(cell, self.source)
        if problem is None:
            return
        hides = "```" in cell.body or "~~~" in cell.body
        if cell.closed or hides or cell.language in self.languages or not cell.info.strip():
            self.problems.append(problem)

    def _partial(self, cell: Cell) -> None:
        line = self.source.lines[cell.line - 1]
        text = line.split(" {", 1)[0]  # attributes of directives are theirs alone
        reading = fence.read(text, cell.rest_start, PARTIAL_FLAGS, names=2)
        for fault in reading.faults:
            self._fault(fault, cell.line)
        if reading.extra is None:
            hint = "write PARTIAL NAME, or --not-directive to make it a task"
            self._problem("PARTIAL needs a name", cell.line, cell.rest_start + 2, 7, hint)
            return
        name = reading.extra.text
        if name in self.partials:
            other = self.partials[name]
            at = f"{other.text.source.path}:{other.text.line - 1}"
            self._problem(
                f'Partial "{name}" is already defined at {at}',
                cell.line,
                reading.extra.start + 1,
                len(name),
                "rename one",
            )
            return
        values = {given.flag.name: given.value for given in reading.given}
        inject = tuple(str(given.value) for given in reading.given if given.flag.name == "inject")
        weight = float(str(values.get("weight") or 0))
        self.partials[name] = Partial(name, self._passage(cell), inject, "append" in values, weight)

    def _passage(self, cell: Cell) -> Passage:
        return Passage(cell.body, self.source, cell.line + 1, cell.indents)

    def _task(self, cell: Cell, *, executable: bool) -> None:
        line = self.source.lines[cell.line - 1]
        reading = fence.read(line, cell.rest_start, TASK_FLAGS)
        above = cell.comment
        spoken = fence.read(above.text[: above.end], above.start, TASK_FLAGS) if above else None
        if not executable:
            self._unknown_language(cell)
            return
        if not _means_task(cell.language, reading, spoken):
            return
        self.means_runbook = self.means_runbook or reading.flagged or spoken is not None
        faulty = len(self.problems)
        for fault in reading.faults:
            self._fault(fault, cell.line)
        if spoken is not None and above is not None:
            for fault in spoken.faults:
                self._fault(fault, above.line)
            self._twice(reading, spoken, above.line)
        self._named(cell, reading, spoken, broken=len(self.problems) > faulty)

    def _unknown_language(self, cell: Cell) -> None:
        what = f'language "{cell.language}"' if cell.language else "a fence without a language"
        hint = "add it to spry.interpreters in the front matter, or remove the comment above"
        self._problem(f"spry cannot run {what}", cell.line, cell.info_start + 1, len(cell.language), hint)

    def _twice(self, reading: Reading, spoken: Reading, line: int) -> None:
        """The fence and the comment above it may share the work, but not say one thing twice."""
        if reading.name is not None and spoken.name is not None:
            self._problem(
                "the cell is named here and in its fence",
                line,
                spoken.name.start + 1,
                len(spoken.name.text),
                "keep one",
            )
        flags = {given.flag.name for given in reading.given}
        for given in spoken.given:
            if given.flag.name in flags:
                self._problem(
                    f"--{given.flag.name} is given here and in the fence",
                    line,
                    given.start + 1,
                    given.length,
                    "keep one",
                )

    def _named(self, cell: Cell, reading: Reading, spoken: Reading | None, *, broken: bool) -> None:
        comment_line = cell.comment.line if cell.comment else 0
        word, line = reading.name, cell.line
        if word is None and spoken is not None:
            word, line = spoken.name, comment_line
        if word is None:
            self._nameless(cell, reading, broken=broken)
            return
        given = [
            *((one, comment_line) for one in (spoken.given if spoken else ())),
            *((one, cell.line) for one in reading.given),
        ]
        not_directive = any(one.flag.name == "not-directive" for one, _ in given)
        if word.text in DIRECTIVES and not word.quoted and not not_directive:
            return
        if word.text in self.drafts:
            self._duplicate(word.text, line, word.start + 1)
            return
        if broken:  # it still has dependencies to look at, and nobody misses a task of its name
            self.owned.add(word.text)
            given = [(one, at) for one, at in given if _is_sound(one)]
        self._draft(cell, word.text, line, word.start + 1, given)

    def _nameless(self, cell: Cell, reading: Reading, *, broken: bool) -> None:
        if broken:
            return
        start = reading.given[0].start if reading.given else cell.rest_start
        length = reading.given[0].length if reading.given else 1
        hint = f"write the name behind the language: ```{cell.language} NAME …"
        self._problem("the cell has flags but no NAME", cell.line, start + 1, length, hint)

    def _duplicate(self, name: str, line: int, column: int) -> None:
        first = self.drafts.get(name)
        at = f" at {first.task.path}:{first.task.line}" if first else ""
        self._problem(f'Task "{name}" is already defined{at}', line, column, len(name), "rename one of them")

    def _draft(self, cell: Cell, name: str, line: int, column: int, given: Sequence[tuple[Given, int]]) -> None:
        fields = Fields(name, self.front, self.defaults.of(cell.language, name))
        for one, at in given:
            fields.take(one, at)
        values = fields.merged()
        for message, flag, hint in contradictions(values, cell.language, cell.body):
            at, start, length = fields.place(flag, (line, column - 1, len(name)))
            self._problem(message, at, start + 1, length, hint)
        task = Task(
            name,
            cell.language,
            cell.body,
            self.source.path,
            self.source.folder,
            line,
            column,
            cell.line + 1,
            origins=fields.origins(),
            **values,
        )
        self.drafts[name] = Draft(task, self._passage(cell))

    def _fault(self, fault: Fault, line: int) -> None:
        self._problem(fault.message, line, fault.start + 1, fault.length, fault.hint)

    def _problem(self, message: str, line: int, column: int, length: int, hint: str = "") -> None:
        self.problems.append(self.source.problem(message, line, column, length, hint))


def _is_sound(given: Given) -> bool:
    """Whether a flag has the value it needs."""
    return given.value is not None or (given.text is None and given.flag.takes != "value")


def _means_task(language: str, reading: Reading, spoken: Reading | None) -> bool:
    """Whether a cell of an executable language is a task; if not it is documentation, and never an error."""
    if spoken is not None or reading.flagged or reading.keyed:
        return True
    return reading.name is not None and language in SHELLS | ENV
