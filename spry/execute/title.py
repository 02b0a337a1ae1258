"""What the process list shows of this process."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

START, END = 45, 46  # of the arguments in memory: fields of /proc/self/stat behind the name of the program


def show(title: str) -> None:
    """Be called so in the process list, if `setproctitle` is installed; where it is not, nothing happens."""
    try:
        from setproctitle import setproctitle  # noqa: PLC0415 - only for those who have a title
    except ImportError:
        return
    setproctitle(title)


def hide(assignments: Collection[str]) -> None:
    """Overwrite the values of these `NAME=VALUE` in our own command line, where others could read them on Linux.

    Whoever looked in the instant before has seen them, and where the kernel does not let us nothing happens.
    """
    wanted = [os.fsencode(one) for one in assignments]
    try:
        with open("/proc/self/stat", "rb") as stream:
            fields = stream.read().rpartition(b")")[2].split()
        start, end = int(fields[START]), int(fields[END])
        memory = os.open("/proc/self/mem", os.O_RDWR | os.O_CLOEXEC)
        try:
            line = os.pread(memory, end - start, start)
            hidden = b"\0".join(_hidden(word, wanted) for word in line.split(b"\0"))
            if hidden != line:
                os.pwrite(memory, hidden, start)
        finally:
            os.close(memory)
    except (OSError, ValueError, IndexError):
        return


def _hidden(word: bytes, assignments: Collection[bytes]) -> bytes:
    for one in assignments:
        if word.endswith(one):
            value = len(one.partition(b"=")[2])
            return word[: len(word) - value] + b"*" * value
    return word
