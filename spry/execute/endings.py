"""How attempts with a process end.

Its process ends; what is in its pipes is read, for at most half a second if somebody still holds them; whoever is left
of its group is killed (after `stop`: once the grace is over), and whoever left the group too; and when nobody is, it is
told.
"""

from __future__ import annotations

import os
import signal
import time

from spry.execute.protocol import Exited, Output
from spry.execute.reactor import NEVER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from spry.execute.limits import Meter
    from spry.execute.process import Process, Status
    from spry.execute.protocol import Attempt, Notice
    from spry.execute.reactor import Reactor
    from spry.execute.relays import Relays
    from spry.execute.strays import Strays

CHUNK = 65536  # the most that is read from one pipe in one turn
LAST = 1 << 20  # the most that a pipe can hold without privileges: read at once when it is cut off
DRAIN = 0.5
GONE = 1.0  # how long the killed may take to die before they are left to their fate
TICK = 0.05  # how often the end of a process is looked for where nothing tells of it


class Running:
    """An attempt with a process, since `began` (seconds since the machine started).

    `kill_at` is when politeness ends (0: there is none), `terminated` says that TERM was sent, `drain_until` is known
    once the process has ended, `give_up` once its group was killed; `pause` is the time to the next look whether
    somebody is left, `looks` the number of those that found strays, `stray_until` when these are given up. `left` is
    who was still there when it had ended, by number; `asked` who of the strays got a signal, and `beyond` who could not
    be killed.
    """

    __slots__ = (
        "asked", "began", "beyond", "drain_until", "env", "give_up", "kill_at", "left", "looks", "pause", "process",
        "status", "stray_until", "task", "terminated",
    )  # fmt: skip

    def __init__(self, attempt: Attempt, process: Process, began: float) -> None:
        self.task = attempt.task
        self.env = attempt.env
        self.process = process
        self.began = began
        self.kill_at = 0.0
        self.terminated = False
        self.drain_until = self.give_up = self.stray_until = NEVER
        self.pause = 0.001
        self.looks = 0
        self.left: dict[int, str] = {}
        self.asked: set[int] = set()
        self.beyond: set[str] = set()
        self.status: Status | None = None

    def postpone(self, seconds: float) -> None:
        """Time stood still for so long."""
        self.kill_at += seconds if self.kill_at else 0.0
        self.drain_until += seconds
        self.give_up += seconds
        self.stray_until += seconds


