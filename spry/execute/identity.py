"""Which process one is, so that another can find it later and never take a stranger for it.

A number alone is given to others in time; with the moment of its start and the boot of the machine it is unique. Where
a system tells neither (macOS), the number has to do: ask only about those that hold a lock.
"""

from __future__ import annotations

import os
import signal

UNKNOWN = "?"  # where a system has no name for it
STARTED, STATE = 19, 0  # of the fields of /proc/PID/stat behind the name of the program
PIDFDS = hasattr(os, "pidfd_open")


def mine() -> str:
    """Ourselves: the number, the moment of the start in the unit of the system, and the boot."""
    fields = _fields(os.getpid())
    return f"{os.getpid()} {fields[STARTED] if fields else UNKNOWN} {_boot()}\n"


def tell(identity: str, number: int) -> bool:
    """Send a signal to this process, and to no other; False if it has ended, or cannot be found."""
    pid = _pid(identity)
    if pid < 0 or not state(identity):
        return False
    if not PIDFDS:
        os.kill(pid, number)
        return True
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if not state(identity):  # looked at while the descriptor holds the number
            return False
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def state(identity: str) -> str:
    """What the system says of it: `R`, `S`, `T` and so on; nothing if it has ended."""
    pid = _pid(identity)
    if pid < 0:
        return ""
    if identity.split()[1:] == [UNKNOWN, UNKNOWN]:
        return "R" if _exists(pid) else ""
    fields = _fields(pid)
    is_it = bool(fields) and [fields[STARTED], _boot()] == identity.split()[1:] and fields[STATE] not in ("Z", "X")
    return fields[STATE] if is_it else ""


def _pid(identity: str) -> int:
    pid = identity.partition(" ")[0]
    return int(pid) if pid.isdigit() else -1


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _fields(pid: int) -> list[str]:
    try:  # as UTF-8, which every Python has loaded already
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
            return stream.read().rpartition(")")[2].split()
    except OSError:
        return []


def _boot() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as stream:
            return stream.read().strip()
    except OSError:
        return UNKNOWN
