"""The runbooks of several repositories as one graph: a task may need one of another, `--dep other//task`."""

from __future__ import annotations

from itertools import pairwise

from spry.core.edges import Edges
from spry.core.events import Outcome
from spry.core.marks import dep_mark
from spry.core.model import Plan, Step, Task, is_elsewhere
from spry.core.plan import Selection, select, waits_for_all
from spry.core.source import Source, decode
from spry.core.text import did_you_mean
from spry.errors import Problem, RunbookError, UsageError
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from spry.workspace.books import Book

EVERYTHING = Selection(everything=True)


class Share(NamedTuple):
    """What one repository contributes: its own plan, in its own names, and what was asked of it (`roots`).

    `elsewhere` has, for its tasks, the full names (`other//task`) of what they need of other repositories.
    """

    book: Book
    roots: tuple[str, ...]
    plan: Plan
    elsewhere: Mapping[str, tuple[str, ...]]

    @property
    def name(self) -> str:
        """The name of the repository."""
        return self.book.name

    def full(self, task: str) -> str:
        """The name of a task in the whole workspace."""
        return f"{self.name}//{task}"


def join(books: Sequence[Book], task: str | None, asked: Iterable[str]) -> list[Share]:
    """The shares of the repositories that were `asked` for a task (None: for everything), and of all that they need.

    RunbookError tells of every dependency that leads nowhere, and of a circle that goes through several repositories.
    """
    known = {book.name: book for book in books}
    roots: dict[str, dict[str, None]] = {name: {task: None} if task else {} for name in asked}
    shares: dict[str, Share] = {}
    problems: list[Problem] = []
    fresh = list(roots)
    while fresh:
        name = fresh.pop(0)
        share = shares[name] = _share(known, known[name], tuple(roots[name]), problems)
        for other, _, needed in (full.partition("//") for names in share.elsewhere.values() for full in names):
            wanted = roots.setdefault(other, {})
            there = shares.get(other)
            if needed not in wanted and (task or not there) and (there is None or needed not in there.plan.steps):
                wanted[needed] = None
                fresh.append(other)
    if problems:
        raise RunbookError(dict.fromkeys(problems))
    found = [shares[book.name] for book in books if book.name in shares]
    if _edges(found).order() is None:
        raise RunbookError([_circle(found)])
    return found


def in_order(shares: Sequence[Share]) -> list[Share]:
    """Repositories so that each comes after those it needs; UsageError where two need each other."""
    edges = Edges(share.name for share in shares)
    for share in shares:
        for full in (full for names in share.elsewhere.values() for full in names):
            edges.add(full.partition("//")[0], share.name)
    order = edges.order()
    if order is None:
        raise UsageError("repositories need tasks of each other: one after the other is not possible", "add --parallel")
    by_name = {share.name: share for share in shares}
    return [by_name[name] for name in order]


def combined(shares: Sequence[Share], ended: Mapping[str, Outcome] | None = None) -> Plan:
    """The one plan of several shares, its steps by their full names, settings by path.

    `ended` are outcomes of tasks of other shares that are over: what did not succeed is there as a step of its own,
    for others to depend on.
    """
    ended = ended or {}
    edges = _edges(shares, {name for name, outcome in ended.items() if outcome is not Outcome.SUCCEEDED})
    tasks = {share.full(name): step.task for share in shares for name, step in share.plan.steps.items()}
    steps: dict[str, Step] = {}
    for name in edges.order() or ():
        deps = tuple(edges.deps[name])
        task = tasks[name]._replace(name=name) if name in tasks else Task(name, "bash")
        steps[name] = Step(task, deps, 1 + max((steps[dep].layer for dep in deps), default=-1))
    kinds = {
        (share.full(dep), share.full(name)): kind for share in shares for (dep, name), kind in share.plan.kinds.items()
    }
    settings = {path: found for share in shares for path, found in share.plan.settings.items()}
    return Plan(steps, kinds, settings)


def _share(known: Mapping[str, Book], book: Book, roots: tuple[str, ...], problems: list[Problem]) -> Share:
    assert book.graph is not None
    plan = select(book.graph, Selection(roots) if roots else EVERYTHING)
    elsewhere = {}
    for name, step in plan.steps.items():
        deps = [dep for dep in step.task.deps if dep not in book.tasks and is_elsewhere(dep)]
        found = [_found(known, book, step.task, dep, problems) for dep in dict.fromkeys(deps)]
        if found:
            elsewhere[name] = tuple(full for full in found if full)
    return Share(book, roots, plan, elsewhere)


