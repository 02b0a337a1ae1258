"""Where runbooks are: files, folders, globs, stdin, or the nearest one upward; and their bytes, read once."""

from __future__ import annotations

import os
import stat
import sys

from spry.engine.project import upward
from spry.errors import HostError, UsageError
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STDIN = "<stdin>"
NAMES = ("Spryfile.md", "README.md")
OWN = ".spry"  # the folder that makes a project of the one it is in
UNKNOWN, ANYBODY = -1, -2  # owners of what comes through a pipe, and of a file that others may write


class File(NamedTuple):
    """A runbook's bytes: `path` as people should see it, `folder` absolute, where its tasks run.

    `owner` is the user id of whoever may have written it as it was when it was read: the owner of the file, or of a
    link to it.
    """

    path: str
    folder: str
    data: bytes
    owner: int = UNKNOWN


def is_runbook(word: str) -> bool:
    """Whether a word of the command line is a file rather than a name."""
    return word.lower().endswith((".md", ".markdown"))


def find(given: Sequence[str]) -> list[File]:
    """The runbooks a command works on, each once: those that were named, or the nearest.

    Raises UsageError for a name that leads nowhere, and when there is no runbook, saying where one was looked for;
    HostError where the current folder is gone, as no path is relative to that.
    """
    try:
        os.getcwd()
    except FileNotFoundError:
        raise HostError("the current folder does not exist any more", "go to another folder, or give -C DIR") from None
    if not given:
        return nearest()
    paths: dict[str, str] = {}
    for path in (path for name in given for path in expand(name)):
        paths.setdefault(path if path == STDIN else os.path.realpath(path), path)
    return [read(path) for path in paths.values()]


def expand(name: str) -> list[str]:
    """The files that a word of the command line stands for."""
    if name == "-":
        return [STDIN]
    if os.path.isdir(name):
        for own in NAMES:
            if os.path.isfile(os.path.join(name, own)):
                return [os.path.normpath(os.path.join(name, own))]
        raise UsageError(f"{name}: no {' or '.join(NAMES)} in this folder", "name the file")
    if os.path.exists(name) or not any(letter in name for letter in "*?["):
        return [os.path.normpath(name)]
    import glob

    found = sorted(os.path.normpath(path) for path in glob.glob(name, recursive=True) if os.path.isfile(path))
    if not found:
        raise UsageError(f"{name}: no file matches", "check the pattern, and quote it")
    return found


def read(path: str) -> File:
    """The bytes of one file; UsageError where it is missing, a folder or unreadable."""
    if path == STDIN:
        return File(STDIN, os.getcwd(), sys.stdin.buffer.read())
    try:
        with open(path, "rb") as stream:
            data, owner = stream.read(), _owner(path, os.fstat(stream.fileno()))
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file", _beside(path)) from None
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or str(error)).lower()}", "name a readable file") from None
    return File(path, os.path.dirname(os.path.abspath(path)), data, owner)


def _owner(path: str, file: os.stat_result) -> int:
    if not stat.S_ISREG(file.st_mode):
        return UNKNOWN
    if file.st_mode & stat.S_IWOTH:
        return ANYBODY
    named = os.lstat(path)
    return named.st_uid if stat.S_ISLNK(named.st_mode) and named.st_uid else file.st_uid


def _beside(path: str) -> str:
    """The file that was probably meant, among its neighbours."""
    from spry.core.text import did_you_mean

    folder, name = os.path.split(path)
    try:
        names = [entry for entry in os.listdir(folder or ".") if entry.endswith((".md", ".markdown"))]
    except OSError:
        return f"the folder {folder} does not exist either"
    return did_you_mean(name, names) or "check the path"


def nearest() -> list[File]:
    """The runbook a project means, from the current folder up to the root of its repository.

    First `[tool.spry] runbook` of a pyproject.toml, then a Spryfile.md, then a README.md that has tasks. Outside a
    repository only the current folder is looked at: a stranger's file further up is nobody's runbook.
    """
    folders = list(upward(os.getcwd()))
    for search in (_configured, _spryfile, _readme):
        for folder in folders:
            found = search(folder)
            if found:
                return found
    where = folders[0] if len(folders) == 1 else f"{folders[0]} and up to {folders[-1]}"
    raise UsageError(f"no runbook found: looked for {' and '.join(NAMES)} in {where}", "name one with -f FILE")


def runbooks_in(folder: str) -> list[File]:
    """The runbook of the project in a folder, as `nearest` looks for it there and nowhere above; perhaps none."""
    return next((found for search in (_configured, _spryfile, _readme) if (found := search(folder))), [])


def project(folder: str) -> str | None:
    """The `.spry/` that a folder belongs to, the nearest upward; None without one.

    It is looked for up to the root of the repository; outside of one, as far up as folders are our own.
    """
    for above in _candidates(folder):
        path = os.path.join(above, OWN)
        if _is_ours(path):
            return path
    return None


def _candidates(folder: str) -> Iterator[str]:
    """The folders that may hold the project of a folder, the nearest first."""
    folders = list(upward(folder))
    if len(folders) > 1 or os.path.exists(os.path.join(folder, ".git")):
        yield from folders
        return
    while _is_own(folder):
        yield folder
        above = os.path.dirname(folder)
        if above == folder:
            return
        folder = above


def _is_own(folder: str) -> bool:
    try:
        return os.stat(folder).st_uid == os.geteuid()
    except OSError:
        return False


def _is_ours(path: str) -> bool:
    """Whether there is a folder for history that is not laid there by a stranger, who would read and write it."""
    try:
        own, above = os.stat(path), os.stat(os.path.dirname(path))
    except OSError:
        return False
    is_open = bool(above.st_mode & stat.S_IWOTH) and own.st_uid != os.geteuid()
    return stat.S_ISDIR(own.st_mode) and not is_open


def _configured(folder: str) -> list[File]:
    path = os.path.join(folder, "pyproject.toml")
    try:
        with open(path, "rb") as stream:
            data = stream.read()
    except OSError:
        return []
    if b"tool.spry" not in data:
        return []
    import tomllib

    shown = os.path.relpath(path)
    try:
        names = tomllib.loads(data.decode()).get("tool", {}).get("spry", {}).get("runbook", [])
    except (ValueError, AttributeError) as error:
        raise UsageError(f"{shown}: {error}", "mend the TOML, or name a runbook with -f FILE") from None
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UsageError(
            f"{shown}: tool.spry.runbook must be a path or a list of paths", 'write runbook = "docs/ops.md"'
        )
    return find([os.path.relpath(os.path.join(folder, name)) for name in names]) if names else []


def _spryfile(folder: str) -> list[File]:
    path = os.path.join(folder, NAMES[0])
    return [read(os.path.relpath(path))] if os.path.isfile(path) else []


def _readme(folder: str) -> list[File]:
    path = os.path.join(folder, NAMES[1])
    if not os.path.isfile(path):
        return []
    file = read(os.path.relpath(path))
    return [file] if has_tasks(file) else []


def has_tasks(file: File) -> bool:
    """Whether a README has tasks, or would have if it were right: broken ones are not passed over in silence."""
    if b"```" not in file.data and b"~~~" not in file.data:
        return False
    from spry.core.runbook import assemble
    from spry.core.source import decode
    from spry.errors import Problem

    source = decode(file.data, file.path, file.folder)
    if isinstance(source, Problem):
        return False
    assembly = assemble([source])
    return bool(assembly.drafts or (assembly.problems and assembly.means_runbook))
