"""Attempts as processes of this machine: one thread, one loop over pipes, ends of processes, signals and deadlines.

How an attempt ends: its process ends; what is in its pipes is read, for at most half a second if somebody still holds
them; whoever is left of its group is killed (after `stop`: once the grace is over), and whoever left the group too; and
when nobody is, it is told.
"""

from __future__ import annotations

import heapq
import os
import select
import signal
import time

from spry.execute.process import NEVER, SHORT, Launcher, Running, explain
from spry.execute.protocol import Exited, Output, Paused, Signalled
from spry.execute.signals import Ear
from spry.execute.strays import Strays, uptime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from spry.execute.calls import Calls
    from spry.execute.limits import Meter
    from spry.execute.pair import Line
    from spry.execute.process import Status
    from spry.execute.progress import Reports
    from spry.execute.protocol import Attempt, Notice
    from spry.execute.question import Question
    from spry.execute.terminal import Relay

CHUNK = 65536  # the most that is read from one pipe in one turn
LAST = 1 << 20  # the most that a pipe can hold without privileges: read at once when it is cut off
DRAIN = 0.5
PATIENCE = 5.0  # seconds for a slow terminal to show what an interactive task wrote last
GONE = 1.0  # how long the killed may take to die before they are left to their fate
TICK = 0.05  # how often the end of a process is looked for where nothing tells of it
REAP = 2.0  # seconds between two looks for adopted children that ended
TRIES, PAUSE = 20, 0.1  # starts that the machine refuses while nothing runs whose end could help


