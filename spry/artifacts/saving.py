"""Files of a folder into the store: read without following links, and checked for having stayed what they were."""

from __future__ import annotations

import os
import stat
import time

from spry.artifacts import memory
from spry.artifacts.blobs import unwritable
from spry.artifacts.links import check_links
from spry.artifacts.packing import SMALL, Packing
from spry.artifacts.snapshots import FILE, FOLDER, LINK, Entry, shown, snapshot
from spry.artifacts.walk import FOLDER as OPEN_FOLDER
from spry.artifacts.walk import matched
from spry.core.saving import MAGIC, Place, clashes
from spry.errors import SpryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from spry.artifacts.blobs import Blobs
    from spry.artifacts.memory import Row
    from spry.artifacts.packing import Small
    from spry.artifacts.snapshots import Snapshot
    from spry.artifacts.walk import Found
    from spry.core.saving import Saving

MOST, MOST_BYTES = 1_000_000, 1 << 40  # what one save may hold: more is a mistake, or an attack
TRIES = 3  # reads of a file that changes meanwhile
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # to open a pipe would wait for its writer
SPECIAL = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def save(
    blobs: Blobs, folder: str, savings: Sequence[Saving], avoid: Collection[tuple[int, int]] = (), *, memo: str = ""
) -> Snapshot:
    """Keep what the patterns match in a folder; its snapshot, whose names are those under which it is kept.

    The caller is within `blobs.adding()` until it has referred to the snapshot. `memo` is a file that remembers what
    was saved from this folder, so that a file that has not been touched since is not read again.

    Raises SpryError that names the file: a pattern without match, two files with one destination, links out of the
    tree, devices, pipes and sockets, what cannot be read, what changes meanwhile; HostError where the disk is full.
    """
    try:
        root = os.open(folder, OPEN_FOLDER)
    except OSError as error:
        raise unwritable(error) from None
    saver = _Saver(blobs, memory.recall(memo) if memo else {}, avoid, remembers=bool(memo))
    try:
        for saving in savings:
            if not saving.is_negated:
                saver.take(root, saving, savings)
        saver.packing.finish()
    except OSError as error:
        raise unwritable(error) from None
    finally:
        saver.packing.close()
        os.close(root)
    found = snapshot(entry for entry in saver.entries.values() if entry is not None)
    if any(saving.dest is not None for saving in savings):
        _check_names(found)
    check_links(found.entries)
    if memo and saver.known != saver.earlier:
        memory.remember(memo, saver.known)
    return found


def _check_names(found: Snapshot) -> None:
    """Raise SpryError where names that were given make a file of what is a folder as well."""
    clash = next(clashes(Place("", entry.path, entry.kind == FOLDER) for entry in found.entries), None)
    if clash is not None:
        raise SpryError(f"'{shown(clash.path)}' would be saved as a file and as a folder", "rename one with GLOB:DEST")


