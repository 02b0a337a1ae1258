"""The entries of a tree written into a folder that is there, each checked against what was saved.

Every path is made from descriptor to descriptor below that folder, never through a link.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress

from spry.artifacts.blobs import DamagedError
from spry.artifacts.copying import BUFFER, copied, written
from spry.artifacts.snapshots import FOLDER, LINK, Entry, shown
from spry.artifacts.walk import FOLDER as OPEN_FOLDER
from spry.errors import HostError, SpryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from spry.artifacts.blobs import Blobs

CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
MOST_AT_ONCE = 32 * 1024 * 1024  # bytes of a blob with small files that are read at once
PERMISSIONS = 0o777
SPARE = 16 * 1024 * 1024  # bytes of a disk that are left free


def fill(blobs: Blobs, tree: Mapping[bytes, tuple[Entry, str]], folder: str, *, replace: bool = False) -> None:
    """Write a merged tree into a folder that is there; OSError where that fails.

    What has one of its names must not be there yet, or, with `replace`, gives way: file by file, each whole.
    """
    _check_room(folder, blobs, tree)
    root = os.open(folder, OPEN_FOLDER)
    filler = _Filler(blobs, root, replace=replace)
    try:
        if _folds_case(root):
            check_cases(tree)
        for path in sorted(tree, key=lambda path: path.replace(b"/", b"\0")):
            filler.put(*tree[path])
        filler.finish()
    finally:
        filler.close()


def check_cases(paths: Iterable[bytes]) -> None:
    """Raise SpryError for two names that are one where capitals, or ways to write an accent, make no difference."""
    from unicodedata import normalize  # noqa: PLC0415 - only where the file system is of that kind

    known: dict[str, bytes] = {}
    for path in paths:
        other = known.setdefault(normalize("NFC", os.fsdecode(path)).casefold(), path)
        if other != path:
            raise SpryError(f"artifact conflict: '{shown(other)}' and '{shown(path)}' are one name on this disk")


def _folds_case(root: int) -> bool:
    """Whether a folder takes two names for one that differ in capitals only."""
    name = f".spry-{os.getpid()}-a"
    os.close(os.open(name, CREATE, 0o600, dir_fd=root))
    try:
        os.stat(name.upper(), dir_fd=root)
    except FileNotFoundError:
        return False
    else:
        return True
    finally:
        os.unlink(name, dir_fd=root)


def _check_room(folder: str, blobs: Blobs, tree: Mapping[bytes, tuple[Entry, str]]) -> None:
    """HostError if the disk has no room for all of it: half of a tree is worse than none, and a full disk too."""
    found = os.statvfs(folder)
    needed = sum(_blocks(blobs, entry) for entry, _ in tree.values())
    free = found.f_bavail * found.f_frsize
    if needed + SPARE > free:
        message = f"no room to restore {needed >> 20:,} MiB in {folder}: {free >> 20:,} MiB are free"
        raise HostError(message, "make room, then run it again")


def _blocks(blobs: Blobs, entry: Entry) -> int:
    """The room that a file takes: one with holes takes less than its size."""
    if entry.size <= BUFFER:
        return entry.size
    try:
        return min(os.lstat(blobs.path(entry.blob)).st_blocks * 512, entry.size)
    except FileNotFoundError:
        return 0  # damaged, and told so in its turn


class _Filler:
    """Writes the entries of a tree in the order of their paths."""

    def __init__(self, blobs: Blobs, root: int, *, replace: bool) -> None:
        self.blobs, self.replace = blobs, replace
        self.open: list[tuple[bytes, int]] = [(b"", root)]
        self.folders: list[tuple[bytes, Entry]] = []
        self.made: set[bytes] = set()
        self.packs: dict[str, int] = {}
        self.pack: tuple[str, memoryview] = "", memoryview(b"")

    def put(self, entry: Entry, owner: str) -> None:
        self.blobs.go_on()
        folder, _, name = entry.path.rpartition(b"/")
        parent = self.within(folder)
        if entry.kind == FOLDER:
            self.make(parent, name, entry.path)
            self.folders.append((entry.path, entry))
            return
        if self.replace:
            with self.named(parent, name) as own:
                self.write(parent, own, entry, owner)
        else:
            self.write(parent, name, entry, owner)

    def write(self, parent: int, name: bytes, entry: Entry, owner: str) -> None:
        if entry.kind == LINK:
            os.symlink(entry.target, name, dir_fd=parent)
            os.utime(name, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=parent, follow_symlinks=False)
        else:
            self.file(parent, name, entry, owner)

    @contextmanager
    def named(self, parent: int, name: bytes) -> Iterator[bytes]:
        """Another name to write under, as something may be in the way; it gives way once all is written."""
        part = b".%b.%d.part" % (name[:100], os.getpid())
        try:
            yield part
            os.replace(part, name, src_dir_fd=parent, dst_dir_fd=parent)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(part, dir_fd=parent)
            raise

    def within(self, path: bytes) -> int:
        """A descriptor of a folder of the tree, which is made if need be; those on the way to it stay open."""
        while self.open[-1][0] and path != self.open[-1][0] and not path.startswith(self.open[-1][0] + b"/"):
            os.close(self.open.pop()[1])
        known, folder = self.open[-1]
        if path == known:
            return folder
        for name in path[len(known) :].lstrip(b"/").split(b"/"):
            known = known + b"/" + name if known else name
            self.make(folder, name, known)
            folder = os.open(name, OPEN_FOLDER, dir_fd=folder)
            self.open.append((known, folder))
        return folder

    def make(self, parent: int, name: bytes, path: bytes) -> None:
        """A folder, writable for now."""
        if path not in self.made:
            try:
                os.mkdir(name, 0o777, dir_fd=parent)
            except FileExistsError:
                if not self.replace:
                    raise
            self.made.add(path)

    def file(self, parent: int, name: bytes, entry: Entry, owner: str) -> None:
        target = os.open(name, CREATE, 0o600, dir_fd=parent)
        try:
            if entry.size <= BUFFER:
                self.small(target, entry, owner)
            else:
                self.large(target, entry, owner)
            os.fchmod(target, entry.mode & PERMISSIONS)
            os.utime(target, ns=(entry.mtime_ns, entry.mtime_ns))
        finally:
            os.close(target)

    def small(self, target: int, entry: Entry, owner: str) -> None:
        from hashlib import sha256  # noqa: PLC0415 - loads OpenSSL: only runs that restore pay for it

        data = self.bytes_of(entry, owner)
        if sha256(data).hexdigest() != entry.digest:
            raise self.damaged(entry, owner)
        written(target, data)

    def bytes_of(self, entry: Entry, owner: str) -> bytes | memoryview:
        """The bytes of a small file; a blob that many share is read once."""
        if entry.blob == entry.digest:
            return os.pread(self.blob(entry, owner), entry.size, 0)
        if entry.blob != self.pack[0]:
            blob = self.blob(entry, owner)
            self.pack = entry.blob, memoryview(os.pread(blob, MOST_AT_ONCE, 0))
        data = self.pack[1]
        if len(data) == MOST_AT_ONCE:  # nobody makes one so large, but who knows
            return os.pread(self.blob(entry, owner), entry.size, entry.offset)
        return data[entry.offset : entry.offset + entry.size]

    def large(self, target: int, entry: Entry, owner: str) -> None:
        if copied(self.blob(entry, owner), target, entry.size, self.blobs.go_on) != entry.digest:
            raise self.damaged(entry, owner)

    def blob(self, entry: Entry, owner: str) -> int:
        """The blob that holds a file; the last one stays open, as neighbours share it."""
        found = self.packs.get(entry.blob)
        if found is None:
            self.close_packs()
            try:
                found = self.packs[entry.blob] = self.blobs.open(entry.blob)
            except DamagedError:
                raise self.damaged(entry, owner) from None
        return found

    def damaged(self, entry: Entry, owner: str) -> SpryError:
        """A file whose bytes are not those that were saved, named; its blob is dropped, so that it can be kept anew."""
        self.blobs.discard(entry.blob)
        return DamagedError(entry.blob, f"'{shown(entry.path)}', saved by '{owner}', is not what it was")

    def close_packs(self) -> None:
        while self.packs:
            os.close(self.packs.popitem()[1])

    def finish(self) -> None:
        """The times and permissions of folders, from the innermost on: writing into them changed their times."""
        for path, entry in reversed(self.folders):
            folder = self.within(path)
            os.utime(folder, ns=(entry.mtime_ns, entry.mtime_ns))
            os.fchmod(folder, entry.mode & PERMISSIONS)

    def close(self) -> None:
        """Let go of everything."""
        while self.open:
            os.close(self.open.pop()[1])
        self.close_packs()
