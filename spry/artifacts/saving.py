"""Files of a folder into the store: read without following links, and checked for having stayed what they were."""

from __future__ import annotations

import os
import stat
import time
from typing import NamedTuple

from spry.artifacts import memory
from spry.artifacts.blobs import unwritable
from spry.artifacts.links import check_links
from spry.artifacts.snapshots import FILE, FOLDER, LINK, Entry, shown, snapshot
from spry.artifacts.walk import FOLDER as OPEN_FOLDER
from spry.artifacts.walk import matched
from spry.core.saving import Place, clashes
from spry.errors import SpryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from spry.artifacts.blobs import Blobs
    from spry.artifacts.memory import Known
    from spry.artifacts.snapshots import Snapshot
    from spry.artifacts.walk import Found
    from spry.core.saving import Saving

SMALL = 64 * 1024  # bytes up to which files share a blob: to make a file costs more than to write these
PACK = 16 * 1024 * 1024  # bytes of such a blob
MOST, MOST_BYTES = 1_000_000, 1 << 40  # what one save may hold: more is a mistake, or an attack
TRIES = 3  # reads of a file that changes meanwhile
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # to open a pipe would wait for its writer
SPECIAL = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Small(NamedTuple):
    """A file that waits to be written with others, and its bytes."""

    path: str
    stat: os.stat_result
    digest: str
    data: bytes
    read_at: int


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
    try:
        saver = _Saver(blobs, memory.recall(memo) if memo else {}, avoid)
        for saving in savings:
            if not saving.is_negated:
                saver.take(root, saving, savings)
        saver.pack()
    except OSError as error:
        raise unwritable(error) from None
    finally:
        os.close(root)
    found = snapshot(saver.entries.values())
    clash = next(clashes(Place("", entry.path, entry.kind == FOLDER) for entry in found.entries), None)
    if clash is not None:
        raise SpryError(f"'{shown(clash.path)}' would be saved as a file and as a folder", "rename one with GLOB:DEST")
    check_links(found.entries)
    if memo:
        memory.remember(memo, saver.known)
    return found


class _Saver:
    """One save under way."""

    def __init__(self, blobs: Blobs, earlier: dict[str, Known], avoid: Collection[tuple[int, int]]) -> None:
        self.blobs, self.earlier, self.avoid = blobs, earlier, avoid
        self.entries: dict[str, Entry] = {}
        self.sources: dict[str, str] = {}
        self.known: dict[str, Known] = {}
        self.waiting: list[tuple[Small, str]] = []
        self.waits = self.total = 0
        self.places: dict[str, tuple[str, int]] = {}  # of small files by digest: those that are in the store already
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
        if len(self.entries) >= MOST:
            raise SpryError(f"more than {MOST:,} files in one save")
        entry = found.entry
        if entry is not None and entry.is_file(follow_symlinks=False) and found.path not in self.earlier:
            self.file(found, name)
            return
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
            self.put(name, LINK, status, target=target)
        else:
            what = SPECIAL.get(kind, "no file")
            raise SpryError(f"'{_shown(found.path)}' is {what}: it cannot be saved", f"add --save '!{found.path}'")

    def put(self, name: str, kind: str, status: os.stat_result, **fields: object) -> None:
        """Note a path whose content is in the store, or which has none."""
        mode = status.st_mode & 0o777
        self.entries[name] = Entry(os.fsencode(name), kind, mode, status.st_mtime_ns, **fields)  # type: ignore[arg-type] # fields of an Entry

    def file(self, found: Found, name: str, status: os.stat_result | None = None) -> None:
        """One file: from memory if it was not touched since, else read, until it stays the same for so long."""
        if status is not None:
            known = memory.trusted(self.earlier.get(found.path), status)
            if known is not None and self.has(known.blob, known.offset + status.st_size):
                self.known[found.path] = known
                self.put(name, FILE, status, size=known.size, digest=known.digest, blob=known.blob, offset=known.offset)
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
                data = os.pread(descriptor, before.st_size + 1, 0)
                if _same(before, os.fstat(descriptor)) and len(data) == before.st_size:
                    self.small(path, name, before, data, read_at)
                    return
            else:
                digest = self.blobs.add(descriptor, before.st_size)
                if _same(before, os.fstat(descriptor)):
                    self.known[path] = memory.Known.of(before, read_at, digest, digest, 0)
                    self.put(name, FILE, before, size=before.st_size, digest=digest, blob=digest)
                    return
        raise SpryError(f"'{_shown(path)}' changed while it was saved", "let the task end only when it is written")

    def small(self, path: str, name: str, status: os.stat_result, data: bytes, read_at: int) -> None:
        """A file that goes into a blob together with others."""
        from hashlib import sha256  # noqa: PLC0415 - loads OpenSSL: only runs that save pay for it

        self.waiting.append((Small(path, status, sha256(data).hexdigest(), data, read_at), name))
        self.entries[name] = Entry(b"", FILE, 0, 0)  # takes its turn; `pack` says what it is
        self.waits += len(data)
        if self.waits >= PACK:
            self.pack()

    def pack(self) -> None:
        """Write the small files that wait, those with the same bytes once."""
        pieces: dict[str, int] = {}
        data: list[bytes] = []
        at = 0
        for one, _ in self.waiting:
            if one.digest not in pieces:
                pieces[one.digest] = at
                data.append(one.data)
                at += len(one.data)
        blob = self.blobs.add_bytes(b"".join(data)) if self.waiting else ""
        for one, name in self.waiting:
            offset, size = pieces[one.digest], len(one.data)
            self.known[one.path] = memory.Known.of(one.stat, one.read_at, one.digest, blob, offset)
            self.put(name, FILE, one.stat, size=size, digest=one.digest, blob=blob, offset=offset)
        self.waiting.clear()
        self.waits = 0

    def has(self, blob: str, size: int) -> bool:
        """Whether the store still has a blob, at least that long."""
        found = self.present.get(blob)
        if found is None:
            found = self.present[blob] = self.blobs.size(blob) >= size
        return found


def _same(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_size, before.st_mtime_ns, before.st_ctime_ns) == (
        after.st_size,
        after.st_mtime_ns,
        after.st_ctime_ns,
    )


def _shown(path: str) -> str:
    return shown(os.fsencode(path))
