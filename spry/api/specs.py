"""Saved specs: the JSON files of a project that `spry exec` can run by name, found, read, kept and removed."""

from __future__ import annotations

import os

from spry.api.places import OWN, project, read
from spry.api.project import needed
from spry.core.fence import is_name
from spry.core.source import decode
from spry.core.text import did_you_mean
from spry.errors import HostError, Problem, RunbookError, UsageError
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spry.api.places import File
    from spry.core.source import Source
    from spry.core.taskspec import Pipeline, Spec

SHELVES = {"task": "tasks", "pipeline": "pipelines"}
SUFFIX = ".json"


class Found(NamedTuple):
    """A spec's file: its own `name`, its `path`, and the absolute `folder` that its relative paths begin in."""

    name: str
    path: str
    folder: str


def find(word: str, kind: str, folder: str) -> Found:
    """The file that a word of the command line means: a saved name, or a path; UsageError if there is none.

    What is saved in a project belongs to the project's folder, any other file to its own.
    """
    own = project(folder)
    if _is_path(word) and os.path.isfile(word):
        return _at(word)
    shelf = os.path.join(own, SHELVES[kind]) if own else ""
    name = word.removesuffix(SUFFIX)
    if shelf and is_name(name) and os.path.isfile(os.path.join(shelf, name + SUFFIX)):
        return _at(os.path.join(shelf, name + SUFFIX))
    if _is_path(word):
        raise UsageError(f"{word}: no such file", "check the path, or give the name of a saved spec")
    if not own:
        needed(folder)
    hint = did_you_mean(word, saved(kind, folder)) or f"spry spec list shows what is saved; a path ends in {SUFFIX}"
    raise UsageError(f'no {kind} is saved as "{word}"', hint)


def saved(kind: str, folder: str) -> list[str]:
    """The names of what is saved in the project of a folder, sorted; none without a project."""
    own = project(folder)
    shelf = os.path.join(own, SHELVES[kind]) if own else ""
    found = []
    for top, folders, files in os.walk(shelf) if shelf else ():
        folders.sort()
        within = os.path.relpath(top, shelf)
        names = (
            os.path.normpath(os.path.join(within, name.removesuffix(SUFFIX))) for name in files if name.endswith(SUFFIX)
        )
        found += [name for name in names if is_name(name)]
    return sorted(found)


def opened(found: Found) -> File:
    """The bytes of a spec's file, and who may have written them; UsageError where it cannot be read."""
    shown = os.path.relpath(found.path)
    return read(found.path if shown.startswith("..") else shown)


def read_task(found: Found, file: File | None = None) -> Spec:
    """The task spec in a file; RunbookError with everything that is wrong with it."""
    from spry.core.taskspec import task_spec

    return task_spec(_source(found, file or opened(found)), found.name)


def read_pipeline(found: Found, file: File | None = None) -> Pipeline:
    """The pipeline in a file; RunbookError with everything that is wrong with it."""
    from spry.core.taskspec import pipeline

    return pipeline(_source(found, file or opened(found)), found.name)


def save(name: str, kind: str, data: bytes, folder: str, *, replace: bool) -> str:
    """Keep a spec under a name: its path. UsageError if the name is taken, and it is not to be replaced."""
    from spry.artifacts.files import write_whole

    if not is_name(name):
        raise UsageError(f'"{name}" cannot name a spec', "use letters, digits and _ . : / + -")
    path = os.path.join(needed(folder), SHELVES[kind], name + SUFFIX)
    if os.path.exists(path) and not replace:
        raise UsageError(f'a {kind} is saved as "{name}" already', "--replace writes over it")
    try:
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        write_whole(path, [data])
    except OSError as error:
        raise HostError(f"cannot save {path}: {error.strerror}", "make room and write access there") from None
    return path


def delete(name: str, kind: str, folder: str) -> str:
    """Remove a saved spec: the path it had; UsageError if there is none."""
    found = find(name, kind, folder)
    if _is_path(name) or not found.path.startswith(needed(folder)):
        raise UsageError(f'"{name}" is no saved name', "spry spec list shows them")
    try:
        os.unlink(found.path)
    except OSError as error:
        raise HostError(f"cannot remove {found.path}: {error.strerror}", "remove it yourself") from None
    return found.path


def _is_path(word: str) -> bool:
    return word.endswith(SUFFIX) or word.startswith((".", "/", "~"))


def _at(path: str) -> Found:
    """A file with the folder it belongs to."""
    folder, base = os.path.split(os.path.abspath(path))
    name = base.removesuffix(SUFFIX)
    before, mark, after = f"{folder}/".rpartition(f"/{OWN}/")
    if mark and after.split("/")[0] in SHELVES.values():
        within = "/".join(after.split("/")[1:])
        return Found(within + name, path, before or "/")
    return Found(name if is_name(name) else "task", path, folder)


def _source(found: Found, file: File) -> Source:
    source = decode(file.data, file.path, found.folder)
    if isinstance(source, Problem):
        raise RunbookError([source])
    return source
