"""Who is there: the processes of this machine as /proc shows them, or `ps` where there is no /proc (macOS)."""

from __future__ import annotations

import os

from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TICKS = os.sysconf("SC_CLK_TCK")
STOPPED, ENDED = b"Tt", b"ZX"
PS = ("/bin/ps", "axeww", "-o", "pid=,ppid=,pgid=,stat=,command=")


class Entry(NamedTuple):
    """A process; `born` is in seconds since the machine started, `name` that of its program, up to 15 bytes of it."""

    pid: int
    parent: int
    group: int
    session: int
    state: bytes
    born: float
    name: str

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid})"


def entry(pid: int) -> Entry | None:
    """What there is to know of a process; None if it is gone, or if nothing tells of it."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as stream:
            head, _, rest = stream.read().rpartition(b") ")
    except OSError:
        return None
    fields = rest.split(b" ", 20)
    name = head.partition(b" (")[2].decode("utf-8", "replace")
    parent, group, session = map(int, fields[1:4])
    return Entry(pid, parent, group, session, fields[0], int(fields[19]) / TICKS, name)


def numbers() -> list[int]:
    """The numbers of all processes; none where there is no /proc."""
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except FileNotFoundError:
        return []


def everybody() -> list[Entry]:
    """All processes that are more than a zombie."""
    found = (entry(pid) for pid in numbers())
    return [one for one in found if one is not None and one.state not in ENDED]


def of_group(group: int) -> list[Entry]:
    """Who is in a process group, zombies included."""
    found = (entry(pid) for pid in numbers())
    return [one for one in found if one is not None and one.group == group]


def below(roots: Iterable[int], table: Iterable[Entry]) -> set[int]:
    """The numbers of those who descend from the roots."""
    children: dict[int, list[int]] = {}
    for one in table:
        children.setdefault(one.parent, []).append(one.pid)
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        more = [pid for pid in children.get(waiting.pop(), ()) if pid not in found]
        found.update(more)
        waiting += more
    return found


def catches(pid: int) -> set[int]:
    """The signals for which a process has a handler of its own; none if nothing tells."""
    try:
        with open(f"/proc/{pid}/status", "rb", buffering=0) as stream:
            caught = int(stream.read().partition(b"\nSigCgt:")[2].split(None, 1)[0], 16)
    except (OSError, IndexError):
        return set()
    return {number for number in range(1, 65) if caught >> (number - 1) & 1}


def environ(pid: int) -> bytes:
    """The environment that a process was started with, each variable after a NUL; empty if it cannot be read."""
    try:
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as stream:
            return b"\0" + stream.read()
    except OSError:
        return b""


def command(pid: int) -> bytes:
    """The command line of a process; empty if it cannot be read, or while the process starts a program."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb", buffering=0) as stream:
            return stream.read()
    except OSError:
        return b""


def marked(assignment: bytes) -> list[int]:
    """The numbers of the processes that have this `NAME=value` in their environment, as far as we may see it."""
    found = numbers()
    return [pid for pid in found if has(pid, assignment)] if found else list(_marked_by_ps(assignment))


def has(pid: int, assignment: bytes) -> bool:
    """Whether a process was started with this `NAME=value` in its environment."""
    return b"\0" + assignment + b"\0" in environ(pid)


def _marked_by_ps(assignment: bytes) -> Iterator[int]:
    """As `ps` tells: a value with blanks in it would not be found."""
    import subprocess  # noqa: PLC0415 - only where there is no /proc

    try:
        told = subprocess.run(PS, capture_output=True, check=False).stdout
    except OSError:
        return
    for line in told.splitlines():
        words = line.split()
        if len(words) > 4 and assignment in words[4:] and words[3][:1] not in ENDED:
            yield int(words[0])
