"""What a run would do, task by task, without doing, making or writing any of it."""

from __future__ import annotations

import os

from spry.api.wishes import bind
from spry.engine.attempts import Attempts, Situation
from spry.errors import SpryError
from spry.view.dryrun import SCRIPT, Preview

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from spry.api.wishes import Wishes
    from spry.core.model import Plan, Step


def previews(plan: Plan, asked: Wishes) -> tuple[list[Preview], list[str]]:
    """A preview of every step, and what would keep the run from starting (missing parameters, programs, folders)."""
    bound = bind(plan, asked.params)
    situation = Situation("", os.environb, os.getcwd(), "", asked.env, bound.values, asked.words)
    attempts = Attempts(plan, situation)
    faults = list(bound.faults)
    found = []
    for step in plan.steps.values():
        try:
            found.append(_preview(attempts, step, bound.values.get(step.task.name, {})))
        except SpryError as error:
            faults.append(error.message)
            found.append(_bare(step, bound.values.get(step.task.name, {})))
    return found, faults


def _preview(attempts: Attempts, step: Step, params: Mapping[str, str]) -> Preview:
    task = step.task
    variables = attempts.environments.of(step, {})
    argv: tuple[str, ...] = ()
    if task.needs_process:
        argv = (*attempts.interpreter(step).argv, SCRIPT, *attempts.situation.words.get(task.name, ()))
    caller = attempts.situation.environ
    changed = tuple(
        (os.fsdecode(name), os.fsdecode(value))
        for name, value in sorted(variables.items())
        if caller.get(name) != value
    )
    return _bare(step, params)._replace(argv=argv, cwd=attempts.folder(task), env=changed, notes=tuple(_notes(step)))


def _bare(step: Step, params: Mapping[str, str]) -> Preview:
    task = step.task
    missing = tuple(one.name for one in task.params if one.name not in params)
    return Preview(task, step.layer, step.deps, params=tuple(params.items()), missing=missing)


def _notes(step: Step) -> list[str]:
    """What is worth knowing and stands nowhere else."""
    notes = []
    if step.task.is_env:
        notes.append("is never executed: its variables are lent to the tasks that depend on it")
    elif not step.task.needs_process:
        notes.append("has no script: succeeds once its dependencies have")
    if step.task.expressions:
        kinds = sorted({f"${{{one.kind}.{one.key}}}" for one in step.task.expressions})
        notes.append(f"takes {', '.join(kinds)} when it starts")
    return notes
