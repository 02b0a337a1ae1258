"""Threads that do what a program has submitted.

`concurrent.futures` has such threads, too. But to Python a thread whose `join` was interrupted has ended, and a program
that dies of Ctrl-C does first whatever it had submitted.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import TypeVar

from spry.api.waiting import Bell, Held

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Job = tuple[Future[Any], Callable[[], Any]]

Value = TypeVar("Value")


class Promise(Future[Value]):
    """A future whose result can be waited for in the main thread without losing Ctrl-C."""

    def __init__(self) -> None:
        super().__init__()
        self._bell, self._is_over = Bell(), False
        self.add_done_callback(lambda _: self._tell())

    def result(self, timeout: float | None = None) -> Value:
        """What the call returned, or what it raised; TimeoutError if that takes longer than `timeout` seconds."""
        self._wait(timeout)
        return super().result(0)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What the call raised, if anything; TimeoutError if it takes longer than `timeout` seconds."""
        self._wait(timeout)
        return super().exception(0)

    def _wait(self, timeout: float | None) -> None:
        if not self._bell.wait_until(lambda: self._is_over, timeout):
            raise TimeoutError

    def _tell(self) -> None:
        self._is_over = True
        self._bell.ring()


class Workers:
    """Calls on threads, at most `most` at a time; the others wait for their turn."""

    __slots__ = ("_bell", "_closed", "_lock", "_open", "_threads", "_waiting", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self._waiting: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._bell = Bell()
        self._threads: set[threading.Thread] = set()
        self._open = 0  # calls that are not over
        self._closed = False

    def submit(self, call: Callable[[], Any]) -> Future[Any]:
        """Have something called when its turn has come. RuntimeError after `close`."""
        with Held(), self._lock:
            if self._closed:
                raise RuntimeError("executor is shut down")
            if len(self._threads) < min(self._open + 1, self.most):
                thread = threading.Thread(target=self._work, name=f"spry_{len(self._threads)}", daemon=True)
                thread.start()
                self._threads.add(thread)
            self._open += 1
            future: Promise[Any] = Promise()
            self._waiting.put((future, call))
        return future

    def close(self) -> None:
        """Take no more; what was taken is done."""
        with Held(), self._lock:
            self._closed = True
            self._waiting.put(None)

    def drop(self) -> None:
        """Take no more, and cancel what waits for its turn."""
        self.close()
        with Held():
            try:
                while True:
                    job = self._waiting.get_nowait()
                    if job is not None:
                        job[0].cancel()
            except Empty:
                self._waiting.put(None)

    def let_go(self) -> None:
        """Whoever could submit something is gone, and so may threads be that have nothing to do."""
        self._waiting.put(None)

    def wait(self) -> None:
        """Wait, after `close`, until all is done. A wait that Ctrl-C interrupts can be done again.

        RuntimeError in a call that would wait for itself.
        """
        if threading.current_thread() in self._threads:
            raise RuntimeError("a task cannot wait until all have ended")
        self._bell.wait_until(lambda: not self._threads)

    def _work(self) -> None:
        """What a thread does: one call after the other, until there are no more."""
        while (job := self._waiting.get()) is not None:
            _do(*job)
            del job
            with self._lock:
                self._open -= 1
        self._waiting.put(None)
        with self._lock:
            self._threads.discard(threading.current_thread())
        self._bell.ring()


def _do(future: Future[Any], call: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        value = call()
    except BaseException as error:  # noqa: BLE001 - it is for whoever asks for the result
        future.set_exception(error)
    else:
        future.set_result(value)
