"""The end of a program that has submitted tasks: it waits for them, unless it was Ctrl-C that ended it."""

from __future__ import annotations

import atexit
import gc  # noqa: F401 - `finalize` imports it at the end, where Ctrl-C can keep the lock that all imports need
import os
import sys
from weakref import WeakSet, finalize

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spry.api.executor import TaskExecutor
    from spry.api.workers import Workers

_open: WeakSet[TaskExecutor] = WeakSet()
_lost: list[BaseException] = []


def attend(executor: TaskExecutor, workers: Workers) -> None:
    """See to it that an executor comes to its end with the program, and its workers with the executor."""
    _open.add(executor)
    finalize(executor, workers.let_go).atexit = False


def _end() -> None:
    """What Python calls when the program is over, and all threads have ended that it waits for."""
    was = interrupt = _interrupt()
    over = False
    while not over:
        try:
            for executor in tuple(_open):
                interrupt = _ended(executor, interrupt)
            over = True
        except KeyboardInterrupt as error:  # between two waits
            interrupt = error
    if interrupt is not was and interrupt is not None:
        raise interrupt


def _ended(executor: TaskExecutor, interrupt: BaseException | None) -> BaseException | None:
    """Wait for all of an executor's tasks, which are cancelled after Ctrl-C; the Ctrl-C, if there was one."""
    while True:
        try:
            if interrupt is not None:
                executor.__exit__(KeyboardInterrupt, None, None)
            else:
                executor.shutdown()
        except KeyboardInterrupt as error:
            interrupt = error
        else:
            return interrupt


def _interrupt() -> BaseException | None:
    """The Ctrl-C that ended the program, perhaps followed by other exceptions on its way out."""
    error: BaseException | None = getattr(sys, "last_value", None) or (_lost[0] if _lost else None)
    seen: set[int] = set()
    while error is not None and not isinstance(error, KeyboardInterrupt) and id(error) not in seen:
        seen.add(id(error))
        error = error.__context__
    return error if isinstance(error, KeyboardInterrupt) else None


def _hear(unraisable: sys.UnraisableHookArgs) -> None:
    """Python ignores a Ctrl-C that comes while it calls what a program has left for its end: we remember it."""
    if isinstance(unraisable.exc_value, KeyboardInterrupt):
        _lost.append(unraisable.exc_value)
    _before(unraisable)


_before, sys.unraisablehook = sys.unraisablehook, _hear
atexit.register(_end)
os.register_at_fork(after_in_child=_open.clear)  # a child has none of the threads
