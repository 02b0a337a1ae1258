"""What the process list shows of this process."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Self

SHORT = 10  # digits of a run's id, by which it can be looked up
LONGEST = 200  # bytes
START, END = 45, 46  # of the arguments in memory: fields of /proc/self/stat behind the name of the program


def show(context: str, run: str, name: str, status: str, details: str = "") -> None:
    """Be called `spry-CONTEXT-RUN:NAME:STATUS:DETAILS` in the process list, with the last digits of the run's id.

    On Linux it stands where our command line was: no longer than that, and without the details, then the end of the
    name, where it is too long. Elsewhere `setproctitle` is needed; where it is not installed nothing happens.
    """
    try:
        with _Line() as line:
            line.write(fitted(context, run, name, status, details, most=line.size - 1))
    except FileNotFoundError:  # no /proc
        _by_library(fitted(context, run, name, status, details))
    except (OSError, ValueError, IndexError):
        return


def fitted(context: str, run: str, name: str, status: str, details: str = "", most: int = LONGEST) -> bytes:
    """A title of at most so many bytes, on one line."""
    context, name, details = (_plain(text) for text in (context, name, details))
    for text in (f"{name}:{status}:{details}" if details else "", f"{name}:{status}"):
        title = os.fsencode(f"spry-{context}-{run[-SHORT:]}:{text}")
        if text and len(title) <= most:
            return title
    head, tail = os.fsencode(f"spry-{context}-{run[-SHORT:]}:"), os.fsencode(f":{status}")
    return (head + os.fsencode(name)[: max(most - len(head) - len(tail), 0)] + tail)[:most]


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in os.fsdecode(os.fsencode(text)))


def _by_library(title: bytes) -> None:
    try:
        from setproctitle import setproctitle  # noqa: PLC0415 - only for those who have a title
    except ImportError:
        return
    setproctitle(os.fsdecode(title))


def hide(assignments: Collection[str]) -> None:
    """Overwrite the values of these `NAME=VALUE` in our own command line, where others could read them on Linux.

    Whoever looked in the instant before has seen them, and where the kernel does not let us nothing happens.
    """
    wanted = [os.fsencode(one) for one in assignments]
    try:
        with _Line() as line:
            shown = line.read()
            hidden = b"\0".join(_hidden(word, wanted) for word in shown.split(b"\0"))
            if hidden != shown:
                line.write(hidden)
    except (OSError, ValueError, IndexError):
        return


class _Line:
    """Our own command line in our own memory, as Linux shows it; raises OSError where it does not let us."""

    def __enter__(self) -> Self:
        with open("/proc/self/stat", "rb") as stream:
            fields = stream.read().rpartition(b")")[2].split()
        self._start = int(fields[START])
        self.size = int(fields[END]) - self._start
        self._memory = os.open("/proc/self/mem", os.O_RDWR | os.O_CLOEXEC)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._memory)

    def read(self) -> bytes:
        """What stands there, each word with a NUL behind it."""
        return os.pread(self._memory, self.size, self._start)

    def write(self, text: bytes) -> None:
        """Put this in its place."""
        os.pwrite(self._memory, text[: self.size].ljust(self.size, b"\0"), self._start)


def _hidden(word: bytes, assignments: Collection[bytes]) -> bytes:
    for one in assignments:
        if word.endswith(one):
            value = len(one.partition(b"=")[2])
            return word[: len(word) - value] + b"*" * value
    return word
