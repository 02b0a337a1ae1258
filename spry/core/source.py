"""The text of a runbook and places in it."""

from __future__ import annotations

from spry.errors import Problem
from spry.record import NamedTuple

BOM = "\ufeff"


class Source(NamedTuple):
    """One runbook as it was read: `path` as people wrote it, `folder` absolute, `text` with LF line ends."""

    path: str
    folder: str
    text: str
    lines: tuple[str, ...]

    def problem(
        self,
        message: str,
        line: int = 0,
        column: int = 0,
        length: int = 1,
        hint: str = "",
        severity: str = "error",
    ) -> Problem:
        """A problem at a place of this file, with the line as its excerpt."""
        excerpt = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        return Problem(message, self.path, line, column, max(length, 1), excerpt, hint, severity)


def source(text: str, path: str = "runbook.md", folder: str = ".") -> Source:
    """Text as a `Source`: CRLF and CR become LF, as CommonMark reads them, and a byte order mark is dropped."""
    text = text.removeprefix(BOM).replace("\r\n", "\n").replace("\r", "\n")
    return Source(path, folder, text, tuple(text.split("\n")))


def decode(data: bytes, path: str, folder: str) -> Source | Problem:
    """The bytes of a file as a `Source`, or what is wrong with them (not UTF-8, NUL bytes), with its line."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return _undecodable(data, path, error)
    nul = text.find("\0")
    read = source(text, path, folder)
    if nul < 0:
        return read
    before = source(text[:nul]).lines
    hint = "remove it: shells cannot be handed a NUL"
    return read.problem("NUL byte in the runbook", len(before), len(before[-1]) + 1, hint=hint)


def _undecodable(data: bytes, path: str, error: UnicodeDecodeError) -> Problem:
    before = source(data[: error.start].decode("utf-8")).lines
    message = f"not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}"
    return Problem(
        message,
        path,
        len(before),
        len(before[-1]) + 1,
        excerpt=before[-1],
        hint="save the file as UTF-8 text",
    )
