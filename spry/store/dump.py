"""Everything that is remembered, as records that any later version can read, and back.

A record is a dictionary of plain values with its `kind`: `run` and `event` are rows, null columns left out; `output` is
some bytes that a task wrote, as base64, in the order in which they came; `book` is what is told of the tasks of runs.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from contextlib import contextmanager, suppress

from spry.errors import UsageError
from spry.store import database, journal
from spry.store.ledger import ALL, EVENT
from spry.store.lock import run_folder
from spry.store.logs import STREAMS, LogReader, LogWriter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from sqlite3 import Connection

    Record = Mapping[str, object]

RUNS = (
    "run", "state", "started", "ended", "exit_code", "total", "counts", "request", "folder", "work", "resumed",
    "collected", "book",
)  # fmt: skip
OUTPUT = {"run", "task", "attempt", "stream", "at", "data"}
BOOKS = ("book", "tasks")
DEFAULTS: Mapping[str, object] = {"collected": 0, "book": ""}
FIELDS: Mapping[str, set[str]] = {"run": {*RUNS}, "event": {*ALL}, "output": OUTPUT, "book": {*BOOKS}}
NEEDED: Mapping[str, set[str]] = {
    "run": {"run", "state", "started", "total", "counts", "request", "folder", "work"},
    "event": {"run", "number", "event", "at"},
    "output": OUTPUT,
    "book": {*BOOKS},
}
INTEGERS = {"run", "number", "exit_code", "total", "resumed", "collected", "attempt", "signal", "amount"}
TIMES = {"started", "ended", "at", "seconds"}
OBJECTS = {"counts", "request", "captured", "outputs", "tasks"}  # as JSON
LARGEST = 2**63 - 1


def records(folder: str) -> Iterator[Record]:
    """All runs in a folder, each with its events and its output; none where nothing was ever run."""
    connection = database.connect(folder)
    if connection is None:
        return
    try:
        connection.execute("BEGIN")  # one moment, whatever happens meanwhile
        for row in connection.execute("SELECT book, tasks FROM books WHERE book IN (SELECT book FROM runs)").fetchall():
            yield _record("book", BOOKS, row)
        for row in connection.execute(f"SELECT {', '.join(RUNS)} FROM runs ORDER BY run").fetchall():  # noqa: S608 - our own names
            yield _record("run", RUNS, row)
            yield from _events(connection, folder, row[0])
            yield from _output(folder, row[0])
        connection.execute("COMMIT")
    finally:
        database.close(connection, folder)


def _events(connection: Connection, folder: str, run: int) -> Iterator[Record]:
    """What the database has of a run, and what only its journal has so far."""
    query = f"SELECT {', '.join(ALL)} FROM events WHERE run = ? ORDER BY number"  # noqa: S608 - our own names
    last = 0
    for row in connection.execute(query, (run,)).fetchall():
        last = row[1]
        yield _record("event", ALL, row)
    for row in journal.read(run_folder(folder, str(run))):
        if row[1] > last:
            yield _record("event", ALL, row)


def _output(folder: str, run: int) -> Iterator[Record]:
    reader = LogReader(run_folder(folder, str(run)))
    try:
        for piece in reader.pieces():
            for data in reader.data(piece):
                yield {
                    "kind": "output", "run": run, "task": piece.task, "attempt": piece.attempt,
                    "stream": STREAMS[piece.stream], "at": piece.at, "data": b64encode(data).decode(),
                }  # fmt: skip
    finally:
        reader.close()


def _record(kind: str, names: Iterable[str], row: Iterable[object]) -> Record:
    pairs = zip(names, row, strict=True)
    return {"kind": kind, **{name: value for name, value in pairs if value is not None}}


def fault(record: Record) -> str:
    """What is wrong with a record of one of these kinds, or nothing."""
    kind = str(record["kind"])
    unknown, missing = set(record) - FIELDS[kind] - {"kind"}, NEEDED[kind] - set(record)
    if unknown or missing:
        return f"unknown field {min(unknown)}" if unknown else f"{min(missing)} is missing"
    wrong = [name for name, value in record.items() if not _fits(kind, name, value)]
    return f"{wrong[0]} is damaged" if wrong else ""


def _fits(kind: str, name: str, value: object) -> bool:
    if name in INTEGERS or (kind, name) == ("output", "task"):
        return type(value) is int and -LARGEST <= value <= LARGEST
    if name in TIMES:
        return type(value) in (int, float)
    if not isinstance(value, str):
        return False
    if name == "stream":
        return value in STREAMS
    try:
        if name == "data":
            b64decode(value, validate=True)
        return name not in OBJECTS or isinstance(json.loads(value), dict)
    except ValueError:
        return False


def taken(runs: Iterable[int], folder: str) -> list[int]:
    """Which of these runs a folder has already."""
    connection = database.connect(folder)
    if connection is None:
        return []
    try:
        known = {row[0] for row in connection.execute("SELECT run FROM runs")}
    finally:
        database.close(connection, folder)
    return sorted(known.intersection(runs))


@contextmanager
def loading(found: Iterable[Record], folder: str) -> Iterator[None]:
    """Put records into the history of a folder, all or none of them: they are kept if nothing is raised inside."""
    connection = database.connect(folder, create=True)
    assert connection is not None
    loader = _Loader(connection, folder)
    try:
        connection.execute("BEGIN IMMEDIATE")
        for record in found:
            loader.put(record)
        loader.close()
        yield
        connection.execute("COMMIT")
    except BaseException:
        loader.take_back()
        raise
    finally:
        loader.close()
        database.close(connection, folder)


class _Loader:
    """Puts records where they belong; those of a run come behind the record of the run itself."""

    def __init__(self, connection: Connection, folder: str) -> None:
        self._connection, self._folder = connection, folder
        self._log: LogWriter | None = None
        self._number = 0
        self.places: dict[object, str] = {}

    def put(self, record: Record) -> None:
        """One record; UsageError if it belongs to no run of this dump."""
        if record["kind"] == "book":
            self._connection.execute("INSERT OR IGNORE INTO books VALUES (?, ?)", [record[name] for name in BOOKS])
            return
        run = record["run"]
        if record["kind"] == "run":
            self._begin(record)
        elif run not in self.places:
            raise UsageError(f"it speaks of a run {run} that it does not hold", "make the dump anew")
        elif record["kind"] == "event":
            number, self._number = self._number, int(str(record["number"]))
            if self._number <= number:
                raise UsageError(f"event {self._number} of run {run} is not in its place", "make the dump anew")
            self._connection.execute(EVENT, [record.get(name) for name in ALL])
        else:
            self._write(record, self.places[run])

    def _begin(self, record: Record) -> None:
        self.close()
        if record["run"] in self.places:
            raise UsageError(f"run {record['run']} is in the dump twice", "make the dump anew")
        self._number = 0
        values = [record.get(name, DEFAULTS.get(name)) for name in RUNS]
        marks = ",".join("?" * len(RUNS))
        self._connection.execute(f"INSERT INTO runs ({', '.join(RUNS)}) VALUES ({marks})", values)  # noqa: S608 - our own names
        place = run_folder(self._folder, str(record["run"]))
        os.makedirs(os.path.dirname(place), 0o700, exist_ok=True)
        if os.path.isdir(place) and not os.path.lexists(os.path.join(place, "lock")):
            _remove(place)  # of a load that was killed: no run was ever carried out there
        os.mkdir(place, 0o700)
        self.places[record["run"]] = place

    def _write(self, record: Record, place: str) -> None:
        if self._log is None:
            self._log = LogWriter(place)
        stream, data = STREAMS.index(str(record["stream"])), b64decode(str(record["data"]), validate=True)
        self._log.append(int(str(record["task"])), int(str(record["attempt"])), stream, float(str(record["at"])), data)

    def close(self) -> None:
        """The output of this run is whole."""
        if self._log is not None:
            self._log.close()
            self._log = None

    def take_back(self) -> None:
        """Undo everything."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        for place in self.places.values():
            with suppress(OSError):
                _remove(place)


def _remove(place: str) -> None:
    for entry in os.scandir(place):
        os.unlink(entry.path)
    os.rmdir(place)
