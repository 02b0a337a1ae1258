"""What is known of files that were saved before, so that those nobody has touched are not read again.

A file that was written within the tick of a clock in which it was read may have changed without a sign; such a file is
not remembered, as git calls it racily clean. The memory is never asked whether something is in the store.
"""

from __future__ import annotations

import marshal
import os
from binascii import crc32
from contextlib import suppress

from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Row = tuple[Any, ...]  # the fields of a Known; thousands of them are made and few are looked at

MAGIC = b"spry memory 1\n"
TICK = 2_000_000_000  # nanoseconds: the coarsest clock of a file system
CTIME, READ_AT = 4, 5  # fields of a Known
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class Known(NamedTuple):
    """One file as it was when it was read, and where its bytes are."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int
    read_at: int
    digest: str
    blob: str
    offset: int


def known(status: os.stat_result, read_at: int, digest: str, blob: str, offset: int) -> Row:
    """What is known of a file that has this status, and had it when it was read, at `read_at` nanoseconds."""
    return (*_identity(status), read_at, digest, blob, offset)


def trusted(row: Row | None, status: os.stat_result) -> Row | None:
    """What is known of a file, if that is still true."""
    return row if row is not None and row[:5] == _identity(status) else None


def recall(path: str) -> dict[str, Row]:
    """What is remembered in a file; nothing if there is none, or it is not as it was written."""
    try:
        with open(os.open(path, READ), "rb") as stream:
            data = stream.read()
    except OSError:
        return {}
    checksum, payload = data[len(MAGIC) : len(MAGIC) + 4], data[len(MAGIC) + 4 :]
    if not data.startswith(MAGIC) or checksum != crc32(payload).to_bytes(4, "little"):
        return {}
    found: dict[str, Row] = marshal.loads(payload)  # noqa: S302 - its checksum matched
    return found


def remember(path: str, found: Mapping[str, Row]) -> None:
    """Keep what is known; where that is impossible, files are read again. Never raises."""
    rows = {name: row for name, row in found.items() if row[READ_AT] - row[CTIME] > TICK}
    payload = marshal.dumps(rows)
    temporary = f"{path}.{os.getpid()}.part"
    with suppress(OSError):
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as stream:
            stream.write(MAGIC + crc32(payload).to_bytes(4, "little") + payload)
        os.replace(temporary, path)


def _identity(status: os.stat_result) -> tuple[int, int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
