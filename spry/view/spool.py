"""Bytes that wait for their turn: in order, in bounded memory, the rest in a file without a name."""

from __future__ import annotations

import os
from collections import deque

LIMIT = 64 * 1024
PIECE = 64 * 1024
HEADER = 5  # one byte of tag, four of length
OVERHEAD = 100  # what Python takes for each chunk beside its bytes


class Spool:
    """A queue of tagged bytes: the first `limit` of them in memory, what comes after in an unlinked file."""

    __slots__ = ("_chunks", "_end", "_file", "_limit", "_size", "_start")

    def __init__(self, limit: int = LIMIT) -> None:
        self._chunks: deque[tuple[int, bytearray]] = deque()
        self._limit = limit
        self._size = 0
        self._file = -1
        self._start = 0
        self._end = 0

    def __bool__(self) -> bool:
        return bool(self._chunks) or self._start < self._end

    def put(self, tag: int, data: bytes | bytearray | memoryview) -> None:
        """Append bytes; raises OSError, and keeps nothing of them, when memory is full and the file cannot grow."""
        if not data:
            return
        if self._start < self._end or self._size + len(data) > self._limit:
            self._spill(tag, data)
            return
        if self._chunks and self._chunks[-1][0] == tag and len(self._chunks[-1][1]) < PIECE:
            self._chunks[-1][1].extend(data)
            self._size += len(data)
            return
        self._chunks.append((tag, bytearray(data)))
        self._size += len(data) + OVERHEAD

    def take(self) -> tuple[int, bytes] | None:
        """The oldest piece with its tag, or None when nothing is left."""
        if self._chunks:
            tag, chunk = self._chunks.popleft()
            self._size = self._size - len(chunk) - OVERHEAD if self._chunks else 0
            return tag, bytes(chunk)
        if self._start == self._end:
            return None
        header = os.pread(self._file, HEADER, self._start)
        length = int.from_bytes(header[1:], "big")
        data = os.pread(self._file, length, self._start + HEADER)
        self._start += HEADER + length
        if self._start == self._end:
            self._rewind()
        return header[0], data

    def close(self) -> None:
        """Forget everything and give the file back."""
        self._chunks.clear()
        self._size = self._start = self._end = 0
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _spill(self, tag: int, data: bytes | bytearray | memoryview) -> None:
        if self._file < 0:
            self._file = _nameless()
        view = memoryview(data)
        end = self._end
        for start in range(0, len(view), PIECE):
            piece = view[start : start + PIECE]
            end = self._store(bytes((tag,)) + len(piece).to_bytes(4, "big") + piece, end)
        self._end = end  # only now: a piece that did not fit whole was never there

    def _store(self, record: bytes, offset: int) -> int:
        view = memoryview(record)
        while view:
            written = os.pwrite(self._file, view, offset)
            view = view[written:]
            offset += written
        return offset

    def _rewind(self) -> None:
        self._start = self._end = 0
        os.ftruncate(self._file, 0)


def _nameless() -> int:
    """A file that no folder lists and that is gone with its descriptor."""
    import tempfile  # noqa: PLC0415 - only for output that outgrows memory

    file, path = tempfile.mkstemp(prefix="spry-")
    os.unlink(path)
    return file
