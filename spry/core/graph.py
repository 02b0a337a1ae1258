"""From tasks to their graph: every edge resolved, every problem gathered, each with its place.

What is wrong with cycles is told by `core.cycles`; networkx finds them, ancestors and paths.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from itertools import pairwise

from spry.core.cycles import report_cycles
from spry.core.edges import Edges
from spry.core.marks import dep_mark, keys_used, name_mark, use_mark
from spry.core.model import Graph, is_elsewhere
from spry.core.text import closest, did_you_mean
from spry.errors import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import networkx as nx

    from spry.core.marks import Mark
    from spry.core.model import Expression, Runbook, Task
    from spry.core.source import Source

COMPARISONS = 20_000  # names compared in all when guessing what was meant; every guess looks at each known name
CLEANUPS = frozenset({"cleanup", "teardown"})
RANKS = {"": 0, "i": 1, "c": 2}  # first letter of an edge's kind: written, injected, captured


class Draft:
    """A graph while it grows: edges run from a dependency to its dependent."""

    __slots__ = ("edges", "guesses", "injectors", "kinds", "names", "problems", "sources", "tasks")

    def __init__(self, tasks: Mapping[str, Task], sources: Mapping[str, Source], owned: frozenset[str]) -> None:
        self.tasks = tasks
        self.sources = sources
        self.names = [*tasks, *sorted(owned - tasks.keys())]
        self.guesses = max(COMPARISONS // max(len(self.names), 1), 3)
        self.problems: list[Problem] = []
        self.kinds: dict[tuple[str, str], str] = {}
        self.edges = Edges(tasks)
        self.injectors = {name: _pattern(task.injected_dep) for name, task in tasks.items() if task.injected_dep}

    def imply(self, dep: str, dependent: str, kind: str) -> None:
        """Add an edge that nobody wrote, unless it is there already."""
        if not self.edges.has(dep, dependent):
            self.edges.add(dep, dependent)
            self.kinds[dep, dependent] = kind

    def guess(self, name: str, names: Iterable[str]) -> str | None:
        """The name that was probably meant, while there are guesses left: a thousand typos stay linear."""
        self.guesses -= 1
        return closest(name, names) if self.guesses >= 0 else None

    def report(self, mark: Mark, message: str, hint: str, severity: str = "error") -> None:
        """Note a problem at a place, with its line if the file is at hand."""
        path, line, column, length = mark
        origin = self.sources.get(path)
        if origin is None:
            problem = Problem(message, path, line, column, length, hint=hint, severity=severity)
        else:
            problem = origin.problem(message, line, column, length, hint, severity)
        self.problems.append(problem)


def _pattern(regex: str) -> re.Pattern[str]:
    return re.compile(".*" if regex == "*" else regex)


def build(
    runbook: Runbook, sources: Mapping[str, Source], owned: frozenset[str] = frozenset()
) -> tuple[Graph | None, list[Problem]]:
    """Resolve every edge of a runbook: the graph, or None if anything is wrong, and all problems in document order.

    `sources` holds each file by its path, for excerpts. `owned` are names of cells that are broken and reported
    elsewhere: a dependency on one is no problem of its own. Notes come with a graph; they do not make it invalid.
    """
    draft = Draft(runbook.tasks, sources, owned)
    _add_written(draft, owned)
    _add_captured(draft, bool(owned))
    _check_params(draft)
    order = draft.edges.order()
    if order is None:
        report_cycles(draft)
    elif draft.injectors:
        _add_injected(draft)
        order = draft.edges.order()
    if order is not None and any(task.saves or task.restore for task in draft.tasks.values()):
        from spry.core.artifacts import check_artifacts  # noqa: PLC0415 - few runbooks have any

        check_artifacts(draft, order)
    _note_cleanups(draft)
    files = {path: index for index, path in enumerate(sources)}
    problems = sorted(draft.problems, key=lambda found: (files.get(found.path, 0), found.line, found.column))
    if order is None or any(problem.severity == "error" for problem in problems):
        return None, problems
    return _finished(draft, runbook, order), problems


def _finished(draft: Draft, runbook: Runbook, order: tuple[str, ...]) -> Graph:
    deps = {name: tuple(known) for name, known in draft.edges.deps.items()}
    for name in {dependent for _, dependent in draft.kinds}:
        deps[name] = tuple(sorted(deps[name], key=lambda dep: RANKS[draft.kinds.get((dep, name), "")[:1]]))
    return Graph(runbook, order, deps, draft.kinds)


# Written dependencies


def _add_written(draft: Draft, owned: frozenset[str]) -> None:
    for task in draft.tasks.values():
        for index, dep in enumerate(task.deps):
            if dep in draft.tasks:
                draft.edges.add(dep, task.name)
            elif dep not in owned and dep not in task.deps[:index] and not is_elsewhere(dep):
                _report_unknown(draft, task, dep)


def _report_unknown(draft: Draft, task: Task, dep: str) -> None:
    near = draft.guess(dep, (name for name in draft.names if name != task.name))
    if near:
        message, hint = f'Task "{dep}" not found (did you mean "{near}"?)', f"write --dep {near}"
    else:
        message = f'Task "{dep}" referenced by "{task.name}" does not exist'
        hint = f'define a task "{dep}", or remove it from the dependencies of "{task.name}"'
    draft.report(dep_mark(task, dep), message, hint)


# Dependencies through ${captured.KEY}


def _add_captured(draft: Draft, incomplete: bool) -> None:
    """Edges to whatever captures a key that is used; `incomplete` when cells are missing that might capture it."""
    makers: dict[str, list[str]] = {}
    for task in draft.tasks.values():
        for key in dict.fromkeys(task.capture_keys if task.captures else ()):
            makers.setdefault(key, []).append(task.name)
    uses = [(task, used) for task in draft.tasks.values() for used in keys_used(task)]
    for task, used in uses:
        found = makers.get(used.key, ())
        if len(found) == 1:
            draft.imply(found[0], task.name, f"capture:{used.key}")
        elif not found and not incomplete and not _may_be_handed_values(draft, task):
            _report_key(draft, task, used, makers)
    shared = {key: names for key, names in makers.items() if len(names) > 1}
    order = draft.edges.order() if shared else None
    if order is not None:
        _add_recaptured(draft, order, shared, uses)


def _may_be_handed_values(draft: Draft, task: Task) -> bool:
    """Whether a dependency could hand over `$SPRY_OUTPUT` values: their names are only known once it has run."""
    known = (draft.tasks[dep] for dep in task.deps if dep in draft.tasks)
    if any(dep.needs_process or dep.deps for dep in known):
        return True
    return any(name != task.name and pattern.fullmatch(task.name) for name, pattern in draft.injectors.items())


def _report_key(draft: Draft, task: Task, used: Expression, keys: Iterable[str]) -> None:
    message = f'No task captures "{used.key}", which "{task.name}" uses'
    near = draft.guess(used.key, keys)
    hint = f'did you mean "{near}"?' if near else f"capture it in a task with -C {used.key}"
    draft.report(use_mark(task, used), message, hint)


def _add_recaptured(
    draft: Draft,
    order: Sequence[str],
    shared: Mapping[str, Sequence[str]],
    uses: Iterable[tuple[Task, Expression]],
) -> None:
    """Edges for keys that several tasks capture one after the other: a use means the last capture before it."""
    place = {name: index for index, name in enumerate(order)}
    graph = draft.edges.digraph()
    chains = {key: sorted(names, key=place.__getitem__) for key, names in shared.items()}
    ambiguous = {key for key, chain in chains.items() if not _is_chain(draft, graph, key, chain)}
    wanted = [(task, used.key) for task, used in uses if used.key in chains and used.key not in ambiguous]
    edges = [(_last_before(graph, chains[key], task.name), task.name, key) for task, key in wanted]
    for maker, name, key in edges:
        draft.imply(maker, name, f"capture:{key}")


def _is_chain(draft: Draft, graph: nx.DiGraph[str], key: str, chain: Sequence[str]) -> bool:
    """Whether each capture of a key needs the one before it; reports the first two that could happen in any order."""
    from networkx import has_path  # noqa: PLC0415 - takes longer than most runs

    for pair in pairwise(chain):
        if has_path(graph, *pair):
            continue
        first, second = (name for name in draft.tasks if name in pair)
        message = f'Both "{first}" and "{second}" capture "{key}", and neither depends on the other'
        hint = f"capture it under another key in one of them, or order them with --dep {first}"
        draft.report(name_mark(draft.tasks[second]), message, hint)
        return False
    return True


def _last_before(graph: nx.DiGraph[str], chain: Sequence[str], name: str) -> str:
    """The last task of the chain that does not come after the one named; the first if all do, which is a cycle."""
    from networkx import has_path  # noqa: PLC0415 - as above

    if name in chain:
        return chain[max(chain.index(name) - 1, 0)]
    return chain[max(bisect_left(chain, True, key=lambda maker: has_path(graph, name, maker)) - 1, 0)]


def _check_params(draft: Draft) -> None:
    for task in draft.tasks.values():
        names = [parameter.name for parameter in task.params]
        for used in task.expressions:
            if used.kind == "param" and used.key not in names:
                message = f'"{task.name}" has no parameter "{used.key}"'
                hint = did_you_mean(used.key, names) or f"declare it with --arg {used.key}"
                draft.report(use_mark(task, used), message, hint)


# Injected dependencies


def _add_injected(draft: Draft) -> None:
    """Make injecting tasks dependencies of all they match, as long as no edge closes a cycle.

    Those that match everything come last, so that a pattern that says more wins; else document order decides.
    """
    from networkx import ancestors  # noqa: PLC0415 - as above

    patterns = draft.injectors
    graph = draft.edges.digraph()
    for name in sorted(patterns, key=lambda name: patterns[name].pattern == ".*"):
        barred = {name, *ancestors(graph, name)}
        for target in filter(patterns[name].fullmatch, draft.tasks):
            mutual = target in patterns and patterns[target].fullmatch(name)
            if target not in barred and not mutual:
                draft.imply(name, target, "injected")
                graph.add_edge(name, target)


# Notes


def _note_cleanups(draft: Draft) -> None:
    for task in draft.tasks.values():
        if task.name.lower() in CLEANUPS and task.deps and not task.is_finally:
            message = f'"{task.name}" does not run when one of its dependencies fails'
            hint = "add --finally if it must always run"
            draft.report(name_mark(task), message, hint, "note")
