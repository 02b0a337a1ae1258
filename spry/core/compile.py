"""Sources to a graph: the one way from text to something that can run, all problems of all files at once."""

from __future__ import annotations

from collections import Counter

from spry.core import dotenv
from spry.core.model import Graph, Runbook
from spry.core.program import choose, shell_of
from spry.core.runbook import assemble
from spry.core.source import Source
from spry.core.template import prepare
from spry.errors import UsageError
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spry.core.model import Task
    from spry.core.passage import Composed, Passage
    from spry.core.runbook import Assembly
    from spry.errors import Problem


class Compiled(NamedTuple):
    """What came of sources: `graph` if everything is valid, and all problems and notes in document order.

    `sketch` is the same where only scripts are faulty, so that their tasks can be listed; `runbooks` are the paths
    of the files that mean to be runbooks (`spry:` in the front matter, or a cell with flags).
    """

    graph: Graph | None
    problems: tuple[Problem, ...]
    sketch: Graph | None
    runbooks: frozenset[str]


def compile_sources(sources: Sequence[Source | Problem]) -> Compiled:
    """Read runbooks that were given together; a file that could not be decoded comes in as its problem."""
    readable = [source for source in sources if isinstance(source, Source)]
    assembly = assemble(readable)
    tasks, faulty = _written(assembly)
    by_path = {source.path: source for source in readable}
    sketch, found = _graph(Runbook(tasks, assembly.settings), by_path, assembly.owned)
    problems = [*assembly.problems, *faulty, *found, *(one for one in sources if not isinstance(one, Source))]
    files = {source.path: number for number, source in enumerate(sources)}
    problems.sort(key=lambda problem: (files.get(problem.path, 0), problem.line, problem.column))
    if len(readable) < len(sources) or any(problem.severity == "error" for problem in assembly.problems):
        sketch = None
    return Compiled(None if faulty else sketch, tuple(problems), sketch, assembly.means_runbook)


def _graph(
    runbook: Runbook, sources: Mapping[str, Source], owned: frozenset[str]
) -> tuple[Graph | None, list[Problem]]:
    """The edges of a runbook; one whose tasks have none needs no networkx, which is most of a first start."""
    tasks = runbook.tasks
    if not any(_has_edges(task) for task in tasks.values()):
        return Graph(runbook, tuple(tasks), dict.fromkeys(tasks, ()), {}), []
    from spry.core import graph  # noqa: PLC0415 - as above

    return graph.build(runbook, sources, owned)


def _has_edges(task: Task) -> bool:
    """Whether a task can be at an end of an edge, or asks for what others leave."""
    return bool(task.deps or task.injected_dep or task.captures or task.expressions or task.restore)


def _written(assembly: Assembly) -> tuple[dict[str, Task], list[Problem]]:
    """The tasks with their partials in place and their expressions found; what is wrong with those."""
    tasks: dict[str, Task] = {}
    problems: list[Problem] = []
    for name, (task, text) in assembly.drafts.items():
        if task.is_env:
            problems += dotenv.parse(text).problems
        elif task.interpreter is not None:
            problems += _misspelled(task, assembly, text)
        if not (task.interpolate or task.injectable):
            tasks[name] = task
            continue
        prepared = prepare(
            text,
            name=name,
            interpolate=task.interpolate,
            injectable=task.injectable,
            partials=assembly.partials,
            shell=shell_of(task, assembly.settings[task.path]),
        )
        problems += prepared.problems
        line = _first_line(task, prepared.composed)
        tasks[name] = task._replace(body=prepared.body, expressions=prepared.expressions, body_line=line)
    return tasks, list(dict.fromkeys(problems))


def _misspelled(task: Task, assembly: Assembly, text: Passage) -> list[Problem]:
    """What is wrong with the words of an `--interpreter`."""
    try:
        choose(task, assembly.settings[task.path])
    except UsageError as error:
        return [text.source.problem(error.message, task.line, task.column, len(task.name), error.hint)]
    return []


def _first_line(task: Task, composed: Composed) -> int:
    """The file line to count the script's lines from, so that most of the task's own lines are named right.

    What is injected before a body moves it down. Lines on the smaller side of a partial in its middle are off.
    """
    end = task.body_line + task.body.count("\n")
    places = enumerate(composed.lines())
    own = (line - row for row, (path, line) in places if path == task.path and task.body_line <= line < end)
    ((first, _),) = Counter(own).most_common(1) or ((task.body_line, 0),)
    return max(first, 1)
