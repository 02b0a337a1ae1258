"""What is known of files that were saved before, so that those nobody has touched are not read again.

A file that was written within the tick of a clock in which it was read may have changed without a sign; such a file is
not remembered, as git calls it racily clean. The memory is never asked whether something is in the store.
"""

from __future__ import annotations

import marshal
import os
from binascii import crc32
from contextlib import suppress
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MAGIC = b"spry memory 1\n"
TICK = 2_000_000_000  # nanoseconds: the coarsest clock of a file system
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

    @staticmethod
    def of(status: os.stat_result, read_at: int, digest: str, blob: str, offset: int) -> Known:
        """What is known of a file that has this status, and had it when it was read, `read_at` nanoseconds."""
        return Known(*_identity(status), read_at, digest, blob, offset)


def trusted(known: Known | None, status: os.stat_result) -> Known | None:
    """What is known of a file, if that is still true."""
    return known if known is not None and known[:5] == _identity(status) else None


def recall(path: str) -> dict[str, Known]:
    """What is remembered in a file; nothing if there is none, or it is not as it was written."""
    try:
        with open(os.open(path, READ), "rb") as stream:
            data = stream.read()
    except OSError:
        return {}
    checksum, payload = data[len(MAGIC) : len(MAGIC) + 4], data[len(MAGIC) + 4 :]
    if not data.startswith(MAGIC) or checksum != crc32(payload).to_bytes(4, "little"):
        return {}
    return {name: Known._make(row) for name, row in marshal.loads(payload).items()}  # noqa: S302 - its checksum matched


def remember(path: str, known: Mapping[str, Known]) -> None:
    """Keep what is known; where that is impossible, files are read again. Never raises."""
    rows = {name: tuple(one) for name, one in known.items() if one.read_at - one.ctime_ns > TICK}
    payload = marshal.dumps(rows)
    temporary = f"{path}.{os.getpid()}.part"
    with suppress(OSError):
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as stream:
            stream.write(MAGIC + crc32(payload).to_bytes(4, "little") + payload)
        os.replace(temporary, path)


def _identity(status: os.stat_result) -> tuple[int, int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
