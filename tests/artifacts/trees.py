"""Trees on a disk: made for a test, and described so that two can be compared."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from spry.artifacts.blobs import Blobs
from spry.artifacts.restoring import Owned, restore
from spry.artifacts.saving import save
from spry.core.saving import Saving, parse

if TYPE_CHECKING:
    from pathlib import Path

    from spry.artifacts.snapshots import Snapshot


def patterns(*texts: str) -> list[Saving]:
    """The patterns of a task."""
    found = [parse(text) for text in texts]
    assert all(isinstance(one, Saving) for one in found), found
    return found  # type: ignore[return-value]


def make(root: Path, **files: str) -> Path:
    """Files with their text; `__` in a name stands for a slash."""
    root.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def described(root: Path | bytes | str) -> dict[bytes, tuple[object, ...]]:
    """Every path below a folder: kind, permissions, time, and content or target."""
    root = os.fsencode(root)
    found: dict[bytes, tuple[object, ...]] = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            status = os.lstat(path)
            kind = stat.S_IFMT(status.st_mode)
            content: object = None
            if kind == stat.S_IFLNK:
                content = os.readlink(path)
            elif kind == stat.S_IFREG:
                with open(path, "rb") as stream:
                    content = stream.read()
            mode = 0 if kind == stat.S_IFLNK else status.st_mode & 0o777
            found[path[len(root) + 1 :]] = (kind, mode, status.st_mtime_ns, content)
    return found


class Shelf:
    """A store, and tasks that save into it from folders of their own."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.blobs = Blobs(str(place / "store"))
        self.saved: list[Owned] = []

    def save(self, folder: Path, *texts: str, owner: str = "a", memo: str = "") -> Snapshot:
        """A task saves."""
        found = save(self.blobs, str(folder), patterns(*texts), memo=memo)
        self.saved.append(Owned(owner, found))
        return found

    def restore(self, name: str = "out", within: str = "") -> Path:
        """Everything that was saved, in a new folder."""
        restore(self.blobs, self.saved, str(self.place / name), within)
        return self.place / name

    def names(self, name: str = "out") -> list[str]:
        """The files of a new folder with everything that was saved."""
        root = self.restore(name)
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir() or path.is_symlink())

    def blob_files(self) -> list[Path]:
        """The blobs in the store."""
        return [path for path in (self.place / "store" / "blobs").rglob("*") if path.is_file()]
