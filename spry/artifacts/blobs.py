"""The store: contents under their SHA-256, each written once, whole or not at all.

A blob is `blobs/ab/cdef…`, named by the digest of its bytes, written as `parts/…` and renamed. Blobs are never linked
into a task's folder: what a task does to its files cannot reach them. They are not flushed to the disk one by one; a
loss of power can leave one short, and as everything is checked when it is read, that is found, and the task that
saved it runs again. Whoever adds holds `lock` shared until what it added is referred to, whoever sweeps holds it alone.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import contextmanager, suppress

from spry.artifacts.copying import CHUNK, copied, never, written
from spry.errors import HostError, SpryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

LOOK = 0.01  # seconds between two looks at a lock that others have
READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
LOCK = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG, errno.EMFILE, errno.ENFILE})


class DamagedError(SpryError):
    """A blob is gone, or is not what its name says."""

    def __init__(self, blob: str, why: str) -> None:
        super().__init__(
            f"the store of artifacts is damaged: {why} ({blob[:12]})", "spry resume runs again what saved it"
        )
        self.blob = blob


class Blobs:
    """The blobs below a folder, which is made when something is added. OSError where the disk is in the way.

    `go_on` is called for each file that is saved or restored, and now and then for large ones; it raises to end that.
    """

    __slots__ = ("_made", "folder", "go_on")

    def __init__(self, folder: str, go_on: Callable[[], None] = never) -> None:
        self.folder, self.go_on = folder, go_on
        self._made: set[str] = set()

    def path(self, digest: str) -> str:
        """The file of a blob."""
        return os.path.join(self.folder, "blobs", digest[:2], digest[2:])

    def add(self, descriptor: int, size: int) -> str:
        """Keep the content of an open file, from its start; its digest. However large it is, memory stays small."""
        part, temporary = self._part()
        try:
            digest = copied(descriptor, part, size, self.go_on)
            self._settle(temporary, digest, os.fstat(part).st_size)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        finally:
            os.close(part)
        return digest

    def add_bytes(self, data: bytes | memoryview) -> str:
        """Keep some bytes; their digest."""
        from hashlib import sha256  # noqa: PLC0415 - loads OpenSSL: only runs that save pay for it

        digest = sha256(data).hexdigest()
        if self.size(digest) != len(data):
            part, temporary = self._part()
            try:
                written(part, data)
            finally:
                os.close(part)
            self._settle(temporary, digest, len(data))
        return digest

    def size(self, digest: str) -> int:
        """The bytes of a blob; -1 if it is not there."""
        try:
            return os.stat(self.path(digest), follow_symlinks=False).st_size
        except FileNotFoundError:
            return -1

    def open(self, digest: str) -> int:
        """A descriptor of a blob, for reading; what is read has yet to be checked. DamagedError if it is gone."""
        try:
            return os.open(self.path(digest), READ)
        except FileNotFoundError:
            raise DamagedError(digest, "it has lost a blob") from None

    def read(self, digest: str) -> bytes:
        """All bytes of a blob that is small, checked; DamagedError if they are not what was kept."""
        from hashlib import sha256  # noqa: PLC0415 - as above

        descriptor = self.open(digest)
        with open(descriptor, "rb") as stream:
            data = stream.read()
        if sha256(data).hexdigest() != digest:
            self.discard(digest)
            raise DamagedError(digest, "a blob has other bytes than it was given")
        return data

    def verify(self, digest: str) -> bool:
        """Whether a blob is there and its bytes are those that were kept; one that is damaged is dropped."""
        from hashlib import sha256  # noqa: PLC0415 - as above

        try:
            descriptor = self.open(digest)
        except DamagedError:
            return False
        found = sha256()
        with open(descriptor, "rb", buffering=0) as stream:
            while data := stream.read(CHUNK):
                found.update(data)
        if found.hexdigest() == digest:
            return True
        self.discard(digest)
        return False

    def discard(self, digest: str) -> None:
        """Drop a blob that is damaged, so that it can be kept anew."""
        with suppress(FileNotFoundError):
            os.unlink(self.path(digest))

    @contextmanager
    def adding(self) -> Iterator[None]:
        """As long as it lasts, nothing is swept: from the first look at a blob until it is referred to."""
        lock = self.lock()
        try:
            yield
        finally:
            os.close(lock)

    def lock(self, *, alone: bool = False) -> int:
        """Hold the lock of the store, shared with all who add or alone, until the descriptor is closed.

        As long as others have it, `go_on` is called now and then.
        """
        import fcntl  # noqa: PLC0415 - only runs with artifacts

        os.makedirs(self.folder, 0o700, exist_ok=True)
        lock = os.open(os.path.join(self.folder, "lock"), LOCK, 0o600)
        try:
            while True:
                try:
                    fcntl.flock(lock, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
                except BlockingIOError:
                    self.go_on()
                    time.sleep(LOOK)
                else:
                    return lock
        except BaseException:
            os.close(lock)
            raise

    def sweep(self, keep: Collection[str]) -> tuple[int, int]:
        """Drop every blob that is not to be kept, and what dead processes left half written; files and bytes freed.

        The caller holds the lock alone.
        """
        files = freed = 0
        for folder, digest, path in self._files():
            if folder == "parts" or digest not in keep:
                with suppress(FileNotFoundError):
                    freed += os.lstat(path).st_blocks * 512
                    os.unlink(path)
                    files += folder != "parts"
        return files, freed

    def _files(self) -> Iterator[tuple[str, str, str]]:
        """Every file in the store: in which part of it, the digest it stands for, its path."""
        for part in ("parts", "blobs"):
            top = os.path.join(self.folder, part)
            for folder, _, names in os.walk(top):
                fan = os.path.basename(folder)
                yield from ((part, fan + name, os.path.join(folder, name)) for name in names)

    def _part(self) -> tuple[int, str]:
        folder = self._folder("parts")
        path = os.path.join(folder, os.urandom(12).hex())
        return os.open(path, CREATE, 0o400), path

    def _settle(self, temporary: str, digest: str, size: int) -> None:
        """Give what is written its name, unless the store has it already."""
        if self.size(digest) == size:
            os.unlink(temporary)
            return
        self._folder(os.path.join("blobs", digest[:2]))
        os.rename(temporary, self.path(digest))

    def _folder(self, name: str) -> str:
        path = os.path.join(self.folder, name)
        if name not in self._made:
            os.makedirs(path, 0o700, exist_ok=True)
            self._made.add(name)
        return path


def unwritable(error: OSError) -> SpryError:
    """Why something could not be kept or put back: the machine's fault, or that of the file."""
    path = error.filename2 or error.filename
    where = f": {os.fsdecode(path)}" if isinstance(path, (str, bytes)) else ""
    message = f"{error.strerror}{where}"
    return HostError(message, "make room, then run it again") if error.errno in NO_ROOM else SpryError(message)
