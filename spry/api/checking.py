"""`spry check`: files, folders and globs, each runbook by itself; nothing runs."""

from __future__ import annotations

import os

from spry.api.load import compiled
from spry.api.places import NAMES, STDIN, expand, find, is_runbook, read
from spry.core.text import plural
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spry.api.places import File
    from spry.core.model import Graph
    from spry.errors import Problem

LEFT_OUT = frozenset({".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".spry"})


class Checked(NamedTuple):
    """What a check found; `others` are Markdown files that do not mean to be runbooks."""

    problems: list[Problem]
    runbooks: int
    others: int
    tasks: int

    @property
    def invalid(self) -> bool:
        """Whether anything must be mended."""
        return any(problem.severity == "error" for problem in self.problems)

    @property
    def summary(self) -> str:
        """What was looked at, in a line."""
        state = "not valid" if self.invalid else "valid"
        looked = f"{plural(self.runbooks, 'runbook')} with {plural(self.tasks, 'task')} checked: {state}"
        return looked + (f"; {plural(self.others, 'other Markdown file')} left alone" if self.others else "")


def check_paths(paths: Sequence[str]) -> Checked:
    """Check what was named, or the nearest runbook; UsageError for a path that leads nowhere."""
    problems: list[Problem] = []
    runbooks = others = tasks = 0
    for file, named in _files(paths):
        found = compiled([file])
        if not (named or found.runbooks):
            others += 1
            continue
        runbooks += 1
        problems += found.problems
        if found.graph is not None and any(task.inputs for task in found.graph.runbook.tasks.values()):
            problems += _without_inputs(file, found.graph)
        tasks += len(found.sketch.order) if found.sketch else 0
    return Checked(problems, runbooks, others, tasks)


def _without_inputs(file: File, graph: Graph) -> Iterator[Problem]:
    """Tasks whose inputs are not there and can be made by no other: worth saying, no more, since files come and go."""
    from spry.api.freshness import idle
    from spry.core.source import Source, decode

    source = decode(file.data, file.path, file.folder)
    assert isinstance(source, Source)
    for task, patterns in idle(graph):
        message = f"--inputs {' '.join(patterns)} matches nothing: a run with this task would not start"
        hint = "correct the pattern, or make the files"
        yield source.problem(message, task.line, task.column, len(task.name), hint, "note")


def _files(paths: Sequence[str]) -> Iterator[tuple[File, bool]]:
    """Every file once, with whether it was meant: named itself, or a Spryfile."""
    seen: set[str] = set()
    named = {os.path.realpath(path) for path in paths if not os.path.isdir(path)}
    for name in (name for path in paths for name in _under(path)):
        real = name if name == STDIN else os.path.realpath(name)
        if real not in seen:
            seen.add(real)
            yield read(name), name == STDIN or real in named or os.path.basename(name) == NAMES[0]
    if not paths:
        yield from ((file, True) for file in find(()))


def _under(path: str) -> list[str]:
    """The files that a word of the command line stands for; a folder is searched."""
    return sorted(_below(path)) if os.path.isdir(path) else expand(path)


def _below(folder: str) -> Iterator[str]:
    """The Markdown files in a folder and below, without those of other people's packages."""
    for inside, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in LEFT_OUT]
        for name in names:
            if is_runbook(name):
                yield os.path.normpath(os.path.join(inside, name))
