"""What a task says of its progress, as a line in the named pipe of its run."""

from __future__ import annotations

import select

from spry.execute.protocol import Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "SPRY_PROGRESS"
LONGEST = select.PIPE_BUF  # bytes; what is longer could be mixed with what others write


def line(task: str, percent: float | None, text: str) -> bytes:
    """The line that says it; words that it has no room for are cut off."""
    said = "" if percent is None else f"{percent:g}"
    whole = f"{task}\t{said}\t{' '.join(text.split())}".encode("utf-8", "replace")
    return whole[: LONGEST - 1].decode("utf-8", "ignore").encode() + b"\n"


class Reports:
    """The lines that come; what is no such line is nobody's progress."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def heard(self, data: bytes) -> list[Progress]:
        """What is said by some data and what came before it."""
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[: 2 * LONGEST]
        return list(_parsed(lines))


def _parsed(lines: list[bytes]) -> Iterator[Progress]:
    for whole in lines:
        task, tab, rest = whole.decode("utf-8", "replace").partition("\t")
        said, other, text = rest.partition("\t")
        if tab and other:
            try:
                percent = float(said) if said else None
            except ValueError:
                continue
            if percent is None or 0 <= percent <= 100:
                yield Progress(task, percent, text)
