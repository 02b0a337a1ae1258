"""Whether a task need not run, because nothing that decides what it does has changed since it last succeeded."""

from __future__ import annotations

import os

from spry.artifacts.contents import Contents, Known, LengthyError
from spry.artifacts.globs import find, needs_library, require
from spry.core.difference import brief
from spry.core.events import Reason
from spry.core.fingerprint import Part, decode, digest, encode
from spry.core.result import Ending
from spry.engine.identity import Identities, Sum
from spry.engine.makings import MOMENT, Makings
from spry.errors import SpryError, UsageError
from spry.record import NamedTuple
from spry.store.cache import Success

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from spry.core.model import Step, Task
    from spry.engine.attempts import Attempts
    from spry.engine.reading import Reading
    from spry.store.cache import Cache


class Memory(NamedTuple):
    """Where last successes are found: `books` names a runbook in the cache by the path of its tasks.

    `key` gives what digests of secrets are made with; nothing if there is no safe place for one. `store` is the folder
    in which the files that tasks made are kept, below the one of the history.
    """

    cache: Cache
    books: Mapping[str, str]
    key: Callable[[], bytes]
    store: str

    def book(self, task: Task) -> str:
        """The name of the runbook of a task."""
        return self.books[task.path]


class Files(NamedTuple):
    """What became of the files that a task made the last time."""

    missing: list[Part]
    changed: list[Part]
    new: list[Part]


