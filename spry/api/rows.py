"""Tasks and their results as rows of a database, and back."""

from __future__ import annotations

import json
from datetime import datetime

from spry.api.outcomes import TaskResult, TaskStatus
from spry.api.retry import RetryPolicy
from spry.api.standing import restore
from spry.api.task import Task, TaskType

PUT_TASK = """
INSERT INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
    title = excluded.title, description = excluded.description, payload = excluded.payload, type = excluded.type,
    status = excluded.status, error = excluded.error, timeout = excluded.timeout, blocked_by = excluded.blocked_by,
    created_at = excluded.created_at
"""
TASKS = """
SELECT t.id, t.title, t.description, t.payload, t.type, t.status, t.error, t.timeout, t.blocked_by, t.created_at,
    r.status, r.started_at, r.finished_at, r.duration, r.output, r.error, r.returncode, r.termination_reason, e.extras
FROM tasks t LEFT JOIN task_results r ON r.task_id = t.id LEFT JOIN task_extras e ON e.task_id = t.id
"""


def row_of(task: Task) -> tuple[object, ...]:
    """The columns of a task, without what not every task has."""
    return (
        task.id, task.title, task.description, task.payload, task.type.value, task.status.value, task.error,
        task.timeout, task.blocked_by, task.created_at.isoformat(),
    )  # fmt: skip


def result_row(result: TaskResult) -> tuple[object, ...]:
    """The columns of a result."""
    return (
        result.task_id, result.status.value, result.started_at.isoformat(), result.finished_at.isoformat(),
        result.duration, result.output, result.error, result.returncode, result.termination_reason,
    )  # fmt: skip


def extras_of(task: Task) -> str:
    """What not every task has, as JSON; nothing if it has none of it."""
    retry = task.retry and (task.retry.max_attempts, task.retry.backoff)
    files = {"isolated": task.isolated, "save": task.save, "restore": task.restore}
    found = {"env": task.env, "cwd": task.cwd, "retry": retry, "cell": task.origin, **files}
    given = {name: value for name, value in found.items() if value}
    return json.dumps(given) if given else ""


def task_of(row: tuple[object, ...]) -> Task:
    """A task as it was when it was saved."""
    name, title, description, payload, kind, status, error, timeout, blocked_by, created = row[:10]
    extras = json.loads(str(row[18])) if row[18] else {}
    retry = extras.get("retry")
    task = Task(
        str(title), str(payload), TaskType(kind), str(description), error, timeout, str(name),  # type: ignore[arg-type] # as they went in
        datetime.fromisoformat(str(created)), env=extras.get("env"), cwd=extras.get("cwd"),
        retry=RetryPolicy(*retry) if retry else None, isolated=extras.get("isolated", False),
        save=extras.get("save", ()), restore=extras.get("restore", False),
    )  # fmt: skip
    return restore(task, TaskStatus(status), _result(row), blocked_by, extras.get("cell", ""))  # type: ignore[arg-type] # as above


def _result(row: tuple[object, ...]) -> TaskResult | None:
    status, started, finished, duration, output, error, code, reason = row[10:18]
    if status is None:
        return None
    times = datetime.fromisoformat(str(started)), datetime.fromisoformat(str(finished))
    return TaskResult(str(row[0]), TaskStatus(status), *times, duration, output, error, code, None, reason)  # type: ignore[arg-type] # as above
