"""Which files patterns mean: paths, `*`, `**`, and whatever else wcmatch knows, without what `!` takes out again.

Paths and the two stars are looked up here, because they are most of what people write and wcmatch takes a hundred
times as long for them; a property test holds both to the same answers. A folder stands for everything in it. Names
that begin with a dot are names like any other, `**` enters no linked folders, and `.git` and `.spry` count only where
a pattern names them.
"""

from __future__ import annotations

import os

from spry.errors import HostError
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

NEVER = frozenset({".git", ".spry"})
MAGIC = frozenset("*?[]{}()|~\\")
ABSENT = (FileNotFoundError, NotADirectoryError)


class Found(NamedTuple):
    """The paths that patterns mean, sorted, relative to the folder; `idle` are the patterns that mean none."""

    paths: tuple[str, ...]
    idle: tuple[str, ...]


def find(folder: str, patterns: Sequence[str]) -> Found:
    """What the patterns mean in a folder; HostError for a folder that cannot be read, or without wcmatch."""
    without = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    barred = _matcher(without) if without else None
    paths: set[str] = set()
    idle = []
    for pattern in patterns:
        if pattern.startswith("!"):
            continue
        found = set(_expanded(folder, pattern))
        if barred is not None:
            found = {path for path in found if not _is_barred(path, barred)}
        if not found:
            idle.append(pattern)
        paths |= found
    return Found(tuple(sorted(paths)), tuple(idle))


def needs_library(pattern: str) -> bool:
    """Whether a pattern is for wcmatch."""
    return pattern.startswith("!") or not _is_simple(pattern)


def require() -> None:
    """See whether wcmatch is there; HostError with the way to get it."""
    try:
        import wcmatch  # noqa: F401, PLC0415 - whether it can be imported is the question
    except ImportError:
        message = "patterns with ?, [], {} and ! need wcmatch, which is not installed"
        raise HostError(message, "install it with: pip install 'spry[artifacts]'") from None


def _expanded(folder: str, pattern: str) -> Iterator[str]:
    """The files that one pattern means; folders that it meets on the way down to files are not meant."""
    plain = pattern.removeprefix("./").rstrip("/") or pattern
    found = _simple(folder, plain) if _is_simple(pattern) else _by_library(folder, pattern)
    only_files = "**" in pattern and "*" in plain.rpartition("/")[2]
    for path in found:
        full = os.path.join(folder, path)
        if not os.path.isdir(full) or (only_files and os.path.islink(full)):
            yield path
        elif not only_files:
            yield from _tree(folder, path)


def _is_simple(pattern: str) -> bool:
    """Whether there is nothing in a pattern but text, stars within a name, and `**` as a name."""
    if MAGIC.isdisjoint(pattern):
        return True
    plain = MAGIC.isdisjoint(pattern.replace("*", "")) and not pattern.endswith("/")
    return plain and all(part == "**" or "**" not in part for part in pattern.split("/"))


def _simple(folder: str, pattern: str) -> Iterable[str]:
    if "*" not in pattern:
        return (pattern,) if os.path.lexists(os.path.join(folder, pattern)) else ()
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    return _below(folder, "/" if pattern.startswith("/") else "", parts)


def _below(folder: str, prefix: str, parts: Sequence[str]) -> Iterator[str]:
    """What the parts of a pattern mean below a prefix, which is empty or ends with a slash."""
    head, rest = parts[0], parts[1:]
    if head == "**":
        yield from _anywhere(folder, prefix, parts)
    elif "*" in head:
        for entry in _entries(folder, prefix):
            if entry.name not in NEVER and _fits(head, entry.name) and (not rest or entry.is_dir()):
                yield from _below(folder, f"{prefix}{entry.name}/", rest) if rest else (prefix + entry.name,)
    elif rest:
        yield from _below(folder, f"{prefix}{head}/", rest)
    elif os.path.lexists(os.path.join(folder, prefix + head)):
        yield prefix + head


def _anywhere(folder: str, prefix: str, parts: Sequence[str]) -> Iterator[str]:
    """What `**` and the parts behind it mean: here, and in every folder below that is no link."""
    if len(parts) > 1:
        yield from _below(folder, prefix, parts[1:])
    for entry in _entries(folder, prefix):
        if entry.name in NEVER:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _anywhere(folder, f"{prefix}{entry.name}/", parts)
        elif len(parts) == 1:
            yield prefix + entry.name


def _fits(part: str, name: str) -> bool:
    """Whether a name is that of a part with stars, each of which stands for any text."""
    first, *middle, last = part.split("*")
    if not name.startswith(first) or not name.endswith(last) or len(name) < len(first) + len(last):
        return False
    at, end = len(first), len(name) - len(last)
    for text in middle:
        found = name.find(text, at, end)
        if found < 0:
            return False
        at = found + len(text)
    return True


def _tree(folder: str, path: str) -> Iterator[str]:
    """Every file in a folder, whatever its name; an empty folder stands for itself."""
    entries = list(_entries(folder, f"{path}/"))
    if not entries:
        yield path
    for entry in entries:
        if entry.name in NEVER:
            continue
        inside = entry.name if path == "." else f"{path}/{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield from _tree(folder, inside)
        else:
            yield inside


def _entries(folder: str, prefix: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(os.path.join(folder, prefix)) as entries:
            return list(entries)
    except ABSENT:
        return []
    except OSError as error:
        raise HostError(
            f"cannot read the folder {error.filename}: {error.strerror}", "give spry access to it"
        ) from None


def _by_library(folder: str, pattern: str) -> list[str]:
    require()
    from wcmatch import glob  # noqa: PLC0415 - only for patterns that need it

    found = glob.glob(pattern, flags=glob.GLOBSTAR | glob.BRACE | glob.DOTGLOB, root_dir=folder)
    barred = {name for name in NEVER if name not in pattern}
    return [path.rstrip("/") for path in found if barred.isdisjoint(path.split("/"))]


def _matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Whether a path is meant by any of these patterns, hidden or not."""
    require()
    from wcmatch import glob  # noqa: PLC0415 - as above

    plain = [pattern.removeprefix("./").rstrip("/") for pattern in patterns]
    return lambda path: bool(glob.globmatch(path, plain, flags=glob.GLOBSTAR | glob.BRACE | glob.DOTGLOB))


def _is_barred(path: str, barred: Callable[[str], bool]) -> bool:
    """Whether a path or a folder that it lies in is taken out."""
    parts = path.split("/")
    return any(barred("/".join(parts[:end])) for end in range(1, len(parts) + 1))
