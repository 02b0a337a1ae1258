"""How a task ended: its result, and the exceptions that say so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from subprocess import CompletedProcess

    from spry.api.task import Task

    TerminationReason = Literal["exit_code", "timeout", "cancelled", "handler", "artifacts"]


class TaskStatus(Enum):
    """Where a task stands."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    BLOCKED = "blocked"

    @property
    def is_active(self) -> bool:
        """Whether there is still something to come: it waits, or it runs."""
        return self in (TaskStatus.PENDING, TaskStatus.RUNNING)

    @property
    def is_bad(self) -> bool:
        """Whether it ended without success."""
        return self in (TaskStatus.FAILED, TaskStatus.CANCELLED, TaskStatus.BLOCKED)

    @property
    def is_sink(self) -> bool:
        """Whether no other status can follow."""
        return self in (TaskStatus.SUCCEEDED, TaskStatus.CANCELLED)


class TaskCancelled(RuntimeError):  # noqa: N818 - the name that programs know
    """A task was cancelled. A handler that raises it cancels its own task."""


class TaskExecutionError(RuntimeError):
    """A task's program failed; `completed` has its exit code and its whole output."""

    def __init__(self, message: str, completed: CompletedProcess[str]) -> None:
        super().__init__(message)
        self.completed = completed


class TaskTimeoutError(TimeoutError):
    """A task took longer than its timeout; `completed` has what it had written until then."""

    def __init__(self, message: str, completed: CompletedProcess[str]) -> None:
        super().__init__(message)
        self.completed = completed


@dataclass(frozen=True, slots=True)
class TaskResult:
    """How the last attempt of a task ended.

    Times of day are local and naive; `duration` is in seconds, from a clock that never goes back. `output` is the whole
    stdout, or the text that a handler returned; `error` the whole stderr, or what went wrong. `returncode` is None
    where there was no process, and negative for a signal. `raw` is what the handler returned. `termination_reason` is
    None for a success; `artifacts` means that its files could not be restored or saved.
    """

    task_id: str
    status: TaskStatus
    started_at: datetime
    finished_at: datetime
    duration: float
    output: str = ""
    error: str | None = None
    returncode: int | None = None
    raw: object | None = None
    termination_reason: TerminationReason | None = None

    @classmethod
    def from_raw(
        cls,
        task: Task,
        raw: object,
        *,
        status: TaskStatus,
        started_at: datetime,
        finished_at: datetime,
        duration: float,
    ) -> TaskResult:
        """The result of whatever a handler returned: text is output, a CompletedProcess also says how it ended."""
        output, error, code = "", None, None
        if isinstance(raw, str):
            output = raw
        elif raw is not None and type(raw).__name__ == "CompletedProcess":
            output, error = _text(getattr(raw, "stdout", "")), _text(getattr(raw, "stderr", "")) or None
            code = getattr(raw, "returncode", None)
        return cls(task.id, status, started_at, finished_at, duration, output, error, code, raw)


def _text(output: object) -> str:
    """What a process wrote, as text; None where nobody listened."""
    if isinstance(output, bytes):
        return output.decode("utf-8", "replace")
    return output if isinstance(output, str) else ""