class Endings:
    """Reads what attempts write, stops them, sees them to their ends and tells; `freed` is called when one is over."""

    __slots__ = ("_blind", "_freed", "_notices", "_reactor", "_strays", "meter", "relays", "running")

    def __init__(self, reactor: Reactor, strays: Strays, notices: list[Notice], freed: Callable[[], None]) -> None:
        self._reactor, self._strays, self._notices, self._freed = reactor, strays, notices, freed
        self._blind: list[Running] = []  # those without a descriptor for their end
        self.running: dict[str, Running] = {}
        self.meter: Meter | None = None  # of those with limits
        self.relays: Relays | None = None  # of those with a terminal

    def follow(self, attempt: Attempt, process: Process, began: float) -> None:
        """A process has started, `began` seconds after the machine did: it is ours to see to its end."""
        running = self.running[attempt.task] = Running(attempt, process, began)
        for stream, pipe in process.pipes.items():
            self._reactor.watch(pipe, lambda stream=stream: self._read(running, stream))  # type: ignore[misc] # bound now
        if process.pidfd >= 0:
            self._reactor.watch(process.pidfd, lambda: self._ended(running))
        else:
            self._blind.append(running)

    @property
    def blind(self) -> bool:
        """Whether no descriptor tells of the end of some process: `look` from time to time."""
        return bool(self._blind)

    def look(self) -> None:
        """See which of those have ended."""
        for running in [running for running in self._blind if running.process.ended()]:
            self._ended(running)

    def stop(self, running: Running, grace: float, *, interrupted: bool) -> None:
        """TERM to a whole group, KILL `grace` seconds later; 0, also as a second thought, kills at once.

        After Ctrl-C (`interrupted`) whoever is prepared for INT only gets that first, as in a terminal, and TERM when
        half of the grace is over; what it leaves in its group, where a shell has made children deaf to INT, gets TERM
        at its end.
        """
        process, now = running.process, time.monotonic()
        kill_at = now + max(grace, 0.0)
        running.kill_at = min(running.kill_at or kill_at, kill_at)
        if grace <= 0:
            process.signal(signal.SIGKILL)
            return
        if interrupted and running.drain_until == NEVER and _wants_int(process.pid):
            process.signal(signal.SIGINT)
            process.signal(signal.SIGCONT)
            self._reactor.after(grace / 2, lambda: self._terminate(running))
        else:
            self._terminate(running)
        self._reactor.after(grace, lambda: self._kill(running))

    def postpone(self, seconds: float) -> None:
        """Time stood still for so long."""
        for running in self.running.values():
            running.postpone(seconds)

    def close(self) -> None:
        """Kill whoever still runs."""
        for running in self.running.values():
            running.process.signal(signal.SIGKILL)
        deadline = time.monotonic() + GONE
        for running in self.running.values():
            if running.status is None:
                running.process.reap()
            while not running.process.gone() and time.monotonic() < deadline:
                time.sleep(0.001)
            running.process.close()

    def _read(self, running: Running, stream: int) -> None:
        """Some output came, or the end of a pipe."""
        self._take(running, stream)
        if not running.process.pipes:
            self._drained(running)

    def _take(self, running: Running, stream: int) -> int:
        """Read up to 64 KiB: how much it was, 0 if there is nothing to read for now, or ever again."""
        pipes = running.process.pipes
        try:
            data = os.read(pipes[stream], CHUNK)
        except BlockingIOError:
            return 0
        if data:
            self._notices.append(Output(running.task, stream, data))
        else:
            self._reactor.forget(pipes.pop(stream))
        return len(data)

    def _drain(self, running: Running, most: int) -> None:
        """Read what is in the pipes of an ended process, up to `most` bytes from each."""
        for stream in tuple(running.process.pipes):
            left = most
            while left > 0 and (size := self._take(running, stream)):
                left -= size

    def _ended(self, running: Running) -> None:
        """The process of an attempt has ended; others may still hold its pipes, or sit in its group."""
        process = running.process
        if process.pidfd >= 0:
            self._reactor.forget(process.pidfd)
            process.pidfd = -1
        else:
            self._blind.remove(running)
        running.drain_until = time.monotonic() + DRAIN
        if running.kill_at:
            self._terminate(running)
        self._drain(running, CHUNK)
        if process.pipes:
            self._reactor.after(DRAIN, lambda: self._drained(running))
        else:
            self._drained(running)

    def _drained(self, running: Running) -> None:
        """Nothing more is to be read for, if its process has ended too."""
        if running.drain_until == NEVER or running.status is not None:
            return
        if self.relays is None or self.relays.given_back(running, lambda: self._drained(running)):
            self._settle(running)

    def _settle(self, running: Running) -> None:
        """See to it that nobody of a group is left, and tell so.

        The group is killed before its leader is reaped, as its number is surely its own until then. One that was asked
        to stop keeps its grace: then it is killed only right after it was seen alive.
        """
        process, now = running.process, time.monotonic()
        if running.status is None:
            self._kill(running)
            running.status = process.reap()
        if not process.gone(running.left) and now < running.give_up:
            self._kill(running)
            self._look_again(running)
            return
        if running.give_up == NEVER:
            process.signal(signal.SIGKILL)  # a look around can miss who was born meanwhile
        others = [other for other in self.running.values() if other is not running]
        if self._strays.remain(running, others):
            self._look_again(running)
        else:
            self._over(running, running.status)

    def _look_again(self, running: Running) -> None:
        running.pause = min(running.pause * 2, TICK)
        self._reactor.after(running.pause, lambda: self._settle(running))

    def _terminate(self, running: Running) -> None:
        """TERM to a group, once."""
        if not running.terminated and self.running.get(running.task) is running:
            running.terminated = True
            running.process.signal(signal.SIGTERM)
            running.process.signal(signal.SIGCONT)  # who is stopped cannot obey

    def _kill(self, running: Running) -> None:
        """Kill a group if its time has come."""
        now = time.monotonic()
        if now < running.kill_at or self.running.get(running.task) is not running:
            return
        running.process.signal(signal.SIGKILL)
        if running.drain_until != NEVER:
            running.give_up = min(running.give_up, now + GONE)

    def _over(self, running: Running, status: Status) -> None:
        """Nothing is left of an attempt."""
        self._drain(running, LAST)
        for descriptor in running.process.pipes.values():
            self._reactor.forget(descriptor)
        running.process.pipes.clear()
        del self.running[running.task]
        limit = self.meter.drop(running.task) if self.meter else ""
        leaked = () if limit or running.kill_at else tuple(running.left.values())
        ended = Exited(running.task, status.code, status.signal, limit=limit, leaked=leaked)
        self._notices.append(ended._replace(beyond=tuple(running.beyond)) if running.beyond else ended)
        self._freed()


def _wants_int(pid: int) -> bool:
    """Whether a process is prepared for INT and not for TERM."""
    from spry.execute.census import catches  # noqa: PLC0415 - only after Ctrl-C

    caught = catches(pid)
    return signal.SIGINT in caught and signal.SIGTERM not in caught
