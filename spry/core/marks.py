"""Where the words of a task stand that edges and problems are about."""

from __future__ import annotations

from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from spry.core.model import Expression, Task


class Mark(NamedTuple):
    """Some characters of a file."""

    path: str
    line: int
    column: int
    length: int


def name_mark(task: Task) -> Mark:
    """Where a task has its name."""
    return Mark(task.path, task.line, task.column, len(task.name))


def dep_mark(task: Task, dep: str) -> Mark:
    """Where a written dependency stands; the task's own place if that is not known."""
    index = task.deps.index(dep)
    if index >= len(task.dep_marks):
        return name_mark(task)
    return Mark(task.path, *task.dep_marks[index], len(dep))


def save_mark(task: Task, index: int) -> Mark:
    """Where a pattern of a `--save` stands; the task's own place if that is not known."""
    if index >= len(task.save_marks):
        return name_mark(task)
    return Mark(task.path, *task.save_marks[index], len(task.saves[index]))


def use_mark(task: Task, used: Expression) -> Mark:
    """Where an expression stands, be it in a file whose text the task includes."""
    return Mark(used.path or task.path, used.line, used.column, used.end - used.start)


def keys_used(task: Task) -> Iterable[Expression]:
    """The first expression for each captured key that a task uses."""
    first: dict[str, Expression] = {}
    for expression in task.expressions:
        if expression.kind == "captured":
            first.setdefault(expression.key, expression)
    return first.values()
