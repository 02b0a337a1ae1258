"""A store in a SQLite file: what comes out of it are snapshots, detached from the objects that were saved."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import contextmanager
from datetime import datetime
from weakref import finalize

from spry.api.graph import TaskGraph
from spry.api.rows import PUT_TASK, TASKS, extras_of, result_row, row_of, task_of
from spry.api.stores import Graphs, Tasks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from spry.api.task import Task

VERSION = "5"
EARLIER = ("4",)  # of the same tables; it would pass over what tasks say of files
SCHEMA = """
CREATE TABLE IF NOT EXISTS metadata (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tasks (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, description TEXT NOT NULL, payload TEXT NOT NULL, type TEXT NOT NULL,
    status TEXT NOT NULL, error TEXT, timeout REAL, blocked_by TEXT, created_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS task_results (
    task_id TEXT PRIMARY KEY REFERENCES tasks(id) ON DELETE CASCADE, status TEXT NOT NULL, started_at TEXT NOT NULL,
    finished_at TEXT NOT NULL, duration REAL NOT NULL, output TEXT NOT NULL, error TEXT, returncode INTEGER,
    termination_reason TEXT
);
CREATE TABLE IF NOT EXISTS task_extras (
    task_id TEXT PRIMARY KEY REFERENCES tasks(id) ON DELETE CASCADE, extras TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS graphs (id TEXT PRIMARY KEY, title TEXT NOT NULL, created_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS graph_tasks (
    graph_id TEXT NOT NULL REFERENCES graphs(id) ON DELETE CASCADE,
    task_id TEXT NOT NULL REFERENCES tasks(id) ON DELETE CASCADE,
    is_finally INTEGER NOT NULL DEFAULT 0, is_optional INTEGER NOT NULL DEFAULT 0, position INTEGER NOT NULL,
    PRIMARY KEY (graph_id, task_id)
);
CREATE TABLE IF NOT EXISTS graph_dependencies (
    graph_id TEXT NOT NULL REFERENCES graphs(id) ON DELETE CASCADE,
    task_id TEXT NOT NULL REFERENCES tasks(id) ON DELETE CASCADE,
    dependency_id TEXT NOT NULL REFERENCES tasks(id) ON DELETE CASCADE, position INTEGER NOT NULL,
    PRIMARY KEY (graph_id, task_id, dependency_id)
);
CREATE INDEX IF NOT EXISTS graph_tasks_by_task ON graph_tasks(task_id);
CREATE INDEX IF NOT EXISTS graph_dependencies_by_task ON graph_dependencies(task_id);
CREATE INDEX IF NOT EXISTS graph_dependencies_by_dependency ON graph_dependencies(dependency_id);
"""
TABLES = ("graph_dependencies", "graph_tasks", "graphs", "task_extras", "task_results", "tasks", "metadata")
PUT_GRAPH = """
INSERT INTO graphs VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET
    title = excluded.title, created_at = excluded.created_at
"""
BUSY = 10.0  # seconds to wait for another process that writes


class SQLiteStore:
    """Tasks and graphs in a SQLite file, which several threads and processes may use.

    RuntimeError for a file of another version; with `allow_destructive_migration` what is in it is dropped instead.
    """

    def __init__(self, path: str | os.PathLike[str], *, allow_destructive_migration: bool = False) -> None:
        self._path = os.fspath(path)
        self._database = _Database(self._path, may_drop=allow_destructive_migration)
        self.tasks = SQLiteTasks(self._database)
        self.graphs = SQLiteGraphs(self._database)

    def close(self) -> None:
        """Close the file; the store cannot be used any more."""
        self._database.connection.close()

    def __repr__(self) -> str:
        return f"SQLiteStore({self._path})"


class _Database:
    """One connection, used by one thread at a time."""

    def __init__(self, path: str, *, may_drop: bool) -> None:
        if path != ":memory:":
            os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._lock = threading.RLock()
        self.connection = sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)
        try:
            self.connection.execute("PRAGMA foreign_keys = ON")
            self.connection.execute("PRAGMA journal_mode = WAL")
            self.connection.execute("PRAGMA synchronous = NORMAL")
            self._migrate(path, may_drop=may_drop)
        except BaseException:
            self.connection.close()
            raise
        # For programs that leave it to Python; in their end it stays open, as tasks may still be saved then.
        finalize(self, self.connection.close).atexit = False

    def _migrate(self, path: str, *, may_drop: bool) -> None:
        with self.writing() as connection:
            found = self._version(connection)
            if found not in (None, VERSION, *EARLIER):
                if not may_drop:
                    raise RuntimeError(
                        f"{path} has schema version {found}, not {VERSION}; "
                        "allow_destructive_migration=True drops what is in it"
                    )
                for table in TABLES:
                    connection.execute(f"DROP TABLE IF EXISTS {table}")
            for statement in filter(str.strip, SCHEMA.split(";")):
                connection.execute(statement)
            connection.execute("INSERT OR REPLACE INTO metadata VALUES ('schema_version', ?)", (VERSION,))

    @staticmethod
    def _version(connection: sqlite3.Connection) -> str | None:
        """The version of what is in the file, None for nothing."""
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "metadata" in names:
            row = connection.execute("SELECT value FROM metadata WHERE key = 'schema_version'").fetchone()
            return str(row[0]) if row else "unknown"
        return "unknown" if names else None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for this thread alone."""
        with self._lock:
            yield self.connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is kept as a whole or not at all."""
        with self._lock:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")


class SQLiteTasks(Tasks):
    """The tasks in a file."""

    def __init__(self, database: _Database) -> None:
        self._database = database

    def __getitem__(self, key: str) -> Task:
        with self._database.reading() as connection:
            row = connection.execute(f"{TASKS} WHERE t.id = ?", (key,)).fetchone()
        if row is None:
            raise KeyError(key)
        return task_of(row)

    def __setitem__(self, key: str, one: Task) -> None:
        self.check(key, one)
        with self._database.writing() as connection:
            _put(connection, [one])

    def __delitem__(self, key: str) -> None:
        with self._database.writing() as connection:
            if not connection.execute("DELETE FROM tasks WHERE id = ?", (key,)).rowcount:
                raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return _ids(self._database, "tasks")

    def __len__(self) -> int:
        return _count(self._database, "tasks")


class SQLiteGraphs(Graphs):
    """The graphs in a file, each with its tasks as they are there."""

    def __init__(self, database: _Database) -> None:
        self._database = database

    def __getitem__(self, key: str) -> TaskGraph:
        with self._database.reading() as connection:
            row = connection.execute("SELECT title, created_at FROM graphs WHERE id = ?", (key,)).fetchone()
            if row is None:
                raise KeyError(key)
            members = connection.execute(
                "SELECT task_id, is_finally, is_optional FROM graph_tasks WHERE graph_id = ? ORDER BY position", (key,)
            ).fetchall()
            edges = connection.execute(
                "SELECT task_id, dependency_id FROM graph_dependencies WHERE graph_id = ? ORDER BY position", (key,)
            ).fetchall()
            inside = "WHERE t.id IN (SELECT task_id FROM graph_tasks WHERE graph_id = ?)"
            rows = connection.execute(f"{TASKS} {inside}", (key,)).fetchall()
        tasks = {row[0]: task_of(row) for row in rows}
        after: dict[str, list[Task]] = {}
        for name, dep in edges:
            after.setdefault(name, []).append(tasks[dep])
        graph = TaskGraph.restored(key, row[0], datetime.fromisoformat(row[1]))
        for name, is_finally, is_optional in members:
            graph.add(tasks[name], after=after.get(name, ()), finally_=bool(is_finally), required=not is_optional)
        return graph

    def __setitem__(self, key: str, one: TaskGraph) -> None:
        self.check(key, one)
        members = [(key, task.id, one.is_finally(task), one.is_optional(task), place) for place, task in enumerate(one)]
        edges = [(key, task.id, dep.id, place) for task, deps in one.items() for place, dep in enumerate(deps)]
        missing = {dep for _, _, dep, _ in edges} - {name for _, name, _, _, _ in members}
        if missing:
            raise KeyError(min(missing))
        with self._database.writing() as connection:
            _put(connection, one)
            connection.execute(PUT_GRAPH, (key, one.title, one.created_at.isoformat()))
            connection.execute("DELETE FROM graph_dependencies WHERE graph_id = ?", (key,))
            connection.execute("DELETE FROM graph_tasks WHERE graph_id = ?", (key,))
            connection.executemany("INSERT INTO graph_tasks VALUES (?, ?, ?, ?, ?)", members)
            connection.executemany("INSERT INTO graph_dependencies VALUES (?, ?, ?, ?)", edges)

    def __delitem__(self, key: str) -> None:
        with self._database.writing() as connection:
            if not connection.execute("DELETE FROM graphs WHERE id = ?", (key,)).rowcount:
                raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return _ids(self._database, "graphs")

    def __len__(self) -> int:
        return _count(self._database, "graphs")


def _ids(database: _Database, table: str) -> Iterator[str]:
    with database.reading() as connection:
        return iter([key for (key,) in connection.execute(f"SELECT id FROM {table} ORDER BY rowid")])  # noqa: S608 - ours


def _count(database: _Database, table: str) -> int:
    with database.reading() as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - ours


def _put(connection: sqlite3.Connection, tasks: Iterable[Task]) -> None:
    """Save tasks as they are now."""
    tasks = list(tasks)
    connection.executemany(PUT_TASK, map(row_of, tasks))
    results = [(task, task.result) for task in tasks]
    connection.executemany(
        "DELETE FROM task_results WHERE task_id = ?", [(task.id,) for task, result in results if result is None]
    )
    connection.executemany(
        "INSERT OR REPLACE INTO task_results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [result_row(result) for _, result in results if result is not None],
    )
    extras = [(task.id, extras_of(task)) for task in tasks]
    connection.executemany("DELETE FROM task_extras WHERE task_id = ?", [(name,) for name, text in extras if not text])
    connection.executemany("INSERT OR REPLACE INTO task_extras VALUES (?, ?)", [one for one in extras if one[1]])
