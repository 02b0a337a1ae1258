"""What tasks have saved, for people and for programs."""

from __future__ import annotations

import json
import os

from spry.core.text import format_size, plural
from spry.record import NamedTuple
from spry.view.columns import printable, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Path(NamedTuple):
    """One saved path; `kind` is file, link or folder, `target` where a link leads."""

    path: bytes
    kind: str
    mode: int
    mtime_ns: int
    size: int
    sha256: str
    target: bytes


class Save(NamedTuple):
    """What a task of a run saved; `tree` is the digest of all of it."""

    run: str
    task: str
    tree: str
    paths: Sequence[Path]

    @property
    def files(self) -> int:
        """How many files and links."""
        return sum(one.kind != "folder" for one in self.paths)

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(one.size for one in self.paths)


def saves(found: Sequence[Save]) -> str:
    """A table of tasks: how many files, how large, which digest."""
    if not found:
        return "nothing is saved here\n"
    rows = [(one.run, one.task, str(one.files), format_size(one.size), one.tree[:12]) for one in found]
    return table([("RUN", "TASK", "FILES", "SIZE", "TREE"), *rows])


def saves_as_json(found: Sequence[Save]) -> str:
    """The same as a list of objects."""
    return _json([_save(one) for one in found])


def files(found: Sequence[Save]) -> str:
    """Every path, a line each, beside the name of its task."""
    rows = [
        (save.task, one.kind, f"{one.mode:04o}", str(one.size), one.sha256[:12], _name(one))
        for save in found
        for one in save.paths
    ]
    return table([("TASK", "KIND", "MODE", "SIZE", "SHA-256", "PATH"), *rows])


def files_as_json(found: Sequence[Save]) -> str:
    """The same as a list of objects, with all that is known of each file."""
    return _json([{**_save(one), "paths": [_path(path) for path in one.paths]} for one in found])


def exported(destination: str, found: Sequence[Save]) -> str:
    """What was copied."""
    return f"{plural(sum(one.files for one in found), 'file')} in {printable(destination)}"


def exported_as_json(destination: str, found: Sequence[Save]) -> str:
    """The same as an object."""
    return _json({"destination": destination, "saves": [_save(one) for one in found]})


def _save(one: Save) -> dict[str, object]:
    return {"run": one.run, "task": one.task, "files": one.files, "size": one.size, "tree": one.tree}


def _path(one: Path) -> dict[str, object]:
    r"""A path; bytes of a name that are no UTF-8 are written out as `\xff`."""
    return {
        "path": _text(one.path),
        "kind": one.kind,
        "mode": f"{one.mode:04o}",
        "mtime_ns": one.mtime_ns,
        "size": one.size,
        "sha256": one.sha256 or None,
        "target": _text(one.target) if one.kind == "link" else None,
    }


def _name(one: Path) -> str:
    end = {"link": f" → {_line(one.target)}", "folder": "/"}
    return _line(one.path) + end.get(one.kind, "")


def _line(path: bytes) -> str:
    return printable(os.fsdecode(path)).replace("\n", "\\n")


def _text(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"
