"""Files that the tasks of a program pass to each other: who is called what, and what is wrong before anything runs."""

from __future__ import annotations

from collections import Counter

from spry.core.artifacts import savers, savings_of
from spry.core.saving import clashes, places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from spry.api.task import Task
    from spry.core.model import Plan


def titles_of(tasks: Mapping[str, Task]) -> dict[str, str]:
    """What people call tasks: their titles, with the id where there is none, or several have it."""
    counts = Counter(task.title for task in tasks.values())
    return {
        name: task.title if task.title and counts[task.title] == 1 else f"{task.title} {task.id}".strip()
        for name, task in tasks.items()
    }


def check(plan: Plan, tasks: Mapping[str, Task], called: Collection[str], titles: Mapping[str, str]) -> None:
    """ValueError if tasks that are to run have files in a way that cannot be meant; `called` are done by handlers."""
    cells = {name: step.task for name, step in plan.steps.items()}
    deps = {name: step.deps for name, step in plan.steps.items()}
    for name, cell in cells.items():
        if tasks[name].is_succeeded or not (cell.isolated or cell.saves):
            continue
        if name in called:
            raise ValueError(f"task '{titles[name]}' is done by a handler: isolated, save and restore are for programs")
        if cell.restore is None:
            continue
        above = savers(name, deps, cells)
        if not above and not tasks[name].origin:
            raise ValueError(f"task '{titles[name]}' restores files, and no task that it comes after saves any")
        clash = next(clashes(one for other in above for one in places(titles[other], savings_of(cells[other]))), None)
        if clash is not None:
            shown = clash.path.decode("utf-8", "backslashreplace")
            raise ValueError(f"{clash.told(shown)}, and '{titles[name]}' restores both")
