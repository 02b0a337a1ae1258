"""Writing without waiting.

What a reader does not take at once is kept, in memory and then in a file, and follows as soon as there is room, so
that a blocked screen slows no task; only `close` waits. A reader that went away is no error, a full disk is.
"""

from __future__ import annotations

import os
from stat import S_ISFIFO, S_ISSOCK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from spry.view.spool import Spool

TOGETHER = 64 * 1024  # bytes collected before they are written without being asked
WAITING = 1024 * 1024  # bytes kept in memory for a slow reader
AT_ONCE = 4096  # what poll() promises of a pipe that is ready


class Outlet:
    """One descriptor or stream, written without ever waiting for its reader until it is closed."""

    __slots__ = ("_backlog", "_buffer", "_fd", "_gone", "_head", "_own", "_waits", "_writer", "error", "fresh")

    def __init__(self, target: int | BinaryIO | None) -> None:
        self._writer = None if target is None or isinstance(target, int) else target
        self._fd = target if isinstance(target, int) else -1
        self._waits = self._writer is None and _may_wait(self._fd)
        self._own = _unblocked(self._fd) if self._waits else -1
        self._buffer = bytearray()
        self._head = memoryview(b"")
        self._backlog: Spool | None = None  # what waits behind the head
        self._gone = False
        self.error: OSError | None = None
        self.fresh = True

    def write(self, data: bytes) -> None:
        """Take bytes over; they are written at the next flush, or when many have come together."""
        if not data:
            return
        self.fresh = data.endswith(b"\n")
        self.append(data)

    def append(self, data: bytes) -> None:
        """As `write`, for bytes that move no cursor."""
        if self._gone:
            return
        self._buffer += data
        if len(self._buffer) >= TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Write as much as the reader takes now."""
        if self._buffer:
            data, self._buffer = self._buffer, bytearray()
            self._queue(data)
        while self._head and self._step():
            pass

    @property
    def deserted(self) -> bool:
        """Whether its reader has gone away."""
        return self._gone and self.error is None

    @property
    def behind(self) -> bool:
        """Whether something waits for the reader."""
        return bool(self._head)

    def close(self) -> None:
        """Write the rest, however long the reader takes."""
        self.flush()
        self._drain()
        if self._backlog is not None:
            self._backlog.close()
        if self._own >= 0:
            os.close(self._own)
            self._own = -1

    def _queue(self, data: bytearray) -> None:
        if not self._head:
            self._head = memoryview(data)
            return
        if self._backlog is None:
            from spry.view.spool import Spool  # noqa: PLC0415 - only for a slow reader

            self._backlog = Spool(WAITING)
        try:
            self._backlog.put(0, data)
        except OSError:  # no room for what waits: rather a slow run than a lost line
            self._drain()
            self._head = memoryview(b"" if self._gone else data)

    def _drain(self) -> None:
        while self._head:
            if self._waits:
                self._ready(None)
            self._step()

    def _step(self) -> bool:
        """Write once; whether it is worth trying again at once."""
        try:
            written = self._put()
        except BlockingIOError:
            self._waits = True
            return False
        except OSError as error:
            self._abandon(error)
            return False
        if not written:
            return False
        self._head = self._head[written:]
        if not self._head:
            following = self._backlog.take() if self._backlog else None
            self._head = memoryview(following[1] if following else b"")
        return True

    def _put(self) -> int:
        if self._writer is not None:
            self._writer.write(self._head)
            self._writer.flush()
            return len(self._head)
        if not self._waits:
            return os.write(self._fd, self._head)
        if self._own >= 0:
            return os.write(self._own, self._head)
        return os.write(self._fd, self._head[:AT_ONCE]) if self._ready(0) else 0

    def _ready(self, timeout: int | None) -> bool:
        """Whether bytes can be written without waiting, after at most `timeout` milliseconds (None: for ever)."""
        from select import POLLOUT, poll  # noqa: PLC0415 - only for pipes and terminals

        waiting = poll()
        waiting.register(self._fd, POLLOUT)
        return bool(waiting.poll(timeout))

    def _abandon(self, error: OSError) -> None:
        self._gone = True
        self._head = memoryview(b"")
        self._buffer.clear()
        if self._backlog is not None:
            self._backlog.close()
        if not isinstance(error, BrokenPipeError | ConnectionResetError):
            self.error = error


def is_terminal(target: int | BinaryIO | None) -> bool:
    """Whether somebody looks at what is written there."""
    if target is None:
        return False
    return os.isatty(target) if isinstance(target, int) else target.isatty()


def same(one: int | BinaryIO | None, other: int | BinaryIO | None) -> bool:
    """Whether two streams end in the same place, so that their order must be kept."""
    if not isinstance(one, int) or not isinstance(other, int):
        return one is other
    try:
        first, second = os.fstat(one), os.fstat(other)
    except OSError:
        return False
    return (first.st_dev, first.st_ino, first.st_rdev) == (second.st_dev, second.st_ino, second.st_rdev)


def _may_wait(fd: int) -> bool:
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return False
    return S_ISFIFO(mode) or S_ISSOCK(mode) or os.isatty(fd)


def _unblocked(fd: int) -> int:
    """A second, non-blocking way to the same pipe or terminal; -1 where there is none.

    Setting O_NONBLOCK on our own descriptor would set it for everybody who shares it, the user's shell included.
    """
    try:
        return os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return -1
