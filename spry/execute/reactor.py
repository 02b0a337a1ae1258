"""One loop over descriptors and deadlines, in one thread: what is to be done then is called, never awaited."""

from __future__ import annotations

import heapq
import os
import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NEVER = float("inf")


class Reactor:
    """Knows what to call when a descriptor is ready or a time has come. Times are seconds of the monotonic clock."""

    __slots__ = ("_acts", "_due", "_poll", "_serial", "_unit")

    def __init__(self) -> None:
        self._poll: select.epoll | select.poll = select.epoll() if hasattr(select, "epoll") else select.poll()
        self._unit = 1 if hasattr(select, "epoll") else 1000  # what the poll counts in, in parts of a second
        self._acts: dict[int, Callable[[], None]] = {}
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = 0

    def listen(self, descriptor: int) -> None:
        """Let `wait` name a descriptor that is ready; whoever asked sees to it."""
        self._poll.register(descriptor, select.POLLIN)

    def watch(self, descriptor: int, act: Callable[[], None], mask: int = select.POLLIN) -> None:
        """Call `act` when a descriptor is ready; one that is watched already only gets another mask."""
        if descriptor in self._acts:
            self._poll.modify(descriptor, mask)
        else:
            self._acts[descriptor] = act
            self._poll.register(descriptor, mask)

    def release(self, descriptor: int) -> None:
        """Watch a descriptor no more, if it is watched at all."""
        if self._acts.pop(descriptor, None):
            self._poll.unregister(descriptor)

    def forget(self, descriptor: int) -> None:
        """Watch a descriptor no more, and close it."""
        self.release(descriptor)
        os.close(descriptor)

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Call `act` once, in so many seconds."""
        self._serial += 1
        heapq.heappush(self._due, (time.monotonic() + seconds, self._serial, act))

    def postpone(self, seconds: float) -> None:
        """Time stood still for so long."""
        self._due = [(at + seconds, serial, act) for at, serial, act in self._due]

    def wait(self, until: float, most: float = NEVER) -> Sequence[int]:
        """Sleep until something happens, `until` comes or `most` seconds are over: the descriptors that are ready."""
        if self._due:
            until = min(until, self._due[0][0])
        pause = most if until == NEVER else min(max(until - time.monotonic(), 0.0), most)
        return [descriptor for descriptor, _ in self._poll.poll(None if pause == NEVER else pause * self._unit)]

    def act(self, ready: Sequence[int]) -> None:
        """See to descriptors that are ready, but for those that are released meanwhile."""
        for descriptor in ready:
            act = self._acts.get(descriptor)
            if act is not None:
                act()

    def ring(self) -> None:
        """Do whatever is due."""
        while self._due and self._due[0][0] <= time.monotonic():
            heapq.heappop(self._due)[2]()

    def close(self) -> None:
        """Give back the poll's own descriptor."""
        if isinstance(self._poll, select.epoll):
            self._poll.close()
