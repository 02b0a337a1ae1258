"""What files hold, as digests: a file that is as it was when it was last read is not read again.

How a file was is its size, both its times and its inode. A file that changed so shortly before it was read that it
could change again without any of them showing it (`racily clean`, as git calls it) is read again the next time.
"""

from __future__ import annotations

import os
import stat
import time
from contextlib import contextmanager
from errno import ELOOP

from spry.errors import SpryError
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

CHUNK = 1024 * 1024
READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC  # to open a pipe that took a file's place would wait for its writer
SECOND = 1_000_000_000  # nanoseconds
COARSE = 2 * SECOND + SECOND // 10  # the longest that a file system's clock stands still: FAT counts every other second
FINE = SECOND // 10  # one that counts less than seconds moves on with the kernel's clock, a hundred times a second
OPENING = 64 * 1024  # bytes that could be read in the time that it takes to open a file


class Known(NamedTuple):
    """A file as it was when it was read, and the digest of what it held. Times are nanoseconds."""

    size: int
    changed: int
    inode_changed: int
    inode: int
    digest: str


class LengthyError(Exception):
    """There is more to read than there is time for now."""


class Contents:
    """Digests of files: `known` from earlier, `learned` to be known the next time (None: known no longer).

    A symbolic link to a file counts as what that file holds; one to a folder or to nothing, as where it leads.
    """

    __slots__ = ("_ahead", "_go_on", "_left", "known", "learned")

    def __init__(self, known: Mapping[str, Known], go_on: Callable[[], None] | None = None) -> None:
        self.known: dict[str, Known] = dict(known)
        self.learned: dict[str, Known | None] = {}
        self._go_on = go_on
        self._ahead: Mapping[str, Known] = {}
        self._left: int | None = None

    def apart(self, go_on: Callable[[], None]) -> Ahead:
        """What knows as much, for another thread to read with; `go_on` raises to end that."""
        return Ahead(self.known, go_on)

    @contextmanager
    def within(self, size: int, ahead: Ahead | None) -> Iterator[None]:
        """As long as it lasts, to read more than `size` bytes raises LengthyError, unless it was read ahead."""
        self._left = size
        if ahead is not None:
            self._left, self._ahead = None, ahead.readings
            self.learned.update(ahead.learned)
            self.known.update((path, known) for path, known in ahead.learned.items() if known is not None)
        try:
            yield
        finally:
            self._left, self._ahead = None, {}

    def spend(self, size: int) -> None:
        """So much is to be read of a file: LengthyError if there is no time for it."""
        if self._left is not None:
            self._left -= size + OPENING
            if self._left < 0:
                raise LengthyError

    def of(self, path: str) -> str:
        """What is at an absolute path: its kind and a digest; empty if nothing is. SpryError if it is unreadable."""
        try:
            found = os.stat(path)
            if stat.S_ISREG(found.st_mode):
                kind = "program" if found.st_mode & stat.S_IXUSR else "file"
                return f"{kind} {self._digest(path, found)}"
            if os.path.islink(path):
                return f"link {os.readlink(path)}"
        except FileNotFoundError:
            return f"link {os.readlink(path)}" if os.path.islink(path) else ""
        except NotADirectoryError:
            return ""
        except OSError as error:
            if error.errno == ELOOP:
                return f"link {os.readlink(path)}"
            raise SpryError(f"cannot read {path}: {error.strerror}", "give spry access to it") from None
        return "folder" if stat.S_ISDIR(found.st_mode) else "no file"

    def _digest(self, path: str, found: os.stat_result) -> str:
        state = _state(found)
        for known in (self.known.get(path), self._ahead.get(path)):
            if known is not None and known[:-1] == state:
                return known.digest
        self.spend(found.st_size)
        now = time.time_ns()
        digest, after = _read(path, self._go_on)
        if _state(after) == state:
            self._took(path, Known(*state, digest))
        if _state(after) == state and is_settled(found, now):
            self.known[path] = self.learned[path] = Known(*state, digest)
        elif self.known.pop(path, None) is not None:
            self.learned[path] = None
        return digest

    def _took(self, path: str, known: Known) -> None:
        """A file was read that stayed what it was meanwhile."""


class Ahead(Contents):
    """Contents that are read on another thread; `readings` are all that were, to be believed in this run only."""

    __slots__ = ("readings",)

    def __init__(self, known: Mapping[str, Known], go_on: Callable[[], None]) -> None:
        super().__init__(known, go_on)
        self.readings: dict[str, Known] = {}

    def _took(self, path: str, known: Known) -> None:
        self.readings[path] = known


def is_settled(found: os.stat_result, now: int) -> bool:
    """Whether a change from now on (nanoseconds since the epoch) would show in the times of a file."""
    coarse = found.st_ctime_ns % SECOND == 0
    return max(found.st_mtime_ns, found.st_ctime_ns) < now - (COARSE if coarse else FINE)


def _state(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def _read(path: str, go_on: Callable[[], None] | None) -> tuple[str, os.stat_result]:
    """The SHA-256 of a file, and how it was once it had been read; `go_on` may raise meanwhile."""
    from hashlib import sha256  # noqa: PLC0415 - where nothing has changed nothing is read

    whole = sha256()
    with open(os.open(path, READ), "rb", buffering=0) as stream:
        while data := stream.read(CHUNK):
            whole.update(data)
            if go_on is not None:
                go_on()
        return whole.hexdigest(), os.fstat(stream.fileno())
