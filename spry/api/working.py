"""Work through a queue: a task is run for each message, for several at a time, until somebody stops it.

The first process takes the messages and runs nothing itself: for each it forks a process that runs the task as any
command would, and that holds the message as long as it lives.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time

from spry.api.queues import connect, names_of
from spry.errors import FAILED, INTERNAL, INVALID, SpryError
from spry.record import NamedTuple
from spry.store.reservations import Reservations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from spry.core.model import Plan
    from spry.store.reservations import Held

    Run = Callable[[dict[str, Held]], int]

PAUSE = 0.1  # seconds between two looks at an empty inbox
LONGEST_PAUSE = 30.0
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Work(NamedTuple):
    """What is to be done: `run` is told which messages it has, by task, and answers with the exit code of that run.

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
        self.task = work.plan.steps[work.task].task
        self.workers: dict[int, Held] = {}
        self.ends: dict[int, int] = {}  # of pipes, which close when we are gone
        self.reservations: Reservations | None = None
        self.stopped = 0
        self.over = False
        self.codes = {0}
        self.went_back: set[int] = set()
        self.rest_until = 0.0

    def run(self, count: int) -> int:
        """Have up to so many workers until there is nothing to do any more; the exit code."""
        inbox = names_of(self._queues().broker, self.work.plan)[self.task.inbox or ""]
        for number in STOPS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._heard)
        while self.workers or not (self.over or self.stopped):
            full = len(self.workers) == count or self.over or bool(self.stopped)
            self._look_after(wait=full)
            if not full and not self._begin(inbox):
                self.over = self.over or (self.work.drain and not self.workers)
                time.sleep(0.0 if self.over else PAUSE)
        self._leave()
        return 128 + self.stopped if self.stopped else max(self.codes)

    def _queues(self) -> Reservations:
        if self.reservations is None:
            self.reservations = Reservations(connect(self.task.folder))
        return self.reservations

    def _leave(self) -> None:
        """Close the queues: what is open when a process is forked would belong to two."""
        if self.reservations is not None:
            self.reservations.broker.close()
            self.reservations = None

    def _begin(self, inbox: str) -> bool:
        """Take a message and have a worker for it; False if there is none (or no more, or none yet)."""
        held = self._queues().take(inbox) if time.monotonic() >= self.rest_until else None
        if held is None:
            return False
        if self.work.drain and held.message.id in self.went_back:
            self._queues().give_back(held)
            self.over = True
            return False
        self._leave()
        life, end = os.pipe()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)  # in the worker, until its run can listen
        pid = os.fork()
        if not pid:
            self._become_worker(held, life, end)
        os.close(life)
        self.workers[pid], self.ends[pid] = held, end
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return True

    def _become_worker(self, held: Held, life: int, end: int) -> None:
        """All that a worker does; it ends here."""
        code = INTERNAL
        try:
            os.setpgid(0, 0)  # Ctrl-C is for the crew, which passes it on
            for own in (*self.ends.values(), end):
                os.close(own)
            for number in STOPS:
                signal.signal(number, signal.SIG_DFL)
            _end_with_the_crew(life)
            code = self.work.run({self.task.name: held})
        except SpryError as error:
            self.warn(f"{error.message} ({error.hint})")
            code = error.exit_code
        except BaseException:  # noqa: BLE001 - told here, as nobody above is to go on in this process
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(code)

    def _look_after(self, *, wait: bool) -> None:
        """See which workers have ended; with `wait` until one has."""
        while self.workers:
            pid, status = os.waitpid(-1, 0 if wait else os.WNOHANG)
            if not pid:
                return
            wait = False
            os.close(self.ends.pop(pid))
            self._ended(self.workers.pop(pid), os.waitstatus_to_exitcode(status))

    def _ended(self, held: Held, code: int) -> None:
        queues = self._queues()
        if code in (INVALID, INTERNAL) and queues.is_ours(held):  # its run did not even begin
            queues.give_back(held)
        else:
            queues.let_go(held)
        if code < 0:
            self.warn(f"a run was killed by signal {-code}; its message stays in {held.inbox}.reserved")
        elif code in (INVALID, INTERNAL):
            self.over = True
            self.codes.add(code)
        elif code and code - 128 not in STOPS:
            self.codes.add(FAILED)
            if self.task.reserved == "requeue":  # it comes again at once: give whatever it needs some time
                self.went_back.add(held.message.id)
                self.rest_until = time.monotonic() + min(PAUSE * 2 ** min(len(self.went_back), 10), LONGEST_PAUSE)

    def _heard(self, number: int, _: object) -> None:
        first, self.stopped = not self.stopped, self.stopped or number
        if first and number == signal.SIGINT:
            self.warn("no more messages are taken; Ctrl-C again stops the tasks and gives their messages back")
            return
        for pid in self.workers:
            os.kill(pid, number)


def _end_with_the_crew(life: int) -> None:
    """Be told as by TERM when the crew has died, which the end of a pipe tells."""
    own = os.getpid()
    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(life, fcntl.F_SETSIG, signal.SIGTERM)
    else:
        signal.signal(signal.SIGIO, lambda *_: os.kill(own, signal.SIGTERM))
    fcntl.fcntl(life, fcntl.F_SETOWN, own)
    fcntl.fcntl(life, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
