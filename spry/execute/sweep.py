"""Ending whatever is left of a run, wherever it went.

Who is to die is stopped first, all of them, and killed then: nobody sees another one die and starts a new one, and
the parent that stands still cannot give its child's number away. Then follows another look.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

from spry.execute import census

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

PATIENCE = 10.0  # seconds after which those who do not die are named
FIRST, USUAL = 0.001, 0.02  # seconds between two looks


def kill_trees(roots: Iterable[int]) -> None:
    """Kill processes, whose numbers must be theirs for sure, and all who descend from them."""
    stopped: set[int] = set()
    fresh = set(roots)
    while fresh:
        for pid in fresh:
            send(pid, signal.SIGSTOP)
        stopped |= fresh
        fresh = {one.pid for one in census.everybody() if one.parent in stopped} - stopped
    for pid in stopped:
        send(pid, signal.SIGKILL)


def send(pid: int, number: int) -> bool:
    """Send a signal; False to a process with other rights than ours."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return True


def children(spare: Collection[int] = ()) -> list[str]:
    """End all children of this process and, as it is who adopts them, all that descend from them.

    For `spare` it waits, as they end by themselves. The answer is who is still there after ten seconds.
    """

    def left() -> list[int]:
        return [] if _childless() else [pid for pid in _own() if pid not in spare or time.monotonic() > begun + 1]

    begun = time.monotonic()
    return _until_gone(left, _childless)


def by_mark(run: str) -> list[str]:
    """End every process that was started for a run, known by its environment; who is still there after ten seconds.

    For a run that nobody watches over any more. We ourselves may have been started from what it left behind.
    """
    mark, ours = b"SPRY_RUN_ID=%d" % int(run), _ancestry()

    def left() -> list[int]:
        return [pid for pid in census.marked(mark) if pid not in ours and _held(pid, mark)]

    return _until_gone(left, lambda: not left())


def _held(pid: int, mark: bytes) -> bool:
    """Stop a process if it has the mark: one that has died meanwhile may have given its number to another one."""
    if not hasattr(os, "pidfd_open"):
        return True
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if not census.has(pid, mark):
            return False
        signal.pidfd_send_signal(pidfd, signal.SIGSTOP)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    finally:
        os.close(pidfd)
    return True


def _until_gone(left: Callable[[], list[int]], done: Callable[[], bool]) -> list[str]:
    deadline, pause = time.monotonic() + PATIENCE, FIRST
    while not done():
        found = left()
        if time.monotonic() > deadline:
            return [str(census.entry(pid) or f"process {pid}") for pid in found]
        kill_trees(found)
        time.sleep(pause)
        pause = min(2 * pause, USUAL)
    return []


def _childless() -> bool:
    """Take leave of all ended children; whether there are no others."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return False
    return True


def _own() -> list[int]:
    me = os.getpid()
    return [one.pid for one in census.everybody() if one.parent == me]


def _ancestry() -> set[int]:
    """Ourselves and all above us."""
    found: set[int] = set()
    pid = os.getpid()
    while pid and pid not in found:
        found.add(pid)
        one = census.entry(pid)
        pid = one.parent if one else 0
    return found | {os.getppid()}