class Freshness:
    """Decides for the tasks of one run that have `--inputs` or `--outputs`; without a memory all of them run.

    With `force` all of them run too, and what they leave is remembered.
    """

    def __init__(self, attempts: Attempts, memory: Memory | None, *, force: bool = False) -> None:
        self.attempts, self.memory, self.force = attempts, memory, force
        self.contents = Contents(
            {path: Known(*known) for path, known in memory.cache.files().items()} if memory is not None else {}
        )
        self.identities = Identities(attempts, self.contents, memory.key if memory is not None else bytes)
        self.makings = Makings(attempts, self.contents, memory)
        self._last: dict[str, dict[str, Success]] = {}
        self._begun: dict[str, Sum] = {}
        self._readings: dict[str, Reading] = {}

    def check(self) -> None:
        """Find inputs that are not there before anything starts, where no dependency can make them; UsageError."""
        faults = self.faults()
        if faults:
            raise UsageError("; ".join(faults), "correct the pattern: it is relative to the working folder of the task")

    def faults(self) -> list[str]:
        """What is wrong with patterns, as far as that is certain by now; HostError without the library for them."""
        tasks = [step.task for step in self.attempts.plan.steps.values()]
        if any(needs_library(pattern) for task in tasks for pattern in (*task.inputs, *task.outputs)):
            require()
        return [f'task "{task.name}" ({task.path}:{task.line}): {_nothing(idle)}' for task, idle in self.idle()]

    def idle(self) -> Iterator[tuple[Task, tuple[str, ...]]]:
        """The patterns of inputs that match nothing, of tasks for which no other can make the files."""
        for step in self.attempts.plan.steps.values():
            task = step.task
            found = find(self.attempts.place(task), task.inputs).idle if task.inputs and not step.deps else ()
            if found:
                yield task, found

    def spare(self, step: Step) -> Ending | Reading | None:
        """How a task ends that is about to begin and need not; None if it has to run.

        What it left is there for its dependents from here on. Where much has to be read or put back first, a call that
        does so: ask again after it. Raises SpryError for inputs that match nothing.
        """
        ahead = self._readings.pop(step.task.name, None)
        try:
            with self.contents.within(MOMENT, ahead.contents if ahead is not None else None):
                return self._spare(step, ahead)
        except LengthyError:
            from spry.engine.reading import before  # noqa: PLC0415 - only for large files

            reading = self._readings[step.task.name] = before(step, self.attempts, self.identities, self.contents)
            return reading

    def _spare(self, step: Step, ahead: Reading | None) -> Ending | Reading | None:
        task = step.task
        if not counts(task):
            return None
        if self.memory is None:
            self._found(task)
            return None
        inputs = self.inputs(task)
        now = self._begun[task.name] = self.sum(step, inputs)
        last = self.last(task)
        if self.force or last is None or not self.is_same(last, now):
            return None
        files = self.files(task, last)
        return None if files.changed or files.new else self._bring(task, last, files.missing, ahead)

    def _bring(self, task: Task, last: Success, missing: list[Part], ahead: Reading | None) -> Ending | Reading | None:
        """Bring back what a task has left at its last success; None if that cannot be, a call where it is much."""
        back = self.makings.put_back(task, missing, ahead)
        if back is None:
            return None
        if not isinstance(back, list):
            self._readings[task.name] = back
            return back
        artifacts = self.attempts.artifacts
        if task.saves and (artifacts is None or not artifacts.bring(task.name, last.run)):
            return None  # what it saved is not kept any more
        self.identities.made[task.name] = decode(last.outputs)
        self.attempts.left.bring(task.name, last.captured, last.handed)
        restored = brief([part.name for part in back], ", ")
        return Ending(last.exit_code, reason=Reason.UP_TO_DATE, message=f"restored {restored}" if restored else "")

    def keep(self, step: Step, exit_code: int | None) -> str | Reading:
        """A task has succeeded: remember it; what is wrong with what it made, or nothing.

        Where much has to be read first, a call that does so: tell it again after it.
        """
        ahead = self._readings.pop(step.task.name, None)
        try:
            with self.contents.within(MOMENT, ahead.contents if ahead is not None else None):
                return self._keep(step, exit_code, ahead)
        except LengthyError:
            from spry.engine.reading import after  # noqa: PLC0415 - as above

            assert self.memory is not None
            keepsake = (self.memory.store, self.memory.book(step.task))
            reading = self._readings[step.task.name] = after(step.task, self.attempts, keepsake, self.contents)
            return reading

    def _keep(self, step: Step, exit_code: int | None, ahead: Reading | None) -> str:
        task = step.task
        if not counts(task):
            return ""
        try:
            idle = find(self.attempts.place(task), task.outputs).idle
            if idle:
                return f"--outputs {' '.join(idle)}: the task has not made any such file"
            self._remember(step, exit_code, ahead)
        except SpryError as error:
            return error.message
        return ""

    def close(self, *, learn: bool = True) -> None:
        """Close the memory, and before that keep what was learned of files."""
        if self.memory is not None:
            self.memory.cache.close(self.contents.learned if learn else {})

    def inputs(self, task: Task, coming: Sequence[Part] = ()) -> list[Part]:
        """The inputs of a task as parts, without what is an output of it; SpryError for patterns without a file.

        With those that are known to be `coming` the patterns mean something.
        """
        folder = self.attempts.place(task)
        paths = find(folder, task.inputs).paths if coming else self._found(task)
        made = set(find(folder, task.outputs).paths) if paths and task.outputs else ()
        of = self.contents.of
        filled = {above for part in coming for above in _above(part.name)}
        here = [
            Part("input", path, of(os.path.join(folder, path)))
            for path in paths
            if path not in made and path not in filled
        ]
        return sorted([*here, *coming], key=lambda part: part.name) if coming else here

    def _found(self, task: Task) -> tuple[str, ...]:
        """What the patterns of inputs mean; SpryError for those without a file."""
        folder = self.attempts.place(task)
        found = find(folder, task.inputs)
        if found.idle:
            hint = f"correct the pattern; it is relative to {folder}"
            raise SpryError(_nothing(found.idle), hint)
        return found.paths

    def sum(self, step: Step, inputs: Iterable[Part], unknown: Iterable[str] = ()) -> Sum:
        """All that decides what a task does; without what the `unknown` of its dependencies will leave."""
        own, above = self.identities.definition(step), self.identities.upstream(step, unknown)
        return Sum([*own.told, *above.told, *inputs], [*own.secret, *above.secret])

    def last(self, task: Task) -> Success | None:
        """The last success of a task that is remembered."""
        if self.memory is None:
            return None
        book = self.memory.book(task)
        if book not in self._last:
            self._last[book] = self.memory.cache.successes(book)
        return self._last[book].get(task.name)

    def parts(self, task: Task) -> bytes:
        """The text of the fingerprint of a task's last success."""
        return self.memory.cache.parts(self.memory.book(task), task.name) if self.memory is not None else b""

    def is_same(self, last: Success, now: Sum) -> bool:
        """Whether what decides is what it was."""
        if now.secret and not self._has_key():
            return False
        return last.fingerprint == digest(encode(now.told)) and last.secret == self.identities.kept_secret(now)

    def files(self, task: Task, last: Success) -> Files:
        """What became of the files that a task made at its last success."""
        then = {part.name: part for part in decode(last.outputs)}
        now = {part.name: part for part in self.identities.outputs(task)}
        missing = [part for name, part in then.items() if name not in now]
        emptied = {above for part in missing for above in _above(part.name)}
        return Files(
            missing,
            [part for name, part in then.items() if name in now and now[name] != part],
            [part for name, part in now.items() if name not in then and name not in emptied],
        )

    def _remember(self, step: Step, exit_code: int | None, ahead: Reading | None) -> None:
        task, memory, attempts = step.task, self.memory, self.attempts
        now = self._begun.get(task.name)
        if memory is None or now is None:
            return
        book, left = memory.book(task), attempts.left
        captured, handed = left.captured.get(task.name, {}), left.outputs.get(task.name, {})
        bare = attempts.secrets is not None and attempts.secrets.are_in({**captured, **handed})
        if bare or (now.secret and not self._has_key()):
            memory.cache.forget(book, task.name)
            return
        text = encode(now.told)
        made = self.identities.made[task.name] = self.identities.outputs(task)
        if made:
            self.makings.keep(task, made, ahead)
        secret, run = self.identities.kept_secret(now), attempts.situation.run
        success = Success(digest(text), secret, encode(made), captured, handed, exit_code, run)
        memory.cache.keep(book, task.name, success, text)

    def _has_key(self) -> bool:
        return self.memory is not None and bool(self.memory.key())


def _above(path: str) -> Iterator[str]:
    """The folders that a path lies in, each of which stands for itself only while it is empty."""
    while (folder := os.path.dirname(path)) not in ("", path):
        yield folder
        path = folder


def _nothing(idle: Iterable[str]) -> str:
    return f"--inputs {' '.join(idle)} matches nothing"


def counts(task: Task) -> bool:
    """Whether it is asked of a task if it is up to date; one that takes a message always has something to do."""
    return bool(task.inputs or task.outputs) and not task.is_env and task.inbox is None
