"""Which process one is, so that another can find it later and never take a stranger for it.

A number alone is given to others in time; with the moment of its start and the boot of the machine it is unique.
"""

from __future__ import annotations

import os
import signal

NO_BOOT = "?"  # where a system has no name for it
STARTED, STATE = 19, 0  # of the fields of /proc/PID/stat behind the name of the program


def mine() -> str:
    """Ourselves: the number, the moment of its start in the unit of the system, and the boot."""
    pid = os.getpid()
    return f"{pid} {_fields(pid)[STARTED] if _fields(pid) else NO_BOOT} {_boot()}\n"


def opened(identity: str) -> int:
    """A descriptor of a process that nobody else can be behind; -1 if it has ended, or cannot be found."""
    pid, _, rest = identity.strip().partition(" ")
    if not pid.isdigit() or not hasattr(os, "pidfd_open"):
        return -1
    try:
        descriptor = os.pidfd_open(int(pid))
    except OSError:
        return -1
    fields = _fields(int(pid))  # read while the descriptor holds the number: it is of that process, or it has ended
    if not fields or f"{fields[STARTED]} {_boot()}" != rest or fields[STATE] in ("Z", "X"):
        os.close(descriptor)
        return -1
    return descriptor


def tell(descriptor: int, number: int) -> bool:
    """Send a signal to such a process; False if it has ended meanwhile."""
    try:
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    return True


def state(identity: str) -> str:
    """What the system says of it: `R`, `S`, `T` and so on; nothing if it has ended."""
    descriptor = opened(identity)
    if descriptor < 0:
        return ""
    fields = _fields(int(identity.partition(" ")[0]))
    os.close(descriptor)
    return fields[STATE] if fields else ""


def _fields(pid: int) -> list[str]:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stream:
            return stream.read().rpartition(")")[2].split()
    except OSError:
        return []


def _boot() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
            return stream.read().strip()
    except OSError:
        return NO_BOOT
