"""The guardian of a program in Python: a process that waits for the program's end, and ends what is left of its runs.

A run of the command line is a `pair` of processes. A program is not ours to split in two, so its guardian is a Python
of its own that runs this file, started before the first process of a run. It is no child of the program, which may wait
for all its children; it is in no group of the program's, and has none of its files open. It hears of runs through a
line, which ends with the program, unless that has forked: so it looks at the program as well.
"""

from __future__ import annotations

import _thread
import atexit
import os
import select
import signal
import sys
from _socket import MSG_NOSIGNAL, SHUT_WR, socketpair
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket

SOON = 2.0  # seconds that a program waits in its end for its guardian's
DEAF_TO = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)  # who ends all at once means the program


class Guardian:
    """The program's side: from any thread, which runs are under way, each with a folder that is to go with it."""

    __slots__ = ("_line", "_lock", "_runs")

    def __init__(self) -> None:
        self._lock = _thread.allocate_lock()
        self._line: socket | None = None
        self._runs: dict[str, str] = {}

    def watch(self, run: str, folder: str) -> None:
        """A run is about to start processes. Where no guardian can be started, nobody watches over it."""
        with self._lock:
            self._runs[run] = folder
            if self._line is not None and self._tell(_began(run, folder)):
                return
            self._line = _start()
            self._tell(b"".join(_began(*one) for one in self._runs.items()))

    def over(self, run: str) -> None:
        """Nothing is left of a run."""
        with self._lock:
            if self._runs.pop(run, None) is not None:
                self._tell(b"-%s\0" % run.encode())

    def leave(self) -> None:
        """The program is over: so is the guardian then, before somebody takes it for what the program left behind."""
        with self._lock:
            line, self._line = self._line, None
        if line is not None:
            with suppress(OSError):
                line.shutdown(SHUT_WR)
                line.settimeout(SOON)
                line.recv(1)
            line.close()

    def forget(self) -> None:
        """In a child of the program: whoever runs something there needs a guardian of its own."""
        if self._line is not None:
            self._line.close()
        self.__init__()  # type: ignore[misc] # the lock may have been held by a thread that is not here

    def _tell(self, words: bytes) -> bool:
        """Tell the guardian something; False if it is dead."""
        try:
            if self._line is not None:
                self._line.sendall(words, MSG_NOSIGNAL)
        except OSError:
            return False
        return True


class Watch:
    """The runs of one executor, which need no guardian before one of them starts a process."""

    __slots__ = ("_begun", "_waiting")

    def __init__(self) -> None:
        self._waiting: dict[str, str] = {}
        self._begun: list[str] = []

    def add(self, run: str, folder: str) -> None:
        """There is a run, and a folder that is to go with it."""
        self._waiting[run] = folder

    def begin(self) -> None:
        """A process is about to be started."""
        while self._waiting:
            run, folder = self._waiting.popitem()
            self._begun.append(run)
            GUARDIAN.watch(run, folder)

    def end(self) -> None:
        """Nothing is left of any of them."""
        for run in self._begun:
            GUARDIAN.over(run)


def _began(run: str, folder: str) -> bytes:
    return b"+%s %s\0" % (run.encode(), os.fsencode(folder))


def _start() -> socket | None:
    """Start a guardian, and wait until it is on its own: the line to it."""
    if not os.path.basename(sys.executable or "").startswith(("python", "pypy")) or hasattr(sys, "frozen"):
        return None  # Python is a part of another program, which would not know what to do
    ours, theirs = socketpair()
    argv = [sys.executable, "-I", "-S", __file__, str(os.getpid())]
    nowhere = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0) for stream in (1, 2)]
    actions = [(os.POSIX_SPAWN_DUP2, theirs.fileno(), 0), *nowhere]
    try:
        pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=actions, setsigmask=())
    except OSError:
        ours.close()
        return None
    finally:
        theirs.close()
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)
    return ours


def _guard(program: int) -> None:
    """All that the guardian does."""
    for name in os.listdir("/dev/fd"):
        if int(name) > 2:
            with suppress(OSError):
                os.close(int(name))
    watched = [0]
    if hasattr(os, "pidfd_open"):
        with suppress(OSError):
            watched.append(os.pidfd_open(program))
    if os.getppid() != program:
        watched = [0]  # it died: that number may be another one's, and the line tells the rest
    for number in DEAF_TO:
        signal.signal(number, signal.SIG_IGN)
    if os.fork():
        os._exit(0)
    os.setsid()
    os.chdir("/")
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    from spry.execute import sweep  # noqa: PLC0415 - only here is it known where

    left = _heard(watched)
    for run in (*left, *left):  # whoever was being started in the first look has a mark in the second
        sweep.by_mark(run)
    if left:
        import shutil  # noqa: PLC0415 - only now

        for folder in left.values():
            shutil.rmtree(folder, ignore_errors=True)


def _heard(watched: list[int]) -> dict[str, str]:
    """Wait for the end of the program: the runs that were under way then, with their folders."""
    poll = select.poll()
    for descriptor in watched:
        poll.register(descriptor, select.POLLIN)
    said, runs = b"", dict[str, str]()
    while True:
        ready = [descriptor for descriptor, _ in poll.poll()]
        data = os.read(0, 65536) if 0 in ready else b""
        if not data:
            return runs
        *words, said = (said + data).split(b"\0")
        for word in words:
            run, _, folder = os.fsdecode(word[1:]).partition(" ")
            runs[run] = folder
            if word.startswith(b"-"):
                del runs[run]


if __name__ == "__main__":
    _guard(int(sys.argv[1]))
else:
    GUARDIAN = Guardian()
    atexit.register(GUARDIAN.leave)
    os.register_at_fork(after_in_child=GUARDIAN.forget)
