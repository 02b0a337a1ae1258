"""Small files on their way into blobs that they share: to make a file costs more than to write these.

They are read into one buffer, each content once. A full buffer is hashed and written on a thread, while the next one
fills.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Thread

    from spry.artifacts.blobs import Blobs

    # A small file: under which name, from which path, its status, when it was read (ns), its digest.
    Small = tuple[str, str, os.stat_result, int, str]
    Put = Callable[[Small, str, int], None]  # with the blob that it is in, and where in it

SMALL = 64 * 1024  # bytes up to which files share a blob
FULL = 4 * 1024 * 1024  # bytes of such a blob, more or less


class Packing:
    """Takes small files; `put` is told of each, on the caller's thread, once the blob that it is in is in the store."""

    __slots__ = ("_at", "_blobs", "_buffer", "_files", "_hash", "_offsets", "_put", "_spare", "_writing")

    def __init__(self, blobs: Blobs, put: Put) -> None:
        from hashlib import sha256  # noqa: PLC0415 - loads OpenSSL: only runs that save pay for it

        self._blobs, self._put, self._hash = blobs, put, sha256
        self._buffer = self._spare = memoryview(b"")
        self._writing: Writing | None = None
        self._begin()

    def _begin(self) -> None:
        self._at = 0
        self._files: list[Small] = []
        self._offsets: dict[str, int] = {}

    def read(self, descriptor: int, size: int) -> memoryview:
        """What an open file holds now, up to one byte more than `size`; only until the next call."""
        if not self._buffer:
            self._buffer = memoryview(bytearray(FULL + SMALL + 1))
        at = self._at
        count = os.preadv(descriptor, [self._buffer[at : at + size + 1]], 0)
        return self._buffer[at : at + count]

    def take(self, name: str, path: str, status: os.stat_result, read_at: int, data: memoryview) -> None:
        """Keep what was read last, of this file. OSError where that fails, also for files that were taken before."""
        digest = self._hash(data).hexdigest()
        self._files.append((name, path, status, read_at, digest))
        if digest not in self._offsets:
            self._offsets[digest] = self._at
            self._at += len(data)
            if self._at >= FULL:
                self._write()

    def finish(self) -> None:
        """Keep whatever was taken and is not kept yet; OSError where that fails."""
        if self._files:
            blob = self._blobs.add_bytes(self._buffer[: self._at])
            self._settle()
            self._tell(self._files, self._offsets, blob)
            self._begin()
        self._settle()

    def close(self) -> None:
        """Wait for what is being written; whatever comes of it, the save has failed."""
        if self._writing is not None:
            self._writing.thread.join()

    def _write(self) -> None:
        """Leave a full buffer to a thread."""
        self._settle()
        self._writing = Writing(self._blobs, self._buffer[: self._at], self._files, self._offsets)
        self._buffer, self._spare = self._spare, self._buffer
        self._begin()

    def _settle(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            self._tell(writing.files, writing.offsets, writing.ended())

    def _tell(self, files: list[Small], offsets: dict[str, int], blob: str) -> None:
        for one in files:
            self._put(one, blob, offsets[one[4]])


class Writing:
    """A buffer that a thread hashes and writes."""

    __slots__ = ("_blob", "_fault", "files", "offsets", "thread")

    thread: Thread

    def __init__(self, blobs: Blobs, data: memoryview, files: list[Small], offsets: dict[str, int]) -> None:
        from threading import Thread  # noqa: PLC0415 - only for some megabytes of small files

        self.files, self.offsets = files, offsets
        self._blob = ""
        self._fault: BaseException | None = None
        self.thread = Thread(target=self._write, args=(blobs, data), name="spry-pack")
        self.thread.start()

    def _write(self, blobs: Blobs, data: memoryview) -> None:
        try:
            self._blob = blobs.add_bytes(data)
        except BaseException as error:  # noqa: BLE001 - it is raised again where the blob is needed
            self._fault = error

    def ended(self) -> str:
        """The blob, as soon as it is there; what kept it from that is raised."""
        self.thread.join()
        if self._fault is not None:
            raise self._fault
        return self._blob
