"""A run from the command line is a pair of processes: one does everything, the other sees to it that nothing survives.

The process that the user started becomes the guardian: it forks the runner and waits. Both adopt orphans, so that
whoever leaves a task's process group is the runner's child in the end, and the guardian's if the runner dies; then the
guardian kills until it has no child left, and ends as the runner did. If the guardian dies, the runner hears the end
of their line and stops the run as after TERM.

Both are in the group of the terminal, which signals both; others signal only the process they know, the guardian. So
the guardian tells the runner of each signal, and the runner counts one that reached both once.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from struct import Struct

from spry.errors import INTERNAL
from spry.execute.process import open_null

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Iterator
    from typing import NoReturn

PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP)
SOON = 0.2  # seconds; a run that is over by then needs no guardian
APART = 5.0  # seconds after which a signal is another one for sure, not the same that reached the other of the two
PR_SET_CHILD_SUBREAPER = 36
WORD = Struct("<cq")  # what the runner tells: a letter and a number
RUN, SPARE, KEEP = b"R", b"S", b"K"


class Line:
    """The runner's end of the line: `fd` is readable when `heard` has news. `adopts`: orphans come to us."""

    __slots__ = ("_seen", "_socket", "_when", "adopts", "fd")

    def __init__(self, end: socket, *, adopts: bool) -> None:
        self._socket, self.adopts = end, adopts
        self.fd = end.fileno()
        self._seen: dict[int, list[int]] = {}
        self._when = 0.0

    def heard(self) -> list[int] | None:
        """The signals that the guardian got since the last look; None once it is dead."""
        try:
            return list(self._socket.recv(4096)) or None
        except BlockingIOError:
            return []
        except OSError:
            return None

    def is_new(self, number: int, *, told: bool) -> bool:
        """Whether a signal that came to us, or that we were `told` of, is not the one the other of us got as well."""
        now = time.monotonic()
        if now > self._when + APART:
            self._seen.clear()
        self._when = now
        counts = self._seen.setdefault(number, [0, 0])
        before = max(counts)
        counts[told] += 1
        return max(counts) > before

    def run(self, run: str) -> None:
        """There is a run with this id."""
        self._tell(RUN, int(run))

    def spare(self, pid: int) -> None:
        """Here is a child of ours that is none of a task's, and ends by itself after our death."""
        self._tell(SPARE, pid)

    def keep(self, descriptor: int) -> None:
        """Have the guardian hold an open file, with the lock on it, for as long as it lives.

        Nobody takes it out of the line: it is open for as long as it is under way. -1 is none.
        """
        if descriptor >= 0:
            self._tell(KEEP, 0, descriptor)

    def close(self) -> None:
        """Listen no more: from here on signals come as signals."""
        self._socket.close()

    def _tell(self, letter: bytes, number: int, descriptor: int = -1) -> None:
        from _socket import SCM_RIGHTS, SOL_SOCKET  # noqa: PLC0415 - is loaded

        rights = [(SOL_SOCKET, SCM_RIGHTS, descriptor.to_bytes(4, sys.byteorder))] if descriptor >= 0 else []
        try:
            self._socket.sendmsg([WORD.pack(letter, number)], rights)
        except OSError:  # it has died, which `heard` tells
            return


def split(clean: Callable[[], object]) -> Line | None:
    """Become a pair: only the runner returns; None where this process has to run alone, because it has threads.

    After a sudden death of the runner the guardian also calls `clean`. Raises OSError if nothing can be forked.
    """
    import _thread  # noqa: PLC0415 - as in `process`

    if _thread._count():  # noqa: SLF001 - `threading`, which says the same, is slow to import
        return None
    from _socket import socketpair  # noqa: PLC0415 - only for a run

    os.close(open_null())
    ours, theirs = socketpair()
    watched: set[signal.Signals] = {signal.SIGCHLD, *PASSED_ON}
    if signal.getsignal(signal.SIGTSTP) is not signal.SIG_DFL:
        watched.remove(signal.SIGTSTP)
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # nobody would tell us how the runner ended
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    adopts = adopt_orphans()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    try:
        runner = os.fork()
    except OSError:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        ours.close()
        theirs.close()
        raise
    if runner:
        theirs.close()
        _guard(runner, ours, watched, clean)
    ours.close()
    theirs.setblocking(False)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return Line(theirs, adopts=adopts and adopt_orphans())


