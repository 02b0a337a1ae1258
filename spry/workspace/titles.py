"""What the process list shows while the workspace runs: the repository and task that were heard of last."""

from __future__ import annotations

import os

from spry.core.events import TaskFinished, TaskStarted
from spry.execute.title import show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spry.core.events import Event


class Titles:
    """A listener that names this process `spry-WORKSPACE-RUN:REPOSITORY/TASK:STATUS`.

    WORKSPACE is the folder that holds the repositories, RUN the end of the id of the repository's run.
    """

    def __init__(self, workspace: str, repository: str) -> None:
        self._workspace, self._repository = os.path.basename(workspace) or "root", repository

    def __call__(self, event: Event) -> None:
        """Take the next event of the repository."""
        if isinstance(event, (TaskStarted, TaskFinished)):
            status = event.outcome if isinstance(event, TaskFinished) else "running"
            show(self._workspace, event.run, f"{self._repository}/{event.task}", status)
