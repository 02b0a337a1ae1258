"""What a selection asks for that is not there, and what it leaves out although it is used: in words, with a way out."""

from __future__ import annotations

from spry.core.model import graphs_of, tags_of
from spry.core.text import closest, listing
from spry.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from spry.core.model import Graph, Task
    from spry.core.plan import Selection

SHOWN = 8  # names, or faults, that one message lists


def no_default(tasks: Iterable[Task]) -> UsageError:
    """Every task is in some graph, and none was chosen."""
    return UsageError("No task is in the default graph", f"choose with --graph: {_names(graphs_of(tasks))}")


def no_such_tag(tasks: Iterable[Task], selection: Selection) -> UsageError:
    """A graph has no task with the tags that were asked for."""
    where = graphs_of(task for task in tasks if not set(task.tags).isdisjoint(selection.tags))
    place = f"graph {listing(selection.graphs, 'or')}" if selection.graphs else "the default graph"
    hint = f"choose with --graph: {_names(where)}" if where else "leave out --graph"
    return UsageError(f"No task of {place} has the tag {listing(selection.tags, 'or')}", hint)


def no_such_name(graph: Graph, selection: Selection) -> UsageError:
    """Names that a selection has and nothing else; all of them are told at once."""
    tasks = graph.runbook.tasks
    unknown = [
        *_unknown("Task", selection.names, tasks),
        *_unknown("Graph", selection.graphs, graphs_of(tasks.values())),
        *_unknown("Tag", selection.tags, tags_of(tasks.values())),
    ]
    return UsageError(_several(unknown), _known(graph, selection))


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
    graphs, tags = graphs_of(tasks), tags_of(tasks)
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


def check_uses(graph: Graph, chosen: set[str], missing: Collection[str]) -> None:
    """No chosen task may use what a task that is left out would have made: its capture, environment or artifacts."""
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
        raise UsageError(f"{_several(faults)}, which this selection leaves out", "let that task run as well")


def _uses(task: Task, dep: Task) -> list[str]:
    """What a task uses of a direct dependency, in words."""
    used = {expression.key for expression in task.expressions if expression.kind == "captured"}
    faults = [f'"{task.name}" uses the capture "{key}" of "{dep.name}"' for key in dep.capture_keys if key in used]
    return [*faults, f'"{task.name}" uses the environment of "{dep.name}"'] if dep.is_env else faults


def _several(faults: list[str]) -> str:
    """Faults in one message, a great many of them shortened."""
    rest = len(faults) - SHOWN
    return "; ".join([*faults[:SHOWN], f"and {rest:,} more"] if rest > 0 else faults)
