"""What tasks write, byte for byte: one file of bytes for a run and an index of who wrote which of them.

A run has two descriptors open for this, however many tasks it has. The bytes are written first and then their place,
so that what the index knows is there, also after the writer was killed.
"""

from __future__ import annotations

import os
from struct import Struct

from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

BYTES, INDEX = "output", "output.index"
ENTRY = Struct("<IIBdQI")  # task, attempt, stream, at, offset, length
STREAMS = ("stdout", "stderr")
CREATE = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
READ = os.O_RDONLY | os.O_CLOEXEC
CHUNK = 1 << 16
MANY = 4096  # entries of the index that are read at a time


class Piece(NamedTuple):
    """Bytes that a task wrote at one time: `task` is its place in the run's order, `stream` an index of STREAMS."""

    task: int
    attempt: int
    stream: int
    at: float
    offset: int
    length: int


class LogWriter:
    """Appends to the log of one run, whose folder is there; raises OSError where that fails."""

    __slots__ = ("_bytes", "_index", "_offset")

    def __init__(self, folder: str) -> None:
        self._bytes = os.open(os.path.join(folder, BYTES), CREATE, 0o600)
        try:
            self._index = os.open(os.path.join(folder, INDEX), CREATE, 0o600)
        except OSError:
            os.close(self._bytes)
            raise
        self._offset = 0

    def append(self, task: int, attempt: int, stream: int, at: float, data: bytes) -> None:
        """Keep some output; what could be written of it is known also if the rest could not."""
        start, view = self._offset, memoryview(data)
        try:
            while view:
                written = os.write(self._bytes, view)
                self._offset += written
                view = view[written:]
        finally:
            if self._offset > start:
                os.write(self._index, ENTRY.pack(task, attempt, stream, at, start, self._offset - start))

    def close(self) -> None:
        """Nothing more will come."""
        os.close(self._bytes)
        os.close(self._index)


class LogReader:
    """Reads the log of one run, also while it grows; a run that wrote nothing has an empty one."""

    __slots__ = ("_bytes", "_folder", "_index", "_read")

    def __init__(self, folder: str) -> None:
        self._folder, self._bytes, self._index, self._read = folder, -1, -1, 0

    def pieces(self) -> Iterator[Piece]:
        """What was written since the last call, in order."""
        if not self._open():
            return
        while data := os.pread(self._index, ENTRY.size * MANY, self._read):
            whole = len(data) // ENTRY.size * ENTRY.size
            if not whole:
                return
            self._read += whole
            yield from map(Piece._make, ENTRY.iter_unpack(data[:whole]))

    def data(self, piece: Piece) -> Iterator[bytes]:
        """The bytes of a piece, a little at a time."""
        at, end = piece.offset, piece.offset + piece.length
        while at < end and (data := os.pread(self._bytes, min(CHUNK, end - at), at)):
            at += len(data)
            yield data

    def close(self) -> None:
        """Close the files."""
        for descriptor in (self._bytes, self._index):
            if descriptor >= 0:
                os.close(descriptor)
        self._bytes = self._index = -1

    def _open(self) -> bool:
        if self._index >= 0:
            return True
        try:
            self._bytes = os.open(os.path.join(self._folder, BYTES), READ)
            self._index = os.open(os.path.join(self._folder, INDEX), READ)
        except FileNotFoundError:
            self.close()
            return False
        return True
