"""From files to a graph, by way of the compiled runbooks: an unchanged runbook is not parsed again."""

from __future__ import annotations

import os

from spry.errors import RunbookError, UsageError
from spry.store.plans import PlanCache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from spry.api.places import File
    from spry.core.compile import Compiled
    from spry.core.model import Graph


def load(files: Sequence[File], *, remember: bool = True) -> Graph:
    """The graph of runbooks given together; RunbookError with every problem if they are invalid.

    With `remember` the compiled graph is kept for the next start; without, nothing is written.
    """
    cache = PlanCache(folder())
    graph = cache.load(files)
    if graph is None:
        found = compiled(files)
        if found.graph is None:
            raise InvalidRunbookError(found)
        graph = found.graph
        if remember and os.path.isabs(folder()):
            cache.save(files, graph)
    if not graph.order:
        looked = ", ".join(file.path for file in files)
        raise NoTasksError(f"no tasks found in {looked}", "a task is a fence with a name: ```bash build")
    return graph


class NoTasksError(UsageError):
    """A file that was meant as a runbook has no task."""


class InvalidRunbookError(RunbookError):
    """A runbook that runs nothing, with what could be read of it."""

    def __init__(self, found: Compiled) -> None:
        super().__init__(problem for problem in found.problems if problem.severity == "error")
        self.sketch = found.sketch


def compiled(files: Sequence[File]) -> Compiled:
    """What comes of files, parsed anew."""
    from spry.core.compile import compile_sources
    from spry.core.source import decode

    return compile_sources([decode(file.data, file.path, file.folder) for file in files])


def folder() -> str:
    """Where compiled runbooks are kept: `spry/plans` in the user's cache; relative where nobody knows a home."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(home):
        home = os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(home, "spry", "plans")
