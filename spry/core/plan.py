"""From a graph and a selection to a plan: which tasks run, and after which others.

- Names choose tasks whatever their graph; without names the default graph is chosen, or the graphs named. In the
  default graph a finally task is not chosen for itself: it joins.
- A finally task joins once all its dependencies are chosen; those that others injected into it come with it. One
  without dependencies joins every selection that holds a task of its graph; if it is in no graph, every selection.
- A skipped task is left out and nothing else is: what it needs still runs, and what needs it waits for that.
- `from_` keeps env cells among the ancestors it leaves out when a chosen task depends on them: they are read, not run.
"""

from __future__ import annotations

from spry.core.model import Plan, Step
from spry.core.roots import graphs_of, roots_of, several
from spry.errors import UsageError
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from spry.core.model import Graph, Task

    Deps = Mapping[str, tuple[str, ...]]


class Selection(NamedTuple):
    """What somebody asked to run; nothing at all means the default graph.

    `tags` narrow the graphs (any one of them is enough), `from_` and `until` whatever was chosen. `everything` means
    all tasks, whatever their graph.
    """

    tasks: tuple[str, ...] = ()
    graphs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    from_: str | None = None
    until: str | None = None
    everything: bool = False


def select(graph: Graph, selection: Selection) -> Plan:
    """The plan for a selection; `UsageError` for an unknown name, an empty selection, or one that cannot work."""
    roots = roots_of(graph, selection)
    chosen: set[str] = set()
    _add(graph.deps, chosen, roots)
    _join(graph, chosen)
    barred = _ancestors(graph, selection.from_) if selection.from_ else frozenset()
    if selection.from_ or selection.until:
        chosen = _narrowed(graph, selection, chosen, barred)
    skipped = chosen & set(selection.skip)
    chosen -= skipped
    tasks = graph.runbook.tasks
    asked_for = {*roots, selection.from_, selection.until}
    if not any(name in asked_for or not tasks[name].is_finally for name in chosen):
        raise UsageError("Nothing is left to run: --skip leaves out every selected task")
    _check_uses(graph, chosen, skipped | barred)
    return _planned(graph, chosen, skipped)


def layers(plan: Plan) -> tuple[tuple[str, ...], ...]:
    """The names of a plan by topological generation, each in plan order."""
    found: list[list[str]] = [[] for _ in range(1 + max((step.layer for step in plan.steps.values()), default=-1))]
    for name, step in plan.steps.items():
        found[step.layer].append(name)
    return tuple(map(tuple, found))


def waits_for_all(task: Task, deps: Iterable[str], kinds: Mapping[tuple[str, str], str]) -> bool:
    """Whether a finally task has no dependency of its own, and so waits for all ordinary tasks.

    A dependency that was skipped by request still counts as one; one that another task injected into it does not,
    or `setup --injected-dep '*'` would have every clean-up run right after setup.
    """
    own = (dep for dep in deps if kinds.get((dep, task.name)) != "injected")
    return task.is_finally and not task.deps and next(own, None) is None


# What is chosen


def _add(deps: Deps, chosen: set[str], roots: Iterable[str], barred: Collection[str] = ()) -> None:
    """Add tasks and all that they need, without what is barred."""
    fresh = [name for name in roots if name not in chosen and name not in barred]
    chosen.update(fresh)
    while fresh:
        for dep in deps[fresh.pop()]:
            if dep not in chosen and dep not in barred:
                chosen.add(dep)
                fresh.append(dep)


def _join(graph: Graph, chosen: set[str], barred: Collection[str] = ()) -> None:
    """Let finally tasks join, until no other one can: what joins may complete the dependencies of the next."""
    tasks = graph.runbook.tasks
    outside = [name for name in graph.order if tasks[name].is_finally and name not in chosen and name not in barred]
    graphs = graphs_of(tasks[name] for name in chosen) if outside else {}
    before = -1
    while outside and before != len(chosen):
        before = len(chosen)
        for name in outside:
            if _joins(graph, tasks[name], chosen, graphs):
                _add(graph.deps, chosen, (name,), barred)


def _joins(graph: Graph, task: Task, chosen: set[str], graphs: Collection[str]) -> bool:
    deps = graph.deps[task.name]
    if waits_for_all(task, deps, graph.kinds):
        return not task.graphs or any(name in graphs for name in task.graphs)
    return all(dep in chosen or graph.kinds.get((dep, task.name)) == "injected" for dep in deps)


# Narrowing


def _narrowed(graph: Graph, selection: Selection, chosen: set[str], barred: frozenset[str]) -> set[str]:
    """What of the chosen tasks lies from the one task on and until the other, with what that needs."""
    for flag, name in (("--from", selection.from_), ("--until", selection.until)):
        if name is not None and name not in chosen:
            raise UsageError(f'{flag} "{name}": the task is not in the selection', _way_in(graph, name))
    kept = chosen
    if selection.from_:
        kept = kept & _descendants(graph, selection.from_)
    if selection.until:
        upto: set[str] = set()
        _add(graph.deps, upto, (selection.until,))
        kept = kept & upto
    if not kept:
        message = f'Nothing lies between "{selection.from_}" and "{selection.until}"'
        raise UsageError(message, f'"{selection.until}" does not depend on "{selection.from_}"')
    found: set[str] = set()
    _add(graph.deps, found, kept, barred)
    _join(graph, found, barred)
    return found


