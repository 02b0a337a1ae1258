"""A saved tree, file by file: what it holds, where the bytes are, and how that is written down.

The record of a snapshot is a blob itself, so its digest says whether it is whole. The digest of the `tree` is another
one: of paths, kinds, permissions and contents only, so that the same tree has the same digest on every machine.
"""

from __future__ import annotations

from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from spry.artifacts.blobs import Blobs

MAGIC = b"spry snapshot 1"
FILE, LINK, FOLDER = "f", "l", "d"
KINDS = {FILE: "file", LINK: "link", FOLDER: "folder"}


class Entry(NamedTuple):
    """One path of a saved tree, relative and with `/`, as bytes.

    `mode` are permissions only: who owns a file, and whom it makes of its caller, is not kept. The bytes of a file,
    with the SHA-256 `digest`, are `size` bytes of the blob `blob` from `offset` on. `target` is where a link leads.
    """

    path: bytes
    kind: str
    mode: int
    mtime_ns: int
    size: int = 0
    digest: str = ""
    blob: str = ""
    offset: int = 0
    target: bytes = b""


class Snapshot(NamedTuple):
    """A saved tree, its entries in the order of their paths."""

    entries: tuple[Entry, ...]

    @property
    def tree(self) -> str:
        """The digest of what it is, whenever and wherever it was saved."""
        from hashlib import sha256  # noqa: PLC0415 - loads OpenSSL: only runs with artifacts pay for it

        lines = (
            b"%b %o %b %b\0%b\0" % (kind.encode(), mode if kind != LINK else 0, digest.encode(), path, target)
            for path, kind, mode, _, _, digest, _, _, target in self.entries
        )
        return sha256(b"".join(lines)).hexdigest()

    @property
    def size(self) -> int:
        """The bytes of all its files."""
        return sum(entry.size for entry in self.entries)

    @property
    def blobs(self) -> frozenset[str]:
        """The blobs that hold its files."""
        return frozenset(entry.blob for entry in self.entries if entry.blob)


def snapshot(entries: Iterable[Entry]) -> Snapshot:
    """Entries as a snapshot."""
    return Snapshot(tuple(sorted(entries)))


def recorded(found: Snapshot, blobs: Blobs) -> str:
    """Write a snapshot down in the store that holds its files; the digest of the record."""
    lines = [MAGIC]
    for path, kind, mode, mtime, size, digest, blob, offset, target in found.entries:
        words = f"{kind} {mode:o} {mtime} {size} {digest} {blob if blob != digest else '='} {offset} "
        lines.append(words.encode() + path)
        lines.append(target)
    return blobs.add_bytes(b"\0".join(lines))


def load(record: str, blobs: Blobs) -> Snapshot:
    """The snapshot with a record; DamagedError if the store has lost it."""
    magic, *lines = blobs.read(record).split(b"\0")
    if magic != MAGIC:
        raise ValueError(f"{record} is no record of a snapshot")
    targets = iter(lines)
    return Snapshot(tuple(_entry(line, next(targets)) for line in targets))


def _entry(line: bytes, target: bytes) -> Entry:
    kind, mode, mtime, size, digest, blob, offset, path = line.split(b" ", 7)
    where = digest if blob == b"=" else blob
    numbers = int(mode, 8), int(mtime), int(size)
    return Entry(path, kind.decode(), *numbers, digest.decode(), where.decode(), int(offset), target)


def shown(path: bytes) -> str:
    """A path as people may see it, on one line; bytes that are no UTF-8 by their numbers."""
    text = path.decode("utf-8", "surrogateescape")
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(letter: str) -> str:
    if "\udc80" <= letter <= "\udcff":
        return f"\\x{ord(letter) & 0xFF:02x}"
    if letter.isprintable() and letter != "\\":
        return letter
    return letter.encode("unicode_escape").decode("ascii")
