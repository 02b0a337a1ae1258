"""Who is the manager of a project: whoever holds a lock, which dies with its process.

A command that only wants to know whether there is one loads nothing else.
"""

from __future__ import annotations

import os
import signal
import time

from spry.errors import HostError
from spry.execute.identity import mine, state, tell

LOCK = "manager.lock"
LOOK = 0.05  # seconds between two looks whether it has left
CREATE = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


def elected(home: str) -> int:
    """The lock of the manager, to be held as long as one is it; -1 if somebody else has it. HostError without room."""
    import fcntl  # noqa: PLC0415 - only here

    try:
        lock = os.open(os.path.join(home, LOCK), CREATE, 0o600)
    except OSError as error:
        raise HostError(f"{error.filename}: {error.strerror}", "make room and write access there") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return -1
    os.ftruncate(lock, 0)
    os.write(lock, mine().encode())
    return lock


def present(home: str) -> str:
    """Which process is the manager, as `execute.identity` tells it; nothing if there is none."""
    try:
        with open(os.path.join(home, LOCK), encoding="utf-8") as stream:
            holder = stream.read()
    except OSError:
        return ""
    return holder if state(holder) else ""


def still(home: str, lock: int) -> bool:
    """Whether the lock that we hold is the one that others find: the project has not been removed, or made anew."""
    try:
        found, ours = os.stat(os.path.join(home, LOCK)), os.fstat(lock)
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == (ours.st_dev, ours.st_ino)


def end(home: str, seconds: float) -> bool:
    """Ask the manager to leave; whether it has within so many seconds. The runs that it started go on."""
    if not tell(present(home), signal.SIGTERM):
        return True
    until = time.monotonic() + seconds
    while present(home):
        if time.monotonic() >= until:
            return False
        time.sleep(LOOK)
    return True
