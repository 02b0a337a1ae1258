"""Saved trees back into a folder: conflicts are found before a byte is written, and nothing lands outside of it.

A tree appears at once: it grows under another name beside its destination and is renamed.
"""

from __future__ import annotations

import os

from spry.artifacts.blobs import unwritable
from spry.artifacts.filling import fill
from spry.artifacts.links import check_links
from spry.artifacts.snapshots import FOLDER, Entry, Snapshot, shown
from spry.core.saving import Place, clashes
from spry.errors import SpryError
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from spry.artifacts.blobs import Blobs


class Owned(NamedTuple):
    """A snapshot, and the task that saved it."""

    owner: str
    snapshot: Snapshot


def merged(saved: Sequence[Owned]) -> dict[bytes, tuple[Entry, str]]:
    """All saved trees as one, with the task that saved each path; SpryError for the first conflict.

    A folder that several saved has every permission that one of them gave it, and the latest time.
    """
    for one in saved:
        _check_paths(one)
    places = (Place(one.owner, entry.path, entry.kind == FOLDER) for one in saved for entry in one.snapshot.entries)
    clash = next(clashes(places), None)
    if clash is not None:
        raise SpryError(clash.told(shown(clash.path)), "save one of them under another name with --save 'GLOB:DEST'")
    tree: dict[bytes, tuple[Entry, str]] = {}
    for owner, found in saved:
        for entry in found.entries:
            other = tree.get(entry.path)
            tree[entry.path] = (entry if other is None else _shared(entry, other[0])), owner
    check_links(entry for entry, _ in tree.values())
    return tree


def _check_paths(saved: Owned) -> None:
    """Raise SpryError for a path that no save of ours has written down."""
    for entry in saved.snapshot.entries:
        path = entry.path
        whole = b"/" + path + b"/"
        if b"//" in whole or b"/./" in whole or b"/../" in whole or b"\0" in whole:
            raise SpryError(f"'{shown(path)}', saved by '{saved.owner}', is no path in a folder", "save it anew")


def _shared(one: Entry, other: Entry) -> Entry:
    return one._replace(mode=one.mode | other.mode, mtime_ns=max(one.mtime_ns, other.mtime_ns))


def restore(blobs: Blobs, saved: Sequence[Owned], destination: str, within: str = "") -> None:
    """Make a new folder of all that was saved, below `within` in it; it is there whole, or not at all.

    Raises SpryError for a conflict, for a damaged store, naming file and task, and if the folder exists and is not
    empty; HostError where there is no room.
    """
    tree = merged(saved)
    parent, name = os.path.split(os.path.abspath(destination))
    part = os.path.join(parent, f".{name[:100]}.{os.getpid()}.part")
    try:
        os.makedirs(parent, exist_ok=True)
        os.mkdir(part)
        try:
            inside = os.path.join(part, within)
            os.makedirs(inside, exist_ok=True)
            fill(blobs, tree, inside)
            os.rename(part, destination)
        except BaseException:
            remove(part)
            raise
    except OSError as error:
        if os.path.lexists(destination):
            raise SpryError(f"{destination} is there already", "name a folder that is not there, or is empty") from None
        raise unwritable(error) from None


def remove(path: str) -> None:
    """Remove a tree, whatever a task has made of its permissions; links are removed, not followed."""
    import shutil  # noqa: PLC0415 - only runs with folders of their own

    shutil.rmtree(path, ignore_errors=True)
    if os.path.lexists(path):
        for folder, names, _ in os.walk(path):
            os.chmod(folder, 0o700)
            for name in names:
                if not os.path.islink(inner := os.path.join(folder, name)):
                    os.chmod(inner, 0o700)
        shutil.rmtree(path)
