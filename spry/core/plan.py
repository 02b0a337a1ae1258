"""From a graph and a selection to a plan: which tasks run, and after which others.

- Names choose tasks whatever their graph; without names the default graph is chosen, or the graphs named. In the
  default graph a finally task is not chosen for itself: it joins.
- A finally task joins once all its dependencies are chosen; those that others injected into it come with it. One
  without dependencies joins every selection that holds a task of its graph; if it is in no graph, every selection.
- A skipped task is left out and nothing else is: what it needs still runs, and what needs it waits for that.
- `from_` keeps env cells among the ancestors it leaves out when a chosen task depends on them: they are read, not run.
"""

from __future__ import annotations

from spry.core.model import Plan, Step, graphs_of, tags_of
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

    @property
    def names(self) -> tuple[str, ...]:
        """Every task that is named, for whatever purpose."""
        bounds = tuple(name for name in (self.from_, self.until) if name is not None)
        return *self.tasks, *self.skip, *bounds


def select(graph: Graph, selection: Selection) -> Plan:
    """The plan for a selection; `UsageError` for an unknown name, an empty selection, or one that cannot work."""
    _check_names(graph, selection)
    roots = _roots(graph.runbook.tasks, selection)
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
    if skipped or barred:
        from spry.core.absent import check_uses  # noqa: PLC0415 - most selections leave out nothing

        check_uses(graph, chosen, skipped | barred)
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


def _check_names(graph: Graph, selection: Selection) -> None:
    """Every name must be known."""
    if selection.tasks and (selection.graphs or selection.tags):
        hint = "leave out the names, or --graph and --tag"
        raise UsageError("Task names choose tasks whatever their graph: --graph and --tag have no meaning here", hint)
    tasks = graph.runbook.tasks
    if not (
        all(name in tasks for name in selection.names)
        and (not selection.graphs or graphs_of(tasks.values()).keys() >= set(selection.graphs))
        and (not selection.tags or tags_of(tasks.values()).keys() >= set(selection.tags))
    ):
        from spry.core.absent import no_such_name  # noqa: PLC0415 - only to say so

        raise no_such_name(graph, selection)


def _roots(tasks: Mapping[str, Task], selection: Selection) -> set[str]:
    """The tasks that were asked for, never none."""
    if not tasks:
        raise UsageError("There is no task to run")
    if selection.tasks:
        return set(selection.tasks)
    within = _of_graphs(tasks.values(), selection)
    if not within:
        from spry.core.absent import no_default  # noqa: PLC0415 - only to say so

        raise no_default(tasks.values())
    if not selection.tags:
        return {task.name for task in within}
    tagged = {task.name for task in within if not set(task.tags).isdisjoint(selection.tags)}
    if not tagged:
        from spry.core.absent import no_such_tag  # noqa: PLC0415 - only to say so

        raise no_such_tag(tasks.values(), selection)
    return tagged


def _of_graphs(tasks: Iterable[Task], selection: Selection) -> list[Task]:
    if selection.everything:
        return list(tasks)
    if selection.graphs:
        return [task for task in tasks if not set(task.graphs).isdisjoint(selection.graphs)]
    default = [task for task in tasks if not task.graphs]
    if selection.tags:
        return default
    return [task for task in default if not task.is_finally] or default


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
