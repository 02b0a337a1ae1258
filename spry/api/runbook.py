"""Runbooks in programs: read them, look at them, make a graph of their tasks, or run them."""

from __future__ import annotations

import os

from spry.api.load import compiled
from spry.api.load import load as load_files
from spry.api.places import find
from spry.api.wishes import Wishes
from spry.core.plan import Selection, select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from spry.api.graph import TaskGraph
    from spry.api.places import File
    from spry.core.model import Graph, Plan
    from spry.core.model import Task as Cell
    from spry.errors import Problem

    Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


def load(paths: Paths = ()) -> Runbook:
    """Read runbooks that belong together: files, folders or globs; without any, the nearest one.

    Raises UsageError for a path that leads nowhere. Whether what was read is valid, `Runbook.check` says.
    """
    return Runbook(find(_named(paths)))


def _named(paths: Paths) -> list[str]:
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    return [os.fspath(path) for path in paths]


def _all(names: str | Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


class Runbook:
    """Runbooks that were read together: one namespace of tasks.

    All but `check` raise RunbookError, with every problem and its place, if anything in it is invalid.
    """

    def __init__(self, files: Sequence[File]) -> None:
        self.files = files
        self._graph: Graph | None = None

    def check(self) -> tuple[Problem, ...]:
        """Every problem, in the order of the document; those of severity `error` keep it from running."""
        return tuple(compiled(self.files).problems)

    @property
    def tasks(self) -> Mapping[str, Cell]:
        """The tasks by name, in the order of the document, with every value resolved."""
        return self._valid().runbook.tasks

    def plan(
        self,
        *names: str,
        graphs: Iterable[str] = (),
        tags: Iterable[str] = (),
        skip: Iterable[str] = (),
        from_: str | None = None,
        until: str | None = None,
    ) -> Plan:
        """What the selection comes to: steps by name, in an order to run in. Without names: the default graph.

        Raises UsageError for an unknown name and for an empty selection.
        """
        return self.select(self.selection(names, graphs, tags, skip, from_, until))

    def select(self, selection: Selection) -> Plan:
        """The plan for a selection."""
        return select(self._valid(), selection)

    @staticmethod
    def selection(
        names: Iterable[str],
        graphs: Iterable[str] = (),
        tags: Iterable[str] = (),
        skip: Iterable[str] = (),
        from_: str | None = None,
        until: str | None = None,
    ) -> Selection:
        """What to select, in the engine's words; one name needs no list."""
        return Selection(_all(names), _all(graphs), _all(tags), _all(skip), from_, until)

    def graph(
        self,
        *names: str,
        graphs: Iterable[str] = (),
        tags: Iterable[str] = (),
        skip: Iterable[str] = (),
        params: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        yes: bool = False,
    ) -> TaskGraph:
        """The selected tasks as a graph, which runs as `spry task` would run them, but for the history.

        Raises UsageError for what cannot be selected, and for missing or wrong parameters. `yes` answers all questions,
        which nobody is asked here.
        """
        from spry.api.asking import checked
        from spry.api.cells import graph_of

        plan = self.plan(*names, graphs=graphs, tags=tags, skip=skip)
        title = ", ".join(file.path for file in self.files)
        asked = checked(Wishes(yes=yes, env=dict(env or {}), params=dict(params or {})))
        return graph_of(title, plan, self.files, asked)

    def _valid(self) -> Graph:
        if self._graph is None:
            self._graph = load_files(self.files)
        return self._graph
