"""What each repository of a workspace can do: its runbook, read; what is wrong with it is its own affair."""

from __future__ import annotations

from spry.api.load import NoTasksError, load
from spry.api.places import runbooks_in
from spry.errors import SpryError
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from spry.api.places import File
    from spry.core.model import Graph
    from spry.workspace.discovery import Repository


class Book(NamedTuple):
    """The runbook of a repository: `graph` is None where it has no tasks, or where `error` says what is wrong."""

    repository: Repository
    files: Sequence[File] = ()
    graph: Graph | None = None
    error: SpryError | None = None

    @property
    def name(self) -> str:
        """The name of the repository."""
        return self.repository.name

    @property
    def tasks(self) -> Collection[str]:
        """The names of its tasks, in document order."""
        return self.graph.runbook.tasks if self.graph else ()


def opened(repositories: Iterable[Repository], *, remember: bool = True) -> list[Book]:
    """The runbooks of repositories, in the same order; with `remember` what was compiled is kept for the next start."""
    return [_opened(repository, remember=remember) for repository in repositories]


def _opened(repository: Repository, *, remember: bool) -> Book:
    files: Sequence[File] = ()
    try:
        files = runbooks_in(repository.folder)
        graph = load(files, remember=remember) if files else None
    except NoTasksError:
        graph = None
    except SpryError as error:
        return Book(repository, files, error=error)
    return Book(repository, files, graph)
