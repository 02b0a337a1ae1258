"""Large files of tasks that may be up to date: read, kept and put back on threads, so that the loop goes on turning."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from spry.artifacts.globs import find
from spry.core.result import Ending
from spry.engine.identity import made_by
from spry.errors import SpryError
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from spry.artifacts.contents import Contents, Known
    from spry.core.fingerprint import Part
    from spry.core.model import Step, Task
    from spry.engine.attempts import Attempts
    from spry.engine.identity import Identities
    from spry.engine.keepsakes import Kept
    from spry.execute.protocol import Notice


class Lost(NamedTuple):
    """What of a task's files is missing, and what is kept of it; `read` is what an earlier call has read."""

    missing: list[Part]
    kept: Kept
    read: Mapping[str, Known] = {}


class Reading:
    """A call that reads for a task: what it learns is in `contents`, and what it has `kept` need not be kept again.

    What was `missing` it has put back, if it can be. What it cannot read is told by whoever asks for that afterwards.
    """

    __slots__ = ("_act", "_cancelled", "contents", "kept", "missing", "warnings")

    def __init__(self, contents: Contents, act: Callable[[Reading], None]) -> None:
        self._act, self._cancelled = act, False
        self.contents = contents.apart(self.go_on)
        self.kept: list[Part] | None = None
        self.missing: list[Part] | None = None
        self.warnings: list[str] = []

    def __call__(self, post: Callable[[Notice], None]) -> Ending:  # noqa: ARG002 - there is nothing to tell meanwhile
        """Do it."""
        with suppress(SpryError, OSError):
            self._act(self)
        return Ending(None, signal.SIGTERM.value) if self._cancelled else Ending(0)

    def cancel(self) -> None:
        """It is to come to an end soon."""
        self._cancelled = True

    def go_on(self) -> None:
        """Raise SpryError once it is cancelled."""
        if self._cancelled:
            raise SpryError("reading was stopped")


def before(step: Step, attempts: Attempts, identities: Identities, contents: Contents) -> Reading:
    """Read whatever decides whether a task is up to date."""
    steps, own, inputs = attempts.plan.steps, attempts.place(step.task), step.task.inputs
    deps = [steps[name].task for name in identities.needs(step) if name not in identities.made]
    makers = [(task, attempts.place(task)) for task in (step.task, *deps)]

    def read(reading: Reading) -> None:
        for path in find(own, inputs).paths:
            reading.contents.of(os.path.join(own, path))
        for task, folder in makers:
            made_by(task, folder, reading.contents)

    return Reading(contents, read)


def after(task: Task, attempts: Attempts, keepsake: tuple[str, str], contents: Contents) -> Reading:
    """Read and keep what a task has made; `keepsake` is the store, and the runbook whose task it is."""
    from spry.engine.keepsakes import Keepsakes  # noqa: PLC0415 - few tasks make large files

    folder, (store, book) = attempts.place(task), keepsake

    def keep(reading: Reading) -> None:
        made = made_by(task, folder, reading.contents)
        keepsakes = Keepsakes(store, os.path.dirname(store), reading.warnings.append, reading.go_on)
        keepsakes.keep(book, task.name, folder, made)
        reading.kept = made

    return Reading(contents, keep)


def again(task: Task, lost: Lost, store: str, contents: Contents, folder: str) -> Reading:
    """Put back what a task has made, and read all that it has made."""
    from spry.engine.keepsakes import Keepsakes  # noqa: PLC0415 - as above

    def put_back(reading: Reading) -> None:
        keepsakes = Keepsakes(store, os.path.dirname(store), reading.warnings.append, reading.go_on)
        if keepsakes.put_back(task.name, lost.kept):
            made_by(task, folder, reading.contents)

    reading = Reading(contents, put_back)
    reading.missing = lost.missing
    reading.contents.readings.update(lost.read)
    return reading
