"""Who left the process group of an attempt: found when it ends, told from those of other attempts, and killed.

Where orphans come to us (`pair`), whoever descends from an ended attempt and is in no group of ours hangs below a child
of ours that we did not start: found without reading the table of processes, as children have higher numbers than their
parents, until the numbers start again. Elsewhere the environment has to tell: a process that threw it away, and its
group as well, is not found then.
"""

from __future__ import annotations

import os
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from spry.execute.census import Entry
    from spry.execute.endings import Running

BOUND = 10.0  # seconds that the killed may take to die before they are left to their fate
SHORT = 0.25  # seconds in which no machine starts so many processes that their numbers start again
ROUNDS = 50  # looks for those who are born while we look
MANY = 400  # numbers: beyond that it is faster to ask which processes there are
LOOKS = 4  # at a process without an environment, a few thousandths of a second apart, until that is believed
STARTS = 100  # the same for one without a command line as well: it is about to start a program
TICK = 0.02  # seconds: births are told in ticks of a hundredth
LOADAVG = "/proc/loadavg"
CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Strays:
    """Finds strays and kills them. `adopts`: all orphans below us become our children."""

    __slots__ = ("_adopts", "_bare", "_beyond", "_latest", "shared", "spared")

    def __init__(self, *, adopts: bool) -> None:
        self._adopts = adopts
        self._latest = _open_latest()
        self._beyond: set[int] = set()
        self._bare: dict[int, int] = {}  # looks at processes that had no environment
        self.spared: set[int] = set()  # children of ours that are no attempt's
        self.shared = False  # functions of this program run too, and may start processes and wait for them

    def close(self) -> None:
        """Give back the descriptor."""
        if self._latest >= 0:
            os.close(self._latest)

    def remain(self, ended: Running, others: Collection[Running]) -> bool:
        """Look for strays of an ended attempt whose group is empty, and act; whether to look again soon."""
        verdicts = [(one, self._belongs(one, ended, others)) for one in self._suspects(ended, others)]
        found = [one for one, belongs in verdicts if belongs]
        if not found:
            return any(belongs is None for _, belongs in verdicts)
        now = time.monotonic()
        ended.looks += 1
        ended.stray_until = min(ended.stray_until, max(now, ended.kill_at) + BOUND)
        ended.left.update((one.pid, one.name) for one in found)
        if now > ended.stray_until:
            ended.beyond.update(str(one) for one in found)
            self._beyond.update(one.pid for one in found)
            return False
        self._end(ended, found, now)
        return True

    def reap(self, known: Collection[Running]) -> None:
        """Take leave of adopted children that ended while the attempts they belong to go on."""
        if not self._adopts or self.shared:
            return
        leaders = {running.process.pid for running in known} | self.spared
        try:
            while (child := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
                if child.si_pid in leaders:
                    return
                os.waitpid(child.si_pid, 0)
        except ChildProcessError:
            return

    def sweep(self, ended: Iterable[Running]) -> None:
        """Everything is over: kill whoever is left."""
        if self._adopts and self._childless():
            return
        from spry.execute import sweep  # noqa: PLC0415 - only where somebody may be left

        if self._adopts:
            sweep.children()
            return
        for run in {run for running in ended if (run := running.env.get(b"SPRY_RUN_ID"))}:
            sweep.by_mark(run.decode())

    def _end(self, ended: Running, found: Collection[Entry], now: float) -> None:
        """TERM within the grace of an attempt that was told to stop, else KILL: at first only who was found."""
        number = signal.SIGTERM if now < ended.kill_at else signal.SIGKILL
        if ended.looks > 1 and number == signal.SIGKILL:
            from spry.execute.sweep import kill_trees  # noqa: PLC0415 - only for those who come again

            kill_trees(one.pid for one in found)
            return
        for one in found:
            if number == signal.SIGKILL or one.pid not in ended.asked:
                self._send(one, number, ended)

    def _send(self, one: Entry, number: int, ended: Running) -> None:
        try:
            os.kill(one.pid, number)
            os.kill(one.pid, signal.SIGCONT)  # who is stopped cannot obey
        except ProcessLookupError:
            return
        except PermissionError:
            self._beyond.add(one.pid)
            ended.beyond.add(str(one))
        ended.asked.add(one.pid)

    def _suspects(self, ended: Running, others: Collection[Running]) -> list[Entry]:
        """Who lives, is no attempt's leader, and may have been born by an ended attempt."""
        if self._adopts and not others and self._childless():
            return []
        ours = {running.process.pid for running in others} | self.spared | self._beyond
        found: list[Entry] = []
        for _ in range(ROUNDS):
            candidates = self._candidates(ended, others, ours)
            if not candidates:
                return []
            from spry.execute import census  # noqa: PLC0415 - few leave anybody behind

            entries = [census.entry(pid) for pid in candidates]
            found = [one for one in entries if one is not None and one.state not in census.ENDED]
            if not self._adopts or len(found) == len(candidates):
                break  # else somebody has ended meanwhile, perhaps after having left a child
        return found

    def _candidates(self, ended: Running, others: Collection[Running], ours: Collection[int]) -> set[int]:
        """Who may be a stray, looked for until nobody was born during a look: of two in a chain one is always there."""
        found: set[int] = set()
        latest = self._latest_number()
        young = self._born_since(ended, latest)
        for again in range(ROUNDS):
            found.update(pid for pid in young if pid not in ours and self._is_suspect(pid, ended, others))
            before, latest = latest, self._latest_number()
            if latest == before and (latest or again):
                break
            young = range(before + 1, latest + 1) if before < latest else numbers_of_all()
        return found

    def _is_suspect(self, pid: int, ended: Running, others: Collection[Running]) -> bool:
        """Whether a process may be a stray: a child that lives, where they come to us; a zombie is taken leave of."""
        try:
            os.getsid(pid)
            if not self._adopts:
                return True
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                return True
            if not self.shared:
                self._take_leave(pid, ended, others)
        except (ProcessLookupError, ChildProcessError):
            return False
        except PermissionError:
            return not self._adopts
        return False

    def _take_leave(self, pid: int, ended: Running, others: Collection[Running]) -> None:
        """Reap a zombie. One that was killed has left the group while that was, and is told like those who stayed."""
        from spry.execute import census  # noqa: PLC0415 - few leave anybody behind

        one = census.entry(pid)
        _, status = os.waitpid(pid, 0)
        if one is not None and os.waitstatus_to_exitcode(status) == -signal.SIGKILL and _is_of_none(one, others):
            ended.left[pid] = one.name

    def _belongs(self, one: Entry, ended: Running, others: Collection[Running]) -> bool | None:
        """Whether a suspect is to die with an attempt; None if it cannot be told yet.

        By its environment, its session or its group it may be one of another attempt that runs. If nothing tells, it
        belongs to those that ran when it was born, and dies with the last of them; it may be none of theirs if it is
        `shared` who starts processes here.
        """
        from spry.execute import census  # noqa: PLC0415 - is loaded

        environ = census.environ(one.pid)
        if _has(environ, ended):
            return True
        if not self._adopts:
            return False
        for other in others:
            if other.process.pid in (one.session, one.group) or _has(environ, other):
                return False
        if len(environ) < 2 and others:
            looks = self._bare[one.pid] = self._bare.get(one.pid, 0) + 1
            if looks <= (LOOKS if census.command(one.pid) else STARTS):
                return None  # in the middle of starting a program it has none
        mark = b"\0SPRY_RUN_ID=%s\0" % ended.env.get(b"SPRY_RUN_ID", b"")
        return mark in environ or (not self.shared and _is_of_none(one, others))

    def _born_since(self, ended: Running, latest: int) -> Iterable[int]:
        """The numbers of processes that may have been born since an attempt began, given the latest number."""
        first = ended.process.pid + 1
        is_short = uptime() - ended.began < SHORT
        return range(first, latest + 1) if is_short and first <= latest + 1 <= first + MANY else numbers_of_all()

    def _latest_number(self) -> int:
        """The latest number given to a process; 0 where nobody tells."""
        return int(os.pread(self._latest, 64, 0).rpartition(b" ")[2]) if self._latest >= 0 else 0

    def _childless(self) -> bool:
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return True
        return False


def numbers_of_all() -> list[int]:
    """The numbers of all processes."""
    from spry.execute.census import numbers  # noqa: PLC0415 - short tasks need no list of all

    return numbers()


def uptime() -> float:
    """Seconds since the machine started: the clock in which births are told."""
    return time.clock_gettime(CLOCK)


def _is_of_none(one: Entry, others: Iterable[Running]) -> bool:
    """Whether a process was born before any of these attempts began."""
    return all(other.began > one.born + TICK for other in others)


def _has(environ: bytes, running: Running) -> bool:
    """Whether an environment is that of an attempt."""
    env = running.env
    return b"SPRY_RUN_ID" in env and all(
        b"\0%s=%s\0" % (name, env.get(name, b"")) in environ for name in (b"SPRY_RUN_ID", b"SPRY_TASK", b"SPRY_ATTEMPT")
    )


def _open_latest() -> int:
    """A file that tells the latest number given to a process; -1 where there is none, or somebody else makes it up."""
    try:
        if os.readlink("/proc/self") != str(os.getpid()):
            return -1
        descriptor = os.open(LOADAVG, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1
    if os.fstat(descriptor).st_dev != os.stat("/proc/self").st_dev:
        os.close(descriptor)
        return -1
    return descriptor
