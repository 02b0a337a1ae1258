"""Runs that are under way, from outside: whether they live, and an end for them."""

from __future__ import annotations

import signal
import time

from spry.api.history import archive, place, sweep
from spry.errors import UsageError
from spry.execute.identity import state, tell
from spry.store.control import note
from spry.store.lock import alive, holder, run_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spry.store.records import RunRecord

LOOK = 0.02  # seconds between two looks whether a run is over
AGAIN = 0.3  # seconds between a first and a second signal, which would else be one
PATIENCE = 5.0  # seconds for a run to kill its tasks before it is killed itself


def find(folder: str, end: str) -> RunRecord:
    """The run in the history of a folder whose id ends like this; UsageError if there is none."""
    found = archive(folder)
    if found is None:
        raise UsageError("nothing has been run here", "spry runs lists the runs of a folder")
    try:
        return found.run(end)
    finally:
        found.close()


def stop(folder: str, run: str, wait: float) -> bool:
    """End a run as Ctrl-C does: its tasks politely, its clean-up tasks run. Whether it is over after `wait` seconds."""
    _note(folder, run, "stop")
    _signal(folder, run, signal.SIGTERM)
    return _over(folder, run, wait)


def kill(folder: str, run: str) -> bool:
    """End a run at once: its tasks are killed, no clean-up task starts. Whether it is over."""
    _note(folder, run, "kill")
    _signal(folder, run, signal.SIGTERM)
    if _over(folder, run, AGAIN):
        return True
    _signal(folder, run, signal.SIGTERM)
    if _over(folder, run, PATIENCE):
        return True
    _signal(folder, run, signal.SIGKILL)
    is_over = _over(folder, run, PATIENCE)
    sweep(run)
    return is_over


def ping(folder: str, run: str) -> str:
    """What a run is doing, `running` or `stopped` (by Ctrl-Z or SIGSTOP); nothing if its process has ended."""
    home = place(folder)
    if not alive(home, run):
        return ""
    _note(folder, run, "ping")
    now = state(holder(home, run))
    return "stopped" if now in ("T", "t") else "running" if now else ""


def _note(folder: str, run: str, command: str) -> None:
    """Let the log of tasks show a command to a run that lives."""
    home = place(folder)
    if alive(home, run):
        note(run_folder(home, run), command)


def _signal(folder: str, run: str, number: int) -> None:
    """Signal the process of a run, if it is still the one that holds the run's lock."""
    home = place(folder)
    if alive(home, run) and tell(holder(home, run), number) and number != signal.SIGKILL:
        tell(holder(home, run), signal.SIGCONT)  # who is stopped cannot obey


def _over(folder: str, run: str, seconds: float) -> bool:
    """Whether nobody holds the lock of a run any more, within so many seconds."""
    home, until = place(folder), time.monotonic() + seconds
    while alive(home, run):
        if time.monotonic() >= until:
            return False
        time.sleep(LOOK)
    return True
