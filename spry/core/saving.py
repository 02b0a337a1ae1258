"""What a task saves, as it is written: `GLOB[:DEST]`; where a file lands, and which tasks would be in each other's way.

A pattern without magic names one file. With a slash, or `/**`, at its end it names a folder and everything in it. In
front of a pattern, `!` takes what it matches out of what the others save.
"""

from __future__ import annotations

from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAGIC = frozenset("*?[{\\")


class Saving(NamedTuple):
    """One pattern of a `--save`.

    `base` is the folder in which it looks: all of its segments before the first with magic. `dest` is None if files
    keep their names, else the folder (or, of a single file, the name) that takes the place of `base`.
    """

    glob: str
    dest: str | None = None
    is_tree: bool = False
    is_negated: bool = False

    @property
    def is_literal(self) -> bool:
        """Whether it names what it means, without magic."""
        return MAGIC.isdisjoint(self.glob)

    @property
    def is_file(self) -> bool:
        """Whether it names exactly one file."""
        return self.is_literal and not self.is_tree

    @property
    def base(self) -> str:
        """The folder below which everything lies that it can match; empty for the working folder itself."""
        segments = self.glob.split("/")
        if self.is_literal:
            return "/".join(segments if self.is_tree else segments[:-1])
        magic = next(index for index, segment in enumerate(segments) if not MAGIC.isdisjoint(segment))
        return "/".join(segments[:magic])

    def lands(self, path: str) -> str:
        """The name under which a path is kept; empty for the folder whose contents are kept at the top."""
        if self.dest is None:
            return path
        if self.is_file:
            inside = self.dest.endswith("/") or not self.dest
            return joined(self.dest.rstrip("/"), path.rpartition("/")[2]) if inside else self.dest
        base = self.base
        return joined(self.dest.rstrip("/"), path[len(base) :].lstrip("/"))


class Place(NamedTuple):
    """A path that a task is known to save, before it has run or since."""

    owner: str
    path: bytes
    is_folder: bool


class Clash(NamedTuple):
    """One path that two tasks save, or one as a file where the other has a folder."""

    path: bytes
    first: Place
    second: Place

    def told(self, shown: str) -> str:
        """The conflict in words; `shown` is its path for people."""
        if self.first.is_folder == self.second.is_folder:
            return f"artifact conflict: '{shown}' saved by '{self.first.owner}' and '{self.second.owner}'"
        file, folder = (self.second, self.first) if self.first.is_folder else (self.first, self.second)
        return f"artifact conflict: '{shown}' saved as a file by '{file.owner}' and as a folder by '{folder.owner}'"


def parse(text: str) -> Saving | str:
    """Read `GLOB[:DEST]` or `!GLOB`; a sentence that says what is wrong with it, if anything is."""
    is_negated = text.startswith("!")
    glob, dest = _split(text.removeprefix("!"))
    if not glob.strip():
        return "expected a glob such as out/*.txt"
    if glob.startswith("/") or (dest is None and ":" in glob[:3] and glob[1:3] == ":\\"):
        return f'"{glob}" does not lie in the working folder; write a relative path'
    if is_negated and dest is not None:
        return f'"{text}" has nothing to rename; leave out ":{dest}"'
    segments = [segment for segment in glob.split("/") if segment not in ("", ".")]
    if ".." in segments or (dest is not None and ".." in dest.split("/")):
        return f'"{text}" leads out of the folder with ".."'
    is_tree = glob.endswith(("/", "/.")) or (segments[-1:] in (["**"], []))
    if segments[-1:] == ["**"]:
        segments.pop()
    return Saving("/".join(segments), None if dest is None else _clean(dest), is_tree, is_negated)


def folder_fault(text: str) -> str:
    """What is wrong with the path of a folder in a fresh one."""
    if not text.strip():
        return "must not be empty"
    leaves = text.startswith("/") or ".." in text.split("/")
    return f'"{text}" does not lie in the task\'s own folder' if leaves else ""


def _split(text: str) -> tuple[str, str | None]:
    """The pattern and the name behind the last colon, unless that colon belongs to the pattern."""
    glob, colon, dest = text.rpartition(":")
    if not colon or glob.endswith("\\") or not MAGIC.isdisjoint(dest) or "]" in dest or "}" in dest:
        return text, None
    return glob, dest


def _clean(dest: str) -> str:
    """A destination without what says nothing; a slash at its end says that it is a folder."""
    kept = "/".join(segment for segment in dest.split("/") if segment not in ("", "."))
    return f"{kept}/" if kept and dest.endswith(("/", "/.")) else kept


def joined(folder: str, name: str) -> str:
    """A path in a folder, where each of the two may be empty."""
    return f"{folder}/{name}" if folder and name else folder or name


def places(owner: str, savings: Iterable[Saving]) -> Iterator[Place]:
    """What a task is known to save before it has run: literal files, and the folders in which others will lie."""
    for saving in savings:
        if saving.is_negated:
            continue
        if saving.is_file:
            yield Place(owner, saving.lands(saving.glob).encode("utf-8", "surrogateescape"), is_folder=False)
        else:
            folder = saving.lands(saving.base)
            if folder:
                yield Place(owner, folder.encode("utf-8", "surrogateescape"), is_folder=True)


def clashes(saved: Iterable[Place]) -> Iterator[Clash]:
    """Every path that is saved twice, or as a file where there is a folder; folders may be shared."""
    files: dict[bytes, Place] = {}
    folders: dict[bytes, Place] = {}
    for place in saved:
        path = place.path
        if not place.is_folder:
            other = files.get(path) or folders.get(path)
            if other is not None:
                yield Clash(path, other, place)
                continue
            files[path] = place
            path = path.rpartition(b"/")[0]
        while path and path not in folders:
            if path in files:
                yield Clash(path, files[path], place._replace(path=path, is_folder=True))
                break
            folders[path] = place._replace(path=path, is_folder=True)
            path = path.rpartition(b"/")[0]
