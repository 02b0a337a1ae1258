"""What people asked of a run while it was under way, in a file beside it: a line for each command."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

NAME, LISTENS = "control", b"listens\n"
APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


def begin(place: str) -> None:
    """Write down that the run with its files in a folder obeys messages."""
    _append(place, LISTENS)


def listens(place: str) -> bool:
    """Whether it does."""
    try:
        with open(os.path.join(place, NAME), "rb") as stream:
            return stream.readline() == LISTENS
    except OSError:
        return False


def note(place: str, command: str) -> None:
    """Write down that a command reached the run; where there is no room for that, it has its effect all the same."""
    try:
        _append(place, f"{time.time_ns()} {command.lower()}\n".encode())
    except OSError:
        return


def noted(place: str) -> Iterator[tuple[int, str]]:
    """The commands that reached a run, with the nanoseconds since 1970."""
    try:
        with open(os.path.join(place, NAME), "rb") as stream:
            lines = stream.read().decode(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        at, _, command = line.partition(" ")
        if at.isdigit() and command:
            yield int(at), command


def _append(place: str, line: bytes) -> None:
    file = os.open(os.path.join(place, NAME), APPEND, 0o600)
    try:
        os.write(file, line)
    finally:
        os.close(file)
