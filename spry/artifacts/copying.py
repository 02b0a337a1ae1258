"""The bytes of a file into another one: by the kernel, holes stay holes, and their digest on a second thread.

Where the file system can share the blocks of two files until one of them is written to, nothing is copied at all.
"""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHUNK = 8 * 1024 * 1024
BUFFER = 1024 * 1024
FICLONE = 0x40049409  # of Linux: both files share their blocks until one of them is written to
NO_HELP = frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF})


def written(descriptor: int, data: bytes | memoryview) -> None:
    """Write all of it."""
    done = os.write(descriptor, data)
    while done < len(data):
        done += os.write(descriptor, data[done:])


def never() -> None:
    """Go on, whatever happens."""


def copied(source: int, target: int, size: int, go_on: Callable[[], None] = never) -> str:
    """Copy the first `size` bytes of a file into an empty one; the SHA-256 of the copy.

    The digest is that of what was written, whatever happens to the source meanwhile. `go_on` is called now and then,
    and raises to end it.
    """
    if size <= BUFFER:
        return _at_once(source, target, size)
    if _cloned(source, target):
        os.ftruncate(target, size)
        return _digest(target, iter([(0, size)]), size, go_on)
    os.ftruncate(target, size)
    return _digest(target, _copying(source, target, size), size, go_on)


def _at_once(source: int, target: int, size: int) -> str:
    from hashlib import sha256  # noqa: PLC0415 - loads OpenSSL: only runs that save pay for it

    data = os.pread(source, size, 0)
    written(target, data)
    return sha256(data).hexdigest()


def _cloned(source: int, target: int) -> bool:
    import fcntl  # noqa: PLC0415 - only runs with artifacts

    try:
        fcntl.ioctl(target, FICLONE, source)
    except OSError:
        return False
    return True


def _copying(source: int, target: int, size: int) -> Iterator[tuple[int, int]]:
    """Copy a file, one range of it after the other; which ranges are done, holes included."""
    copy = _by_kernel if hasattr(os, "copy_file_range") else _by_hand
    for start, end in _data(source, size):
        at = start
        while at < end:
            try:
                count = copy(source, target, at, min(end - at, CHUNK))
            except OSError as error:
                if copy is _by_hand or error.errno not in NO_HELP:
                    raise
                copy = _by_hand
                continue
            if not count:
                return  # it has become shorter
            at += count
            yield at - count, at
    yield size, size


def _by_kernel(source: int, target: int, at: int, count: int) -> int:
    return os.copy_file_range(source, target, count, at, at)


def _by_hand(source: int, target: int, at: int, count: int) -> int:
    data = os.pread(source, min(count, BUFFER), at)
    done = 0
    while done < len(data):
        done += os.pwrite(target, data[done:], at + done)
    return done


def _data(source: int, size: int) -> Iterator[tuple[int, int]]:
    """The ranges of a file that are no holes."""
    if not hasattr(os, "SEEK_DATA") or os.fstat(source).st_blocks * 512 >= size:
        yield 0, size
        return
    at = 0
    while at < size:
        try:
            start = os.lseek(source, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole follows
                return
            yield at, size
            return
        at = min(os.lseek(source, start, os.SEEK_HOLE), size)
        if start < at:
            yield start, at


def _digest(target: int, ranges: Iterator[tuple[int, int]], size: int, go_on: Callable[[], None]) -> str:
    """The digest of a file of which more and more is there; hashing is left to a thread, as it is half of the time."""
    from hashlib import sha256  # noqa: PLC0415 - as above
    from queue import SimpleQueue  # noqa: PLC0415 - only for files of more than a megabyte
    from threading import Thread  # noqa: PLC0415 - as above

    found, ready = sha256(), SimpleQueue[int]()
    faults: list[BaseException] = []

    def feed() -> None:
        try:
            _feed(found.update, target, ready.get, go_on)
        except BaseException as error:  # noqa: BLE001 - it is raised again below
            faults.append(error)

    thread = Thread(target=feed, name="spry-digest")
    thread.start()
    try:
        for _, end in ranges:
            go_on()
            ready.put(end)
        ready.put(size)
    finally:
        ready.put(-1)
        thread.join()
    if faults:
        raise faults[0]
    return found.hexdigest()


def _feed(
    update: Callable[[memoryview], None], target: int, ready: Callable[[], int], go_on: Callable[[], None]
) -> None:
    """Hash a file as far as it is there."""
    buffer, at = bytearray(BUFFER), 0
    view = memoryview(buffer)
    while (end := ready()) >= 0:
        while at < end:
            count = os.preadv(target, [view[: min(end - at, BUFFER)]], at)
            if not count:
                return
            go_on()
            update(view[:count])
            at += count
