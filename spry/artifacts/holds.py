"""What is not to be swept: each owner's snapshots, in files that grow by one line for each.

An owner is a run, by its id, or something else that refers to snapshots. A line names what was saved (a task), the
record of its snapshot, and until when that is kept; the last line for a name counts, and one without its end is none.
"""

from __future__ import annotations

import os
from contextlib import suppress

from spry.artifacts.blobs import Blobs, DamagedError
from spry.artifacts.copying import written
from spry.artifacts.files import write_whole
from spry.artifacts.snapshots import load
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


class Hold(NamedTuple):
    """A snapshot that somebody refers to; `until` is an instant in seconds, 0 for as long as the owner is known."""

    name: str
    record: str
    until: float = 0.0


class Swept(NamedTuple):
    """What a sweep freed."""

    files: int = 0
    size: int = 0


def hold(folder: str, owner: str, held: Hold) -> None:
    """Refer to a snapshot; the caller is within `Blobs.adding()` since before it was saved. OSError if it fails."""
    os.makedirs(os.path.join(folder, "holds"), 0o700, exist_ok=True)
    descriptor = os.open(_path(folder, owner), APPEND, 0o600)
    try:
        written(descriptor, b"\n" + _line(held))  # whatever a dying process left before it ends here
    finally:
        os.close(descriptor)


def held(folder: str, owner: str) -> dict[str, Hold]:
    """What an owner refers to, by name."""
    try:
        with open(_path(folder, owner), "rb") as stream:
            lines = stream.read().split(b"\n")[:-1]
    except FileNotFoundError:
        return {}
    found: dict[str, Hold] = {}
    for line in lines:
        words = line.decode("utf-8", "surrogateescape").split(" ", 2)
        if len(words) == 3 and len(words[0]) == 64 and words[1].replace(".", "").isdigit():
            found[words[2]] = Hold(words[2], words[0], float(words[1]))
    return found


def release(folder: str, owner: str) -> None:
    """An owner refers to nothing any more."""
    with suppress(FileNotFoundError):
        os.unlink(_path(folder, owner))


def owners(folder: str) -> list[str]:
    """Everybody who refers to something."""
    try:
        return sorted(os.listdir(os.path.join(folder, "holds")))
    except FileNotFoundError:
        return []


def sweep(folder: str, is_needed: Callable[[str, Hold], bool]) -> Swept:
    """Drop what nobody needs any more: holds of which the caller says so, then blobs that no other one refers to.

    Waits until nobody adds anything. A snapshot whose record is damaged keeps nothing: it cannot be restored.
    """
    if not os.path.isdir(folder):
        return Swept()
    blobs = Blobs(folder)
    lock = blobs.lock(alone=True)
    try:
        keep: set[str] = set()
        for owner in owners(folder):
            found = held(folder, owner)
            needed = [one for one in found.values() if is_needed(owner, one)]
            if not needed:
                release(folder, owner)
            elif len(needed) < len(found):
                write_whole(_path(folder, owner), map(_line, needed), mode=0o600)
            for one in needed:
                keep |= _blobs(one.record, blobs)
        return Swept(*blobs.sweep(keep))
    finally:
        os.close(lock)


def _blobs(record: str, blobs: Blobs) -> frozenset[str]:
    try:
        return load(record, blobs).blobs | {record}
    except (DamagedError, ValueError):
        return frozenset()


def _line(one: Hold) -> bytes:
    return f"{one.record} {one.until:.3f} {one.name}\n".encode("utf-8", "surrogateescape")


def _path(folder: str, owner: str) -> str:
    return os.path.join(folder, "holds", owner)
