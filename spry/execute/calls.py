"""Attempts that are functions of this program: each is called on a worker thread, and reports back to the loop.

A thread cannot be killed. A call that is to end is told so, and has its grace; then it is given up: its slot is free,
its task has ended, and whatever it still says or returns is heard by nobody.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from queue import SimpleQueue

from spry.core.events import Reason
from spry.core.result import Ending
from spry.execute.protocol import Exited

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from spry.execute.protocol import Attempt, Notice


class Calls:
    """The running calls of one executor, and the mailbox through which any thread can tell it something.

    `fd` is readable when there is something to hear. `after` is how the executor is asked to do something later.
    """

    __slots__ = ("_after", "_closed", "_end", "_lock", "_mail", "_queue", "_rung", "_threads", "fd", "running")

    def __init__(self, after: Callable[[float, Callable[[], None]], None]) -> None:
        self._after = after
        self.fd, self._end = os.pipe()
        os.set_blocking(self.fd, False)
        self.running: dict[str, Attempt] = {}
        self._mail: deque[tuple[Attempt | None, Notice]] = deque()
        self._queue: SimpleQueue[Attempt | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._rung = self._closed = False
        self._threads = 0

    def start(self, attempt: Attempt) -> None:
        """Call the function of an attempt on a thread that has nothing else to do."""
        self.running[attempt.task] = attempt
        self._queue.put(attempt)
        if self._threads < len(self.running):
            self._threads += 1
            threading.Thread(target=self._work, name="spry-call", daemon=True).start()

    def stop(self, task: str, grace: float) -> bool:
        """Tell a call to end and give it up `grace` seconds later; False if the task has none."""
        attempt = self.running.get(task)
        if attempt is None or attempt.call is None:
            return False
        if grace <= 0:
            self._give_up(attempt)  # before it can answer
            attempt.call.cancel()
        else:
            attempt.call.cancel()
            self._after(grace, lambda: self._give_up(attempt))
        return True

    def post(self, notice: Notice, attempt: Attempt | None = None) -> None:
        """Tell the loop something, from any thread; after the end of the run nobody hears it."""
        with self._lock:
            if self._closed:
                return
            self._mail.append((attempt, notice))
            if not self._rung:
                self._rung = True
                os.write(self._end, b"!")

    def heard(self) -> list[Notice]:
        """What came since the last look, in order, without the words of calls that were given up."""
        os.read(self.fd, 16)
        self._rung = False  # from here on the bell is rung again
        told: list[Notice] = []
        while self._mail:
            attempt, notice = self._mail.popleft()
            if attempt is not None and self.running.get(attempt.task) is not attempt:
                continue
            if isinstance(notice, Exited):
                del self.running[notice.task]
            told.append(notice)
        return told

    def close(self) -> None:
        """Give up what still runs, let the threads go, and give back every descriptor."""
        for attempt in self.running.values():
            if attempt.call is not None:
                attempt.call.cancel()
        self.running.clear()
        self._queue.put(None)
        with self._lock:
            self._closed = True
        os.close(self.fd)
        os.close(self._end)

    def _give_up(self, attempt: Attempt) -> None:
        if self.running.get(attempt.task) is attempt:
            self._threads -= 1
            self.post(Exited(attempt.task, None, signal.SIGKILL.value), attempt)

    def _work(self) -> None:
        """What a worker does: one call after the other, until there are no more."""
        while (attempt := self._queue.get()) is not None:
            self._call(attempt)
        self._queue.put(None)

    def _call(self, attempt: Attempt) -> None:
        assert attempt.call is not None
        try:
            ending = attempt.call(lambda notice: self.post(notice, attempt))
        except BaseException as error:  # noqa: BLE001 - whatever it is, the loop must hear of the end
            ending = Ending(None, reason=Reason.HANDLER, message=f"{type(error).__name__}: {error}")
        told = Exited(attempt.task, ending.exit_code, ending.signal, ending=ending if ending.reason else None)
        self.post(told, attempt)
