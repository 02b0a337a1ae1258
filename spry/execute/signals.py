"""Signals that spry itself receives, as bytes on a descriptor that a loop can wait for."""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    Handler = Callable[[int, FrameType | None], object] | int | signal.Handlers | None

HEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
RESTORED = (signal.SIGPIPE, signal.SIGXFSZ)  # Python ignores them, and sets them right in every process it starts


class Ear:
    """Hears INT, TERM, HUP and QUIT, and with `children` the end of a child, from construction to `close`.

    `fd` is readable when something was heard. What our caller told us to ignore (nohup, `&` in a script) we go on not
    heeding, through a handler: unlike "ignore", a handler is not passed on to processes, and an ignored SIGCHLD would
    keep their exit codes from us. In a `paired` process Ctrl-Z is left to the guardian. Only the main thread hears;
    elsewhere `fd` stays silent and `deaf` is True.
    """

    __slots__ = ("_before", "_end", "_heeded", "_mask", "_wakeup", "deaf", "fd")

    def __init__(self, *, children: bool, paired: bool = False) -> None:
        self.fd, self._end = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._end, False)
        self._before: dict[int, Handler] = {}
        self._heeded: set[int] = set()
        self._wakeup = -1
        try:
            self._wakeup = signal.set_wakeup_fd(self._end, warn_on_full_buffer=False)
            self.deaf = False
        except ValueError:
            self.deaf = True
            return
        self._listen(children, paired)
        self._mask = signal.pthread_sigmask(signal.SIG_SETMASK, ())

    def _listen(self, children: bool, paired: bool) -> None:
        ignored = {number for number in signal.valid_signals() if signal.getsignal(number) is signal.SIG_IGN}
        for number in HEARD:
            if number not in ignored:
                self._heeded.add(number)
                self._handle(number, _note)
        for number in ignored.difference(RESTORED):
            self._handle(number, _note)
        if children:
            self._handle(signal.SIGCHLD, _note)
        if paired:
            self._handle(signal.SIGTSTP, _note)

    def _handle(self, number: int, handler: Handler) -> None:
        before = signal.signal(number, handler)
        self._before.setdefault(number, before)

    def heard(self) -> list[int]:
        """The signals that came since the last look, in order."""
        try:
            numbers = os.read(self.fd, 65536)
        except BlockingIOError:
            return []
        return [number for number in numbers if number in self._heeded]

    def heeds(self, number: int) -> bool:
        """Whether our caller lets us heed a signal."""
        return number in self._heeded

    def close(self) -> list[int]:
        """Give everything back as it was; the signals that came since the last look."""
        if not self.deaf:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})  # Python complains of one that comes meanwhile
        try:
            for number in sorted(
                self._before, key=signal.SIGINT.__eq__
            ):  # the last, as Ctrl-C may raise something here
                if self._before[number] is not None:
                    signal.signal(number, self._before[number])
        finally:
            if not self.deaf:
                signal.set_wakeup_fd(self._wakeup)
                signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
            late = self.heard()
            os.close(self.fd)
            os.close(self._end)
        return late


def _note(number: int, frame: FrameType | None) -> None:
    """Nothing: the byte on the descriptor is all the loop needs."""
