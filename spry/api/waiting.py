"""Waits of the main thread that lose no Ctrl-C.

Python looks for signals between two calls, not at the beginning of a wait. Ctrl-C that comes in between, while other
threads keep the main thread from running, is seen only when the wait is over. And where it takes effect right after a
`Condition` was locked, that stays locked. So whoever waits looks up now and then, and holds nothing meanwhile.
"""

from __future__ import annotations

import signal
import threading
from math import inf
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

LOOK = 0.1  # seconds between two looks for a signal


class Held:
    """A block that Ctrl-C cannot leave half done: it takes effect when the block is over."""

    __slots__ = ("_before", "_came")

    def __enter__(self) -> None:
        self._came: tuple[int, FrameType | None] | None = None
        self._before = signal.getsignal(signal.SIGINT)
        if not callable(self._before) or threading.current_thread() is not threading.main_thread():
            self._before = None  # it does not raise anything here
        else:
            signal.signal(signal.SIGINT, self._note)

    def __exit__(self, *_: object) -> None:
        if callable(self._before):
            signal.signal(signal.SIGINT, self._before)
            if self._came is not None:
                self._before(*self._came)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came = number, frame


class Bell:
    """What wakes a thread that waits for others. It may ring in vain, and a ring may be lost: then it takes longer."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def ring(self) -> None:
        """Something may have changed."""
        try:
            self._lock.release()
        except RuntimeError:  # it rings already
            return

    def wait_until(self, true: Callable[[], object], timeout: float | None = None) -> bool:
        """Wait until something is so, up to `timeout` seconds; whether it is."""
        until = inf if timeout is None else monotonic() + timeout
        while not true():
            left = until - monotonic()
            if left <= 0:
                return False
            self._lock.acquire(timeout=min(LOOK, left))
        return True
