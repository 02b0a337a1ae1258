"""Dependencies that go round in a circle: found with networkx, told so that one can be removed."""

from __future__ import annotations

from itertools import pairwise

from spry.core.marks import dep_mark, keys_used, use_mark

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from spry.core.edges import Edges
    from spry.core.graph import Draft
    from spry.core.marks import Mark

SHOWN = 5  # tasks, or edges, at each end of a cycle


def report_cycles(draft: Draft) -> None:
    """One problem for each knot of cycles: a shortest cycle through the task of it that comes first."""
    from networkx import strongly_connected_components  # noqa: PLC0415 - only for a runbook that cannot run

    place = {name: index for index, name in enumerate(draft.tasks)}
    for knot in strongly_connected_components(draft.edges.digraph()):
        first = min(knot, key=place.__getitem__)
        if len(knot) > 1 or draft.edges.has(first, first):
            _report_cycle(draft, _shortest_cycle(draft.edges, knot, first))


def _shortest_cycle(edges: Edges, knot: set[str], start: str) -> list[str]:
    """A shortest walk from a task along its dependencies back to it, both ends included."""
    came_from: dict[str, str] = {}
    wave = [start]
    while start not in came_from:
        reached = []
        for name in wave:
            for dep in edges.deps[name]:
                if dep in knot and dep not in came_from:
                    came_from[dep] = name
                    reached.append(dep)
        wave = reached
    path = [start, came_from[start]]
    while path[-1] != start:
        path.append(came_from[path[-1]])
    return path[::-1]


def _report_cycle(draft: Draft, cycle: Sequence[str]) -> None:
    message = f"Circular dependency detected: {_shortened(cycle, ' → ')}"
    edges = list(pairwise(cycle))
    shown = edges if len(edges) <= 2 * SHOWN + 1 else [*edges[:SHOWN], *edges[-SHOWN:]]
    words = [_edge(draft, *edge) for edge in shown]
    if len(shown) < len(edges):
        words.insert(SHOWN, f"… {len(edges) - len(shown):,} more …")
    hint = f"remove one of these dependencies: {', '.join(words)}"
    draft.report(_edge_mark(draft, cycle[0], cycle[1]), message, hint)


def _shortened(names: Sequence[str], between: str) -> str:
    if len(names) <= 2 * SHOWN + 1:
        return between.join(names)
    return between.join([*names[:SHOWN], f"… {len(names) - 2 * SHOWN:,} more …", *names[-SHOWN:]])


def _edge(draft: Draft, dependent: str, dep: str) -> str:
    mark = _edge_mark(draft, dependent, dep)
    place = f"line {mark.line}" if len(draft.sources) < 2 else f"{mark.path}:{mark.line}"
    key = _key(draft, dependent, dep)
    how = f"{dependent} uses ${{captured.{key}}} of {dep}" if key else f"{dependent} needs {dep}"
    return f"{how} ({place})"


def _edge_mark(draft: Draft, dependent: str, dep: str) -> Mark:
    """Whatever makes one task depend on the other."""
    task, key = draft.tasks[dependent], _key(draft, dependent, dep)
    if not key:
        return dep_mark(task, dep)
    return use_mark(task, next(used for used in keys_used(task) if used.key == key))


def _key(draft: Draft, dependent: str, dep: str) -> str:
    """The captured key that an edge stands for; nothing for a written one."""
    return draft.kinds.get((dep, dependent), "").removeprefix("capture:")
