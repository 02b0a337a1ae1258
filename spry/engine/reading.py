"""Large files that decide whether tasks are up to date, read and kept on a thread, so that the loop goes on turning."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from spry.artifacts.globs import find
from spry.core.result import Ending
from spry.engine.identity import made_by
from spry.errors import SpryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from spry.artifacts.contents import Contents
    from spry.core.fingerprint import Part
    from spry.core.model import Step, Task
    from spry.engine.attempts import Attempts
    from spry.engine.identity import Identities
    from spry.execute.protocol import Notice


class Reading:
    """A call that reads for a task: what it learns is in `contents`, and what it has `kept` need not be kept again.

    What it cannot read is told by whoever asks for that afterwards.
    """

    __slots__ = ("_act", "_cancelled", "contents", "kept", "warnings")

    def __init__(self, contents: Contents, act: Callable[[Reading], None]) -> None:
        self._act, self._cancelled = act, False
        self.contents = contents.apart(self.go_on)
        self.kept: list[Part] | None = None
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
