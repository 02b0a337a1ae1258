"""The user's terminal, handed to one task: a terminal of its own, and a relay between the two.

The task leads the session of its own terminal, so that passwords, editors, job control and Ctrl-C work there as they
do in a shell. The user's terminal is raw meanwhile: every key goes to the task, Ctrl-C and Ctrl-Z included.
"""

from __future__ import annotations

import os
import select
import signal
import termios
import time
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import NoReturn

    from spry.core.masking import Stream
    from spry.execute.reactor import Reactor
    from spry.execute.signals import Handler

    Modes = list[int | list[bytes | int]]

CHUNK = 65536
QUIET = 0.05  # seconds: a key that is shown later than that seems not to have been pressed
MOST = 1 << 18  # bytes on their way to the user or to the task: beyond that no more are read


class Relay:
    """Carries keys to a task and its output to the user, from construction, which may raise OSError, to `close`.

    `name` is the terminal that the task's leader has to open. `tell` is given all output, before it is shown; `veil`
    hides secrets in what is shown.
    """

    __slots__ = (
        "_before", "_deaf", "_guard", "_handed", "_heard", "_inner", "_keys", "_last", "_shown", "_tell", "_user",
        "_veil", "name",
    )  # fmt: skip

    def __init__(
        self, tell: Callable[[bytes], None], terminal: str = "/dev/tty", *, veil: Stream | None = None
    ) -> None:
        self._tell, self._veil = tell, veil
        self._keys, self._shown, self._last = b"", b"", b"\n"
        self._deaf = False
        self._heard = 0.0  # when the task last wrote
        self._before: dict[int, Handler] = {}
        self._user = os.open(terminal, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            self._inner, self._handed = os.openpty()
        except OSError:
            os.close(self._user)
            raise
        try:
            self.name = os.ttyname(self._handed)
            os.set_blocking(self._inner, False)
            self._resize()
            termios.tcsetattr(self._handed, termios.TCSANOW, termios.tcgetattr(self._user))
            self._guard = Guard(self._user)
        except (OSError, termios.error) as error:
            self._close()
            raise OSError(*error.args) from None
        self._listen()

    def attend(self, reactor: Reactor, act: Callable[[], None]) -> None:
        """Have a loop call `act` when there is something to pump, and only then."""
        inner = _mask(select.POLLIN, wanted=len(self._shown) < MOST) | _mask(select.POLLOUT, wanted=bool(self._keys))
        user = _mask(select.POLLIN, wanted=len(self._keys) < MOST) | _mask(select.POLLOUT, wanted=bool(self._shown))
        reactor.watch(self._inner, act, inner)
        if self._deaf:
            reactor.release(self._user)
        else:
            reactor.watch(self._user, act, user)

    def leave(self, reactor: Reactor) -> None:
        """Be called no more."""
        reactor.release(self._inner)
        reactor.release(self._user)

    def pump(self, *, show: bool) -> None:
        """Move what can be moved without waiting; without `show` nothing to the user, as it is not recorded so far."""
        if show:
            self._show()
        self._keys = _put(self._inner, self._keys)
        self._hear()
        self._look()

    @property
    def holds(self) -> bool:
        """Whether some of the output may be the beginning of a secret, and is not shown so far."""
        return self._veil is not None and self._veil.waits

    def ease(self) -> bool:
        """If the task has been quiet, show as much of what is held as gives nothing away; whether there was any."""
        if self._veil is None or time.monotonic() - self._heard < QUIET:
            return False
        told = self._veil.ease()
        self._shown += b"" if self._deaf else told
        return bool(told)

    def finish(self, *, show: bool) -> bool:
        """Take what an ended task wrote last; whether all of it has been shown, or never can be."""
        if show:
            self._show()
        while len(self._shown) < MOST and self._look():
            pass
        if self._veil is not None and not self._deaf:
            self._shown += self._veil.flush()
        return not self._shown

    @property
    def guard(self) -> int:
        """The process that gives the terminal back after our death."""
        return self._guard.pid

    def rest(self) -> None:
        """Give the terminal back for as long as this process is stopped; SIGCONT takes it again."""
        self._guard.restore()

    def close(self) -> None:
        """Give the terminal back as it was, the cursor at the start of a line."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._last != b"\n" and not self._deaf:
            _put(self._user, b"\r\n")
        self._guard.close()
        self._close()

    def _close(self) -> None:
        for descriptor in (self._inner, self._handed, self._user):
            os.close(descriptor)

    def _show(self) -> None:
        try:
            self._shown = _put(self._user, self._shown)
        except OSError:
            self._hang_up()

    def _hear(self) -> None:
        """Keys, unless too many wait for the task."""
        if self._deaf or len(self._keys) >= MOST:
            return
        try:
            keys = os.read(self._user, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            keys = b""
        self._keys += keys
        if not keys:
            self._hang_up()

    def _look(self) -> bool:
        """Output of the task, unless too much waits for the user; whether there was any."""
        if len(self._shown) >= MOST:
            return False
        try:
            data = os.read(self._inner, CHUNK)
        except BlockingIOError:
            return False
        self._heard = time.monotonic()
        self._tell(data)
        self._last = data[-1:]
        if not self._deaf:
            self._shown += self._veil.feed(data) if self._veil else data
        return True

    def _hang_up(self) -> None:
        self._deaf, self._shown = True, b""

    def _listen(self) -> None:
        """Hear of the user's terminal: a new size, or that it is ours again after Ctrl-Z and fg."""
        for number in (signal.SIGWINCH, signal.SIGCONT):
            with suppress(ValueError):  # only the main thread may
                self._before[number] = signal.signal(number, self._adapt) or signal.SIG_DFL

    def _adapt(self, number: int, frame: FrameType | None) -> None:
        with suppress(OSError, termios.error):
            self._resize()
            if number == signal.SIGCONT:
                self._guard.take()
        before = self._before.get(number)
        if callable(before):
            before(number, frame)

    def _resize(self) -> None:
        termios.tcsetwinsize(self._handed, termios.tcgetwinsize(self._user))


class Guard:
    """Makes a terminal raw, and as it was again on `close`, or when this process dies.

    For the latter a small process waits for the end of a pipe that only we hold. Whoever changed the terminal since
    (the shell, after our death) has the last word. `pid` is that process.
    """

    __slots__ = ("_end", "_modes", "_raw", "_terminal", "pid")

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._modes: Modes = termios.tcgetattr(terminal)
        termios.tcsetattr(terminal, termios.TCSANOW, _raw(self._modes))
        self._raw: Modes = termios.tcgetattr(terminal)
        try:
            self._start()
        except OSError:
            self.restore()
            raise

    def _start(self) -> None:
        """Fork the small process, deaf to every signal."""
        waits, self._end = os.pipe()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self.pid = os.fork()
            if self.pid == 0:
                self._watch(waits)
        except OSError:
            os.close(self._end)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            os.close(waits)

    def take(self) -> None:
        """Make it raw again, if it is ours: in the background it is somebody else's."""
        if os.tcgetpgrp(self._terminal) == os.getpgrp():
            termios.tcsetattr(self._terminal, termios.TCSANOW, self._raw)

    def close(self) -> None:
        """Give the terminal back."""
        self.restore()
        os.close(self._end)
        with suppress(ChildProcessError):  # reaped by whoever reaps everything
            os.waitpid(self.pid, 0)

    def _watch(self, waits: int) -> NoReturn:
        """All that the small process does."""
        try:
            os.setsid()
            kept = sorted((waits, self._terminal))
            os.closerange(0, kept[0])
            os.closerange(kept[0] + 1, kept[1])
            os.closerange(kept[1] + 1, os.sysconf("SC_OPEN_MAX"))
            os.read(waits, 1)
            self.restore()
        finally:
            os._exit(0)

    def restore(self) -> None:
        """Make it what it was, unless somebody else has changed it."""
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})  # also from the background
        with suppress(termios.error):
            if termios.tcgetattr(self._terminal) == self._raw:
                termios.tcsetattr(self._terminal, termios.TCSANOW, self._modes)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _raw(modes: Modes) -> Modes:
    """The modes under which every byte passes as it is, in both directions."""
    raw = termios
    made = list(modes)
    off = (
        raw.IGNBRK | raw.BRKINT | raw.PARMRK | raw.ISTRIP | raw.INLCR | raw.IGNCR | raw.ICRNL | raw.IXON,
        raw.OPOST,
        raw.CSIZE | raw.PARENB,
        raw.ECHO | raw.ECHONL | raw.ICANON | raw.ISIG | raw.IEXTEN,
    )
    for at, flags in enumerate(off):
        made[at] = modes[at] & ~flags  # type: ignore[operator] # the first four are numbers
    made[2] |= raw.CS8  # type: ignore[operator] # as above
    keys = list(modes[6])  # type: ignore[arg-type] # the last is a list
    keys[raw.VMIN], keys[raw.VTIME] = 1, 0
    made[6] = keys
    return made


def _put(descriptor: int, data: bytes) -> bytes:
    """Write what can be written at once; the rest."""
    if data:
        with suppress(BlockingIOError):
            return data[os.write(descriptor, data) :]
    return data


def _mask(event: int, *, wanted: bool) -> int:
    return event if wanted else 0
