"""What tasks hand over as files: who restores from whom, and conflicts that are known before anything runs."""

from __future__ import annotations

from spry.core.marks import name_mark, save_mark
from spry.core.saving import Saving, clashes, parse, places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from spry.core.graph import Draft
    from spry.core.model import Task
    from spry.core.saving import Clash


def savings_of(task: Task) -> list[Saving]:
    """The patterns of a task; they have been read before, so none of them is wrong."""
    return [found for found in map(parse, task.saves) if isinstance(found, Saving)]


def ancestors(name: str, deps: Mapping[str, Sequence[str]]) -> set[str]:
    """Every task that this one needs, directly or not."""
    found: set[str] = set()
    fresh = [name]
    while fresh:
        for dep in deps[fresh.pop()]:
            if dep not in found:
                found.add(dep)
                fresh.append(dep)
    return found


def savers(name: str, deps: Mapping[str, Sequence[str]], tasks: Mapping[str, Task]) -> list[str]:
    """The ancestors of a task that save something, in the order of `tasks`."""
    found = ancestors(name, deps)
    return [other for other in tasks if other in found and tasks[other].saves]


def check_artifacts(draft: Draft, order: Iterable[str]) -> None:
    """Report every two tasks whose literal names clash where a third restores both; note who restores nothing."""
    tasks, deps = draft.tasks, {name: tuple(known) for name, known in draft.edges.deps.items()}
    saving = {name: tuple(places(name, savings_of(task))) for name, task in tasks.items() if task.saves}
    told: set[tuple[bytes, str, str]] = set()
    for name in order:
        if tasks[name].restore is None:
            continue
        above = savers(name, deps, tasks)
        if not above:
            message = f'"{name}" restores what its ancestors save, and none of them saves anything'
            draft.report(name_mark(tasks[name]), message, "add --dep on a task with --save", "note")
        for clash in clashes(place for other in above for place in saving[other]):
            key = clash.path, clash.first.owner, clash.second.owner
            if key not in told:
                told.add(key)
                _report(draft, clash, name)


def _report(draft: Draft, clash: Clash, name: str) -> None:
    task = draft.tasks[clash.second.owner]
    path = clash.second.path
    index = next((at for at, one in enumerate(task.saves) if _is_about(one, path)), len(task.saves))
    shown = clash.path.decode("utf-8", "backslashreplace")
    hint = f'"{name}" restores both: save one of them under another name with GLOB:DEST'
    draft.report(save_mark(task, index), clash.told(shown), hint)


def _is_about(text: str, path: bytes) -> bool:
    """Whether a pattern saves a path, or something in that folder."""
    found = parse(text)
    kept = [one.path for one in places("", [found])] if isinstance(found, Saving) else []
    return any(one == path or one.startswith(path + b"/") for one in kept)
