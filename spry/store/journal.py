"""What happens in one run, row by row, in a file of its own until the database has it.

A row costs one write of some hundred bytes, where a transaction would cost twenty times that; so each fact is here
before anybody is shown it, and the database takes many of them at a time. A frame is a length, a checksum and the
marshalled row: `marshal` can crash on bytes it did not write, so nothing is unmarshalled before the checksum matched,
and what a dying process left half written is no row.
"""

from __future__ import annotations

import marshal
import os
from binascii import crc32
from contextlib import suppress
from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from spry.store.rows import Row

NAME = "journal"
FRAME = Struct("<II")  # bytes of the row, its checksum
CREATE = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
FORMAT = 4  # of marshal: every Python from 3.4 on reads it


class Journal:
    """Appends to the journal of one run, whose folder is there; raises OSError where that fails."""

    __slots__ = ("_descriptor",)

    def __init__(self, folder: str) -> None:
        self._descriptor = os.open(os.path.join(folder, NAME), CREATE, 0o600)

    def append(self, row: Row) -> None:
        """Keep a row."""
        data = marshal.dumps(row, FORMAT)
        rest = FRAME.pack(len(data), crc32(data)) + data
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def close(self) -> None:
        """Nothing more will come."""
        os.close(self._descriptor)


def forget(folder: str) -> None:
    """The database has what the journal of a run says."""
    with suppress(FileNotFoundError):
        os.unlink(os.path.join(folder, NAME))


def read(folder: str) -> Iterator[Row]:
    """The rows in the journal of a run, also while it grows; none if it has no journal (any more)."""
    try:
        with open(os.path.join(folder, NAME), "rb") as stream:
            data = stream.read()
    except FileNotFoundError:
        return
    at = 0
    while at + FRAME.size <= len(data):
        size, checksum = FRAME.unpack_from(data, at)
        frame = data[at + FRAME.size : at + FRAME.size + size]
        if not size or len(frame) < size or crc32(frame) != checksum:
            return  # after a loss of power the end of a file can be all zeros
        yield marshal.loads(frame)  # noqa: S302 - its checksum has matched
        at += FRAME.size + size