def _found(known: Mapping[str, Book], book: Book, task: Task, dep: str, problems: list[Problem]) -> str:
    """The full name of a task in another repository, or nothing, and then what is wrong with it is noted."""
    name, _, wanted = dep.partition("//")
    names = [name] if name in known else [one.name for one in known.values() if one.repository.short == name]
    other = known[names[0]] if len(names) == 1 else None
    if other is not None and wanted in other.tasks:
        return f"{other.name}//{wanted}"
    if other is None and names:
        message, hint = f'Repository "{name}" can be any of several', f"write one of {', '.join(names)}"
    elif other is None:
        message = f'Repository "{name}" not found in this workspace'
        hint = did_you_mean(name, known) or "spry workspace status lists them"
    elif other.error is not None:
        message, hint = f'"{task.name}" needs "{dep}", and that runbook is invalid', f"mend the runbook of {other.name}"
    else:
        message = f'Task "{wanted}" not found in {other.name}'
        hint = did_you_mean(wanted, other.tasks) or f"define it there, or remove it from {book.name}"
    path, line, column, length = dep_mark(task, dep)
    problems.append(_problem(book, path, message, (line, column, length), hint))
    return ""


def _problem(book: Book, path: str, message: str, place: tuple[int, int, int], hint: str) -> Problem:
    """A problem with the line of the runbook where it stands."""
    for file in book.files:
        source = decode(file.data, file.path, file.folder)
        if file.path == path and isinstance(source, Source):
            return source.problem(message, *place, hint)
    return Problem(message, path, *place, hint=hint)


def _edges(shares: Sequence[Share], failed: Iterable[str] = ()) -> Edges:
    """Every edge between tasks by their full names, and from what has `failed` in a repository that is done."""
    tasks = [share.full(name) for share in shares for name in share.plan.steps]
    needed = {full for share in shares for names in share.elsewhere.values() for full in names}
    stubs = [name for name in failed if name in needed]
    edges = Edges([*stubs, *tasks])
    for share in shares:
        for name in share.plan.steps:
            for dep in _own_deps(share, name):
                edges.add(share.full(dep), share.full(name))
            for full in share.elsewhere.get(name, ()):
                if full in edges.deps:
                    edges.add(full, share.full(name))
    return edges


def _own_deps(share: Share, name: str) -> Iterable[str]:
    """What a task waits for in its own repository; that a clean-up waits for everything is spelt out here."""
    steps, kinds = share.plan.steps, share.plan.kinds
    step = steps[name]
    if not waits_for_all(step.task, step.deps, kinds):
        return step.deps
    late = {other for other, one in steps.items() if waits_for_all(one.task, one.deps, kinds)}
    for other, after in steps.items():
        if not late.isdisjoint(after.deps):
            late.add(other)
    ordinary = [other for other, one in steps.items() if not one.task.is_finally and other not in late]
    return dict.fromkeys((*step.deps, *ordinary))


def _circle(shares: Sequence[Share]) -> Problem:
    """A circle through several repositories, told at the first of its edges that lead into another one."""
    from networkx import find_cycle

    of = {share.full(name): (share, step.task) for share in shares for name, step in share.plan.steps.items()}
    walk = [dependent for dependent, _ in find_cycle(_edges(shares).digraph().reverse())]
    edges = list(pairwise([*walk, walk[0]]))
    crossing = [(name, dep) for name, dep in edges if of[name][0] is not of[dep][0]]
    told, words = [], []
    for name, dep in crossing:
        share, task = of[name]
        raw = next(raw for raw in task.deps if dep in (raw, *_full_names(share, raw)))
        mark = dep_mark(task, raw)
        told.append((share, mark))
        words.append(f"{name} needs {dep} ({mark.path}:{mark.line})")
    share, mark = told[0]
    message = f"Circular dependency detected: {' → '.join([*walk, walk[0]])}"
    hint = f"remove one of these dependencies: {', '.join(words)}"
    return _problem(share.book, mark.path, message, (mark.line, mark.column, mark.length), hint)


def _full_names(share: Share, raw: str) -> Iterable[str]:
    """The full names that a dependency as it is written may stand for."""
    task = raw.partition("//")[2]
    return [full for names in share.elsewhere.values() for full in names if full.partition("//")[2] == task]
