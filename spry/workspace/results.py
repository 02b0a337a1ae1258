"""What came of one task in many repositories."""

from __future__ import annotations

from spry.core.events import Outcome, Reason
from spry.errors import FAILED, INTERNAL, INVALID, OK, TIMED_OUT
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from spry.core.events import TaskFinished

SUCCEEDED, FAILURE, SKIPPED = "succeeded", "failed", "skipped"


class RepositoryResult(NamedTuple):
    """What came of one repository: `outcome` is succeeded, failed or skipped (it has no such task).

    `exit_code` is that of the first command that failed: 124 for a timeout, 128 and more for a signal; where none
    was started, that of the error which `message` tells. `duration` is in seconds; `run` is its run in the history of
    that repository, if there was one.
    """

    name: str
    folder: str
    outcome: str
    exit_code: int = OK
    duration: float = 0.0
    run: str = ""
    message: str = ""

    @property
    def success(self) -> bool:
        """Whether the task succeeded there."""
        return self.outcome == SUCCEEDED


class WorkspaceTaskResult(NamedTuple):
    """What came of a task in the repositories of a workspace, by their names in the order in which they were done.

    `not_run` are repositories whose turn never came: a failure with `fail_fast`, the end of the time, a signal.
    """

    task_name: str
    repo_results: Mapping[str, RepositoryResult]
    duration: float
    exit_code: int
    not_run: tuple[str, ...] = ()

    @property
    def total_repos(self) -> int:
        """How many repositories were dealt with."""
        return len(self.repo_results)

    @property
    def succeeded(self) -> int:
        """In how many the task succeeded."""
        return len(self.get_succeeded_repos())

    @property
    def failed(self) -> int:
        """In how many it failed."""
        return len(self.get_failed_repos())

    @property
    def skipped(self) -> int:
        """How many have no such task."""
        return self.total_repos - self.succeeded - self.failed

    @property
    def success(self) -> bool:
        """Whether it failed nowhere, and every repository had its turn."""
        return self.exit_code == OK

    def get_failed_repos(self) -> list[str]:
        """The names of the repositories where it failed."""
        return [name for name, result in self.repo_results.items() if result.outcome == FAILURE]

    def get_succeeded_repos(self) -> list[str]:
        """The names of the repositories where it succeeded."""
        return [name for name, result in self.repo_results.items() if result.success]


def command_code(finished: Iterable[TaskFinished], run_code: int) -> int:
    """The exit code that tells most of a repository: of the first command that failed, else that of its run."""
    if run_code != FAILED:
        return run_code
    for event in finished:
        if event.outcome is Outcome.FAILED and not event.optional:
            if event.reason is Reason.TIMEOUT:
                return TIMED_OUT
            if event.signal is not None:
                return 128 + event.signal
            return event.exit_code or FAILED
    return FAILED


def workspace_code(codes: Collection[int], *, signal: int | None, late: bool) -> int:
    """What the whole tells its caller, from the codes of all runs: the first that applies, as for one run.

    3 an error of the host; 128 + `signal`; 2 nothing was run; 1 a failure; 124 all failures were timeouts, or the time
    was over (`late`); 0.
    """
    bad = [code for code in codes if code != OK]
    if INTERNAL in bad:
        return INTERNAL
    if signal is not None:
        return 128 + signal
    if bad and len(bad) == len(codes) and all(code == INVALID for code in bad):
        return INVALID
    if any(code != TIMED_OUT for code in bad):
        return FAILED
    return TIMED_OUT if bad or late else OK
