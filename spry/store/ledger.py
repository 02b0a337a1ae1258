"""How the facts of one run get into the database: at once, later with many others, or by somebody else."""

from __future__ import annotations

import os

from spry.store import database, journal
from spry.store.database import Error
from spry.store.rows import COLUMNS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from sqlite3 import Connection

    from spry.store.rows import Row

MANY = 512  # rows that wait before the database is given them
OFTEN = 8 * MANY  # rows between two looks at how long the database's log has become
ALL = ("run", "number", *COLUMNS, "started", "definition", "captured", "outputs")
EVENT = f"INSERT OR IGNORE INTO events ({', '.join(ALL)}) VALUES (?{',?' * (len(ALL) - 1)})"  # noqa: S608 - our own names
RUN = "INSERT INTO runs VALUES (?,'running',?,NULL,NULL,?,'{}',?,?,?,?,0,?)"
ENDED = "UPDATE runs SET state='finished', ended=?, exit_code=?, counts=? WHERE run=?"


class Ledger:
    """Keeps the rows of one run: the first and the last in the database, the others in its journal until it has many.

    `folder` is the database's, `place` the run's own. Nothing here raises once it is made: what goes wrong is told
    with `warn` in one line. `lost` says that something of this run will never be found by anybody.
    """

    __slots__ = ("_connection", "_file", "_folder", "_journal", "_place", "_waiting", "_warn", "lost")

    def __init__(self, connection: Connection, folder: str, place: str, warn: Callable[[str], None]) -> None:
        self._connection: Connection | None = connection
        self._folder, self._place, self._warn = folder, place, warn
        self._waiting: list[Row] = []
        self._file = _identity(folder)
        self.lost = False
        self._journal: journal.Journal | None = journal.Journal(place)

    def begin(self, run: Row, first: Row) -> None:
        """The run is known from here on; `run` is its row in the table of runs."""
        connection = self._connection
        assert connection is not None
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(RUN, run)
            connection.execute(EVENT, first)
            connection.execute("COMMIT")
            connection.execute("PRAGMA busy_timeout=0")  # nobody waits for the database before the end
        except Error as error:
            self._give_up(error, "the run goes on without history")
            self.lost = isinstance(database.unusable("", error), database.NoRoomError)

    def keep(self, row: Row) -> None:
        """Something happened."""
        if self._connection is None:
            return
        self._note(row)
        self._waiting.append(row)
        if len(self._waiting) % MANY == 0:
            self._flush(self._connection, row[1])

    def end(self, last: Row, ended: Row) -> None:
        """The run is over: all that waits goes in, and how it ended, safe also from a loss of power."""
        connection = self._connection
        if connection is None:
            return
        self._note(last)
        self._waiting.append(last)
        try:
            connection.execute(f"PRAGMA busy_timeout={database.PATIENCE * 1000:.0f}")
            connection.execute("PRAGMA synchronous=FULL")
            self._settle(connection, ended)
        except Error as error:
            kept = "what happened is kept beside it, and comes in with the next command here"
            self.lost = self._journal is None
            self._give_up(error, "this run is not remembered" if self.lost else kept)
            return
        journal.forget(self._place)

    def _settle(self, connection: Connection, ended: Row) -> None:
        """Everything in one transaction; on a full disk a second time, with the room that is kept for that."""
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(EVENT, self._waiting)
            connection.execute(ENDED, ended)
            connection.execute("COMMIT")
        except Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if not database.full(error) or not database.make_room(self._folder):
                raise
            self._settle(connection, ended)

    def look(self) -> None:
        """See whether what is written here can still be found: SQLite writes on in a file that was removed."""
        if self._connection is None or _identity(self._folder) == self._file:
            return
        self.lost = True
        self.close()
        self._warn(f"the history was removed in mid-run: {self._folder}; the run goes on and is not remembered")

    def close(self) -> None:
        """Nothing more will come."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        connection, self._connection = self._connection, None
        if connection is not None:
            database.close(connection, self._folder)

    def _note(self, row: Row) -> None:
        """Into the journal; without room for it the rows are in memory only until the database has them."""
        if self._journal is None:
            return
        try:
            self._journal.append(row)
        except OSError as error:
            self._journal.close()
            self._journal = None
            self._warn(f"if spry is killed now, the history of this run has a gap: {self._place}: {error.strerror}")

    def _flush(self, connection: Connection, number: int) -> None:
        """Give the database what waits; if it cannot take it now, perhaps it can the next time."""
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(EVENT, self._waiting)
            connection.execute("COMMIT")
        except Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            return
        self._waiting.clear()
        if number % OFTEN == 0:
            database.checkpoint(connection, self._folder)

    def _give_up(self, error: Exception, instead: str) -> None:
        """Go on without: the connection is closed, which takes back what was half written."""
        connection, self._connection = self._connection, None
        assert connection is not None
        connection.close()
        reason = database.unusable(os.path.join(self._folder, database.NAME), error)
        self._warn(f"{reason.message}; {instead} ({reason.hint})")


def _identity(folder: str) -> tuple[int, int]:
    """Which file the database is."""
    try:
        found = os.stat(os.path.join(folder, database.NAME))
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino
