"""One process and its group: how it starts, how it is signalled, and how it is known to be gone.

A process starts as the leader of its own session with default signals, an empty mask, /dev/null or what it is given as
stdin, a pipe each for stdout and stderr, and no other descriptor.
"""

from __future__ import annotations

import _thread
import errno
import os
import signal

from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spry.execute.protocol import Attempt

# Every signal whose default can be restored: the C library keeps 32 and 33, and nobody can change the two others.
DEFAULTS = [number for number in range(1, signal.NSIG) if number not in (32, 33, signal.SIGKILL, signal.SIGSTOP)]
RESERVE = 16  # descriptors
# The machine is short of something that another process may give back.
SHORT = frozenset({errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM})
REASONS = {
    errno.ENOENT: "it does not exist",
    errno.ENOTDIR: "it does not exist",
    errno.EACCES: "it is not executable",
    errno.ENOEXEC: "it is no program that this machine can run",
    errno.E2BIG: "script, arguments and environment together are larger than the system passes on",
}


class Status(NamedTuple):
    """How a process ended: by exit code or by signal."""

    code: int | None
    signal: int | None


class Process:
    """The leader of a process group, with the ends of its pipes that are ours: `pipes` by stream (1, 2).

    `pidfd` is readable once the leader has ended, and -1 where there is none. Until `reap` the leader's number, which
    is also its group's, cannot be given to another process.
    """

    __slots__ = ("_status", "pid", "pidfd", "pipes")

    def __init__(self, pid: int, pidfd: int, pipes: dict[int, int]) -> None:
        self.pid = pid
        self.pidfd = pidfd
        self.pipes = pipes
        self._status: int | None = None

    def ended(self) -> bool:
        """Whether the leader has ended; it is left to be reaped, except where Python has no `waitid` (macOS)."""
        if hasattr(os, "waitid"):
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        self._status = status if pid else None
        return bool(pid)

    def signal(self, number: int) -> bool:
        """Send a signal to whoever is left of the group; False if nobody is."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return False
        except PermissionError:  # somebody is left, all of them with other rights than ours, or (macOS) dead
            return True
        return True

    def reap(self) -> Status:
        """Take leave of the leader, waiting for its end if need be."""
        if self._status is None:
            self._status = os.waitpid(self.pid, 0)[1]
        code = os.waitstatus_to_exitcode(self._status)
        return Status(None, -code) if code < 0 else Status(code, None)

    def gone(self, left: dict[int, str] | None = None) -> bool:
        """Whether nobody alive is left of the group once its leader is reaped; who had to be killed is put into `left`.

        Orphans come to us where we adopt them, or are init.
        """
        if not self.signal(0):
            return True
        from spry.execute import census  # noqa: PLC0415 - few leave anybody behind

        if left is not None and not left:
            left.update((one.pid, one.name) for one in census.of_group(self.pid))
        try:
            while True:
                pid, status = os.waitpid(-self.pid, os.WNOHANG)
                if not pid:
                    break
                if left is not None and os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
                    left.pop(pid, None)  # it had ended by itself
        except ChildProcessError:
            pass
        return not self.signal(0) or not has_living(self.pid)

    def close(self) -> None:
        """Give back every descriptor."""
        for descriptor in (*self.pipes.values(), self.pidfd):
            if descriptor >= 0:
                os.close(descriptor)
        self.pipes.clear()
        self.pidfd = -1


class Launcher:
    """Starts processes, and holds /dev/null open for them.

    Descriptors that were passed on to us are kept from tasks: from here on they close when a program starts.
    """

    __slots__ = ("_highest", "_null", "pidfds")

    def __init__(self, *, pidfds: bool = True) -> None:
        self._null = open_null()
        self._highest = _highest()
        self.pidfds = pidfds and has_pidfds()
        keep_descriptors()

    def launch(self, attempt: Attempt, terminal: str = "") -> Process:
        """Start the process of an attempt; raises OSError or ValueError, with nothing left behind.

        Instead of pipes it can have a `terminal` for all its streams: the first one that the leader of a session
        opens is its own.
        """
        if terminal:
            pid = self._spawn(attempt, -1, -1, terminal)
            return Process(pid, self._pidfd(pid), {})
        out, out_end = os.pipe()
        try:
            err, err_end = os.pipe()
        except OSError:
            _close(out, out_end)
            raise
        if max(out_end, err_end) > self._highest:
            _close(out, out_end, err, err_end)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        try:
            pid = self._spawn(attempt, out_end, err_end)
        except (OSError, ValueError):
            _close(out, err)
            raise
        finally:
            _close(out_end, err_end)
        os.set_blocking(out, False)
        os.set_blocking(err, False)
        return Process(pid, self._pidfd(pid), {1: out, 2: err})

    def _spawn(self, attempt: Attempt, out: int, err: int, terminal: str = "") -> int:
        """The process's number. The folder is ours for a moment where no other thread can notice: that is fastest."""
        if attempt.cwd == _current():
            return self._spawn_here(attempt, out, err, terminal)
        if _thread._count():  # noqa: SLF001 - `threading`, which says the same, is slow to import
            return self._spawn_there(attempt, out, err, terminal)
        here = os.open(".", getattr(os, "O_PATH", os.O_RDONLY))
        try:
            os.chdir(attempt.cwd)
            return self._spawn_here(attempt, out, err, terminal)
        finally:
            os.fchdir(here)
            os.close(here)

    def _spawn_here(self, attempt: Attempt, out: int, err: int, terminal: str) -> int:
        return os.posix_spawn(
            attempt.argv[0],
            tuple(attempt.argv),
            attempt.env,
            file_actions=(
                (os.POSIX_SPAWN_OPEN, 0, terminal, os.O_RDWR, 0) if terminal else self._stdin(attempt.stdin),
                (os.POSIX_SPAWN_DUP2, 0 if terminal else out, 1),
                (os.POSIX_SPAWN_DUP2, 0 if terminal else err, 2),
            ),
            setsid=True,
            setsigmask=(),
            setsigdef=DEFAULTS,
        )

    def _stdin(self, path: str) -> tuple[int, int, str, int, int] | tuple[int, int, int]:
        """What makes descriptor 0 of a process."""
        if path == "-":
            return os.POSIX_SPAWN_DUP2, 0, 0
        return (os.POSIX_SPAWN_OPEN, 0, path, os.O_RDONLY, 0) if path else (os.POSIX_SPAWN_DUP2, self._null, 0)

    def _spawn_there(self, attempt: Attempt, out: int, err: int, terminal: str) -> int:
        import subprocess  # noqa: PLC0415 - only next to other threads, and it costs as much as ten tasks

        def enter() -> None:
            own = os.open(terminal, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(own, stream)

        stdin = os.open(attempt.stdin, os.O_RDONLY) if attempt.stdin not in ("", "-") else -1
        mask = signal.pthread_sigmask(signal.SIG_SETMASK, ())
        try:
            process = subprocess.Popen(
                attempt.argv,
                env=attempt.env,
                cwd=attempt.cwd,
                stdin=stdin if stdin >= 0 else 0 if attempt.stdin else self._null,
                stdout=self._null if terminal else out,
                stderr=self._null if terminal else err,
                start_new_session=True,
                preexec_fn=enter if terminal else None,  # noqa: PLW1509 - opens the terminal, nothing else
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            if stdin >= 0:
                os.close(stdin)
        process.returncode = 0  # it is ours to reap, and no concern of Popen any more
        return process.pid

    def _pidfd(self, pid: int) -> int:
        try:
            return os.pidfd_open(pid) if self.pidfds else -1
        except OSError:  # out of descriptors, now that it runs: its end will be looked for
            return -1

    def close(self) -> None:
        """Give back what it holds."""
        os.close(self._null)


def open_null() -> int:
    """A descriptor of /dev/null above 2: from here on 0, 1 and 2 are taken, even if our caller closed them."""
    while (null := os.open(os.devnull, os.O_RDWR)) < 3:
        pass
    return null


def _highest() -> int:
    """The highest descriptor that tasks may take: some are left for logs, scripts and modules that load late."""
    limit = os.sysconf("SC_OPEN_MAX")
    return limit - 1 - min(limit // 8, RESERVE) if limit > 0 else 1 << 30


def _current() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return ""


def has_living(group: int) -> bool:
    """Whether anybody of a process group is more than a zombie: an init may take its time to reap those."""
    from spry.execute import census  # noqa: PLC0415 - few leave anybody behind

    return not census.numbers() or any(one.state not in census.ENDED for one in census.of_group(group))


def has_pidfds() -> bool:
    """Whether this system can tell the end of a process through a descriptor."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


def keep_descriptors() -> None:
    """Mark every descriptor above stderr to close when a program starts, those we inherited included."""
    for name in os.listdir("/dev/fd"):
        if int(name) > 2:
            try:
                os.set_inheritable(int(name), False)
            except OSError:
                continue  # the listing's own


def explain(error: OSError | ValueError, attempt: Attempt) -> str:
    """Why a process could not be started, as a sentence."""
    program = attempt.argv[0] if attempt.argv else ""
    number = error.errno if isinstance(error, OSError) else None
    if attempt.stdin not in ("", "-") and not os.access(attempt.stdin, os.R_OK):
        return f"cannot start {program}: what it is to read on stdin cannot be opened: {attempt.stdin}"
    if number in (errno.ENOENT, errno.ENOTDIR, errno.EACCES) and not os.access(attempt.cwd, os.X_OK):
        return f"cannot start in {attempt.cwd}: the folder {_state(attempt.cwd)}"
    if number == errno.ENOENT and os.path.exists(program):
        return f"cannot start {program}: the program that its first line names does not exist"
    if number is None:
        return f"cannot start {program}: {error}"
    why = REASONS.get(number, os.strerror(number))
    return f"cannot start {program}: {why} ({errno.errorcode.get(number, number)})"


def _state(folder: str) -> str:
    if not os.path.exists(folder):
        return "does not exist"
    return "cannot be entered" if os.path.isdir(folder) else "is a file"


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
