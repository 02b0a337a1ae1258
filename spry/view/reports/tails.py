"""The ends of what attempts wrote, in bounded memory however much and however many there are."""

from __future__ import annotations

from collections import deque
from tempfile import SpooledTemporaryFile

from spry.record import NamedTuple
from spry.view.escapes import without

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Piece = tuple[str, bytes]  # a stream's name, and what came of it in one go

LIMIT = 64 * 1024  # bytes kept of an attempt
IN_MEMORY = 4 * 1024 * 1024  # bytes kept of all attempts before a file without a name takes them
OVERHEAD = 100  # what Python takes for each piece beside its bytes
LONGEST_LINE = 4096  # a line that was cut is left out as a whole, unless it is longer


class Tail:
    """The last bytes that an attempt under way has written to both of its streams, in order."""

    __slots__ = ("_pieces", "_weight", "total")

    def __init__(self) -> None:
        self._pieces: deque[tuple[str, bytearray]] = deque()
        self._weight = 0
        self.total = 0

    def add(self, stream: str, data: bytes) -> None:
        """Take what has just been written."""
        self.total += len(data)
        data = data[-LIMIT:]
        if self._pieces and self._pieces[-1][0] == stream and len(self._pieces[-1][1]) < LIMIT:
            self._pieces[-1][1].extend(data)
        else:
            self._pieces.append((stream, bytearray(data)))
            self._weight += OVERHEAD
        self._weight += len(data)
        while self._weight > 2 * LIMIT and len(self._pieces) > 1:
            self._weight -= len(self._pieces.popleft()[1]) + OVERHEAD

    def pieces(self) -> list[Piece]:
        """At most `LIMIT` bytes from the end, from the beginning of a line on where that is near."""
        pieces = [(stream, bytes(data)) for stream, data in self._pieces]
        _shorten(pieces, sum(len(data) for _, data in pieces) - LIMIT)
        if pieces and sum(len(data) for _, data in pieces) < self.total:
            _shorten(pieces, pieces[0][1].find(b"\n", 0, LONGEST_LINE) + 1)
        return pieces


def _shorten(pieces: list[Piece], excess: int) -> None:
    """Leave out so many bytes at the beginning."""
    while excess > 0:
        stream, data = pieces.pop(0)
        if len(data) > excess:
            pieces.insert(0, (stream, data[excess:]))
        excess -= len(data)


class Shelf:
    """Keeps tails of attempts that are over until the reports are written."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed by close

    def put(self, tail: Tail) -> Output:
        """Keep what is left of a tail; where there is no room, nothing but its size is."""
        pieces = tail.pieces()
        if not pieces:
            return Output(self, tail.total)
        try:
            start = self._file.seek(0, 2)
            self._file.write(b"".join(data for _, data in pieces))
        except OSError:
            return Output(self, tail.total)
        return Output(self, tail.total, start, tuple((stream, len(data)) for stream, data in pieces))

    def take(self, start: int, lengths: Iterable[tuple[str, int]]) -> list[Piece]:
        """What was kept at a place; fewer bytes where the disk has lost some."""
        try:
            self._file.seek(start)
            return [(stream, self._file.read(length)) for stream, length in lengths]
        except OSError:
            return []

    def close(self) -> None:
        """Forget everything."""
        self._file.close()


class Output(NamedTuple):
    """What an attempt wrote: `total` bytes, of which the last are kept."""

    shelf: Shelf
    total: int
    start: int = 0
    lengths: tuple[tuple[str, int], ...] = ()

    @property
    def left_out(self) -> int:
        """How many bytes at the beginning are not kept."""
        return self.total - sum(length for _, length in self.lengths)

    def pieces(self) -> Sequence[Piece]:
        """What is kept, in the order in which it was written."""
        return self.shelf.take(self.start, self.lengths) if self.lengths else ()

    def text(self, *streams: str) -> str:
        """What is kept of these streams as plain text: see `plain`."""
        return plain(b"".join(data for stream, data in self.pieces() if stream in streams))


def plain(data: bytes) -> str:
    """Output as a page can show it: no control sequence, no part of a line that was written over, only real letters."""
    return left(without(data)).decode("utf-8", "replace")


def left(data: bytes) -> bytes:
    """What is left to see of lines that were written over, as progress bars do, with plain line ends."""
    lines = data.replace(b"\b", b"").replace(b"\r\n", b"\n").split(b"\n")
    return b"\n".join(line.rstrip(b"\r").rpartition(b"\r")[2] for line in lines)