def adopt_orphans() -> bool:
    """Have all orphans among our descendants become our children; False where the system knows no such thing."""
    if sys.platform != "linux":
        return False
    try:
        import _ctypes  # noqa: PLC0415 - a third of the time that the package around it takes

        prctl = _ctypes.dlsym(_ctypes.dlopen(None, 0), "prctl")  # type: ignore[arg-type] # None is this program
        return bool(_ctypes.call_function(prctl, (PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)) == 0)
    except (ImportError, AttributeError, OSError):
        return False


def _guard(runner: int, line: socket, watched: set[signal.Signals], clean: Callable[[], object]) -> NoReturn:
    """All that the guardian does."""
    code = INTERNAL
    try:
        line.setblocking(False)
        code = os.waitstatus_to_exitcode(_wait(runner, line, watched))
        if code < 0 or not _is_childless():
            _sweep(line, clean, sudden=code < 0)
        if code < 0:
            _die_of(-code)
    finally:
        os._exit(code if code >= 0 else 128 - code)


def _wait(runner: int, line: socket, watched: set[signal.Signals]) -> int:
    """Pass signals on until the runner has ended; how it did."""
    stopping = False
    signals = _signals(watched)
    while True:
        number = next(signals)
        if number != signal.SIGCHLD:
            stopping = stopping or number == signal.SIGTSTP
            _pass_on(number, runner, line)
            continue
        pid, status = os.waitpid(runner, os.WNOHANG | os.WUNTRACED)
        if pid and not os.WIFSTOPPED(status):
            return status
        if pid and stopping:
            stopping = False
            _stand_still()
            os.kill(runner, signal.SIGCONT)


def _signals(watched: set[signal.Signals]) -> Iterator[int]:
    """Signals as they come. If none comes soon, what a sweep needs is loaded: later there may be no way to load it."""
    if hasattr(signal, "sigtimedwait") and (soon := signal.sigtimedwait(watched, SOON)):
        yield soon.si_signo
    from spry.execute import sweep  # noqa: F401, PLC0415 - for later

    while True:
        yield signal.sigwait(watched)


def _is_childless() -> bool:
    """Whether the runner was the only child."""
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


def _sweep(line: socket, clean: Callable[[], object], *, sudden: bool) -> None:
    """See to it that nothing is left of the run."""
    from spry.execute import sweep  # noqa: PLC0415 - is loaded, unless the run was short

    runs, spared = _told(line)
    left = sweep.children(spared)
    if sudden:
        left = left or [one for run in runs for one in sweep.by_mark(str(run))]
        clean()
    if left:
        sys.stderr.write(f"spry: cannot be killed: {', '.join(left)}\n")
        sys.stderr.flush()


def _pass_on(number: int, runner: int, line: socket) -> None:
    try:
        line.send(bytes((number,)))
    except OSError:  # it no longer listens
        os.kill(runner, number)


def _stand_still() -> None:
    """Stop as Ctrl-Z stops any program, until somebody continues us; where nobody could, the system does not."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTSTP})
    os.kill(os.getpid(), signal.SIGTSTP)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP})


def _told(line: socket) -> tuple[set[int], set[int]]:
    """What the runner said: its runs, and whom to spare. Files that it sent stay open."""
    from _socket import CMSG_SPACE  # noqa: PLC0415 - is loaded

    said = b""
    try:
        while data := line.recvmsg(4096, CMSG_SPACE(16))[0]:
            said += data
    except OSError:
        pass
    words = list(WORD.iter_unpack(said[: len(said) - len(said) % WORD.size]))
    runs = {number for letter, number in words if letter == RUN}
    return runs, {number for letter, number in words if letter == SPARE}


def _die_of(number: int) -> None:
    """End by the signal that the runner ended by, without leaving a core of our own."""
    import resource  # noqa: PLC0415 - only for a sudden end

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
