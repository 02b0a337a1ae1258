"""What a run would find: which tasks are up to date, which are not and why, and for which that cannot be told yet."""

from __future__ import annotations

import os

from spry.core.difference import AFTERWARDS, brief, differences
from spry.core.events import Outcome, Reason, TaskFinished
from spry.core.fingerprint import Part, decode
from spry.engine.freshness import counts
from spry.engine.identity import without
from spry.errors import SpryError
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from spry.core.model import Step, Task
    from spry.engine.attempts import Attempts
    from spry.engine.freshness import Files, Freshness
    from spry.store.cache import Success

FRESH, STALE, OPEN, BROKEN = "up to date", "would run", "may run", "would fail"


class Standing(NamedTuple):
    """Where a task stands: up to date; would run, or fail, for these reasons; or may run, depending on these things."""

    state: str
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.state == OPEN:
            return f"{OPEN}: depends on {brief(self.reasons)}"
        return f"{self.state}: {brief(self.reasons)}" if self.reasons else self.state


class Before(NamedTuple):
    """What is known of the tasks before one: `unknown` are those of which nobody can tell yet what they will leave.

    `back` are the files that will have been put back by then, with their digests, and `open` those that may have been
    made anew.
    """

    unknown: set[str]
    back: dict[str, str]
    open: set[str]


def forecast(attempts: Attempts, done: Collection[str] = ()) -> dict[str, Standing]:
    """Where each task with inputs or outputs stands; `done` are tasks that are known not to run.

    Nothing is run or written. What tasks left that are up to date is with the attempts afterwards.
    """
    freshness = attempts.freshness
    assert freshness is not None
    found: dict[str, Standing] = {}
    before = Before(unknown := set(), {}, set())
    for name, step in attempts.plan.steps.items():
        if name in done:
            continue
        task = step.task
        if counts(task):
            found[name] = _standing(freshness, step, before)
            if found[name].state != FRESH:
                unknown.add(name)
                before.open.update(_made(freshness, task))
            elif found[name].reasons:
                before.back.update(_restored(freshness, task))
        elif task.needs_process or task.expressions:
            unknown.add(name)
        if name not in unknown:
            _settle(attempts, task, freshness.last(task) if counts(task) else None)
    return found


def _settle(attempts: Attempts, task: Task, last: Success | None) -> None:
    """Leave what a task leaves that does not run, or that only lends its text."""
    if last is not None and attempts.freshness is not None:
        attempts.freshness.identities.made[task.name] = decode(last.outputs)
        attempts.left.bring(task.name, last.captured, last.handed)
        artifacts = attempts.artifacts
        saved = artifacts.find(task.name, last.run) if task.saves and artifacts is not None else None
        if saved is not None and artifacts is not None:
            artifacts.records[task.name] = saved.record
    elif task.is_env:
        attempts.left.bring(task.name, dict.fromkeys(task.capture_keys, task.body.rstrip("\n")), {})
    code = last.exit_code if last is not None else None
    ended = TaskFinished(0.0, "", task.name, 0, Outcome.SUCCEEDED, Reason.UP_TO_DATE, code, None, 0.0)
    attempts.left.ended[task.name] = ended


def _path(freshness: Freshness, task: Task, part: Part) -> str:
    return os.path.normpath(os.path.join(freshness.attempts.place(task), part.name))


def _restored(freshness: Freshness, task: Task) -> Iterator[tuple[str, str]]:
    """The files that a task which is up to date puts back, with their digests."""
    last = freshness.last(task)
    for part in freshness.files(task, last).missing if last is not None else ():
        yield _path(freshness, task, part), part.digest


def _made(freshness: Freshness, task: Task) -> list[str]:
    """The files that a task declares to make: those of its last success, and those that are there.

    None where they cannot be read or are told by another version: whoever needs them says so.
    """
    last = freshness.last(task)
    try:
        parts = [*(decode(last.outputs) if last is not None else ()), *freshness.identities.outputs(task)]
    except (SpryError, ValueError):
        return []
    return [_path(freshness, task, part) for part in parts]


def _standing(freshness: Freshness, step: Step, before: Before) -> Standing:
    if freshness.force:
        return Standing(STALE, ("--force",))
    try:
        last = freshness.last(step.task)
        if last is None:
            return Standing(STALE, ("it has not succeeded before",))
        return _compared(freshness, step, last, before)
    except SpryError as error:
        return Standing(BROKEN, (error.message,))
    except ValueError:
        return Standing(STALE, ("its last success was recorded by another version of spry",))


def _compared(freshness: Freshness, step: Step, last: Success, before: Before) -> Standing:
    """Where a task stands that has succeeded before; raises SpryError for what a run would not get past either."""
    task, attempts = step.task, freshness.attempts
    both = (*freshness.identities.needs(step), *freshness.identities.restores(step))
    awaited = [name for name in dict.fromkeys(both) if name in before.unknown]
    given = attempts.situation.params.get(task.name, {})
    valueless = [one.name for one in task.params if one.name not in given]
    then = decode(freshness.parts(task))
    paths = {part.name: _path(freshness, task, part) for part in then if part.kind == "input"}
    back = [Part("input", name, before.back[path]) for name, path in paths.items() if path in before.back]
    try:
        inputs = freshness.inputs(task, back)
    except SpryError:
        if awaited:
            return _open(awaited, valueless)
        raise
    now = freshness.sum(step, inputs, awaited)
    left_out = {("parameter", name) for name in valueless} | set(_unsettled(attempts, step, before.unknown))
    left_out.update((kind, name) for name in awaited for kind in AFTERWARDS)
    paths.update((part.name, _path(freshness, task, part)) for part in inputs)
    left_out.update(("input", name) for name, path in paths.items() if path in before.open)
    then = [part for part in then if part[:2] not in left_out]
    files = freshness.files(task, last)
    is_kept = bool(files.missing) and freshness.makings.kept(task, files.missing) is not None
    reasons = [*differences(then, without(now, left_out).told), *_told(files, is_kept=is_kept)]
    if reasons:
        return Standing(STALE, tuple(reasons))
    if awaited or valueless:
        return _open(awaited, valueless)
    if not freshness.is_same(last, now):
        return Standing(STALE, ("something secret changed",))
    artifacts = attempts.artifacts
    if task.saves and (artifacts is None or artifacts.find(task.name, last.run) is None):
        return Standing(STALE, ("what it saved is not kept any more",))
    return Standing(FRESH, tuple(f"{part.name} would be restored" for part in files.missing))


def _open(awaited: Sequence[str], valueless: Sequence[str]) -> Standing:
    leaves = [f"what {name} leaves" for name in awaited]
    return Standing(OPEN, (*leaves, *(f"the value of {name}" for name in valueless)))


def _unsettled(attempts: Attempts, step: Step, unknown: Collection[str]) -> Iterator[tuple[str, str]]:
    """The variables of env cells that are only known once what they interpolate is."""
    for name in step.deps:
        if name in unknown and attempts.plan.steps[name].task.is_env:
            yield from (("variable", variable) for variable in attempts.environments.lends(name))


def _told(files: Files, *, is_kept: bool) -> Iterator[str]:
    """What became of the files that a task made, as far as it makes the task run."""
    missing = [] if is_kept else files.missing
    for change, parts in (("is missing", missing), ("changed", files.changed), ("is new", files.new)):
        yield from (f"output {part.name} {change}" for part in parts)
