"""A workspace from Python: which repositories it has, and one task run in many of them."""

from __future__ import annotations

import os

from spry.api.asking import checked
from spry.api.wishes import Wishes
from spry.workspace.books import opened
from spry.workspace.crew import Stage
from spry.workspace.discovery import Repository, chosen, discover
from spry.workspace.running import Order, run_in_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from spry.core.events import Event
    from spry.core.model import Plan
    from spry.engine.audience import Listener
    from spry.errors import SpryError
    from spry.view.plain import Output
    from spry.workspace.joined import Share
    from spry.workspace.results import WorkspaceTaskResult

    Filter = Callable[[Repository], bool] | str | None
    OnEvent = Callable[[str, Event], None]


class Workspace:
    """The repositories in a folder (`root`), or those that its `.spry/config.toml` lists.

    Without a root it is the workspace that `spry workspace` would find from the current folder.
    """

    def __init__(self, root: str | os.PathLike[str] | None = None) -> None:
        self.root = None if root is None else os.path.abspath(root)

    def discover_repos(self, patterns: Sequence[str] | None = None, repo_filter: Filter = None) -> list[Repository]:
        """The repositories whose names match any of the patterns (all without one) and that pass the filter.

        The filter is a pattern, or a function that is asked for each. UsageError if there are no repositories, or if a
        pattern matches none.
        """
        found = chosen(discover(self.root), patterns or ())
        if isinstance(repo_filter, str):
            return chosen(found, [repo_filter])
        return [one for one in found if repo_filter is None or repo_filter(one)]

    def run_task(  # noqa: PLR0913 - options, by keyword
        self,
        task_name: str,
        repo_patterns: Sequence[str] | None = None,
        repo_filter: Filter = None,
        *,
        parallel: bool = False,
        fail_fast: bool = False,
        env: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        words: Sequence[str] = (),
        jobs: int | None = None,
        timeout: float | None = None,
        on_event: OnEvent | None = None,
    ) -> WorkspaceTaskResult:
        """Run a task in these repositories and in those that they need, and say what came of it; nothing is printed.

        `words` are the task's `"$@"`, `timeout` (seconds) is that of the whole; `on_event` is called with the name of
        a repository and each event of its run. As on the command line, `fail_fast` has no effect in parallel. Raises
        UsageError and RunbookError for what keeps the whole from starting.
        """
        picked = {one.name for one in self.discover_repos(repo_patterns, repo_filter)}
        books = opened(discover(self.root))
        given = {task_name: tuple(words)} if words else {}
        asked = checked(
            Wishes(jobs, fail_fast and not parallel, timeout, yes=True, env=env or {}, params=params or {}, words=given)
        )
        stage = Stage(_nobody, lambda: False, lambda share: _listeners(share, on_event), _agree)
        order = Order(task_name, asked, parallel)
        return run_in_all(books, [book for book in books if book.name in picked], order, stage, Silent())


class Silent:
    """Tells nothing: the result says it all."""

    def began(self, order: Order, shares: Sequence[Share], skipped: Sequence[str]) -> None:
        """These repositories have a part in it, and those have no such task."""

    def board(self, plan: Plan) -> Sequence[Output]:
        """Nobody listens to all at once."""
        del plan
        return ()

    def refused(self, name: str, roots: Sequence[str], error: SpryError) -> None:
        """A repository cannot run at all."""

    def over(self, result: WorkspaceTaskResult) -> None:
        """All are done."""


def _listeners(share: Share, on_event: OnEvent | None) -> Sequence[Listener]:
    return () if on_event is None else [lambda event: on_event(share.name, event)]


def _agree(share: Share, asked: Wishes) -> None:
    """Whoever calls a function to run a runbook trusts it, unless others could have written it."""
    if any(file.owner != os.geteuid() for file in share.book.files):
        from spry.api.trust import trust

        trust(share.book.files, share.plan, asked._replace(yes=False), lambda: False)


def _nobody(text: str) -> None:
    """Nobody is there to be warned: what matters is in the result."""
