"""Cells of a runbook as tasks of a program."""

from __future__ import annotations

import os

from spry.api.graph import TaskGraph
from spry.api.retry import RetryPolicy
from spry.api.running import granted
from spry.api.standing import bind
from spry.api.task import Task, TaskType
from spry.core.model import SHELLS
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spry.api.places import File
    from spry.api.wishes import Wishes
    from spry.core.model import Plan
    from spry.core.model import Task as Cell

TYPES = {
    **dict.fromkeys(SHELLS, TaskType.BASH),
    "pwsh": TaskType.POWERSHELL,
    "powershell": TaskType.POWERSHELL,
    "prompt": TaskType.PROMPT,
    "agent": TaskType.AGENT,
}


class Page:
    """What the tasks of one graph share: the plan they come from, and what was asked of it.

    `left` is what those that have succeeded have left for others: captures, and values they handed over.
    """

    __slots__ = ("asked", "files", "left", "plan")

    def __init__(self, plan: Plan, files: Sequence[File], asked: Wishes) -> None:
        self.plan, self.files, self.asked = plan, files, asked
        self.left: dict[str, tuple[Mapping[str, str], Mapping[str, str]]] = {}


class Leaf(NamedTuple):
    """A cell, and the page it stands on."""

    cell: Cell
    page: Page

    def __str__(self) -> str:
        return f"{self.cell.path}:{self.cell.line} {self.cell.name}"

    def current(self, task: Task, retry: RetryPolicy, deps: Sequence[str]) -> Cell:
        """The cell with what its task says by now, and all that it depends on by now."""
        known = self.page.plan.steps[self.cell.name].deps
        return self.cell._replace(
            deps=(*self.cell.deps, *(dep for dep in deps if dep not in known)),
            timeout=task.timeout,
            attempts=retry.max_attempts,
            backoff=retry.backoff,
            env=tuple(task.env.items()),
            cwd=task.cwd,
        )


def graph_of(title: str, plan: Plan, files: Sequence[File], asked: Wishes) -> TaskGraph:
    """The tasks of a plan as a graph; UsageError where it could not run as it was asked for."""
    trusted(files, plan, asked)
    granted(plan, asked, nobody)
    page = Page(plan, files, asked)
    graph = TaskGraph(title=title)
    tasks = {name: _task(step.task, page) for name, step in plan.steps.items()}
    for name, step in plan.steps.items():
        cell = step.task
        required = not (cell.optional and cell.is_finally)
        graph.add(tasks[name], after=[tasks[dep] for dep in step.deps], finally_=cell.is_finally, required=required)
    return graph


def _task(cell: Cell, page: Page) -> Task:
    retry = RetryPolicy(cell.attempts, cell.backoff) if cell.attempts > 1 else None
    kind = TYPES.get(cell.language, TaskType.SCRIPT)
    task = Task(
        cell.name,
        cell.body,
        kind,
        cell.descr,
        timeout=cell.timeout,
        env=dict(cell.env),
        cwd=cell.cwd,
        retry=retry,
        isolated=cell.isolated,
        save=cell.saves,
        restore=cell.restore or False,
    )
    return bind(task, Leaf(cell, page))


def trusted(files: Sequence[File], plan: Plan, asked: Wishes) -> None:
    """What a stranger wrote is not run unless `yes` says so: UsageError."""
    if any(file.owner != os.geteuid() for file in files):
        from spry.api.trust import trust

        trust(files, plan, asked, nobody)


def nobody() -> bool:
    """Whether somebody can be asked: not by a program."""
    return False
