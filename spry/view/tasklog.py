"""The history as a queue of messages, one for each thing that became of a task, under the names that weft gave them."""

from __future__ import annotations

import json

from spry.core.events import Outcome, Reason, RunStarted, TaskFinished, TaskRetrying, TaskStarted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from spry.core.events import Event

SHORT = 10  # digits
BY_REASON = {
    Reason.TIMEOUT: ("work_timeout", "timeout"),
    Reason.LIMIT: ("work_limit_violation", "failed"),
    Reason.INTERRUPTED: ("control_stop", "cancelled"),
    Reason.LOST: ("work_failed", "lost"),
}
BY_OUTCOME = {
    Outcome.SUCCEEDED: ("work_completed", "completed"),
    Outcome.FAILED: ("work_failed", "failed"),
    Outcome.SKIPPED: ("task_skipped", "skipped"),
    Outcome.CANCELLED: ("task_cancelled", "cancelled"),
}


def entries(events: Iterable[Event], files: Sequence[str]) -> Iterator[tuple[str, int]]:
    """What became of the tasks of a run of these runbooks, in order: JSON, and nanoseconds since 1970."""
    for event in events:
        if isinstance(event, RunStarted):
            for task in event.tasks:
                yield _entry(event.at, event.run, task, files, "task_initialized", "created")
        elif isinstance(event, TaskStarted):
            yield _entry(event.at, event.run, event.task, files, "work_started", "running")
        elif isinstance(event, TaskRetrying):
            yield _entry(event.at, event.run, event.task, files, "task_retrying", "running", event.exit_code)
        elif isinstance(event, TaskFinished):
            name, status = BY_OUTCOME[event.outcome]
            if event.reason in BY_REASON and event.outcome is not Outcome.SKIPPED:
                name, status = BY_REASON[event.reason]
            yield _entry(event.at, event.run, event.task, files, name, status, event.exit_code)


def _entry(
    at: float, run: str, task: str, files: Sequence[str], event: str, status: str, code: int | None = None
) -> tuple[str, int]:
    instant = int(at * 1e9)
    fields = {
        "event": event,
        "tid": f"{run}/{task}",
        "tid_short": f"{run[-SHORT:]}/{task}",
        "status": status,
        "timestamp": str(instant),
        "taskspec": {"name": task, "files": list(files)},
        "task_pid": None,
        "return_code": code,
    }
    return json.dumps(fields), instant
