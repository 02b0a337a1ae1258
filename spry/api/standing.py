"""Where tasks stand: what can follow what, and how whoever runs or keeps a task says so."""

from __future__ import annotations

import threading

from spry.api.outcomes import TaskStatus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from spry.api.cells import Leaf
    from spry.api.outcomes import TaskResult
    from spry.api.task import Task

PENDING, RUNNING, SUCCEEDED, FAILED, CANCELLED, BLOCKED = TaskStatus
NEXT: Mapping[TaskStatus, frozenset[TaskStatus]] = {
    PENDING: frozenset({RUNNING, CANCELLED, BLOCKED, FAILED}),
    RUNNING: frozenset({SUCCEEDED, FAILED, CANCELLED}),
    SUCCEEDED: frozenset(),
    FAILED: frozenset({RUNNING, CANCELLED}),
    CANCELLED: frozenset(),
    BLOCKED: frozenset({RUNNING, CANCELLED}),
}
# One lock for all tasks: it is held for the moment of a transition, and tasks stay free of locks of their own, so that
# they can be copied and pickled.
transition = threading.RLock()


def settle(task: Task, result: TaskResult | None, blocked_by: str | None = None) -> None:
    """Attach what is known of a task that has ended: for whoever runs it."""
    object.__setattr__(task, "_result", result)
    object.__setattr__(task, "_blocked_by", blocked_by)


def restore(
    task: Task, status: TaskStatus, result: TaskResult | None, blocked_by: str | None = None, origin: str = ""
) -> Task:
    """Let a task stand where it stood when it was saved: for stores, and for what a crash has left."""
    settle(task, result, blocked_by)
    if origin:
        bind(task, origin)
    object.__setattr__(task, "_status", status)
    return task


def bind(task: Task, cell: Leaf | str) -> Task:
    """Say which cell of a runbook a task is; of one that comes out of a store only its place is known."""
    object.__setattr__(task, "_cell", cell)
    return task


def leaf_of(task: Task) -> Leaf | None:
    """The cell that a task is, if it is one and its runbook is at hand."""
    return None if isinstance(task._cell, str) else task._cell  # noqa: SLF001 - ours


def claim(task: Task) -> bool:
    """Start a task for whoever asks first; False if it runs already, or must not run any more."""
    with transition:
        if not task.can_transition_to(RUNNING):
            return False
        task.transition_to(RUNNING)
        return True
