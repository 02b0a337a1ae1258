"""What has to be done with the files of attempts before and after their processes, on threads beside the loop.

To the loop this is an executor like any other: it makes the folder of an attempt before the attempt is started, and
tells of its end once its files are saved. What takes a moment only is done at once.
"""

from __future__ import annotations

import time

from spry.core.events import Reason
from spry.core.result import Ending
from spry.errors import HostError, SpryError
from spry.execute.protocol import Exited, Progress
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from threading import Thread

    from spry.engine.artifacts import Artifacts
    from spry.execute.protocol import Attempt, Executor, Notice

    FilesOf = Callable[[str], tuple[Artifacts | None, str]]  # the files that a task belongs to, and its name there

LOOK = 0.01  # seconds between two looks at a thread that is at work
MOMENT = 0.02  # seconds to wait for one before the loop goes on without
LONG = 1.0  # seconds after which people are told what a task is waiting for


class Chore(NamedTuple):
    """A thread at work for an attempt: `exited` is how that ended, None if it has yet to start.

    It began at the instant `since`; what people have been `told` of it are words.
    """

    thread: Thread
    attempt: Attempt
    exited: Exited | None
    faults: list[Exited]
    stopped: list[float]
    told: list[str]
    since: float


class Chores:
    """An executor around another one, whose attempts have files."""

    __slots__ = ("_attempts", "_chores", "_files_of", "_inner", "_notices")

    def __init__(self, inner: Executor, files_of: FilesOf) -> None:
        self._inner, self._files_of = inner, files_of
        self._attempts: dict[str, Attempt] = {}
        self._chores: dict[str, Chore] = {}
        self._notices: list[Notice] = []

    def free(self) -> int:
        """How many more attempts may be started now; one at whose files a thread is at work counts as running."""
        return self._inner.free() - len(self._chores)

    def start(self, attempt: Attempt) -> None:
        """Begin an attempt; whatever goes wrong with it, or with its files, is told by `wait` as `Exited`."""
        artifacts, name = self._files_of(attempt.task)
        if not attempt.number or artifacts is None or not artifacts.concerns(name):
            self._inner.start(attempt)
            return
        self._attempts[attempt.task] = attempt
        artifacts.threads[name] = self._do(attempt, None, lambda: artifacts.ready(name))

    def stop(self, task: str, *, grace: float) -> None:
        """End the attempt of a task; what is done with its files breaks off."""
        chore = self._chores.get(task)
        if chore is None:
            self._inner.stop(task, grace=grace)
        else:
            chore.stopped.append(grace)
            artifacts, name = self._files_of(task)
            if artifacts is not None:
                artifacts.stop(name)

    def wait(self, timeout: float | None) -> Sequence[Notice]:
        """Block up to `timeout` seconds (None: until something happens) and tell what happened, in order."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            self._look()
            if self._notices:
                told, self._notices = self._notices, []
                return told
            left = None if until is None else until - time.monotonic()
            if left is not None and left < 0:
                left = 0.0
            patience = left if not self._chores else LOOK if left is None else min(left, LOOK)
            for notice in self._inner.wait(patience):
                self._heed(notice)
            if left == 0.0 and not self._notices:
                return ()

    def close(self) -> None:
        """Kill whatever still runs and give back every resource; threads end with what they are doing."""
        self._inner.close()
        for chore in self._chores.values():
            chore.thread.join()
        self._chores.clear()

    def _heed(self, notice: Notice) -> None:
        """Pass on what happened, but the end of an attempt that has files to save only once they are."""
        attempt = self._attempts.get(notice.task) if isinstance(notice, Exited) else None
        if attempt is None or not isinstance(notice, Exited):
            self._notices.append(notice)
            return
        del self._attempts[attempt.task]
        artifacts, name = self._files_of(attempt.task)
        if artifacts is not None and artifacts.wants(name, notice):
            artifacts.threads[name] = self._do(attempt, notice, lambda: artifacts.collect(name))
        else:
            self._notices.append(notice)

    def _do(self, attempt: Attempt, exited: Exited | None, act: Callable[[], None]) -> Thread:
        from threading import Thread  # noqa: PLC0415 - only runs with artifacts

        faults: list[Exited] = []

        def work() -> None:
            try:
                act()
            except SpryError as error:
                faults.append(_fault(attempt.task, exited, error))
            except Exception as error:  # noqa: BLE001 - whatever it is, the attempt cannot count
                faults.append(Exited(attempt.task, None, error=f"its files: {error!r}"))

        thread = Thread(target=work, name=f"spry-files-{attempt.task}")
        self._chores[attempt.task] = Chore(thread, attempt, exited, faults, [], [], time.monotonic())
        thread.start()
        thread.join(MOMENT)
        self._look()
        return thread

    def _look(self) -> None:
        """Go on with the attempts whose threads have ended; tell of those that take long."""
        for task, chore in [*self._chores.items()]:
            if not chore.thread.is_alive():
                del self._chores[task]
                self._go_on(chore)
            elif not chore.told and time.monotonic() - chore.since > LONG:
                self._tell(chore, "restoring files" if chore.exited is None else "saving files")

    def _tell(self, chore: Chore, words: str) -> None:
        chore.told.append(words)
        self._notices.append(Progress(chore.attempt.task, None, words))

    def _go_on(self, chore: Chore) -> None:
        task = chore.attempt.task
        if chore.faults:
            self._attempts.pop(task, None)
            self._notices.append(chore.faults[0])
        elif chore.exited is not None:
            self._notices.append(chore.exited)
        elif chore.stopped:
            self._attempts.pop(task, None)
            self._notices.append(Exited(task, None, 15))
        else:
            if chore.told:
                self._tell(chore, "files restored")
            self._inner.start(chore.attempt)


def _fault(task: str, exited: Exited | None, error: SpryError) -> Exited:
    """The end of an attempt whose files are at fault; what could not be restored fares no better the next time."""
    words = f"{error.message} ({error.hint})" if error.hint else error.message
    ended = exited or Exited(task, None)
    if isinstance(error, HostError):
        return ended._replace(error=words)
    return ended._replace(ending=Ending(ended.code, reason=Reason.ARTIFACTS, message=words, final=exited is None))
