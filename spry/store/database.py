"""The file that remembers runs: opening, migrating and closing an SQLite database that many processes share.

Every transaction is `BEGIN IMMEDIATE`: one that reads first and writes later can fail however long it waits. Where
SQLite is older than 3.51.3, two processes that checkpoint at the same time can lose a reset of the log: there nobody
checkpoints unasked, and whoever does holds a lock. On a network file system the log's shared memory is not shared,
so the rollback journal is used there.
"""

from __future__ import annotations

import os

from spry.errors import HostError

try:
    import _sqlite3 as sqlite  # the package around it loads datetime and costs as much again
except ImportError:
    import sqlite3 as sqlite  # type: ignore[no-redef] # the same functions

Error = sqlite.Error
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from sqlite3 import Connection

NAME, LOCK = "spry.db", "spry.lock"
VERSION = 1
PATIENCE = 5.0  # seconds to wait for another process that writes
SAFE = tuple(map(int, sqlite.sqlite_version.split("."))) >= (3, 51, 3)
REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb2", "smb3", "9p", "lustre", "gpfs", "ceph", "afs", "glusterfs"})
CREATE = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW

# The statements that lead from each version to the next; a database of version n has seen the first n.
MIGRATIONS = (
    """
    CREATE TABLE runs (
        run INTEGER PRIMARY KEY, state TEXT NOT NULL, started REAL NOT NULL, ended REAL, exit_code INTEGER,
        total INTEGER NOT NULL, counts TEXT NOT NULL, request TEXT NOT NULL, folder TEXT NOT NULL,
        work TEXT NOT NULL, resumed INTEGER, collected INTEGER NOT NULL DEFAULT 0);
    CREATE INDEX runs_by_work ON runs (work, run);
    CREATE TABLE events (
        run INTEGER NOT NULL, number INTEGER NOT NULL, event TEXT NOT NULL, at REAL NOT NULL, task TEXT,
        attempt INTEGER, outcome TEXT, reason TEXT, exit_code INTEGER, signal INTEGER, seconds REAL, amount INTEGER,
        text TEXT, started REAL, definition TEXT, captured TEXT, outputs TEXT,
        PRIMARY KEY (run, number)) WITHOUT ROWID;
    CREATE VIEW tasks AS
        SELECT run, task, outcome, coalesce(reason, '') AS reason, exit_code, signal, attempt, started,
            seconds AS duration, coalesce(text, '') AS message, definition,
            coalesce(captured, '{}') AS captured, coalesce(outputs, '{}') AS outputs
        FROM events WHERE event = 'task_finished';
    """,
)


def connect(folder: str, *, create: bool = False) -> Connection | None:
    """The database in a folder, brought up to this version; None where there is none and none is to be made.

    Raises HostError, in one line with the path and what to do, where it cannot be used.
    """
    path = os.path.join(folder, NAME)
    try:
        if not _exists(path, create=create):
            return None
        connection: Connection = sqlite.connect(path, timeout=PATIENCE, isolation_level=None)
    except (OSError, sqlite.Error) as error:
        raise unusable(path, error) from None
    try:
        _one_at_a_time(folder, lambda: _prepare(connection, path))
    except (OSError, sqlite.Error) as error:
        connection.close()
        raise unusable(path, error) from None
    except HostError:
        connection.close()
        raise
    return connection


def close(connection: Connection, folder: str) -> None:
    """Close it; the last one to leave empties the log, which nobody may open meanwhile. Never raises."""
    try:
        _one_at_a_time(folder, connection.close)
    except (OSError, sqlite.Error):
        connection.close()


def checkpoint(connection: Connection, folder: str) -> None:
    """Move what is in the log into the database, unless somebody else is at it; for long runs."""
    if SAFE:
        return  # SQLite does it by itself
    import fcntl  # noqa: PLC0415 - only every few thousand events

    lock = os.open(os.path.join(folder, LOCK), CREATE, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    except BlockingIOError:
        return
    finally:
        os.close(lock)


def unusable(path: str, error: Exception) -> HostError:
    """Why the history cannot be used, and what to do about it."""
    if isinstance(error, HostError):
        return error
    if isinstance(error, OSError):
        return HostError(f"the history cannot be kept: {error.filename or path}: {error.strerror}", _elsewhere(path))
    text = str(error)
    if "locked" in text:
        return HostError(f"the history is locked by another program: {path}", "close that program, or use --no-history")
    if "not a database" in text or "malformed" in text:
        hint = f"move it out of the way to begin anew: mv {path} {path}.damaged"
        return HostError(f"the history is damaged: {path}: {text}", hint)
    return HostError(f"the history cannot be kept: {path}: {text}", _elsewhere(path))


def remote(mounts: str, device: int) -> bool:
    """Whether the device lies behind a network, as the text of /proc/self/mountinfo says."""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.partition(" ")[0]
        if len(fields) > 2 and fields[2] == wanted:
            return kind in REMOTE or kind == "fuse" or kind.startswith("fuse.")
    return False


def _elsewhere(path: str) -> str:
    return f"make room and write access in {os.path.dirname(path)}, or use --no-history"


def _exists(path: str, *, create: bool) -> bool:
    if os.path.exists(path):
        return True
    if not create:
        return False
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    os.close(os.open(path, CREATE, 0o600))  # SQLite gives its other files the same mode
    return True


def _prepare(connection: Connection, path: str) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        known = f"it has format {version}, this spry knows {VERSION}"
        raise HostError(f"the history was written by a newer spry: {path}: {known}", "upgrade, or use --no-history")
    if version < VERSION:
        _migrate(connection, path)
    connection.execute("PRAGMA synchronous=NORMAL")
    if not SAFE:
        connection.execute("PRAGMA wal_autocheckpoint=0")


def _migrate(connection: Connection, path: str) -> None:
    """Bring the tables up to this version; of several processes that come at once, one does it."""
    connection.execute(f"PRAGMA journal_mode={'DELETE' if _is_remote(path) else 'WAL'}")
    connection.execute("BEGIN IMMEDIATE")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    for migration in MIGRATIONS[version:]:
        for statement in migration.split(";"):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version={VERSION}")
    connection.execute("COMMIT")


def _is_remote(path: str) -> bool:
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as stream:
            return remote(stream.read(), os.stat(path).st_dev)
    except OSError:
        return False


def _one_at_a_time(folder: str, act: Callable[[], None]) -> None:
    """Open or close while nobody else does: changing the journal's mode fails at once where others are at work."""
    import fcntl  # noqa: PLC0415 - a run without history needs none

    lock = os.open(os.path.join(folder, LOCK), CREATE, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        act()
    finally:
        os.close(lock)