def _way_in(graph: Graph, name: str) -> str:
    graphs = graph.runbook.tasks[name].graphs
    return f"choose its graph with --graph {graphs[0]}" if graphs else f"choose it by its name: {name}"


def _ancestors(graph: Graph, name: str) -> frozenset[str]:
    """All that a task needs, without env cells: those are read, not run."""
    found: set[str] = set()
    _add(graph.deps, found, graph.deps[name])
    return frozenset(dep for dep in found if not graph.runbook.tasks[dep].is_env)


def _descendants(graph: Graph, name: str) -> set[str]:
    """A task and all that need it."""
    found = {name}
    for other in graph.order:
        if not found.isdisjoint(graph.deps[other]):
            found.add(other)
    return found


def _check_uses(graph: Graph, chosen: set[str], missing: Collection[str]) -> None:
    """No chosen task may use what a task that is left out would have made: its capture, environment or artifacts."""
    if not missing:
        return
    tasks = graph.runbook.tasks
    faults: list[str] = []
    saver: dict[str, str] = {}  # a task that is left out and saves, for each task that it is an ancestor of
    for name in graph.order:
        for dep in graph.deps[name]:
            upstream = dep if dep in missing and tasks[dep].saves else saver.get(dep)
            if upstream:
                saver[name] = upstream
            if name in chosen and dep in missing:
                faults += _uses(tasks[name], tasks[dep])
        if name in chosen and name in saver and tasks[name].restore is not None:
            faults.append(f'"{name}" restores what "{saver[name]}" saves')
    if faults:
        raise UsageError(f"{several(faults)}, which this selection leaves out", "let that task run as well")


def _uses(task: Task, dep: Task) -> list[str]:
    """What a task uses of a direct dependency, in words."""
    used = {expression.key for expression in task.expressions if expression.kind == "captured"}
    faults = [f'"{task.name}" uses the capture "{key}" of "{dep.name}"' for key in dep.capture_keys if key in used]
    return [*faults, f'"{task.name}" uses the environment of "{dep.name}"'] if dep.is_env else faults


# The plan


def _planned(graph: Graph, chosen: set[str], skipped: set[str]) -> Plan:
    kinds = {edge: kind for edge, kind in graph.kinds.items() if edge[0] in chosen and edge[1] in chosen}
    deps = _bridged(graph, chosen, skipped, kinds) if skipped else graph.deps
    inside = {name: tuple(dep for dep in deps[name] if dep in chosen) for name in graph.order if name in chosen}
    steps = _steps(graph.runbook.tasks, inside, kinds)
    left_out = tuple(name for name in graph.order if name in skipped)
    return Plan(steps, kinds, graph.runbook.settings, left_out)


def _bridged(graph: Graph, chosen: set[str], skipped: set[str], kinds: dict[tuple[str, str], str]) -> Deps:
    """Dependencies as if a skipped task were done once what it needs is done: its dependents wait for that.

    Such edges have the kind `skip:NAME`.
    """
    deps: dict[str, tuple[str, ...]] = {}
    for name in graph.order:
        found = dict.fromkeys(dep for dep in graph.deps[name] if dep not in skipped)
        for gone in graph.deps[name]:
            beyond = [dep for dep in deps[gone] if dep not in found] if gone in skipped else ()
            found.update(dict.fromkeys(beyond))
            if name in chosen:
                kinds.update({(dep, name): f"skip:{gone}" for dep in beyond if dep in chosen})
        deps[name] = tuple(found)
    return deps


def _steps(tasks: Mapping[str, Task], deps: Deps, kinds: Mapping[tuple[str, str], str]) -> dict[str, Step]:
    """Steps in topological order with their layers; what waits for all ordinary tasks comes after all of those."""
    last = {name for name in deps if waits_for_all(tasks[name], deps[name], kinds)}
    late = set(last)
    for name in deps if last else ():
        if not late.isdisjoint(deps[name]):
            late.add(name)
    steps: dict[str, Step] = {}
    for name in deps:
        if name not in late:
            steps[name] = _step(tasks[name], deps[name], steps)
    floor = 1 + max((step.layer for step in steps.values() if not step.task.is_finally), default=-1)
    for name in deps:
        if name in late:
            steps[name] = _step(tasks[name], deps[name], steps, floor if name in last else 0)
    return steps


def _step(task: Task, deps: tuple[str, ...], steps: Mapping[str, Step], floor: int = 0) -> Step:
    return Step(task, deps, max(floor, 1 + max((steps[dep].layer for dep in deps), default=-1)))
