"""What limited attempts use, measured with psutil over all their processes and held against what they may use.

To an attempt belong its leader's session, all descendants of whoever was once seen to belong, and the sessions that
those made: a process that left the session and lost its parent is still counted if it was seen before.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress

import psutil

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Table = Mapping[int, tuple[psutil.Process, int, int]]  # by number: the process, its parent's and session's numbers

FIRST, USUAL = 0.05, 0.25  # seconds between two looks: soon after a start, for who is quick to take a lot; later
SHARE = 20  # a look may take one part in so many of the time, however many processes the machine has
WINDOW = 2.0  # seconds over which the use of processors is averaged
SLACK = 0.03  # seconds: processor time is counted in ticks, so that a window can hold three more than were used
GONE = 1.0  # seconds that the killed may take to die
MEGABYTE = 1 << 20
UNITS = {"memory": " MB", "cpu": "%"}


class Meter:
    """Measures limited attempts, from `add` to `drop`, and has those killed that are over a limit.

    It has no thread: `after` calls back in so many seconds, and `kill` ends the attempt of a task at once.
    """

    __slots__ = ("_after", "_gauges", "_kill", "_pause", "_waits")

    def __init__(self, after: Callable[[float, Callable[[], None]], None], kill: Callable[[str], None]) -> None:
        self._after, self._kill = after, kill
        self._gauges: dict[str, Gauge] = {}
        self._pause = FIRST
        self._waits = False

    def add(self, task: str, leader: int, limits: Sequence[tuple[str, float]]) -> None:
        """Begin with the attempt of a task; `limits` have the units of `Task.limits`."""
        self._gauges[task] = Gauge(leader, limits)
        self._pause = FIRST
        if not self._waits:
            self._waits = True
            self._after(FIRST, self._look)

    def drop(self, task: str) -> str:
        """The attempt is over: how far it was over a limit, or nothing."""
        gauge = self._gauges.pop(task, None)
        return gauge.excess if gauge else ""

    def _look(self) -> None:
        """Measure all; while there are any, again."""
        self._waits = bool(self._gauges)
        if not self._gauges:
            return
        began = time.monotonic()
        table = _table()
        for task, gauge in list(self._gauges.items()):
            if not gauge.excess and gauge.exceeds(table):
                self._kill(task)
        self._pause = max(min(self._pause * 2, USUAL), (time.monotonic() - began) * SHARE)
        self._after(self._pause, self._look)


class Gauge:
    """One limited attempt: who belongs to it, and what it was found to use beyond a limit (`excess`)."""

    __slots__ = ("_known", "_leader", "_limits", "_work", "excess")

    def __init__(self, leader: int, limits: Sequence[tuple[str, float]]) -> None:
        self._leader, self._limits = leader, limits
        self._known: set[psutil.Process] = set()
        self._work = Work(time.monotonic())
        self.excess = ""

    def exceeds(self, table: Table) -> bool:
        """Whether a limit is exceeded; then everybody who left the leader's session is killed."""
        self._known = _members(self._leader, self._known, table)
        for name, limit in self._limits:
            try:
                used = self._use(name, limit)
            except psutil.AccessDenied as error:
                self.excess = f"{name} of process {error.pid} cannot be measured: it has other rights than spry"
                break
            if used > limit:
                unit = UNITS.get(name, "")
                self.excess = f"{name} {-(-used // 1):.0f}{unit} of {limit:g}{unit}"
                break
        if self.excess:
            self._kill(table)
        return bool(self.excess)

    def _use(self, name: str, limit: float) -> float:
        return self._work.rate(self._known, time.monotonic()) if name == "cpu" else USES[name](self._known, limit)

    def _kill(self, table: Table) -> None:
        """Kill who left the session of the leader; the caller kills the rest, which its own number names safely."""
        away = [process for process in self._known if table[process.pid][2] != self._leader]
        for process in away:
            with suppress(psutil.Error):
                process.kill()
        deadline = time.monotonic() + GONE
        while any(map(_lives, away)) and time.monotonic() < deadline:
            time.sleep(0.001)


class Work:
    """The processor time of an attempt, counted in two ways of which neither ever counts too much.

    Process by process, what was last seen of those who have ended included: this misses who came and went between two
    looks. And with what every process was told of its ended children: this misses who was nobody's child at the end.
    """

    __slots__ = ("_ended", "_history", "_seen")

    def __init__(self, now: float) -> None:
        self._seen: dict[psutil.Process, float] = {}
        self._ended = 0.0
        self._history = [(now, 0.0, 0.0)]  # instants, and the seconds counted in each way until then

    def rate(self, processes: Iterable[psutil.Process], now: float) -> float:
        """Percent of one core over the last window; 0 before one is full."""
        self._history.append((now, *self._count(processes)))
        while self._history[1][0] <= now - WINDOW:
            del self._history[0]
        since, *before = self._history[0]
        if now - since < WINDOW:
            return 0.0
        spent = max(after - earlier for after, earlier in zip(self._history[-1][1:], before, strict=True))
        return (spent - SLACK) / (now - since) * 100

    def _count(self, processes: Iterable[psutil.Process]) -> tuple[float, float]:
        seen, handed = {}, 0.0
        # Parents first: who ends meanwhile is missed this time, and not counted twice.
        for process in sorted(processes, key=_born):
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                seen[process] = times.user + times.system
                handed += times.children_user + times.children_system
        self._ended += sum(seconds for process, seconds in self._seen.items() if process not in seen)
        self._seen = seen
        own = sum(seen.values())
        return self._ended + own, max(self._history[-1][2], own + handed)


def _table() -> Table:
    table = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            table[process.pid] = process, process.ppid(), os.getsid(process.pid)
    return table


def _members(leader: int, known: set[psutil.Process], table: Table) -> set[psutil.Process]:
    """All who belong to an attempt, given who was known to a moment ago."""
    members = {number for number, (process, _, _) in table.items() if number == leader or process in known}
    while True:
        sessions = {leader, *(table[number][2] for number in members)}
        found = {number for number, (_, parent, session) in table.items() if parent in members or session in sessions}
        if found <= members:
            return {table[number][0] for number in members}
        members |= found


def _sum(processes: Iterable[psutil.Process], read: Callable[[psutil.Process], float]) -> float:
    """The sum over those who are still there."""
    total = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            total += read(process)
    return total


def _memory(processes: Iterable[psutil.Process], limit: float) -> float:
    """Megabytes; memory that several processes share counts once, which is measured only when it matters."""
    used = _sum(processes, lambda process: process.memory_info().rss) / MEGABYTE
    return used if used <= limit else _sum(processes, _own) / MEGABYTE


def _own(process: psutil.Process) -> float:
    """Bytes of a process, with its part of what it shares where the system tells."""
    try:
        return float(getattr(process.memory_full_info(), "pss", 0) or process.memory_info().rss)
    except psutil.AccessDenied:
        return float(process.memory_info().rss)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.Error:
        return False


def _born(process: psutil.Process) -> float:
    try:
        return float(process.create_time())
    except psutil.Error:  # it has just gone
        return 0.0


def _fds(processes: Iterable[psutil.Process], _: float) -> float:
    return _sum(processes, lambda process: process.num_fds())


def _connections(processes: Iterable[psutil.Process], _: float) -> float:
    """Internet sockets, those that listen included; one that several processes share counts once."""
    found: set[object] = set()
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            found.update((one.family, one.type, one.laddr, one.raddr) for one in process.net_connections("inet"))
    return len(found)


USES: Mapping[str, Callable[[Iterable[psutil.Process], float], float]] = {
    "memory": _memory,
    "fds": _fds,
    "connections": _connections,
}
