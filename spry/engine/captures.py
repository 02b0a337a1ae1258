"""What an attempt writes to stdout, kept for its captures until it has succeeded."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

IN_MEMORY = 1024 * 1024
CHUNK = 1024 * 1024


class Keeper:
    """The stdout of one attempt: in memory up to a megabyte, then in a file without a name.

    Where there is no room for that file, `fault` says so and nothing more is kept.
    """

    __slots__ = ("fault", "pieces", "size", "stream")

    def __init__(self) -> None:
        self.fault: OSError | None = None
        self.pieces: list[bytes] = []
        self.size = 0
        self.stream: int | None = None

    def add(self, data: bytes) -> None:
        """Keep some more."""
        if self.fault is not None:
            return
        self.size += len(data)
        self.pieces.append(data)
        if self.stream is not None or self.size > IN_MEMORY:
            try:
                self._spill()
            except OSError as error:
                self.fault = error
                self.pieces.clear()

    def _spill(self) -> None:
        if self.stream is None:
            self.stream = _nameless()
        for piece in self.pieces:
            view = memoryview(piece)
            while view:
                view = view[os.write(self.stream, view) :]
        self.pieces.clear()

    def chunks(self) -> Iterator[bytes]:
        """Everything, from the start."""
        if self.stream is not None:
            at = 0
            while data := os.pread(self.stream, CHUNK, at):
                at += len(data)
                yield data
        yield from self.pieces

    def head(self, most: int) -> bytes:
        """The first bytes, up to `most`."""
        if self.stream is not None:
            return os.pread(self.stream, most, 0)
        return b"".join(self.pieces)[:most]

    def path(self, small: str) -> str:
        """A path from which all of it can be read, by one reader at a time: a file of this name, if it is small."""
        if self.stream is not None:
            self._spill()
            os.lseek(self.stream, 0, os.SEEK_SET)  # where a reader shares our place in it (macOS)
            return (
                f"/proc/{os.getpid()}/fd/{self.stream}" if os.path.exists("/proc/self/fd") else f"/dev/fd/{self.stream}"
            )
        with open(os.open(small, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.writelines(self.pieces)
        return small

    def close(self) -> None:
        """Forget it all."""
        if self.stream is not None:
            os.close(self.stream)
            self.stream = None
        self.pieces.clear()


def _nameless() -> int:
    """A descriptor of a temporary file that nobody else can open, and that is gone when it is closed."""
    import tempfile  # noqa: PLC0415 - only for a capture of more than a megabyte

    descriptor, path = tempfile.mkstemp(prefix="spry-")
    os.unlink(path)
    return descriptor


def read_outputs(path: str, shown: Callable[[str], str] = str) -> dict[str, str]:
    """The values that a task has left in its `$SPRY_OUTPUT`; ValueError says what is wrong with them.

    `shown` hides secrets in what that says.
    """
    if not os.path.isfile(path):  # to open a pipe would wait for its writer
        raise ValueError("$SPRY_OUTPUT is no file any more: the task has put something else in its place")
    try:
        with open(path, encoding="utf-8") as stream:
            return outputs(stream.read(), shown)
    except UnicodeDecodeError:
        raise ValueError("$SPRY_OUTPUT is not UTF-8 text") from None


def outputs(text: str, shown: Callable[[str], str] = str) -> dict[str, str]:
    """The values in `$SPRY_OUTPUT`: lines `key=value`, or `key<<EOF`, the value's lines, and `EOF` alone.

    The form is that of GITHUB_OUTPUT; a later line wins. Raises ValueError with what is wrong and the line.
    """
    found: dict[str, str] = {}
    lines = iter(enumerate(text.split("\n"), 1))
    for number, line in lines:
        if not line.strip():
            continue
        key, mark, value = line.partition("=")
        name, heredoc, end = line.partition("<<")
        if heredoc and len(name) < len(key):
            found[_key(name, number, shown)] = _until(end, lines, number, shown)
        elif mark:
            found[_key(key, number, shown)] = value
        else:
            raise ValueError(f'line {number} of $SPRY_OUTPUT is neither key=value nor key<<END: "{shown(line)[:60]}"')
    return found


def _key(text: str, number: int, shown: Callable[[str], str]) -> str:
    if not text or not all(letter.isalnum() or letter in "_.:/+-" for letter in text):
        raise ValueError(f'line {number} of $SPRY_OUTPUT has no valid key: "{shown(text)[:60]}"')
    return text


def _until(end: str, lines: Iterator[tuple[int, str]], number: int, shown: Callable[[str], str]) -> str:
    taken: list[str] = []
    for _, line in lines:
        if line == end:
            return "\n".join(taken)
        taken.append(line)
    raise ValueError(f'the value that begins in line {number} of $SPRY_OUTPUT has no end "{shown(end)[:60]}"')
