"""Where the files of a run are, and the lock in there that says whether it is under way.

A lock dies with its process, however that dies; a number in a file does not, and a heartbeat can be late.
"""

from __future__ import annotations

import os

CREATE = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


def run_folder(folder: str, run: str) -> str:
    """Where the files of a run are."""
    return os.path.join(folder, "runs", run)


def claimed(folder: str, wanted: int, holder: str = "") -> tuple[str, int]:
    """The id of a new run, the one that is wanted or the next that nobody has, and its lock; raises OSError.

    The lock, in the run's new folder, is to be held until the run has ended; `holder` says in it who holds it.
    """
    import fcntl  # noqa: PLC0415 - a run without history needs none

    os.makedirs(run_folder(folder, ""), 0o700, exist_ok=True)
    while True:
        place = run_folder(folder, str(wanted))
        try:
            os.mkdir(place, 0o700)
        except FileExistsError:
            wanted += 1
        else:
            break
    lock = os.open(os.path.join(place, "lock"), CREATE, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.write(lock, holder.encode())
    return str(wanted), lock


def holder(folder: str, run: str) -> str:
    """Who holds the lock of a run, or held it; nothing if nobody knows."""
    try:
        with open(os.path.join(run_folder(folder, run), "lock"), encoding="utf-8") as stream:
            return stream.read()
    except (OSError, ValueError):
        return ""


def alive(folder: str, run: str) -> bool:
    """Whether somebody holds the lock of a run, which nobody does once its process has ended, however it did."""
    try:
        return is_held(os.path.join(run_folder(folder, run), "lock"))
    except OSError:
        return False


def is_held(path: str) -> bool:
    """Whether a process holds the lock of a file, which need not be there; raises OSError where that cannot be told."""
    import fcntl  # noqa: PLC0415 - only where a run is recorded as running

    try:
        lock = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False
