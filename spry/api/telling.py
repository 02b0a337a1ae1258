"""From the facts of a run to the tasks of a program: their statuses, their results, and the events about them.

The status of a task is the truth here, as other threads may cancel a task at any moment: what the run believes to have
succeeded is cancelled if somebody cancelled it before this was told, and then nothing that needs it starts.
"""

from __future__ import annotations

import subprocess
from datetime import datetime

from spry.api.events import TaskEvent, TaskEventType
from spry.api.outcomes import TaskCancelled, TaskExecutionError, TaskResult, TaskStatus, TaskTimeoutError
from spry.api.standing import claim, restore, settle
from spry.core.events import Outcome, Reason, TaskFinished, TaskOutput, TaskProgress, TaskRetrying, TaskStarted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from spry.api.context import Handling
    from spry.api.executor import TaskExecutor
    from spry.api.outcomes import TerminationReason
    from spry.api.task import Task
    from spry.core.events import Event

    Ended = TaskFinished | TaskRetrying

PENDING, RUNNING, SUCCEEDED, FAILED, CANCELLED, BLOCKED = TaskStatus
OUTCOMES = {Outcome.SUCCEEDED: SUCCEEDED, Outcome.FAILED: FAILED}
TYPES = {SUCCEEDED: TaskEventType.SUCCEEDED, FAILED: TaskEventType.FAILED, CANCELLED: TaskEventType.CANCELLED}
TERMINATIONS: Mapping[TaskStatus, TerminationReason | None] = {SUCCEEDED: None, CANCELLED: "cancelled"}
BY_REASON: Mapping[Reason | None, TerminationReason] = {
    Reason.EXIT_CODE: "exit_code",
    Reason.SIGNAL: "exit_code",
    Reason.LIMIT: "exit_code",
    Reason.TIMEOUT: "timeout",
    Reason.ARTIFACTS: "artifacts",
}


class Account:
    """What is known of one task while it is under way.

    `needs` are the dependencies that must have succeeded, `handling` is its call, if it has one. `refused` says why it
    must not start; `error` is what a program gets to know of its failure.
    """

    __slots__ = ("chunks", "error", "handling", "is_open", "needs", "refused", "started", "tails", "task")

    def __init__(self, task: Task, needs: Sequence[Task]) -> None:
        self.task, self.needs = task, needs
        self.handling: Handling | None = None
        self.error: BaseException | None = None
        self.refused: Exception | None = None
        self.started = 0.0
        self.is_open = False
        self.chunks: dict[str, list[bytes]] = {}
        self.tails: dict[str, bytes] = {}

    def text(self, stream: str) -> str:
        """All that it wrote to a stream."""
        return b"".join(self.chunks.get(stream, ())).decode("utf-8", "replace")


