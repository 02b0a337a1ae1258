"""How a repository of the workspace stands: its runbook, its tasks, and the environment in which they would run."""

from __future__ import annotations

import os

from spry.engine.project import isolation
from spry.errors import SpryError
from spry.view.workspace import Standing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spry.core.model import Graph
    from spry.workspace.books import Book

CALLERS = "the environment of the caller"


def standing(book: Book) -> Standing:
    """How a repository stands, found by looking: nothing of it is run."""
    name, folder = book.repository
    paths = [os.path.join(one.folder, os.path.basename(one.path)) for one in book.files]
    runbook = ", ".join(os.path.relpath(path, folder) for path in paths)
    problem = book.error.gist if book.error else ""
    environment = ""
    if book.graph is not None:
        try:
            environment = _environment(book.graph, book.files[0].folder)
        except SpryError as error:
            problem = error.gist
    return Standing(name, folder, runbook, tuple(book.tasks), environment, problem)


def _environment(graph: Graph, folder: str) -> str:
    modes = (settings.env_mode for settings in graph.runbook.settings.values() if settings.env_mode)
    told = isolation(folder, next(modes, "auto"), os.environb).told
    return told.removeprefix("runs in ").removeprefix("runs ") or CALLERS
