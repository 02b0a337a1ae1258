"""What makes tasks up to date: their last successes, and the digests of the files they read and made.

All of it can be lost at no other cost than running tasks again. It lies in the database of the history, so that
processes that run at the same time wait for each other, and a crash leaves what had been committed.
"""

from __future__ import annotations

import os

from spry.record import NamedTuple
from spry.store import database
from spry.store.database import Error
from spry.store.rows import as_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from sqlite3 import Connection
    from typing import Any

    # A file as it was when it was read: size, mtime, ctime (nanoseconds), inode; and its digest.
    File = tuple[int, int, int, int, str]

SUCCESS = "task, fingerprint, secret, outputs, captured, handed, exit_code, run"
SUCCESSES = f"SELECT {SUCCESS} FROM successes WHERE book = ?"  # noqa: S608 - our own names
KEEP = f"INSERT OR REPLACE INTO successes (book, {SUCCESS}, parts) VALUES (?,?,?,?,?,?,?,?,?,?)"  # noqa: S608 - our own names
SHORT = 100  # milliseconds to wait for another process in the middle of a run


class Success(NamedTuple):
    """The last success of a task: the digests of what made it what it was, and what it left.

    `secret` is the digest of what may be told nobody, empty if there is nothing. `outputs` is the text of a list of
    parts (see `core.fingerprint`), `captured` and `handed` the values for its dependents.
    """

    fingerprint: str
    secret: str
    outputs: bytes
    captured: Mapping[str, str]
    handed: Mapping[str, str]
    exit_code: int | None
    run: str


class Cache:
    """The successes of the tasks of one runbook (`book` names it in this history), and files.

    Reading raises HostError; writing tells what goes wrong with `warn`, once, and goes on without.
    """

    __slots__ = ("_connection", "_folder", "_waiting", "_warn")

    def __init__(self, folder: str, connection: Connection, warn: Callable[[str], None]) -> None:
        self._folder, self._connection, self._warn = folder, connection, warn
        self._waiting: list[tuple[str, tuple[object, ...]]] = []

    def successes(self, book: str) -> dict[str, Success]:
        """The last success of each task of a runbook."""
        return {row[0]: _success(*row[1:]) for row in self._all(SUCCESSES, book)}

    def parts(self, book: str, task: str) -> bytes:
        """The text of the fingerprint of a task's last success; empty without one."""
        rows = self._all("SELECT parts FROM successes WHERE book = ? AND task = ?", book, task)
        return bytes(rows[0][0]) if rows else b""

    def files(self) -> dict[str, File]:
        """All files that are known, by absolute path."""
        return {os.fsdecode(path): tuple(rest) for path, *rest in self._all("SELECT * FROM files")}

    def keep(self, book: str, task: str, success: Success, parts: bytes) -> None:
        """A task has succeeded: known from here on to every process, or as soon as no other one writes."""
        captured, handed = as_json(success.captured), as_json(success.handed)
        rest = (success.exit_code, int(success.run), parts)
        row = (book, task, success.fingerprint, success.secret, success.outputs, captured, handed, *rest)
        self._waiting.append((KEEP, row))
        self._write(SHORT)

    def forget(self, book: str, task: str) -> None:
        """What is known of a task's last success is not to be believed."""
        self._waiting.append(("DELETE FROM successes WHERE book = ? AND task = ?", (book, task)))
        self._write(SHORT)

    def close(self, files: Mapping[str, File | None]) -> None:
        """Keep what was learned of files (None: forget it), whatever still waits, and close."""
        for path, known in files.items():
            name = os.fsencode(path)
            if known is None:
                self._waiting.append(("DELETE FROM files WHERE path = ?", (name,)))
            else:
                self._waiting.append(("INSERT OR REPLACE INTO files VALUES (?,?,?,?,?,?)", (name, *known)))
        if not self._write(int(database.PATIENCE * 1000)):
            what = "what is up to date is not remembered, and runs again the next time"
            self._warn(f"{what}: the history is locked by another program: {self._folder}")
        database.close(self._connection, self._folder)

    def _write(self, patience: int) -> bool:
        """Write what waits; whether nothing waits any more."""
        if not self._waiting:
            return True
        connection = self._connection
        try:
            connection.execute(f"PRAGMA busy_timeout={patience}")
            connection.execute("BEGIN IMMEDIATE")
            for statement, row in self._waiting:
                connection.execute(statement, row)
            connection.execute("COMMIT")
        except Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if "locked" in str(error):
                return False
            self._warn(f"what is up to date is not remembered, and runs again the next time: {error}")
        self._waiting.clear()
        return True

    def _all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return list(self._connection.execute(query, values))
        except Error as error:
            raise database.unusable(os.path.join(self._folder, database.NAME), error) from None


def _success(*row: Any) -> Success:
    fingerprint, secret, outputs, captured, handed, code, run = row
    return Success(fingerprint, secret, outputs, _values(captured), _values(handed), code, str(run))


def _values(text: str) -> Mapping[str, str]:
    if text == "{}":
        return {}
    import json  # noqa: PLC0415 - few tasks leave values

    values: Mapping[str, str] = json.loads(text)
    return values
