"""What a selection asks for: its roots, with everything reported that does not exist."""

from __future__ import annotations

from spry.core.text import closest, listing
from spry.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from spry.core.model import Graph, Task
    from spry.core.plan import Selection

SHOWN = 8  # names, or faults, that one message lists


def roots_of(graph: Graph, selection: Selection) -> set[str]:
    """The tasks that were asked for, never none; `UsageError` if a name is unknown or nothing is chosen."""
    _check_names(graph, selection)
    tasks = graph.runbook.tasks
    if not tasks:
        raise UsageError("There is no task to run")
    if selection.tasks:
        return set(selection.tasks)
    within = _of_graphs(tasks.values(), selection)
    if not within:
        raise UsageError("No task is in the default graph", f"choose with --graph: {_names(graphs_of(tasks.values()))}")
    if not selection.tags:
        return {task.name for task in within}
    tagged = {task.name for task in within if not set(task.tags).isdisjoint(selection.tags)}
    if not tagged:
        raise _no_such_tag(tasks.values(), selection)
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


def _no_such_tag(tasks: Iterable[Task], selection: Selection) -> UsageError:
    where = graphs_of(task for task in tasks if not set(task.tags).isdisjoint(selection.tags))
    place = f"graph {listing(selection.graphs, 'or')}" if selection.graphs else "the default graph"
    hint = f"choose with --graph: {_names(where)}" if where else "leave out --graph"
    return UsageError(f"No task of {place} has the tag {listing(selection.tags, 'or')}", hint)


def _check_names(graph: Graph, selection: Selection) -> None:
    """Every name must be known; all that are not are reported at once."""
    if selection.tasks and (selection.graphs or selection.tags):
        hint = "leave out the names, or --graph and --tag"
        raise UsageError("Task names choose tasks whatever their graph: --graph and --tag have no meaning here", hint)
    tasks = graph.runbook.tasks
    bounds = tuple(name for name in (selection.from_, selection.until) if name is not None)
    unknown = [
        *_unknown("Task", (*selection.tasks, *selection.skip, *bounds), tasks),
        *_unknown("Graph", selection.graphs, graphs_of(tasks.values()) if selection.graphs else ()),
        *_unknown("Tag", selection.tags, _tags(tasks.values()) if selection.tags else ()),
    ]
    if unknown:
        raise UsageError(several(unknown), _known(graph, selection))


def _unknown(what: str, names: Iterable[str], known: Collection[str]) -> list[str]:
    missing = [name for name in dict.fromkeys(names) if name not in known]
    nearest = {name: closest(name, known) for name in missing[:SHOWN]}
    return [
        f'{what} "{name}" not found' + (f' (did you mean "{near}"?)' if (near := nearest.get(name)) else "")
        for name in missing
    ]


def _known(graph: Graph, selection: Selection) -> str:
    """A hint with what there is instead."""
    tasks = graph.runbook.tasks.values()
    graphs, tags = graphs_of(tasks), _tags(tasks)
    if any(name not in graphs for name in selection.graphs):
        return f"{_are('graph', graphs)}: {_names(graphs)}" if graphs else "no task has a --graph: leave it out"
    if any(name not in tags for name in selection.tags):
        return f"{_are('tag', tags)}: {_names(tags)}" if tags else "no task has a --tag: leave it out"
    return "`spry ls` lists the tasks"


def _are(word: str, names: Collection[str]) -> str:
    return f"the {word} is" if len(names) == 1 else f"the {word}s are"


def _names(names: Collection[str]) -> str:
    shown = list(names)[:SHOWN]
    rest = len(names) - len(shown)
    return listing([*shown, f"{rest:,} more"] if rest else shown)


def several(faults: list[str]) -> str:
    """Faults in one message, a great many of them shortened."""
    rest = len(faults) - SHOWN
    return "; ".join([*faults[:SHOWN], f"and {rest:,} more"] if rest > 0 else faults)


def graphs_of(tasks: Iterable[Task]) -> dict[str, None]:
    """The graphs that tasks are put into, in document order, each once."""
    return dict.fromkeys(name for task in tasks for name in task.graphs)


def _tags(tasks: Iterable[Task]) -> dict[str, None]:
    return dict.fromkeys(name for task in tasks for name in task.tags)