class LocalExecutor:
    """Runs up to `jobs` attempts at a time as processes; with `pidfds` off, SIGCHLD tells of their ends.

    In the main thread it takes over INT, TERM, HUP and QUIT until it is closed. With a `line` to a guardian it hears
    those from there as well, and Ctrl-Z. While it is in use nothing else here may start processes then: they would be
    taken for strays.
    """

    __slots__ = (
        "_blind", "_calls", "_delayed", "_due", "_ear", "_hears", "_launcher", "_line", "_meter", "_notices", "_poll",
        "_questions", "_relays", "_reports", "_running", "_serial", "_strays", "_tries", "_unit", "_watched",
        "interrupted", "jobs",
    )  # fmt: skip

    def __init__(self, jobs: int, *, pidfds: bool = True, line: Line | None = None) -> None:
        self.jobs = jobs  # may change between two runs
        self._line = line
        self._launcher = Launcher(pidfds=pidfds)
        self._strays = Strays(adopts=line is not None and line.adopts)
        self._ear = Ear(children=not self._launcher.pidfds, paired=line is not None)
        self._poll: select.epoll | select.poll = select.epoll() if hasattr(select, "epoll") else select.poll()
        self._unit = 1 if hasattr(select, "epoll") else 1000
        self._poll.register(self._ear.fd, select.POLLIN)
        self._watched: dict[int, Callable[[], None]] = {}
        self._running: dict[str, Running] = {}
        self._blind: list[Running] = []  # those without a descriptor for their end
        self._questions: dict[str, Question] = {}
        self._delayed: list[Attempt] = []
        self._tries = 0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = 0
        self._notices: list[Notice] = []
        self._meter: Meter | None = None
        self._relays: dict[str, Relay] = {}
        self._calls: Calls | None = None
        self.interrupted: int | None = None  # the first signal that came for us
        self._hears = -1
        self._reports: Reports | None = None
        if line is not None:
            self._watch(line.fd, self._listen)
        if line is not None and line.adopts:
            self._after(REAP, self._reap)

    def hear(self, path: str) -> None:
        """Hear what tasks say of their progress, through a named pipe that is made for it; OSError if it cannot be."""
        os.mkfifo(path, 0o600)
        self._hears = os.open(path, os.O_RDWR | os.O_NONBLOCK)  # both ways, so that it never comes to an end
        self._poll.register(self._hears, select.POLLIN)

    def mailbox(self) -> Callable[[Notice], None]:
        """A way for other threads to give `wait` something to tell."""
        self._strays.shared = True
        return self._calling().post

    def entrust(self, run: str, descriptors: Sequence[int]) -> None:
        """Let the guardian, if there is one, know the id of the run, and hold these open files as long as it lives."""
        if self._line is not None:
            self._line.run(run)
            for descriptor in descriptors:
                self._line.keep(descriptor)

    def free(self) -> int:
        """How many more attempts may be started now."""
        called = len(self._calls.running) if self._calls else 0
        return self.jobs - len(self._running) - len(self._delayed) - len(self._questions) - called

    def start(self, attempt: Attempt) -> None:
        """Begin an attempt; whatever goes wrong with it is told by `wait` as `Exited`."""
        if attempt.question:
            self._ask(attempt)
        elif attempt.call is not None:
            self._strays.shared = self._strays.shared or attempt.number > 0  # what we do ourselves starts no processes
            self._calling().start(attempt)
        elif self._delayed or not self._launch(attempt):
            self._delayed.append(attempt)
            if len(self._delayed) == 1:
                self._after(PAUSE, self._try_again)

    def stop(self, task: str, *, grace: float) -> None:
        """TERM to the whole group of a task, KILL `grace` seconds later; 0, also as a second thought, kills at once.

        After Ctrl-C whoever is prepared for INT only gets that first, as in a terminal, and TERM when half of the grace
        is over; what it leaves in its group, where a shell has made children deaf to INT, gets TERM at its end.
        """
        running = self._running.get(task)
        if running is None:
            if self._calls is None or not self._calls.stop(task, grace):
                self._withdraw(task)
            return
        process, now = running.process, time.monotonic()
        kill_at = now + max(grace, 0.0)
        running.kill_at = min(running.kill_at or kill_at, kill_at)
        if grace <= 0:
            process.signal(signal.SIGKILL)
            return
        if self.interrupted == signal.SIGINT and running.drain_until == NEVER and _wants_int(process.pid):
            process.signal(signal.SIGINT)
            process.signal(signal.SIGCONT)
            self._after(grace / 2, lambda: self._terminate(running))
        else:
            self._terminate(running)
        self._after(grace, lambda: self._kill(running))

    def wait(self, timeout: float | None) -> Sequence[Notice]:
        """Block up to `timeout` seconds (None: until something happens) and tell what happened, in order."""
        until = NEVER if timeout is None else time.monotonic() + timeout
        while True:
            self._turn(0.0 if self._notices else until)
            if self._notices or time.monotonic() >= until:
                told, self._notices = self._notices, []
                return told

    def close(self) -> None:
        """Kill whatever still runs and give back every resource."""
        for running in self._running.values():
            running.process.signal(signal.SIGKILL)
        deadline = time.monotonic() + GONE
        for running in self._running.values():
            if running.status is None:
                running.process.reap()
            while not running.process.gone() and time.monotonic() < deadline:
                time.sleep(0.001)
            running.process.close()
        for relay in self._relays.values():
            relay.close()
        self._strays.sweep(self._running.values())
        self._strays.close()
        for question in self._questions.values():
            os.close(question.fd)
        self._give_back()

    def _give_back(self) -> None:
        """Close what is ours alone."""
        if self._hears >= 0:
            os.close(self._hears)
        if self._calls is not None:
            self._calls.close()
        if isinstance(self._poll, select.epoll):
            self._poll.close()
        self._launcher.close()
        self._ear.close()
        if self._line is not None:
            self._line.close()

    def _launch(self, attempt: Attempt) -> bool:
        """Start a process, or tell why not; False if the machine is short of something and may not be so later."""
        relay, began = None, uptime()
        try:
            relay = self._relay(attempt) if attempt.terminal else None
            process = self._launcher.launch(attempt, relay.name if relay else "")
        except (OSError, ValueError) as error:
            if relay is not None:
                relay.close()
            if isinstance(error, OSError) and error.errno in SHORT and self._tries < TRIES:
                return False
            self._notices.append(Exited(attempt.task, None, error=explain(error, attempt)))
            return True
        running = self._running[attempt.task] = Running(attempt, process, began)
        if relay is None:
            self._watch(process.pipes[1], lambda: self._read(running, 1))
            self._watch(process.pipes[2], lambda: self._read(running, 2))
        else:
            self._relays[attempt.task] = relay
            self._pump(relay)
        if process.pidfd >= 0:
            self._watch(process.pidfd, lambda: self._ended(running))
        else:
            self._blind.append(running)
        if attempt.limits:
            self._limit(attempt, process.pid)
        return True

    def _calling(self) -> Calls:
        """What calls functions on threads, and hears from them."""
        if self._calls is None:
            from spry.execute.calls import Calls  # noqa: PLC0415 - imports threading, only for programs in Python

            calls = self._calls = Calls(self._after)
            self._watch(calls.fd, lambda: self._notices.extend(calls.heard()))
        return self._calls

    def _limit(self, attempt: Attempt, leader: int) -> None:
        """Measure an attempt from here on."""
        if self._meter is None:
            from spry.execute.limits import Meter  # noqa: PLC0415 - imports psutil, only for who has a limit

            self._meter = Meter(self._after, lambda task: self.stop(task, grace=0))
        self._meter.add(attempt.task, leader, attempt.limits)

    def _relay(self, attempt: Attempt) -> Relay:
        """The way between a task and the user's terminal."""
        from spry.execute.terminal import Relay  # noqa: PLC0415 - only for an interactive task

        relay = Relay(lambda data: self._notices.append(Output(attempt.task, 1, data)), veil=attempt.veil)
        self._strays.spared.add(relay.guard)
        if self._line is not None:
            self._line.spare(relay.guard)
        return relay

    def _pump(self, relay: Relay) -> None:
        """Keys came, or output; what is not told so far is shown in the next turn."""
        relay.pump(show=not self._notices)
        relay.attend(self._poll, self._watched, lambda: self._pump(relay))
        if relay.holds:
            self._after(2 * TICK, lambda: self._ease(relay))

    def _ease(self, relay: Relay) -> None:
        """Show what was held back of a prompt, unless its task has ended meanwhile."""
        if relay in self._relays.values() and relay.ease():
            self._pump(relay)

    def _given_back(self, running: Running) -> bool:
        """Whether an ended attempt has no terminal, or no longer; if it has, there is more to show soon."""
        relay = self._relays.get(running.task)
        if relay is None:
            return True
        if not relay.finish(show=not self._notices) and time.monotonic() < running.drain_until + PATIENCE:
            self._after(PAUSE / 20, lambda: self._drained(running))
            return False
        relay.leave(self._poll, self._watched)
        self._relays.pop(running.task).close()
        self._strays.spared.discard(relay.guard)
        return True

    def _try_again(self) -> None:
        """Start what could not be started; with nothing running a bounded number of times."""
        self._tries = 0 if self._running else self._tries + 1
        self._start_delayed()
        if self._delayed:
            self._after(PAUSE, self._try_again)

    def _start_delayed(self) -> None:
        while self._delayed and self._launch(self._delayed[0]):
            del self._delayed[0]
            self._tries = 0

    def _withdraw(self, task: str) -> None:
        """Stop what has no process: a question, or an attempt that could not be started so far."""
        question = self._questions.pop(task, None)
        delayed = [attempt for attempt in self._delayed if attempt.task == task]
        if question is not None:
            self._forget(question.fd)
        for attempt in delayed:
            self._delayed.remove(attempt)
        if question or delayed:
            self._notices.append(Exited(task, None, signal.SIGTERM.value))

    def _ask(self, attempt: Attempt) -> None:
        from spry.execute.question import Question  # noqa: PLC0415 - only where somebody is asked

        try:
            question = Question(attempt.question)
        except OSError as error:
            self._notices.append(Exited(attempt.task, None, error=f"no terminal to ask on: {error.strerror}"))
            return
        self._questions[attempt.task] = question
        self._watch(question.fd, lambda: self._answered(attempt.task, question))

    def _answered(self, task: str, question: Question) -> None:
        answer = question.answer()
        if answer is None:
            return
        del self._questions[task]
        self._forget(question.fd)
        self._notices.append(Exited(task, 0 if answer else 1))

    def _listen(self) -> None:
        """The guardian tells of signals; without it the run has to end."""
        assert self._line is not None
        told = self._line.heard()
        if told is None:
            del self._watched[self._line.fd]
            self._poll.unregister(self._line.fd)
            self._notices.append(Signalled(signal.SIGTERM))
        else:
            self._heed(told, told=True)

    def _heed(self, numbers: Sequence[int], *, told: bool) -> None:
        """Tell of signals that we got, or that the guardian was sent."""
        for number in numbers:
            if number == signal.SIGTSTP:
                self._stand_still()
            elif self._ear.heeds(number) and (self._line is None or self._line.is_new(number, told=told)):
                self.interrupted = self.interrupted or number
                self._notices.append(Signalled(number))

    def _stand_still(self) -> None:
        """Stop all attempts and ourselves, until the guardian is continued."""
        from spry.execute.pause import stand_still  # noqa: PLC0415 - only for Ctrl-Z

        for relay in self._relays.values():
            relay.rest()
        seconds = stand_still(self._strays.spared)
        self._due = [(at + seconds, serial, act) for at, serial, act in self._due]
        for running in self._running.values():
            running.postpone(seconds)
        self._notices.append(Paused(seconds))

    def _reap(self) -> None:
        self._strays.reap(self._running.values())
        self._after(REAP, self._reap)

    def _watch(self, descriptor: int, act: Callable[[], None]) -> None:
        self._watched[descriptor] = act
        self._poll.register(descriptor, select.POLLIN)

    def _forget(self, descriptor: int) -> None:
        del self._watched[descriptor]
        self._poll.unregister(descriptor)
        os.close(descriptor)

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        self._serial += 1
        heapq.heappush(self._due, (time.monotonic() + seconds, self._serial, act))

    def _turn(self, until: float) -> None:
        """Sleep until something happens or the time is up, and see to it: signals first, whatever else is waiting."""
        ready = [descriptor for descriptor, _ in self._poll.poll(self._pause(until))]
        if self._ear.fd in ready:
            self._heed(self._ear.heard(), told=False)
        if self._hears in ready:
            self._notices.extend(self._told())  # before the ends of those who said it
        for descriptor in ready:
            act = self._watched.get(descriptor)
            if act is not None:
                act()
        if self._blind:
            for running in [running for running in self._blind if running.process.ended()]:
                self._ended(running)
        while self._due and self._due[0][0] <= time.monotonic():
            heapq.heappop(self._due)[2]()

    def _told(self) -> Sequence[Notice]:
        """What tasks have said of their progress."""
        if self._reports is None:
            from spry.execute.progress import Reports  # noqa: PLC0415 - few tasks say anything

            self._reports = Reports()
        return self._reports.heard(os.read(self._hears, CHUNK))

    def _pause(self, until: float) -> float | None:
        """How long to sleep, in the unit of the poll; None for ever."""
        if self._due:
            until = min(until, self._due[0][0])
        if until == NEVER and not self._blind:
            return None
        pause = max(until - time.monotonic(), 0.0)
        if self._blind and (self._launcher.pidfds or self._ear.deaf):
            pause = min(pause, TICK)
        return None if pause == NEVER else pause * self._unit

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
            self._forget(pipes.pop(stream))
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
            self._forget(process.pidfd)
            process.pidfd = -1
        else:
            self._blind.remove(running)
        running.drain_until = time.monotonic() + DRAIN
        if running.kill_at:
            self._terminate(running)
        self._drain(running, CHUNK)
        if process.pipes:
            self._after(DRAIN, lambda: self._drained(running))
        else:
            self._drained(running)

    def _drained(self, running: Running) -> None:
        """Nothing more is to be read for, if its process has ended too."""
        if running.drain_until != NEVER and running.status is None and self._given_back(running):
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
        others = [other for other in self._running.values() if other is not running]
        if self._strays.remain(running, others):
            self._look_again(running)
        else:
            self._over(running, running.status)

    def _look_again(self, running: Running) -> None:
        running.pause = min(running.pause * 2, TICK)
        self._after(running.pause, lambda: self._settle(running))

    def _terminate(self, running: Running) -> None:
        """TERM to a group, once."""
        if not running.terminated and self._running.get(running.task) is running:
            running.terminated = True
            running.process.signal(signal.SIGTERM)
            running.process.signal(signal.SIGCONT)  # who is stopped cannot obey

    def _kill(self, running: Running) -> None:
        """Kill a group if its time has come."""
        now = time.monotonic()
        if now < running.kill_at or self._running.get(running.task) is not running:
            return
        running.process.signal(signal.SIGKILL)
        if running.drain_until != NEVER:
            running.give_up = min(running.give_up, now + GONE)

    def _over(self, running: Running, status: Status) -> None:
        """Nothing is left of an attempt."""
        self._drain(running, LAST)
        for descriptor in running.process.pipes.values():
            self._forget(descriptor)
        running.process.pipes.clear()
        del self._running[running.task]
        limit = self._meter.drop(running.task) if self._meter else ""
        leaked = () if limit or running.kill_at else tuple(running.left.values())
        ended = Exited(running.task, status.code, status.signal, limit=limit, leaked=leaked)
        self._notices.append(ended._replace(beyond=tuple(running.beyond)) if running.beyond else ended)
        if self._delayed:
            self._after(0.0, self._start_delayed)  # once the descriptors of this turn are dealt with


def _wants_int(pid: int) -> bool:
    """Whether a process is prepared for INT and not for TERM."""
    from spry.execute.census import catches  # noqa: PLC0415 - only after Ctrl-C

    caught = catches(pid)
    return signal.SIGINT in caught and signal.SIGTERM not in caught
