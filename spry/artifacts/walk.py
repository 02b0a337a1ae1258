"""What the patterns of a save mean in a folder: a walk that follows no link, from descriptor to descriptor."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress

from spry.artifacts.snapshots import shown
from spry.errors import HostError, SpryError
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from types import ModuleType

    from spry.core.saving import Saving

    Matcher = Callable[[str], bool]

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
DEPTH = 256  # folders within each other: each holds a descriptor while it is walked
MISSING = "install it with: pip install 'spry[artifacts]'"


class Found(NamedTuple):
    """Something that a pattern matches: `name` in the folder open as `parent`, while nothing more is asked for.

    `path` is relative to where the walk began; `entry` is None if a pattern names the path itself.
    """

    parent: int
    name: str
    path: str
    entry: os.DirEntry[str] | None


def check(savings: Sequence[Saving]) -> None:
    """Whether patterns can be understood here; HostError without the library for those with magic."""
    if any(not saving.is_literal for saving in savings):
        _library()


def matched(root: int, savings: Sequence[Saving], avoid: Collection[tuple[int, int]] = ()) -> Iterator[Found]:
    """Everything below an open folder that patterns match, sorted by name within each folder, per pattern.

    Folders that are matched come before what is in them, and all of that comes too. `avoid` are folders, as device
    and inode, that are never entered. Raises SpryError for a pattern that matches nothing, and for a link on the way.
    """
    barred = _matcher([saving for saving in savings if saving.is_negated])
    for saving in savings:
        if not saving.is_negated:
            yield from _Walk(saving, barred, avoid).below(root)


class _Walk:
    """A walk for one pattern."""

    __slots__ = ("avoid", "barred", "count", "matches", "saving")

    def __init__(self, saving: Saving, barred: Matcher | None, avoid: Collection[tuple[int, int]]) -> None:
        self.saving, self.barred, self.avoid = saving, barred, avoid
        self.matches = None if saving.is_literal else _matcher([saving])
        self.count = 0

    def below(self, root: int) -> Iterator[Found]:
        saving = self.saving
        with _descended(root, saving.base) as folder:
            if folder is not None and not self._is_barred_at_all(saving.base):
                yield from self._file(folder) if saving.is_file else self._tree(folder)
        if not self.count:
            raise SpryError(f"--save '{written(saving)}' matches nothing", "correct the pattern, or make the file")

    def _file(self, parent: int) -> Iterator[Found]:
        name = self.saving.glob.rpartition("/")[2]
        with suppress(FileNotFoundError):
            os.stat(name, dir_fd=parent, follow_symlinks=False)
            if not self._is_barred(self.saving.glob):
                self.count += 1
        if self.count:
            yield Found(parent, name, self.saving.glob, None)

    def _tree(self, folder: int) -> Iterator[Found]:
        base, is_whole = self.saving.base, self.saving.is_literal
        if is_whole and base:
            self.count += 1
            yield Found(folder, ".", base, None)
        yield from self._folder(folder, base, 1, inherited=is_whole)

    def _folder(self, folder: int, path: str, depth: int, *, inherited: bool) -> Iterator[Found]:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        prefix = f"{path}/" if path else ""
        barred = self.barred
        for entry in entries:
            name = prefix + entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            if (barred is not None and barred(name)) or (is_folder and self._is_avoided(entry)):
                continue
            taken = inherited or self._takes(name, is_folder=is_folder)
            if taken:
                self.count += 1
                yield Found(folder, entry.name, name, entry)
            if is_folder:
                yield from self._enter(folder, entry.name, name, depth, inherited=taken)

    def _enter(self, parent: int, name: str, path: str, depth: int, *, inherited: bool) -> Iterator[Found]:
        if depth >= DEPTH:
            raise SpryError(f"more than {DEPTH} folders within each other: {shown(os.fsencode(path))[:80]}…")
        with _opened(name, parent) as folder:
            yield from self._folder(folder, path, depth + 1, inherited=inherited)

    def _takes(self, path: str, *, is_folder: bool) -> bool:
        if self.matches is None or (self.saving.is_tree and not is_folder):
            return False
        return self.matches(path)

    def _is_avoided(self, entry: os.DirEntry[str]) -> bool:
        if not self.avoid:
            return False
        status = entry.stat(follow_symlinks=False)
        return (status.st_dev, status.st_ino) in self.avoid

    def _is_barred_at_all(self, path: str) -> bool:
        """Whether a folder, or one that it lies in, is taken out."""
        segments = path.split("/") if path else []
        return any(self._is_barred("/".join(segments[:count])) for count in range(1, len(segments) + 1))

    def _is_barred(self, path: str) -> bool:
        return self.barred is not None and self.barred(path)


def written(saving: Saving) -> str:
    """A pattern as it was written, more or less."""
    tree = "/**" if saving.is_tree else ""
    return f"{'!' if saving.is_negated else ''}{saving.glob}{tree}".removeprefix("/")


@contextmanager
def _opened(name: str, parent: int) -> Iterator[int]:
    """A folder in an open one."""
    folder = os.open(name, FOLDER, dir_fd=parent)
    try:
        yield folder
    finally:
        os.close(folder)


@contextmanager
def _descended(root: int, path: str) -> Iterator[int | None]:
    """A folder below an open one, None if it is not there; SpryError if a part of its path is a link or a file."""
    folder = os.open(".", FOLDER, dir_fd=root)
    try:
        for number, name in enumerate(segments := path.split("/") if path else []):
            try:
                inner = os.open(name, FOLDER, dir_fd=folder)
            except FileNotFoundError:
                yield None
                return
            except NotADirectoryError:
                where = "/".join(segments[: number + 1])
                raise SpryError(f"'{where}' is no folder, or a link; a save follows none") from None
            os.close(folder)
            folder = inner
        yield folder
    finally:
        with suppress(OSError):
            os.close(folder)


def _matcher(savings: Sequence[Saving]) -> Matcher | None:
    """Whether a path is one that any of these patterns means; None without patterns."""
    if not savings:
        return None
    if all(saving.is_literal for saving in savings):
        return frozenset(saving.glob for saving in savings).__contains__
    glob = _library()
    import re  # noqa: PLC0415 - only for patterns with magic

    flags = glob.GLOBSTAR | glob.BRACE | glob.DOTGLOB | glob.FORCEUNIX | glob.CASE
    expressions: list[str] = []
    for saving in savings:
        expressions += glob.translate(saving.glob, flags=flags)[0]
    found = [re.compile(one).match for one in expressions]
    if len(found) == 1:
        only = found[0]
        return lambda path: only(path) is not None
    return lambda path: any(match(path) for match in found)


def _library() -> ModuleType:
    try:
        from wcmatch import glob  # noqa: PLC0415 - takes as long as starting Python, and few saves need it
    except ImportError as error:
        raise HostError(f"patterns with * need wcmatch, which cannot be imported ({error})", MISSING) from None
    return glob
