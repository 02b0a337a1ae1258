"""What tasks are and what they left, as parts of fingerprints: of their own, and of those that depend on them."""

from __future__ import annotations

import os

from spry.core.fingerprint import Part, digest, encode, written
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from spry.artifacts.contents import Contents
    from spry.core.model import Step, Task
    from spry.engine.attempts import Attempts


class Sum(NamedTuple):
    """Parts that anybody may see, and parts made with a key because they hold something secret."""

    told: list[Part]
    secret: list[Part]


class Identities:
    """The parts of the tasks of one run; `key` is what the digests of secrets are made with, asked for when needed.

    `made` are the files that tasks had made when they were over, as far as anybody has looked at them then.
    """

    __slots__ = ("_attempts", "_contents", "_definitions", "_key", "made")

    def __init__(self, attempts: Attempts, contents: Contents, key: Callable[[], bytes]) -> None:
        self._attempts, self._contents, self._key = attempts, contents, key
        self._definitions: dict[str, tuple[str, bool]] = {}
        self.made: dict[str, list[Part]] = {}

    def definition(self, step: Step) -> Sum:
        """What a task is by itself: script, interpreter, flags, parameters, arguments, declared environment."""
        attempts, task = self._attempts, step.task
        situation = attempts.situation
        variables: dict[str, str | None] = dict(attempts.environments.declared(step))
        wanted = {one.key for one in task.expressions if one.kind == "env"}
        if wanted:
            whole = attempts.environments.of(step, {})
            found = ((name, whole.get(os.fsencode(name))) for name in sorted(wanted))
            variables.update((name, None if value is None else os.fsdecode(value)) for name, value in found)
        params, words = situation.params.get(task.name, {}), situation.words.get(task.name, ())
        return self._sum(written(task, attempts.settings(task), params, words, variables))

    def upstream(self, step: Step, unknown: Iterable[str] = ()) -> Sum:
        """What the dependencies of a task are and what they left, except what the `unknown` ones will leave."""
        both = Sum([], [])
        for name in self.needs(step):
            dep = self._attempts.plan.steps[name]
            self._add(both, "dependency", name, *self._definition(dep))
            if name not in unknown:
                self._add(both, "left", name, *self._left(dep))
        both.told.extend(Part("saved", name, self._saved(name)) for name in self.restores(step) if name not in unknown)
        return both

    def restores(self, step: Step) -> list[str]:
        """The ancestors whose files a task restores."""
        artifacts = self._attempts.artifacts
        return artifacts.above(step.task.name) if step.task.restore is not None and artifacts is not None else []

    def _saved(self, name: str) -> str:
        artifacts = self._attempts.artifacts
        return artifacts.tree(name) if artifacts is not None else ""

    def needs(self, step: Step) -> Iterator[str]:
        """The dependencies of a task; one without a script stands for its own as well, since it leaves nothing."""
        steps = self._attempts.plan.steps
        names = dict.fromkeys(step.deps)
        waiting = list(names)
        for name in waiting:
            dep = steps[name]
            if not dep.task.needs_process and not dep.task.is_env:
                waiting += [other for other in dep.deps if other not in names]
                names.update(dict.fromkeys(dep.deps))
        return iter(names)

    def kept_secret(self, sum_: Sum) -> str:
        """The digest of the secret parts; empty if there are none."""
        return digest(encode(sum_.secret), self._key()) if sum_.secret else ""

    def _definition(self, step: Step) -> tuple[str, bool]:
        """The digest of what a task is by itself, and whether it is secret."""
        name = step.task.name
        if name not in self._definitions:
            self._definitions[name] = self._whole(self.definition(step))
        return self._definitions[name]

    def _left(self, step: Step) -> tuple[str, bool]:
        """The digest of what a task left, and whether it is secret: how it ended, values, and files it declares."""
        left, task = self._attempts.left, step.task
        event = left.ended.get(task.name)
        ending = "" if event is None else f"{event.outcome} {event.exit_code}"
        values = [("ending", "", ending)]
        values += [("saved", "", self._saved(task.name))] if task.saves else []
        values += [("captured", *pair) for pair in left.captured.get(task.name, {}).items()]
        values += [("handed", *pair) for pair in left.outputs.get(task.name, {}).items()]
        found = self._sum(values)
        found.told.extend(self.made[task.name] if task.name in self.made else self.outputs(task))
        return self._whole(found)

    def outputs(self, task: Task) -> list[Part]:
        """The files that a task declares to make, as they are now; those that are not there are left out."""
        return made_by(task, self._attempts.place(task), self._contents)

    def _whole(self, sum_: Sum) -> tuple[str, bool]:
        if not sum_.secret:
            return digest(encode(sum_.told)), False
        return digest(encode([*sum_.told, *sum_.secret]), self._key()), True

    def _sum(self, texts: Iterable[tuple[str, str, str]]) -> Sum:
        secrets = self._attempts.secrets
        both = Sum([], [])
        for kind, name, text in texts:
            is_secret = secrets is not None and secrets.are_in({name: text})
            self._add(both, kind, name, digest(text, self._key() if is_secret else b""), is_secret)
        return both

    def _add(self, both: Sum, kind: str, name: str, value: str, is_secret: bool) -> None:
        (both.secret if is_secret else both.told).append(Part(kind, name, value))


def made_by(task: Task, folder: str, contents: Contents) -> list[Part]:
    """The files that a task declares to make in a folder, as `Identities.outputs`."""
    if not task.outputs and not task.capture_files:
        return []
    from spry.artifacts.globs import find  # noqa: PLC0415 - few tasks declare any

    paths = {*find(folder, task.outputs).paths, *(name.removeprefix("./") for name in task.capture_files)}
    made = (Part("output", path, contents.of(os.path.join(folder, path))) for path in sorted(paths))
    return [part for part in made if part.digest]


def without(sums: Sum, left_out: Mapping[tuple[str, str], object] | set[tuple[str, str]]) -> Sum:
    """The parts without some, by kind and name."""
    return Sum(*([part for part in parts if part[:2] not in left_out] for parts in sums))
