"""The files that tasks made when they last succeeded, kept so that those that go missing can be put back.

What cannot be kept, or put back, costs no more than running a task again: nothing here fails one.
"""

from __future__ import annotations

import os
import re

from spry.artifacts import filling, holds, saving, snapshots
from spry.artifacts.blobs import Blobs
from spry.artifacts.contents import OPENING
from spry.artifacts.copying import never
from spry.artifacts.holds import Hold
from spry.artifacts.links import HOPS
from spry.artifacts.snapshots import FILE, LINK, Entry
from spry.core.fingerprint import digest
from spry.core.saving import Saving
from spry.errors import SpryError
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from spry.core.fingerprint import Part

OWNER = "task-"
FOLDER = "folder"  # what `artifacts.contents` says of one
MAGIC = re.compile(r"([*?\[{\\!|()~])")
PROGRAM = 0o100  # what the owner may do with a file that can be run


class Kept(NamedTuple):
    """What of a task's files can be put back: entries below a folder, by path."""

    root: str
    entries: dict[bytes, Entry]

    @property
    def size(self) -> int:
        """The bytes of it, with those that could be written while a file is made."""
        return sum(entry.size + OPENING for entry in self.entries.values())


class Keepsakes:
    """Files in the store of a history; `avoid` are folders of ours, that no task can have made."""

    __slots__ = ("_avoid", "_blobs", "_folder", "_warn")

    def __init__(self, folder: str, avoid: str, warn: Callable[[str], None], go_on: Callable[[], None] = never) -> None:
        self._folder, self._avoid, self._warn = folder, avoid, warn
        self._blobs = Blobs(folder, go_on)

    def keep(self, book: str, task: str, base: str, made: Sequence[Part]) -> None:
        """Keep what a task made in a folder, in place of what it made before."""
        owner = owner_of(book, task)
        root, names = _rooted(base, [part.name for part in made])
        folders = set(_rooted(base, [part.name for part in made if part.digest == FOLDER])[1])
        try:
            with self._blobs.adding():
                if names:
                    exactly = [_exactly(name, is_tree=name in folders) for name in names]
                    found = saving.save(self._blobs, root, exactly, self._avoided())
                    record = snapshots.recorded(found, self._blobs)
                holds.release(self._folder, owner)
                if names:
                    holds.hold(self._folder, owner, Hold(task, record))
        except (SpryError, OSError) as error:
            self._warn(f"what {task} made is not kept, and is made again if it goes missing: {_why(error)}")

    def find(self, book: str, task: str, base: str, missing: Sequence[Part]) -> Kept | None:
        """The files that are missing in a folder, if the store has them all as they were."""
        root, names = _rooted(base, [part.name for part in missing])
        held = holds.held(self._folder, owner_of(book, task)).get(task)
        if held is None or len(names) < len(missing):
            return None
        try:
            known = {entry.path: entry for entry in snapshots.load(held.record, self._blobs).entries}
            if not all(entry.kind != FILE or self._blobs.size(entry.blob) >= 0 for entry in known.values()):
                return None
        except (SpryError, OSError, ValueError):
            return None
        found = {os.fsencode(name): known.get(os.fsencode(name)) for name in names}
        entries = {path: entry for path, entry in found.items() if entry is not None}
        is_whole = all(
            part.digest in _digests(entries.get(os.fsencode(name)), known)
            for name, part in zip(names, missing, strict=True)
        )
        return Kept(root, entries) if is_whole else None

    def put_back(self, task: str, kept: Kept) -> bool:
        """Put files back; whether that worked. What is in the way stays."""
        tree = {path: (entry, task) for path, entry in kept.entries.items()}
        try:
            filling.fill(self._blobs, tree, kept.root, replace=True)
        except (SpryError, OSError) as error:
            self._warn(f"what {task} made cannot be put back, so it runs again: {_why(error)}")
            return False
        return True

    def _avoided(self) -> list[tuple[int, int]]:
        stats = map(os.stat, filter(os.path.exists, (self._folder, self._avoid)))
        return [(one.st_dev, one.st_ino) for one in stats]


def owner_of(book: str, task: str) -> str:
    """The name under which the files of a task are held."""
    return OWNER + digest(f"{book}\n{task}")


def _rooted(base: str, paths: Iterable[str]) -> tuple[str, list[str]]:
    """A folder that all these paths lie in, and their names there; absolute ones are none of ours, and left out."""
    plain = [os.path.normpath(path) for path in paths if not os.path.isabs(path)]
    up = max((path.split("/").count("..") for path in plain), default=0)
    root = os.path.normpath(os.path.join(base, *[".."] * up))
    return root, [os.path.relpath(os.path.join(base, path), root) for path in plain]


def _exactly(path: str, *, is_tree: bool) -> Saving:
    """The pattern that means this path and no other."""
    return Saving(MAGIC.sub(r"\\\1", path), is_tree=is_tree)


def _digest(entry: Entry | None) -> str:
    """What a file will hold, in the words of `artifacts.contents`."""
    if entry is None:
        return ""
    if entry.kind == LINK:
        return f"link {os.fsdecode(entry.target)}"
    kind = "program" if entry.mode & PROGRAM else "file"
    return f"{kind} {entry.digest}" if entry.kind == FILE else FOLDER


def _digests(entry: Entry | None, known: Mapping[bytes, Entry]) -> tuple[str, ...]:
    """What a file will hold; a link to one of the others may count as what that one holds, as in `Contents`."""
    return _digest(entry), _digest(_end(entry, known))


def _end(entry: Entry | None, known: Mapping[bytes, Entry]) -> Entry | None:
    """Where a link leads, by way of other links; None if that is none of these, or only over linked folders."""
    for _ in range(HOPS):
        if entry is None or entry.kind != LINK or entry.target.startswith(b"/"):
            return entry
        up, steps = os.path.dirname(entry.path), entry.target.split(b"/")
        while steps[:1] == [b".."]:
            up, steps = os.path.dirname(up), steps[1:]
        entry = known.get(os.path.normpath(os.path.join(up, *steps))) if steps and b".." not in steps else None
    return None


def _why(error: Exception) -> str:
    return error.message if isinstance(error, SpryError) else str(error)
