"""Work through a queue: a task is run for each message, by several processes at once, until somebody stops them.

Each worker is a fork of the first process, which starts nothing itself: it passes signals on and replaces workers that
were killed. A worker takes a message, runs the task with it as any run goes, and looks for the next one.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from typing import NamedTuple

from spry.api.queues import Given, connect, names_of
from spry.errors import FAILED, INTERNAL, HostError, SpryError
from spry.store.reservations import Reservations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from spry.core.model import Plan
    from spry.store.reservations import Held

    Run = Callable[[Given], int]

PAUSE = 0.1  # seconds between two looks at an empty inbox
REPLACE = 0.5  # seconds before a worker that was killed is replaced
LONGEST_PAUSE = 30.0
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
FINISH = signal.SIGUSR1


class Work(NamedTuple):
    """What is to be done: `run` is told what it is given, and answers with the exit code of that run.

    With `drain` it is over once the inbox is empty.
    """

    plan: Plan
    task: str
    drain: bool
    run: Run


class Crew:
    """The process that has workers. The first Ctrl-C lets them finish what they do, the next ones stop them."""

    def __init__(self, work: Work, warn: Callable[[str], None]) -> None:
        self.work, self.warn = work, warn
        self.workers: set[int] = set()
        self.stopped = 0
        self.codes: set[int] = set()
        self.ends: list[int] = []  # of pipes, which close when we are gone

    def run(self, count: int) -> int:
        """Have so many workers until all have ended; the exit code."""
        for number in STOPS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._heard)
        for _ in range(count):
            self._hire()
        while self.workers:
            pid, status = os.wait()
            self.workers.discard(pid)
            code = os.waitstatus_to_exitcode(status)
            if code >= 0:
                self.codes.add(code)
            elif not self.stopped:
                self.warn(f"a worker was killed by signal {-code}; another takes its place, its message stays reserved")
                time.sleep(REPLACE)
                self._hire()
        return 128 + self.stopped if self.stopped else max(self.codes, default=0)

    def _hire(self) -> None:
        if self.stopped:
            return
        life, end = os.pipe()
        self.ends.append(end)
        pid = os.fork()
        if pid:
            os.close(life)
            self.workers.add(pid)
            return
        code = INTERNAL
        try:
            os.setpgid(0, 0)  # Ctrl-C is for the crew, which passes it on
            for own in self.ends:
                os.close(own)
            worker = Worker(self.work)
            worker.listen(life)
            code = worker.run()
        except SpryError as error:
            self.warn(f"{error.message} ({error.hint})")
            code = error.exit_code
        except BaseException:  # noqa: BLE001 - told here, as nobody above is to go on in this process
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(code)

    def _heard(self, number: int, _: object) -> None:
        first, self.stopped = not self.stopped, self.stopped or number
        finish = first and number == signal.SIGINT
        if finish:
            self.warn("no more messages are taken; Ctrl-C again stops the tasks and gives their messages back")
        for pid in self.workers:
            os.kill(pid, FINISH if finish else number)


class Worker:
    """One process that runs the task for one message after the other."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.stopped = 0
        self.finishing = False
        self.failures = 0
        self.given_back: set[int] = set()

    def listen(self, life: int) -> None:
        """Stop on signals between two runs, and when the crew has died, which the end of a pipe tells."""
        for number in STOPS:
            signal.signal(number, self._stop)
        signal.signal(FINISH, self._finish)
        own = os.getpid()
        if hasattr(fcntl, "F_SETSIG"):
            fcntl.fcntl(life, fcntl.F_SETSIG, signal.SIGTERM)
        else:
            signal.signal(signal.SIGIO, lambda *_: os.kill(own, signal.SIGTERM))
        fcntl.fcntl(life, fcntl.F_SETOWN, own)
        fcntl.fcntl(life, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)

    def run(self) -> int:
        """Work until stopped; the exit code: 1 if any run failed."""
        task = self.work.plan.steps[self.work.task].task
        broker = connect(task.folder)
        reservations = Reservations(broker)
        names = names_of(broker, self.work.plan)
        inbox = names[task.inbox or ""]
        while not self.stopped and not self.finishing:
            held = reservations.take(inbox)
            if held is None:
                if self.work.drain:
                    break
                time.sleep(PAUSE)
            elif self.work.drain and held.message.id in self.given_back:
                reservations.give_back(held)
                break
            else:
                self._one(Given(reservations, names, {task.name: held}), held, goes_back=task.reserved == "requeue")
        broker.close()
        return 128 + self.stopped if self.stopped else FAILED if self.failures else 0

    def _one(self, given: Given, held: Held, *, goes_back: bool) -> None:
        """Run the task for one message."""
        code = INTERNAL
        try:
            code = self.work.run(given)
        finally:
            for left in given.held.values():  # the run did not even begin
                given.reservations.give_back(left)
        if code - 128 in STOPS:
            self.stopped = code - 128
        elif code == INTERNAL:
            raise HostError("this worker cannot go on", "see above; the messages stay where they are")
        elif code:
            self.failures += 1
            if goes_back:  # it comes again at once: give whatever it needs some time
                self.given_back.add(held.message.id)
                self._rest()

    def _rest(self) -> None:
        end = time.monotonic() + min(PAUSE * 2 ** min(len(self.given_back), 10), LONGEST_PAUSE)
        while time.monotonic() < end and not (self.stopped or self.finishing or self.work.drain):
            time.sleep(PAUSE)

    def _stop(self, number: int, _: object) -> None:
        self.stopped = number

    def _finish(self, *_: object) -> None:
        self.finishing = True
