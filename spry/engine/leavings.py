"""What tasks leave for their dependents: captured stdout, values in `$SPRY_OUTPUT`, results in `$SPRY_UPSTREAM`."""

from __future__ import annotations

import errno
import os

from spry.core.events import Outcome
from spry.errors import HostError, SpryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from spry.core.events import TaskFinished
    from spry.core.model import Plan, Step, Task
    from spry.engine.captures import Keeper

LARGEST = 131_072  # bytes; a value that is longer cannot be used, and is not kept whole
LONGEST = 200  # letters of a task's name that a file's name has room for
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})  # no fault of the task's


class Leavings:
    """Everything that the tasks of one plan leave; `scratch` is a private folder of the run for small files.

    `shown` hides secrets in what people are told of it.
    """

    def __init__(self, plan: Plan, scratch: str, shown: Callable[[str], str] = str) -> None:
        self.scratch, self.shown = scratch, shown
        self.progress_file = f"{scratch}/progress"
        self.places = {name: place for place, name in enumerate(plan.steps)}
        self.keepers: dict[str, Keeper] = {}
        self.captured: dict[str, dict[str, str]] = {}
        self.outputs: dict[str, dict[str, str]] = {}
        self.ended: dict[str, TaskFinished] = {}
        self.read = {step.task.stdin for step in plan.steps.values() if step.task.stdin}

    def begin(self, task: Task, number: int) -> None:
        """An attempt begins: what an earlier one has left counts no more."""
        if number > 1:
            self.forget(task.name)
        if task.captures or task.outbox or task.name in self.read:
            from spry.engine.captures import Keeper  # noqa: PLC0415 - few tasks capture

            self.keepers[task.name] = Keeper()

    def took(self, name: str, data: bytes) -> None:
        """Some stdout of a running attempt."""
        keeper = self.keepers.get(name)
        if keeper is not None:
            keeper.add(data)

    def keep(self, task: Task, folder: str) -> str:
        """Keep what a successful attempt left, files below a folder; what is wrong with that, or nothing.

        Raises HostError where the machine has no room for it.
        """
        try:
            self._keep_outputs(task.name)
            self._keep_captures(task, folder)
        except OSError as error:
            path = error.filename2 or error.filename
            message = f"what it left cannot be kept: {error.strerror}{f': {path}' if path else ''}"
            if error.errno in FULL:
                raise HostError(message) from error
            return message
        except ValueError as error:
            return str(error)
        return ""

    def _keep_outputs(self, name: str) -> None:
        path = self.output_file(name)
        if not os.path.lexists(path):
            return
        from spry.engine.captures import read_outputs  # noqa: PLC0415 - few tasks hand over values

        self.outputs[name] = read_outputs(path, self.shown)
        os.unlink(path)

    def _keep_captures(self, task: Task, folder: str) -> None:
        keeper = self.keepers.get(task.name)
        if keeper is None:
            return
        if keeper.fault is not None:
            raise keeper.fault
        if not task.captures:
            return
        from spry.artifacts import files  # noqa: PLC0415 - few tasks capture

        value = os.fsdecode(keeper.head(LARGEST + 1)).rstrip("\n")
        self.captured[task.name] = dict.fromkeys(task.capture_keys, value)
        for name in task.capture_files:
            files.write_whole(os.path.join(folder, name), keeper.chunks())
            if task.gitignore is not None:
                files.ignore(name.removeprefix("./"), os.path.join(folder, task.gitignore))

    def finished(self, event: TaskFinished) -> None:
        """A task has its outcome: its dependents may ask for it."""
        self.ended[event.task] = event
        is_read = event.outcome is Outcome.SUCCEEDED and event.task in self.read
        if event.outcome is not Outcome.SUCCEEDED or (event.task in self.keepers and not is_read):
            self.forget(event.task)

    def recall(self, event: TaskFinished, captured: Mapping[str, str], outputs: Mapping[str, str]) -> None:
        """How a task ended in an earlier run, and what it left there."""
        self.ended[event.task] = event
        self.bring(event.task, captured, outputs)

    def bring(self, name: str, captured: Mapping[str, str], outputs: Mapping[str, str]) -> None:
        """What a task left that need not run."""
        self.captured[name] = dict(captured)
        self.outputs[name] = dict(outputs)

    def forget(self, name: str) -> None:
        """Drop what is not kept by now."""
        keeper = self.keepers.pop(name, None)
        if keeper is not None:
            keeper.close()
        _remove(self.output_file(name))

    def value(self, key: str, step: Step) -> str | None:
        """What a dependency captured under a key, the last of several; else what one handed over by that name.

        Raises SpryError where two handed over different values.
        """
        makers = [dep for dep in step.deps if key in self.captured.get(dep, {})]
        if makers:
            return self.captured[max(makers, key=self.places.__getitem__)][key]
        handed = {self.outputs[dep][key] for dep in step.deps if key in self.outputs.get(dep, {})}
        if len(handed) > 1:
            raise SpryError(f"several dependencies handed over a value {key}", "give them different names")
        return handed.pop() if handed else None

    def piped(self, source: str) -> str:
        """What a task reads that is given the output of another, as `Attempt.stdin`; `-` stays what it is."""
        keeper = self.keepers.get(source)
        if keeper is None:
            return source if source == "-" else ""
        try:
            return keeper.path(f"{self.scratch}/stdin-{self.places[source]}")
        except OSError as error:
            raise HostError(f'the output of "{source}" cannot be passed on: {error.strerror}') from error

    def output_file(self, name: str) -> str:
        """The file that a task may append its values to; its folder is there, the file is not."""
        part = name.replace("%", "%%").replace("/", "%-")
        if len(part) > LONGEST:
            part = f"{part[:LONGEST]}%{self.places[name]}"
        return f"{self.scratch}/output-{part}"

    def upstream_file(self, step: Step) -> str:
        """A JSON file with the results of a task's direct dependencies; HostError where it cannot be written."""
        if not step.deps:
            path = f"{self.scratch}/upstream"
            if not os.path.exists(path):
                _write(path, b"{}")
            return path
        import json  # noqa: PLC0415 - only for a task with dependencies

        path = f"{self.output_file(step.task.name)}.upstream"
        _write(path, json.dumps(dict(self._results(step))).encode())
        return path

    def _results(self, step: Step) -> Iterator[tuple[str, dict[str, object]]]:
        for dep in step.deps:
            event = self.ended.get(dep)
            if event is not None:
                yield (
                    dep,
                    {
                        "outcome": event.outcome,
                        "exit_code": event.exit_code,
                        "duration": round(event.duration, 3),
                        "captured": self.captured.get(dep, {}),
                        "outputs": self.outputs.get(dep, {}),
                    },
                )

    def close(self) -> str:
        """Remove the scratch folder and everything in it; what is wrong with that, or nothing."""
        for name in list(self.keepers):
            self.forget(name)
        try:
            for entry in os.scandir(self.scratch):
                _remove(entry.path)
            os.rmdir(self.scratch)
        except FileNotFoundError:  # a task was quicker
            return ""
        except OSError as error:
            return f"cannot remove {self.scratch}: {error.strerror}"
        return ""


def _write(path: str, data: bytes) -> None:
    """A small file of ours; opening it for buffered text takes twice as long, and this happens for every task."""
    try:
        with open(path, "wb", buffering=0, opener=_private) as stream:
            stream.write(data)
    except OSError as error:
        raise HostError(f"cannot write {path}: {error.strerror}", "leave that folder to spry") from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _remove(path: str) -> None:
    """Remove a file of ours, or whatever a task has put in its place, as far as that can be removed."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError:
        import shutil  # noqa: PLC0415 - only where a task has made a folder of it

        shutil.rmtree(path, ignore_errors=True)
