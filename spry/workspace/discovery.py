"""Which repositories a workspace has: the members that somebody listed, or all that lie next to each other."""

from __future__ import annotations

import os
from itertools import pairwise

from spry.errors import UsageError
from spry.record import NamedTuple
from spry.workspace.members import NAME, listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NONE = "⚠️ No repositories found"


class Repository(NamedTuple):
    """A folder with tasks of its own; `name` is that of the folder, or a path where two have the same."""

    name: str
    folder: str

    @property
    def short(self) -> str:
        """The name of the folder."""
        return os.path.basename(self.folder)


class NoRepositoriesError(UsageError):
    """There is nothing to run anything in."""

    def __init__(self, hint: str, which: str = "") -> None:
        super().__init__(NONE + which, hint)


def discover(within: str | None = None) -> list[Repository]:
    """The repositories of a workspace, in the order of their names.

    They are the members in the nearest `.spry/config.toml`; without one, every folder next to the current one (or
    `within` the one given) that has `.git` (a folder, or the file of a worktree or submodule) and `pyproject.toml`.
    NoRepositoriesError if there are none.
    """
    here = os.path.abspath(within or os.getcwd())
    members = listed(here)
    if members is not None:
        above, folders = members
        found = _named(folders, above)
        hint = f"see workspace.members in {os.path.relpath(os.path.join(above, NAME))}"
    else:
        above = here if within else os.path.dirname(here)
        found = _named(_siblings(above), above)
        hint = f"looked in {above} for folders with .git and pyproject.toml; or list members in {NAME}"
    if not found:
        raise NoRepositoriesError(hint)
    return found


def _siblings(above: str) -> list[str]:
    try:
        with os.scandir(above) as entries:
            folders = [entry.path for entry in entries if entry.is_dir()]
    except OSError as error:
        raise UsageError(f"{above}: {(error.strerror or '').lower()}", f"list members in {NAME}") from None
    return [folder for folder in folders if all(os.path.exists(os.path.join(folder, one)) for one in MARKS)]


MARKS = (".git", "pyproject.toml")


def _named(folders: Iterable[str], above: str) -> list[Repository]:
    """Each folder once, by its name; those that share one are told apart by their paths."""
    once = {os.path.realpath(folder): os.path.normpath(folder) for folder in folders}.values()
    names = [os.path.basename(folder) for folder in once]
    found = [
        Repository(name if names.count(name) == 1 else os.path.relpath(folder, above), folder)
        for name, folder in zip(names, once, strict=True)
    ]
    return sorted(found)


def chosen(repositories: Sequence[Repository], patterns: Sequence[str]) -> list[Repository]:
    """Those whose name matches one of the patterns, all without any; UsageError for a pattern that matches none.

    `*`, `?` and `[…]` match as in a shell, and `{a,b}` stands for both: quoted, a shell leaves it to us.
    """
    if not patterns:
        return list(repositories)
    from fnmatch import fnmatchcase

    kept: set[Repository] = set()
    for pattern in (one for text in patterns for one in expand(text)):
        found = [one for one in repositories if fnmatchcase(one.name, pattern) or fnmatchcase(one.short, pattern)]
        if not found:
            from spry.core.text import did_you_mean

            names = [one.name for one in repositories]
            hint = did_you_mean(pattern, names) or "spry workspace status lists them"
            raise NoRepositoriesError(hint, f" with a name like '{pattern}'")
        kept.update(found)
    return [one for one in repositories if one in kept]


def expand(pattern: str) -> list[str]:
    """The patterns that one with braces stands for: `pkg-{a,b}` is `pkg-a` and `pkg-b`, also one inside another."""
    opened = pattern.find("{")
    depth, cuts = 0, [opened]
    for at in range(max(opened, 0), len(pattern)):
        letter = pattern[at]
        depth += (letter == "{") - (letter == "}")
        if letter == "," and depth == 1:
            cuts.append(at)
        if depth == 0 and opened >= 0:
            cuts.append(at)
            break
    if opened < 0:
        return [pattern]
    if depth or len(cuts) < 3:
        raise UsageError(f'--repos "{pattern}": expected {{one,other}}', 'write --repos "pkg-{a,b}"')
    before, after = pattern[:opened], pattern[cuts[-1] + 1 :]
    parts = [pattern[start + 1 : end] for start, end in pairwise(cuts)]
    return [one for part in parts for one in expand(before + part + after)]
