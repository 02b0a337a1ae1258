"""What a run would do, task by task, without doing, making or writing any of it."""

from __future__ import annotations

import os
from typing import cast

from spry.api.history import recall
from spry.api.wishes import bind
from spry.core.model import HANDLED
from spry.core.program import HANDLER
from spry.engine.attempts import Attempts, Situation
from spry.engine.secrets import names
from spry.errors import SpryError
from spry.view.dryrun import SCRIPT, Preview
from spry.view.facts import HIDDEN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from spry.api.history import Origin
    from spry.api.wishes import Wishes
    from spry.core.model import Plan, Step
    from spry.engine.secrets import Secrets


def previews(plan: Plan, asked: Wishes, origin: Origin | None) -> tuple[list[Preview], list[str], Callable[[str], str]]:
    """A preview of every step, what would keep the run from starting, and what hides secrets in text made of them.

    What would keep it are missing parameters, programs, folders and inputs.
    """
    bound = bind(plan, asked.params)
    situation = Situation("", os.environb, os.getcwd(), "", asked.env, bound.values, asked.words, _nobody)
    attempts = Attempts(plan, situation)
    faults = list(bound.faults)
    found = []
    for step in plan.steps.values():
        try:
            found.append(_preview(attempts, step, bound.values.get(step.task.name, {})))
        except SpryError as error:
            faults.append(error.message)
            found.append(_bare(step, bound.values.get(step.task.name, {})))
    if plan.has_files:
        notes = _standings(attempts, asked, origin, faults)
        found = [one._replace(notes=(*one.notes, *notes.get(one.task.name, ()))) for one in found]
    if attempts.secrets is None:
        return found, faults, str
    clean, secret = attempts.secrets.text, names(plan)
    hidden = [_hidden(one, attempts.secrets, secret) for one in found]
    return hidden, [clean(fault) for fault in faults], clean


def _hidden(preview: Preview, secrets: Secrets, secret: Collection[str]) -> Preview:
    """A preview in which the values of secrets, however short, are not: once it is text, lines may break in them."""
    preview = cast("Preview", secrets.clean(preview))
    env = tuple((name, HIDDEN if name in secret else value) for name, value in preview.env)
    params = tuple((name, HIDDEN if name in secret else value) for name, value in preview.params)
    return preview._replace(env=env, params=params)


def _standings(
    attempts: Attempts, asked: Wishes, origin: Origin | None, faults: list[str]
) -> Mapping[str, tuple[str, ...]]:
    """Whether the tasks with inputs or outputs are up to date, in words; nothing of that without an origin."""
    from spry.api.freshness import remembered
    from spry.engine.forecast import forecast

    done = recall(origin, attempts)
    with remembered(attempts, origin, force=asked.force) as freshness:
        try:
            faults += freshness.faults()
            found = forecast(attempts, done) if origin is not None else {}
        except SpryError as error:
            faults.append(error.message)
            return {}
        return {name: (str(standing),) for name, standing in found.items()}


def _nobody(text: str) -> None:
    """Whoever only looks is not warned: the run will."""


def _preview(attempts: Attempts, step: Step, params: Mapping[str, str]) -> Preview:
    task = step.task
    variables = attempts.environments.of(step, {})
    if attempts.secrets is not None:
        attempts.secrets.watch(variables)
    argv: tuple[str, ...] = ()
    if task.needs_process and not attempts.asks_copilot(task):
        runner = attempts.environments.isolation(step).runner
        interpreter, words = attempts.interpreter(step), attempts.situation.words.get(task.name, ())
        argv = (*runner, *interpreter.argv, *(() if interpreter.origin == HANDLER else (SCRIPT,)), *words)
    caller = attempts.situation.environ
    changed = tuple(
        (os.fsdecode(name), os.fsdecode(value))
        for name, value in sorted(variables.items())
        if caller.get(name) != value
    )
    cwd = "" if task.isolated else attempts.folder(task)
    return _bare(step, params)._replace(argv=argv, cwd=cwd, env=changed, notes=tuple(_notes(attempts, step)))


def _bare(step: Step, params: Mapping[str, str]) -> Preview:
    task = step.task
    missing = tuple(one.name for one in task.params if one.name not in params)
    return Preview(task, step.layer, step.deps, params=tuple(params.items()), missing=missing)


def _restored(plan: Plan, step: Step) -> list[str]:
    """Whose files a task restores."""
    if step.task.restore is None:
        return []
    from spry.core.artifacts import savers
    from spry.core.text import listing

    deps = {name: one.deps for name, one in plan.steps.items()}
    above = savers(step.task.name, deps, {name: one.task for name, one in plan.steps.items()})
    return [f"restores what {listing(above)} saved" if above else "has nothing to restore"]


def _notes(attempts: Attempts, step: Step) -> list[str]:
    """What is worth knowing and stands nowhere else."""
    told = attempts.environments.isolation(step).told
    notes = [told] if told and step.task.needs_process else []
    if step.task.isolated:
        notes.append("runs in a fresh folder, which is removed once it is over")
        notes += _restored(attempts.plan, step)
    if step.task.is_env:
        notes.append("is never executed: its variables are lent to the tasks that depend on it")
    elif not step.task.needs_process:
        notes.append("has no script: succeeds once its dependencies have")
    elif attempts.asks_copilot(step.task):
        notes.append("is put to GitHub Copilot")
    elif step.task.language in HANDLED:
        notes.append("its text is given on stdin")
    if step.task.expressions:
        kinds = sorted({f"${{{one.kind}.{one.key}}}" for one in step.task.expressions})
        notes.append(f"takes {', '.join(kinds)} when it starts")
    return notes
