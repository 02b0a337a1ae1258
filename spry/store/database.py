"""The file that remembers runs: opening, migrating and closing an SQLite database that many processes share.

Every transaction is `BEGIN IMMEDIATE`: one that reads first and writes later can fail however long it waits. Where
SQLite is older than 3.51.3, two processes that checkpoint at the same time can lose a reset of the log: there nobody
checkpoints unasked, and whoever does holds a lock. On a network file system the log's shared memory is not shared,
so the rollback journal is used there.
"""

from __future__ import annotations

import errno
import os
import time

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

NAME, LOCK, BALLAST = "spry.db", "spry.lock", "spry.ballast"
WEIGHT = 256 * 1024  # bytes of a file that is removed to make room for how a run ended
VERSION = 3
PATIENCE = 5.0  # seconds to wait for another process that writes
TICK = 0.002  # seconds between two looks whether another process has opened or closed it
SAFE = tuple(map(int, sqlite.sqlite_version.split("."))) >= (3, 51, 3)
REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb2", "smb3", "9p", "lustre", "gpfs", "ceph", "afs", "glusterfs"})
CREATE = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
NO_ROOM_CODES = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_NOMEM")
NO_WAY_CODES = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")

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
    """
    CREATE TABLE successes (
        book TEXT NOT NULL, task TEXT NOT NULL, fingerprint TEXT NOT NULL, secret TEXT NOT NULL, outputs BLOB NOT NULL,
        captured TEXT NOT NULL, handed TEXT NOT NULL, exit_code INTEGER, run INTEGER NOT NULL, parts BLOB NOT NULL,
        PRIMARY KEY (book, task));
    CREATE TABLE files (
        path BLOB PRIMARY KEY, size INTEGER NOT NULL, changed INTEGER NOT NULL, inode_changed INTEGER NOT NULL,
        inode INTEGER NOT NULL, digest TEXT NOT NULL) WITHOUT ROWID;
    """,
    """
    ALTER TABLE runs ADD COLUMN book TEXT NOT NULL DEFAULT '';
    CREATE TABLE books (book TEXT PRIMARY KEY, tasks TEXT NOT NULL) WITHOUT ROWID;
    """,
)


class NoRoomError(HostError):
    """The disk of the history is full, or broken."""


class UnwritableError(HostError):
    """The place of the history is one where nothing can be written, today or tomorrow."""


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


def make_room(folder: str) -> bool:
    """On a full disk, give up what was kept for that; False if there was nothing (any more)."""
    try:
        os.unlink(os.path.join(folder, BALLAST))
    except OSError:
        return False
    return True


def full(error: Exception) -> bool:
    """Whether an error says that the disk is full."""
    return str(getattr(error, "sqlite_errorname", "")).startswith(NO_ROOM_CODES)


def close(connection: Connection, folder: str) -> None:
    """Close it; the last one to leave empties the log, which nobody may open meanwhile. Never raises."""
    try:
        _one_at_a_time(folder, connection.close)
    except (OSError, sqlite.Error):
        connection.close()


def checkpoint(connection: Connection, folder: str) -> None:
    """Move what is in the log into the database, unless somebody else is at it; for long runs. Never raises."""
    if SAFE:
        return  # SQLite does it by itself
    try:
        _one_at_a_time(folder, lambda: connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall(), patience=0.0)
    except (OSError, sqlite.Error):
        return  # whoever closes the database last does it


def unusable(path: str, error: Exception) -> HostError:
    """Why the history cannot be used, and what to do about it."""
    if isinstance(error, HostError):
        return error
    if isinstance(error, OSError):
        kind: type[HostError] = NoRoomError if error.errno in NO_ROOM else UnwritableError
        return kind(f"the history cannot be kept: {error.filename or path}: {error.strerror}", _elsewhere(path))
    text, code = str(error), str(getattr(error, "sqlite_errorname", ""))
    if "locked" in text:
        return HostError(f"the history is locked by another program: {path}", "close that program, or use --no-history")
    if "not a database" in text or "malformed" in text:
        hint = f"move it out of the way to begin anew: mv {path} {path}.damaged"
        return HostError(f"the history is damaged: {path}: {text}", hint)
    kind = NoRoomError if full(error) else HostError
    kind = UnwritableError if code.startswith(NO_WAY_CODES) else kind
    return kind(f"the history cannot be kept: {path}: {text}", _elsewhere(path))


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
    _take_room(os.path.dirname(path))
    connection.execute("PRAGMA synchronous=NORMAL")
    if not SAFE:
        connection.execute("PRAGMA wal_autocheckpoint=0")


def _take_room(folder: str) -> None:
    """Keep some room for the end of a run on a disk that is full by then; without it there is only less to spare."""
    path = os.path.join(folder, BALLAST)
    if os.path.exists(path):
        return
    ballast = os.open(path, CREATE, 0o600)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(ballast, 0, WEIGHT)
        else:
            os.write(ballast, bytes(WEIGHT))
    except OSError:
        os.unlink(path)
    finally:
        os.close(ballast)


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


def _one_at_a_time(folder: str, act: Callable[[], object], patience: float | None = None) -> None:
    """Open or close while nobody else does: changing the journal's mode fails at once where others are at work."""
    lock = os.open(os.path.join(folder, LOCK), CREATE, 0o600)
    try:
        _take(lock, time.monotonic() + (PATIENCE if patience is None else patience))
        act()
    finally:
        os.close(lock)


def _take(lock: int, until: float) -> None:
    """Have a lock to ourselves; raises SQLite's own error for that when somebody keeps it for too long."""
    import fcntl  # noqa: PLC0415 - a run without history needs none

    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise sqlite.OperationalError("database is locked") from None
            time.sleep(TICK)
        else:
            return
