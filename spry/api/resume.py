"""Going on where a run stopped: what has succeeded stays done, unless it is no longer what it was."""

from __future__ import annotations

import os

from spry.api.history import Origin
from spry.api.load import load
from spry.api.places import STDIN, find
from spry.api.single import plan_of
from spry.api.wishes import bind
from spry.core.fingerprint import definition
from spry.core.model import Settings, Task
from spry.core.plan import Selection, select, waits_for_all
from spry.errors import UsageError
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from spry.api.places import File
    from spry.api.wishes import Wishes
    from spry.core.model import Plan
    from spry.store.archive import Archive
    from spry.store.records import RunRecord, TaskRecord


class Resumption(NamedTuple):
    """A run made ready to go on: `changed` are tasks that had succeeded and are not what they were.

    `lost` are those whose files are not what was saved, with the reason.
    """

    plan: Plan
    asked: Wishes
    origin: Origin
    changed: tuple[str, ...]
    files: Sequence[File]
    lost: Mapping[str, str] = {}


class Kept(NamedTuple):
    """What need not run again, and what would not if it had not changed."""

    done: frozenset[str]
    changed: tuple[str, ...]


def resumption(archive: Archive, run: RunRecord, given: Wishes, *, from_start: bool) -> Resumption:
    """The plan of an earlier run, read anew, with what is left to do; goes to the folder in which it was started.

    `given` holds what the command line says now: its options win, its parameters and `--env` are added. Raises
    UsageError if the run cannot be made again, or if it is still under way.
    """
    if run.state == "running":
        raise UsageError(f"run {run.run} is still under way", f"spry status {run.run} --watch follows it")
    request: Mapping[str, Any] = run.request
    if STDIN in request["files"]:
        raise UsageError(
            f"run {run.run} read its runbook from stdin, which is gone", "give it once more: spry run -f -"
        )
    if request.get("masked"):
        raise UsageError(f"a value that run {run.run} was given holds a secret, and is not kept", "run the tasks anew")
    _return_to(str(request["caller"]))
    if request.get("tasks"):
        return _anew(request, run, given)
    files = find([_shown(path) for path in request["files"]])
    graph = load(files)
    selection = Selection(**{name: _frozen(value) for name, value in request["selection"].items()})
    plan = select(graph, selection)
    asked = _asked(request, given, plan)
    origin = Origin(tuple(request["files"]), run.folder, selection, run.run)
    if from_start:
        return Resumption(plan, asked, origin, (), files)
    records = {record.task: record for record in archive.tasks(run.run)}
    lost = _lost(archive, run.run, plan, records)
    found = kept(plan, {name: one for name, one in records.items() if name not in lost}, _definitions(plan, asked))
    recalled = {name: records[name] for name in plan.steps if name in found.done}
    return Resumption(plan, asked, origin._replace(recalled=recalled), found.changed, files, lost)


def _lost(archive: Archive, run: str, plan: Plan, records: Mapping[str, TaskRecord]) -> Mapping[str, str]:
    """Tasks whose files are not what they saved."""
    if not any(step.task.saves for step in plan.steps.values()):
        return {}
    from spry.api.artifacts import lost

    return lost(archive, run, plan, records)


def _anew(request: Mapping[str, Any], run: RunRecord, given: Wishes) -> Resumption:
    """A command or a pipeline again, from its start: what its first stages left was for the next ones only."""
    tasks = tuple(Task(**{name: _frozen(value) for name, value in one.items()}) for one in request["tasks"])
    if tasks[0].stdin:
        raise UsageError(f"run {run.run} read what was piped into it, which is gone", "run the command anew")
    plan = plan_of(tasks)
    selection = Selection(**{name: _frozen(value) for name, value in request["selection"].items()})
    origin = Origin((), run.folder, selection, run.run, tasks=tasks)
    return Resumption(plan, _asked(request, given, plan)._replace(own_code=True), origin, (), ())


def kept(plan: Plan, records: Mapping[str, TaskRecord], definitions: Mapping[str, str]) -> Kept:
    """What need not run again: it succeeded, is what it was, its files are there, and so is all that it needs.

    What left a secret has no definition in the history, which keeps no secrets: it runs again.
    Env cells are read again, and do not make their dependents run. A finally task that waits for everything is done
    only if everything is.
    """
    sound: set[str] = set()
    changed: list[str] = []
    for name, step in plan.steps.items():
        record, task = records.get(name), step.task
        if record is None or record.outcome != "succeeded" or not record.definition:
            continue
        if record.definition != definitions[name]:
            changed.append(name)
            continue
        others = plan.steps if waits_for_all(task, step.deps, plan.kinds) else step.deps
        needed = (other for other in others if others is step.deps or not plan.steps[other].task.is_finally)
        if all(other in sound for other in needed) and _files_are_there(task, plan):
            sound.add(name)
    return Kept(frozenset(name for name in sound if not plan.steps[name].task.is_env), tuple(changed))


def _files_are_there(task: Task, plan: Plan) -> bool:
    settings = plan.settings.get(task.path) or Settings()
    folder = task.folder if task.isolated else os.path.join(task.folder, settings.cwd or "", task.cwd or "")
    return all(os.path.exists(os.path.join(folder, name)) for name in task.capture_files)


def _definitions(plan: Plan, asked: Wishes) -> dict[str, str]:
    values = bind(plan, asked.params).values
    return {
        name: definition(
            step.task,
            plan.settings.get(step.task.path) or Settings(),
            values.get(name),
            asked.words.get(name, ()),
        )
        for name, step in plan.steps.items()
    }


def _asked(request: Mapping[str, Any], given: Wishes, plan: Plan) -> Wishes:
    """What was asked for then, and now: a parameter that no task declares any longer is dropped."""
    declared = {parameter.name for step in plan.steps.values() for parameter in step.task.params}
    before = {name: value for name, value in request["params"].items() if name in declared}
    return given._replace(
        jobs=given.jobs or request["jobs"],
        fail_fast=given.fail_fast or request["fail_fast"],
        timeout=request["timeout"] if given.timeout is None else given.timeout,
        env={**request["env"], **given.env},
        params={**before, **given.params},
        words={name: tuple(words) for name, words in request["words"].items()},
    )


def _return_to(folder: str) -> None:
    try:
        os.chdir(folder)
    except OSError as error:
        hint = "make the folder again, or run the tasks anew"
        raise UsageError(f"the run was started in {folder}: {(error.strerror or '').lower()}", hint) from None


def _shown(path: str) -> str:
    """A path as people would write it from here."""
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative


def _frozen(value: Any) -> Any:
    """JSON has lists where a selection or a task has tuples."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def summary(found: Resumption, run: RunRecord) -> Sequence[str]:
    """What a resumed run is about to do, line by line."""
    done, total = len(found.origin.recalled), len(found.plan.steps)
    lines = [f"resuming run {run.run}: {done} of {total} tasks need not run again"]
    lines += [f"{name} runs again with what depends on it: {why}" for name, why in found.lost.items()]
    return [*lines, *(f"{name} has changed since, and runs again with what depends on it" for name in found.changed)]
