"""Edges while a graph grows, and the one question every valid runbook asks: an order to run in.

Everything harder (cycles, ancestors, paths) is a question for networkx, which is imported only where one is asked:
importing it takes ten times as long as starting Python, and most runbooks never need it.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    import networkx as nx


class Edges:
    """Dependencies by dependent, in the order in which they were added; each edge once."""

    __slots__ = ("deps",)

    def __init__(self, names: Iterable[str]) -> None:
        self.deps: dict[str, dict[str, None]] = {name: {} for name in names}

    def add(self, dep: str, dependent: str) -> None:
        """Make one task depend on another."""
        self.deps[dependent][dep] = None

    def has(self, dep: str, dependent: str) -> bool:
        """Whether one task depends on the other, directly."""
        return dep in self.deps[dependent]

    def order(self) -> tuple[str, ...] | None:
        """The names so that dependencies come first, ties as they were named; None if there is a cycle."""
        names = list(self.deps)
        place = {name: index for index, name in enumerate(names)}
        waits = [len(deps) for deps in self.deps.values()]
        dependents: dict[str, list[int]] = {}
        for index, deps in enumerate(self.deps.values()):
            for dep in deps:
                dependents.setdefault(dep, []).append(index)
        ready = [place[name] for name, deps in self.deps.items() if not deps]
        heapify(ready)
        found: list[str] = []
        while ready:
            name = names[heappop(ready)]
            found.append(name)
            for index in dependents.get(name, ()):
                waits[index] -= 1
                if not waits[index]:
                    heappush(ready, index)
        return tuple(found) if len(found) == len(names) else None

    def digraph(self) -> nx.DiGraph[str]:
        """The same as a networkx graph, edges from a dependency to its dependent."""
        import networkx as nx  # noqa: PLC0415 - takes longer than most runs

        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_nodes_from(self.deps)
        graph.add_edges_from((dep, name) for name, deps in self.deps.items() for dep in deps)
        return graph