class _Saver:
    """One save under way."""

    def __init__(
        self, blobs: Blobs, earlier: dict[str, Row], avoid: Collection[tuple[int, int]], *, remembers: bool
    ) -> None:
        self.blobs, self.earlier, self.avoid, self.remembers = blobs, earlier, avoid, remembers
        self.entries: dict[str, Entry | None] = {}  # None takes its turn: `packed` says what it is
        self.sources: dict[str, str] = {}
        self.known: dict[str, Row] = {}
        self.packing = Packing(blobs, self.packed)
        self.total = 0
        self.present: dict[str, bool] = {}

    def take(self, root: int, saving: Saving, savings: Sequence[Saving]) -> None:
        """Everything that one pattern matches."""
        negated = [one for one in savings if one.is_negated]
        for found in matched(root, [saving, *negated], self.avoid):
            name = saving.lands(found.path)
            if not name:
                continue
            other = self.sources.setdefault(name, found.path)
            if other != found.path:
                shared = f"'{_shown(other)}' and '{_shown(found.path)}' would both be saved as '{_shown(name)}'"
                raise SpryError(shared, "give one of them another name with GLOB:DEST")
            if name not in self.entries:
                self.keep(found, name, is_named=saving.is_file)

    def keep(self, found: Found, name: str, *, is_named: bool) -> None:
        """One path."""
        self.blobs.go_on()
        if len(self.entries) >= MOST:
            raise SpryError(f"more than {MOST:,} files in one save")
        entry = found.entry
        if entry is not None and entry.is_file(follow_symlinks=False) and found.path not in self.earlier:
            self.file(found, name)
            return
        if entry is not None:
            status = entry.stat(follow_symlinks=False)
        else:
            status = os.stat(found.name, dir_fd=found.parent, follow_symlinks=False)
        kind = stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFREG:
            self.file(found, name, status)
        elif kind == stat.S_IFDIR:
            if is_named:
                raise SpryError(f"'{_shown(found.path)}' is a folder", f"write --save '{found.path}/' for all in it")
            self.put(name, FOLDER, status)
        elif kind == stat.S_IFLNK:
            target = os.readlink(os.fsencode(found.name), dir_fd=found.parent)
            self.put(name, LINK, status, target)
        else:
            what = SPECIAL.get(kind, "no file")
            raise SpryError(
                f"'{_shown(found.path)}' is {what}: it cannot be saved", f"add --save '!{_glob(found.path)}'"
            )

    def put(self, name: str, kind: str, status: os.stat_result, target: bytes = b"") -> None:
        """Note a folder or a link."""
        mode = status.st_mode & 0o777
        self.entries[name] = Entry(os.fsencode(name), kind, mode, status.st_mtime_ns, target=target)

    def put_file(self, name: str, status: os.stat_result, digest: str, blob: str, offset: int) -> None:
        """Note a file whose content is in the store."""
        mode, size = status.st_mode & 0o777, status.st_size
        path = name.encode("utf-8", "surrogateescape")
        self.entries[name] = Entry(path, FILE, mode, status.st_mtime_ns, size, digest, blob, offset, b"")

    def learn(self, path: str, status: os.stat_result, read_at: int, digest: str, blob: str, offset: int) -> None:
        """Remember a file for the next time."""
        if self.remembers:
            self.known[path] = memory.known(status, read_at, digest, blob, offset)

    def file(self, found: Found, name: str, status: os.stat_result | None = None) -> None:
        """One file: from memory if it was not touched since, else read, until it stays the same for so long."""
        if status is not None:
            known = memory.trusted(self.earlier.get(found.path), status)
            if known is not None:
                *_, digest, blob, offset = known
                if self.has(blob, offset + status.st_size):
                    self.known[found.path] = known
                    self.put_file(name, status, digest, blob, offset)
                    return
        try:
            descriptor = os.open(found.name, READ, dir_fd=found.parent)
        except OSError as error:
            raise SpryError(f"'{_shown(found.path)}' cannot be read: {error.strerror}") from None
        try:
            self.read(descriptor, found.path, name)
        finally:
            os.close(descriptor)

    def read(self, descriptor: int, path: str, name: str) -> None:
        """The content of an open file."""
        for _ in range(TRIES):
            read_at = time.time_ns()
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                break
            self.total += before.st_size
            if self.total > MOST_BYTES:
                raise SpryError(f"more than {MOST_BYTES >> 40} TiB in one save: '{_shown(path)}'")
            if before.st_size <= SMALL:
                data = self.packing.read(descriptor, before.st_size)
                if _same(before, os.fstat(descriptor)) and len(data) == before.st_size:
                    self.entries[name] = None
                    self.packing.take(name, path, before, read_at, data)
                    return
            else:
                digest = self.blobs.add(descriptor, before.st_size)
                if _same(before, os.fstat(descriptor)):
                    self.learn(path, before, read_at, digest, digest, 0)
                    self.put_file(name, before, digest, digest, 0)
                    return
        raise SpryError(f"'{_shown(path)}' changed while it was saved", "let the task end only when it is written")

    def packed(self, small: Small, blob: str, offset: int) -> None:
        """A small file is in a blob together with others."""
        name, path, status, read_at, digest = small
        self.learn(path, status, read_at, digest, blob, offset)
        self.put_file(name, status, digest, blob, offset)

    def has(self, blob: str, size: int) -> bool:
        """Whether the store still has a blob, at least that long."""
        found = self.present.get(blob)
        if found is None:
            found = self.present[blob] = self.blobs.size(blob) >= size
        return found


def _same(before: os.stat_result, after: os.stat_result) -> bool:
    is_as_old = before.st_mtime_ns == after.st_mtime_ns and before.st_ctime_ns == after.st_ctime_ns
    return is_as_old and before.st_size == after.st_size


def _glob(path: str) -> str:
    """A path as somebody can write it into a pattern, or a word that stands for that."""
    return path if path.isprintable() and MAGIC.isdisjoint(path) and "'" not in path else "GLOB"


def _shown(path: str) -> str:
    return shown(os.fsencode(path))
