"""Attempts as processes of this machine: one thread, one loop over pipes, ends of processes, signals and deadlines."""

from __future__ import annotations

import os
import signal
import time

from spry.execute.endings import TICK, Endings
from spry.execute.process import SHORT, Launcher, explain
from spry.execute.protocol import Exited, Paused, Signalled
from spry.execute.reactor import NEVER, Reactor
from spry.execute.signals import Ear
from spry.execute.strays import Strays, uptime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from spry.execute.calls import Calls
    from spry.execute.guardian import Watch
    from spry.execute.pair import Line
    from spry.execute.progress import Reports
    from spry.execute.protocol import Attempt, Notice
    from spry.execute.question import Questions
    from spry.execute.relays import Relays
    from spry.execute.terminal import Relay

CHUNK = 65536  # the most that is read at once of what tasks say of their progress
REAP = 2.0  # seconds between two looks for adopted children that ended
TRIES, PAUSE = 20, 0.1  # starts that the machine refuses while nothing runs whose end could help


class LocalExecutor:
    """Runs up to `jobs` attempts at a time as processes; with `pidfds` off, SIGCHLD tells of their ends.

    In the main thread it takes over INT, TERM, HUP and QUIT until it is closed. With a `line` to a guardian it hears
    those from there as well, and Ctrl-Z. While it is in use nothing else here may start processes then: they would be
    taken for strays.
    """

    __slots__ = (
        "_calls", "_delayed", "_ear", "_endings", "_hears", "_launcher", "_line", "_notices", "_questions", "_reactor",
        "_reports", "_strays", "_tries", "_watch", "interrupted", "jobs",
    )  # fmt: skip

    def __init__(self, jobs: int, *, pidfds: bool = True, line: Line | None = None) -> None:
        self.jobs = jobs  # may change between two runs
        self._line = line
        self._launcher = Launcher(pidfds=pidfds)
        self._strays = Strays(adopts=line is not None and line.adopts)
        self._ear = Ear(children=not self._launcher.pidfds, paired=line is not None)
        self._reactor = Reactor()
        self._reactor.listen(self._ear.fd)
        self._notices: list[Notice] = []
        self._endings = Endings(self._reactor, self._strays, self._notices, self._freed)
        self._delayed: list[Attempt] = []
        self._tries = 0
        self._watch: Watch | None = None
        self._calls: Calls | None = None
        self._questions: Questions | None = None
        self.interrupted: int | None = None  # the first signal that came for us
        self._hears = -1
        self._reports: Reports | None = None
        if line is not None:
            self._reactor.watch(line.fd, self._listen)
        if line is not None and line.adopts:
            self._reactor.after(REAP, self._reap)

    def hear(self, path: str) -> None:
        """Hear what tasks say of their progress, through a named pipe that is made for it; OSError if it cannot be."""
        os.mkfifo(path, 0o600)
        self._hears = os.open(path, os.O_RDWR | os.O_NONBLOCK)  # both ways, so that it never comes to an end
        self._reactor.listen(self._hears)

    def mailbox(self) -> Callable[[Notice], None]:
        """A way for other threads to give `wait` something to tell."""
        self._strays.shared = True
        return self._calling().post

    def entrust(self, run: str, folder: str, descriptors: Sequence[int]) -> None:
        """Let the guardian know the id of the run, and hold these open files as long as it lives.

        The guardian of a program removes the `folder` of a run that died.
        """
        if self._line is None:
            from spry.execute.guardian import Watch  # noqa: PLC0415 - only for programs in Python

            self._watch = self._watch or Watch()
            self._watch.add(run, folder)
            return
        self._line.run(run)
        for descriptor in descriptors:
            self._line.keep(descriptor)

    def free(self) -> int:
        """How many more attempts may be started now."""
        called = len(self._calls.running) if self._calls else 0
        asked = len(self._questions.open) if self._questions else 0
        return self.jobs - len(self._endings.running) - len(self._delayed) - asked - called

    def start(self, attempt: Attempt) -> None:
        """Begin an attempt; whatever goes wrong with it is told by `wait` as `Exited`."""
        if attempt.question:
            self._asking().ask(attempt)
        elif attempt.call is not None:
            self._strays.shared = self._strays.shared or attempt.number > 0  # what we do ourselves starts no processes
            self._calling().start(attempt)
        elif self._delayed or not self._launch(attempt):
            self._delayed.append(attempt)
            if len(self._delayed) == 1:
                self._reactor.after(PAUSE, self._try_again)

    def stop(self, task: str, *, grace: float) -> None:
        """TERM to the whole group of a task, KILL `grace` seconds later; 0, also as a second thought, kills at once.

        After Ctrl-C whoever is prepared for INT only gets that first.
        """
        running = self._endings.running.get(task)
        if running is not None:
            self._endings.stop(running, grace, interrupted=self.interrupted == signal.SIGINT)
        elif self._calls is None or not self._calls.stop(task, grace):
            self._withdraw(task)

    def wait(self, timeout: float | None) -> Sequence[Notice]:
        """Block up to `timeout` seconds (None: until something happens) and tell what happened, in order."""
        until = NEVER if timeout is None else time.monotonic() + timeout
        while True:
            self._turn(0.0 if self._notices else until)
            if self._notices or time.monotonic() >= until:
                told = list(self._notices)
                self._notices.clear()
                return told

    def close(self) -> None:
        """Kill whatever still runs and give back every resource."""
        self._endings.close()
        if self._endings.relays is not None:
            self._endings.relays.close()
        self._strays.sweep(self._endings.running.values())
        self._strays.close()
        if self._questions is not None:
            self._questions.close()
        if self._hears >= 0:
            os.close(self._hears)
        if self._calls is not None:
            self._calls.close()
        self._reactor.close()
        self._launcher.close()
        if self._watch is not None:
            self._watch.end()
        if self._line is not None:
            self._line.close()
        for number in self._ear.close():  # when all was over
            self.interrupted = self.interrupted or number

    def _launch(self, attempt: Attempt) -> bool:
        """Start a process, or tell why not; False if the machine is short of something and may not be so later."""
        if self._watch is not None:
            self._watch.begin()
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
        self._endings.follow(attempt, process, began)
        if relay is not None:
            self._relaying().begin(attempt.task, relay)
        if attempt.limits:
            self._limit(attempt, process.pid)
        return True

    def _calling(self) -> Calls:
        """What calls functions on threads, and hears from them."""
        if self._calls is None:
            from spry.execute.calls import Calls  # noqa: PLC0415 - imports threading, only for programs in Python

            calls = self._calls = Calls(self._reactor.after)
            self._reactor.watch(calls.fd, lambda: self._notices.extend(calls.heard()))
        return self._calls

    def _asking(self) -> Questions:
        """What asks on the terminal."""
        if self._questions is None:
            from spry.execute.question import Questions  # noqa: PLC0415 - only where somebody is asked

            self._questions = Questions(self._reactor, self._notices)
        return self._questions

    def _limit(self, attempt: Attempt, leader: int) -> None:
        """Measure an attempt from here on."""
        if self._endings.meter is None:
            from spry.execute.limits import Meter  # noqa: PLC0415 - imports psutil, only for who has a limit

            self._endings.meter = Meter(self._reactor.after, lambda task: self.stop(task, grace=0))
        self._endings.meter.add(attempt.task, leader, attempt.limits)

    def _relaying(self) -> Relays:
        """What hands the user's terminal to tasks."""
        if self._endings.relays is None:
            from spry.execute.relays import Relays  # noqa: PLC0415 - only for an interactive task

            self._endings.relays = Relays(self._reactor, self._notices, self._strays.spared)
        return self._endings.relays

    def _relay(self, attempt: Attempt) -> Relay:
        """The way between a task and the user's terminal."""
        relay = self._relaying().open(attempt)
        if self._line is not None:
            self._line.spare(relay.guard)
        return relay

    def _freed(self) -> None:
        """An attempt is over: what could not be started may, once the descriptors of this turn are dealt with."""
        if self._delayed:
            self._reactor.after(0.0, self._start_delayed)

    def _try_again(self) -> None:
        """Start what could not be started; with nothing running a bounded number of times."""
        self._tries = 0 if self._endings.running else self._tries + 1
        self._start_delayed()
        if self._delayed:
            self._reactor.after(PAUSE, self._try_again)

    def _start_delayed(self) -> None:
        while self._delayed and self._launch(self._delayed[0]):
            del self._delayed[0]
            self._tries = 0

    def _withdraw(self, task: str) -> None:
        """Stop what has no process: a question, or an attempt that could not be started so far."""
        asked = self._questions is not None and self._questions.withdraw(task)
        delayed = [attempt for attempt in self._delayed if attempt.task == task]
        for attempt in delayed:
            self._delayed.remove(attempt)
        if asked or delayed:
            self._notices.append(Exited(task, None, signal.SIGTERM.value))

    def _listen(self) -> None:
        """The guardian tells of signals; without it the run has to end."""
        assert self._line is not None
        told = self._line.heard()
        if told is None:
            self._reactor.release(self._line.fd)
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

        if self._endings.relays is not None:
            self._endings.relays.rest()
        seconds = stand_still(self._strays.spared)
        self._reactor.postpone(seconds)
        self._endings.postpone(seconds)
        self._notices.append(Paused(seconds))

    def _reap(self) -> None:
        self._strays.reap(self._endings.running.values())
        self._reactor.after(REAP, self._reap)

    def _turn(self, until: float) -> None:
        """Sleep until something happens or the time is up, and see to it: signals first, whatever else is waiting."""
        sleepless = self._endings.blind and (self._launcher.pidfds or self._ear.deaf)
        ready = self._reactor.wait(until, TICK if sleepless else NEVER)
        if self._ear.fd in ready:
            self._heed(self._ear.heard(), told=False)
        if self._hears in ready:
            self._notices.extend(self._told())  # before the ends of those who said it
        self._reactor.act(ready)
        if self._endings.blind:
            self._endings.look()
        self._reactor.ring()

    def _told(self) -> Sequence[Notice]:
        """What tasks have said of their progress."""
        if self._reports is None:
            from spry.execute.progress import Reports  # noqa: PLC0415 - few tasks say anything

            self._reports = Reports()
        return self._reports.heard(os.read(self._hears, CHUNK))