class Telling:
    """The listener that keeps tasks and their subscribers up to date; `accounts` are by the names of the run.

    `left` is told the name of each task that has succeeded, before anything that needs it starts.
    """

    def __init__(self, executor: TaskExecutor, accounts: Mapping[str, Account], left: Callable[[str], None]) -> None:
        self.executor, self.accounts, self.left = executor, accounts, left

    def __call__(self, event: Event) -> None:
        """Take one fact of the run."""
        if isinstance(event, TaskOutput):
            self._wrote(self.accounts[event.task], event)
        elif isinstance(event, TaskStarted):
            self._start(self.accounts[event.task], event)
        elif isinstance(event, TaskRetrying):
            self._conclude(self.accounts[event.task], event, FAILED)
        elif isinstance(event, TaskFinished):
            self._finish(self.accounts[event.task], event)
            if event.outcome is Outcome.SUCCEEDED:
                self.left(event.task)
        elif isinstance(event, TaskProgress):
            account = self.accounts[event.task]
            self._emit(account, TaskEventType.PROGRESS, None, progress=(event.percent, event.text or None))

    def _start(self, account: Account, event: TaskStarted) -> None:
        """An attempt begins, unless something speaks against it by now."""
        task = account.task
        account.refused = self._refusal(account)
        if account.refused is not None:
            return
        before = task.status
        if not claim(task):
            account.refused = ValueError(f"Cannot execute task with status '{task.status.value}'")
            return
        account.started, account.is_open, account.error = event.at, True, None
        account.chunks, account.tails = {}, {}
        self.executor.persist(task)
        self._emit(account, TaskEventType.STARTED, before)

    def _refusal(self, account: Account) -> Exception | None:
        task = account.task
        if any(dep.status is not SUCCEEDED for dep in account.needs):
            return TaskCancelled("a dependency has not succeeded")
        return None if task.is_cancelled else self.executor.refusal(task)

    def _wrote(self, account: Account, event: TaskOutput) -> None:
        stream = event.stream
        account.chunks.setdefault(stream, []).append(event.data)
        if not self.executor.events.is_heard:
            return
        *lines, tail = (account.tails.get(stream, b"") + event.data).split(b"\n")
        account.tails[stream] = tail
        for line in lines:
            self._emit(account, TaskEventType.OUTPUT, None, output=(stream, line + b"\n"))

    def _finish(self, account: Account, event: TaskFinished) -> None:
        """A task has its outcome in this run; what was never begun here is blocked or cancelled, if anything."""
        if account.is_open:
            self._conclude(account, event, OUTCOMES.get(event.outcome, CANCELLED))
        elif event.reason is Reason.UP_TO_DATE or account.task.is_running or account.task.is_succeeded:
            account.error = account.refused  # somebody else runs it, or has
        elif account.task.is_cancelled:  # whoever did it has told so
            if account.error is not None:  # between two attempts
                account.error = TaskCancelled(f"Task '{account.task.id}' was cancelled")
        elif event.reason is Reason.DEPENDENCY or isinstance(account.refused, TaskCancelled):
            parent = next((dep.id for dep in account.needs if dep.status is not SUCCEEDED), None)
            self.executor.mark_blocked(account.task, parent)
        elif event.outcome is Outcome.CANCELLED:
            self.executor.cancel(account.task)
        else:
            account.error = account.refused
            account.started = event.at
            self._close(account, event, FAILED, str(account.refused or event.message))

    def _conclude(self, account: Account, event: Ended, status: TaskStatus) -> None:
        """An attempt is over: what it leaves, and what follows for its task."""
        for stream, tail in account.tails.items():
            if tail:
                self._emit(account, TaskEventType.OUTPUT, None, output=(stream, tail))
        account.is_open = False
        if account.task.is_cancelled:
            status = CANCELLED
        error = None if status is SUCCEEDED else self._error(account, event, status)
        account.error = error
        message = None if error is None else str(error)
        self._close(account, event, status, message)

    def _close(self, account: Account, event: Ended, status: TaskStatus, message: str | None) -> None:
        task, before = account.task, account.task.status
        result = self._result(account, event, status, message)
        if status is SUCCEEDED:
            settle(task, result)
            task.transition_to(status)
        else:
            if before is not CANCELLED:
                task.error = message
            restore(task, status, result)
        self.executor.persist(task)
        self._emit(account, TYPES[status], RUNNING if before is CANCELLED else before, error=message)

    def _error(self, account: Account, event: Ended, status: TaskStatus) -> BaseException:
        """What a program gets to know of an attempt that did not succeed."""
        raised = account.handling.error if account.handling else None
        if status is CANCELLED:
            if isinstance(raised, TaskCancelled) and event.reason is Reason.INTERRUPTED:
                return raised
            return TaskCancelled(f"Task '{account.task.id}' was cancelled")
        completed = self._completed(account, event)
        if event.reason is Reason.TIMEOUT:
            limit = account.task.timeout
            seconds = "" if limit is None else f" after {limit:g} seconds"
            return TaskTimeoutError(f"Task timed out{seconds}", completed)
        if raised is not None:
            return raised
        return TaskExecutionError(
            event.message or completed.stderr or f"exited with code {completed.returncode}", completed
        )

    def _completed(self, account: Account, event: Ended) -> subprocess.CompletedProcess[str]:
        code = _code(event)
        args = account.task.payload
        return subprocess.CompletedProcess(
            args, 1 if code is None else code, account.text("stdout"), account.text("stderr")
        )

    def _result(self, account: Account, event: Ended, status: TaskStatus, message: str | None) -> TaskResult:
        started, finished = datetime.fromtimestamp(account.started), datetime.fromtimestamp(event.at)  # noqa: DTZ006 - local, as documented
        duration = max(event.at - account.started, 0.0)
        task, handling = account.task, account.handling
        if handling is not None and status is SUCCEEDED:
            return TaskResult.from_raw(
                task, handling.value, status=status, started_at=started, finished_at=finished, duration=duration
            )
        code = None if handling is not None or account.refused is not None else _code(event)
        raw = None if code is None else self._completed(account, event)
        error = (account.text("stderr") or None) if status is SUCCEEDED else message
        reason = None if account.refused is not None else event.reason
        why = TERMINATIONS[status] if status in TERMINATIONS else BY_REASON.get(reason, "handler")
        return TaskResult(task.id, status, started, finished, duration, account.text("stdout"), error, code, raw, why)

    def _emit(
        self,
        account: Account,
        kind: TaskEventType,
        before: TaskStatus | None,
        *,
        error: str | None = None,
        progress: tuple[float | None, str | None] = (None, None),
        output: tuple[str, bytes] | None = None,
    ) -> None:
        events, task = self.executor.events, account.task
        if not events.is_heard:
            return
        stream, chunk = (None, None) if output is None else (output[0], output[1].decode("utf-8", "replace"))
        now = datetime.now()  # noqa: DTZ005 - local, as documented
        events.emit(
            TaskEvent(kind, task.id, task, now, before, task.status, error, *progress, stream, chunk)  # type: ignore[arg-type] # one of two
        )


def _code(event: Ended) -> int | None:
    """The exit code of a program, negative for a signal; None where there was none."""
    return event.exit_code if event.signal is None else -event.signal
