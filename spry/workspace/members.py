"""The members of a workspace as `.spry/config.toml` lists them; every mistake in it has its place."""

from __future__ import annotations

import os
import stat

from spry.api.places import runbooks_in
from spry.errors import Problem, RunbookError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

NAME = os.path.join(".spry", "config.toml")
EXAMPLE = 'write members = ["../a", "libs/*"]'


class Config:
    """One `config.toml`: where it is, and its text for the places of mistakes."""

    def __init__(self, above: str) -> None:
        self.above = above
        self.path = os.path.join(above, NAME)
        with open(self.path, "rb") as stream:
            owned = os.fstat(stream.fileno())
            self.text = stream.read().decode("utf-8", "replace")
        if owned.st_uid not in {os.geteuid(), 0} or owned.st_mode & stat.S_IWOTH:
            whose = "may be written by anybody" if owned.st_mode & stat.S_IWOTH else "belongs to somebody else"
            raise UsageError(f"{self.path} {whose}, and says which tasks would run", "make it yours, or remove it")

    def mistake(self, message: str, word: str, hint: str = "") -> RunbookError:
        """An error at the first place where a word stands."""
        at = max(self.text.find(word), 0)
        line, column = self.text.count("\n", 0, at) + 1, at - self.text.rfind("\n", 0, at)
        excerpt = self.text.split("\n")[line - 1]
        return RunbookError([Problem(message, os.path.relpath(self.path), line, column, len(word), excerpt, hint)])

    def members(self) -> list[str] | None:
        """What is listed, or None where nothing is said of a workspace."""
        table = self._table()
        if table is None:
            return None
        for key in table:
            if key != "members":
                raise self.mistake(f'unknown key "{key}" under workspace', key, "known key: members")
        members = table.get("members", [])
        if not isinstance(members, list) or not all(isinstance(one, str) and one for one in members):
            raise self.mistake("workspace.members: expected a list of paths", "members", EXAMPLE)
        return members

    def _table(self) -> dict[str, Any] | None:
        import tomllib

        try:
            table = tomllib.loads(self.text).get("workspace")
        except tomllib.TOMLDecodeError as error:
            raise self._unreadable(str(error)) from None
        if table is not None and not isinstance(table, dict):
            raise self.mistake("workspace: expected a table", "workspace", "write [workspace]")
        return table

    def _unreadable(self, told: str) -> RunbookError:
        """An error at the place that the reader of TOML has put into words: `… (at line 1, column 5)`."""
        message, _, place = told.partition(" (at ")
        digits = "".join(letter if letter.isdigit() else " " for letter in place).split()
        lines = self.text.split("\n")
        line, column = (int(digits[0]), int(digits[1])) if len(digits) == 2 else (len(lines), 1)
        excerpt = lines[min(line, len(lines)) - 1]
        return RunbookError([Problem(message, os.path.relpath(self.path), line, column, 1, excerpt, "mend the TOML")])


def listed(folder: str) -> tuple[str, list[str]] | None:
    """The folder whose `.spry/config.toml` lists members, the nearest upward, and the folders that they are.

    None where no file does. Raises RunbookError for a mistake in it, UsageError if it is not ours to follow.
    """
    for above in _upward(folder):
        if os.path.isfile(os.path.join(above, NAME)):
            config = Config(above)
            members = config.members()
            if members is not None:
                return above, [one for member in members for one in _folders(config, member)]
    return None


def _upward(folder: str) -> Iterator[str]:
    """A folder and all above it: the file lies above the repositories that it lists."""
    yield folder
    while (above := os.path.dirname(folder)) != folder:
        folder = above
        yield folder


def _folders(config: Config, member: str) -> list[str]:
    """The folder that a member names, or those with a runbook that a pattern matches."""
    if any(letter in member for letter in "*?["):
        import glob

        paths = glob.glob(os.path.join(glob.escape(config.above), member), recursive=True)
        found = [path for path in sorted(paths) if os.path.isdir(path) and runbooks_in(path)]
        if not found:
            raise config.mistake(f'no folder with a runbook matches "{member}"', member, "correct the pattern")
        return found
    path = os.path.normpath(os.path.join(config.above, member))
    if not os.path.isdir(path):
        raise config.mistake(f'there is no folder "{member}"', member, f"it is relative to {config.above}")
    return [path]
