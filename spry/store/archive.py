"""What was written down, for those who ask: runs, the outcomes of their tasks, their events and logs."""

from __future__ import annotations

import os
from itertools import zip_longest

from spry.core.events import Outcome, Reason, TaskFinished
from spry.errors import HostError, UsageError
from spry.store import database, journal, outputs
from spry.store.database import Error
from spry.store.ledger import ENDED, EVENT
from spry.store.lock import alive, run_folder
from spry.store.logs import LogReader
from spry.store.records import RunRecord, Statistic, TaskRecord
from spry.store.rows import COLUMNS, as_json, event_of, row_of, tally

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from sqlite3 import Connection

    from spry.core.events import Event

RUN = "run, state, started, ended, exit_code, total, counts, request, folder"
LAST_UNSUCCESSFUL = f"""
    SELECT {RUN} FROM runs AS one
    WHERE state <> 'running' AND exit_code IS NOT 0 AND work NOT LIKE '[[],%' AND NOT EXISTS (
        SELECT 1 FROM runs AS later WHERE later.work = one.work AND later.run > one.run
        AND (later.exit_code = 0 OR later.resumed = one.run))
    ORDER BY run DESC LIMIT 1"""  # noqa: S608 - our own names
STALE = """
    SELECT run FROM runs AS one WHERE state <> 'running' AND coalesce(ended, started) < ? AND (
        exit_code IS 0 OR EXISTS (SELECT 1 FROM runs AS later WHERE later.work = one.work AND later.run > one.run))"""
RESUMABLE = """
    SELECT run FROM runs AS one WHERE exit_code IS NOT 0 AND NOT EXISTS (
        SELECT 1 FROM runs AS later WHERE later.work = one.work AND later.run > one.run)"""
LOST = "spry ended while it ran"


class Archive:
    """The history in a folder, for reading. Every method raises HostError where the database cannot be read."""

    __slots__ = ("_connection", "folder")

    def __init__(self, folder: str, connection: Connection) -> None:
        self.folder, self._connection = folder, connection

    def close(self) -> None:
        """Close the database."""
        database.close(self._connection, self.folder)

    def runs(self, state: str = "", most: int = -1) -> list[RunRecord]:
        """The latest runs first, all of them or those in a state; at most so many."""
        query = f"SELECT {RUN} FROM runs WHERE ? IN ('', state) ORDER BY run DESC LIMIT ?"  # noqa: S608 - our own names
        return [_run(row) for row in self._all(query, state, most)]

    def run(self, end: str) -> RunRecord:
        """The run whose id ends like this; UsageError if there is none, or more than one."""
        if not end.isdigit():
            raise UsageError(f'"{end}" is not the id of a run', "spry runs lists them")
        query = f"SELECT {RUN} FROM runs WHERE CAST(run AS TEXT) LIKE ? ORDER BY run DESC LIMIT 4"  # noqa: S608 - our own names
        found = [_run(row) for row in self._all(query, f"%{end}")]
        if len(found) == 1 or (found and found[0].run == end):
            return found[0]
        if found:
            raise UsageError(f"several runs end with {end}: {', '.join(one.run for one in found)}", "give more digits")
        latest = [one.run for one in self.runs(most=1000)]
        near = [one for one in latest if len(end) > 3 and (end in one or end[:-1] in one or end[1:] in one)]
        hint = f"did you mean {' or '.join(near[:3] or latest[:3])}? spry runs lists them"
        raise UsageError(f"no run has an id that ends with {end}", hint if latest else "nothing has been run here")

    def last_unsuccessful(self) -> RunRecord | None:
        """The newest run of a runbook that did not succeed and that no later run of the same work has made good."""
        rows = self._all(LAST_UNSUCCESSFUL)
        return _run(rows[0]) if rows else None

    def tasks(self, run: str) -> list[TaskRecord]:
        """The tasks of a run that have an outcome, in the order of its plan."""
        self._catch_up(run)
        first = self._first(run)
        order = {name: number for number, name in enumerate(first)}
        rows = self._all("SELECT * FROM tasks WHERE run = ?", int(run))
        found = [_task(row, first) for row in rows]
        return sorted(found, key=lambda one: order.get(one.task, len(order)))

    def statistics(self, runs: Collection[str]) -> list[Statistic]:
        """How the tasks of these runs fared, in the order of their names."""
        found: dict[str, list[tuple[str, float]]] = {}
        query = (
            "SELECT run, task, outcome, duration FROM tasks WHERE attempt > 0 OR outcome <> 'succeeded' ORDER BY task"
        )
        for run, task, outcome, duration in self._all(query):
            if str(run) in runs:
                found.setdefault(str(task), []).append((str(outcome), float(str(duration))))
        return [_statistic(task, ends) for task, ends in found.items()]

    def collected(self) -> set[str]:
        """The runs whose results somebody has collected."""
        return {str(row[0]) for row in self._all("SELECT run FROM runs WHERE collected")}

    def collect(self, runs: Iterable[str]) -> None:
        """Count the results of these runs as collected."""
        for run in runs:
            self._write(self._collect, run)

    def _collect(self, run: str) -> None:
        self._connection.execute("UPDATE runs SET collected = 1 WHERE run = ?", (run,))

    def names(self, run: str) -> list[str]:
        """The tasks of a run in the order of its plan."""
        return list(self._first(run))

    def specs(self, run: str) -> Mapping[str, Mapping[str, object]]:
        """What the tasks of a run of a runbook were, by name, as far as that is known."""
        import json  # noqa: PLC0415 - as below

        rows = self._all("SELECT tasks FROM books JOIN runs USING (book) WHERE run = ?", int(run))
        return dict(json.loads(str(rows[0][0]))) if rows else {}

    def events(self, run: str) -> Iterator[Event]:
        """What happened in a run, in order, without its output."""
        self._catch_up(run)
        rows = self._all(f"SELECT {', '.join(COLUMNS)} FROM events WHERE run = ? ORDER BY number", int(run))  # noqa: S608 - our own names
        return (event_of(run, row) for row in rows)

    def log(self, run: str) -> LogReader:
        """The output of a run; the caller closes it."""
        return LogReader(run_folder(self.folder, run))

    def mark_lost(self, sweep: Callable[[str], object]) -> list[str]:
        """Runs whose process died are lost, and so are the attempts it left; `sweep` ends what still runs of one."""
        running = [str(row[0]) for row in self._all("SELECT run FROM runs WHERE state = 'running'")]
        dead = [run for run in running if not alive(self.folder, run)]
        for run in dead:
            sweep(run)
            self._catch_up(run)
            self._write(self._settle, run)
            journal.forget(run_folder(self.folder, run))
        return dead

    def tidy(self, before: float) -> list[str]:
        """Forget the runs that ended before an instant, except those that can still be resumed."""
        stale = [str(row[0]) for row in self._all(STALE, before)]
        for run in stale:
            _remove(run_folder(self.folder, run))
            outputs.forget(self.folder, run)
            self._write(self._forget, run)
        if stale:
            unused = "DELETE FROM books WHERE book NOT IN (SELECT book FROM runs)"
            self._write(lambda _: self._connection.execute(unused), "")
        return stale

    def successes(self) -> list[tuple[str, str, str]]:
        """The last successes of tasks that can be up to date: runbook, task and run."""
        rows = self._all("SELECT book, task, run FROM successes")
        return [(str(book), str(task), str(run)) for book, task, run in rows]

    def forget_gone(self, root: str) -> None:
        """Forget successes and digests of runbooks (named from a folder) and files that are not there any more."""
        books = [row for row in self._all("SELECT DISTINCT book FROM successes") if not _is_there(root, row[0])]
        files = [row for row in self._all("SELECT path FROM files") if not _is_there("", row[0])]
        self._write(lambda _: self._connection.executemany("DELETE FROM successes WHERE book = ?", books), "")
        self._write(lambda _: self._connection.executemany("DELETE FROM files WHERE path = ?", files), "")

    def resumable(self) -> set[str]:
        """The runs that are under way, or that somebody may go on with."""
        return {str(row[0]) for row in self._all(RESUMABLE)}

    def _first(self, run: str) -> dict[str, str]:
        """The tasks of a run in the order of its plan, and the digests of what they are."""
        rows = self._all("SELECT text, definition FROM events WHERE run = ? AND number = 1", int(run))
        names, definitions = rows[0] if rows else ("", "")
        digests = str(definitions).split(" ")
        return dict(zip_longest(str(names).split("\n"), digests, fillvalue="")) if names else {}

    def _catch_up(self, run: str) -> None:
        """Bring in what the journal of a run has and the database has not, also while the run goes on."""
        rows = list(journal.read(run_folder(self.folder, run)))
        if rows:
            self._write(lambda _: self._connection.executemany(EVENT, rows), run)

    def _settle(self, run: str) -> None:
        """How a dead run ended; nothing to do if somebody else was faster, or it ended between the two looks."""
        execute = self._connection.execute
        if not execute("SELECT 1 FROM runs WHERE run = ? AND state = 'running'", (run,)).fetchone():
            return
        query = "SELECT at, exit_code, text FROM events WHERE run = ? AND event = 'run_finished'"
        ended = execute(query, (run,)).fetchone()
        if ended is None:
            self._lose(run)
            return
        at, code, words = ended
        execute(ENDED, (at, code, as_json(tally(words)), run))

    def _lose(self, run: str) -> None:
        """The process of a run died, and its attempts with it."""
        execute = self._connection.execute
        under_way: dict[str, tuple[int, float]] = {}
        number, at = 0, 0.0
        query = "SELECT number, at, event, task, attempt FROM events WHERE run = ? ORDER BY number"
        for number, at, event, task, attempt in execute(query, (run,)):  # noqa: B007 - the last ones count
            if event == "task_started":
                under_way[task] = attempt, at
            elif event == "task_finished":
                under_way.pop(task, None)
        for task, (attempt, started) in under_way.items():
            number += 1
            lost = TaskFinished(at, run, task, attempt, Outcome.FAILED, Reason.LOST, None, None, at - started, LOST)
            execute(EVENT, (run, number, *row_of(lost), started, None, None, None))
        counted = dict(execute("SELECT outcome, count(*) FROM tasks WHERE run = ? GROUP BY outcome", (run,)))
        update = "UPDATE runs SET state = 'lost', ended = ?, counts = ? WHERE run = ?"
        execute(update, (at, as_json(counted), run))

    def _forget(self, run: str) -> None:
        for table in ("events", "runs"):
            self._connection.execute(f"DELETE FROM {table} WHERE run = ?", (run,))  # noqa: S608 - our own names

    def _write(self, act: Callable[[str], object], run: str) -> None:
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            act(run)
            connection.execute("COMMIT")
        except Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if not database.full(error) or not database.make_room(self.folder):
                raise self._unusable(error) from None
            self._write(act, run)

    def _all(self, query: str, *values: object) -> list[tuple[object, ...]]:
        try:
            return list(self._connection.execute(query, values))
        except Error as error:
            raise self._unusable(error) from None

    def _unusable(self, error: Exception) -> HostError:
        return database.unusable(os.path.join(self.folder, database.NAME), error)


def _statistic(task: str, ends: Sequence[tuple[str, float]]) -> Statistic:
    counts: dict[str, int] = {}
    for outcome, _ in ends:
        counts[outcome] = counts.get(outcome, 0) + 1
    seconds = sorted(duration for outcome, duration in ends if outcome == "succeeded") or [0.0]
    return Statistic(task, len(ends), counts, seconds[len(seconds) // 2], seconds[-1])


def _remove(folder: str) -> None:
    """The files of a run; the folder holds nothing else."""
    try:
        for entry in os.scandir(folder):
            os.unlink(entry.path)
        os.rmdir(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise HostError(f"{folder}: {error.strerror}", "remove it yourself") from None


def _is_there(root: str, path: object) -> bool:
    name = path if isinstance(path, bytes) else os.fsencode(str(path))
    return os.path.exists(os.path.join(os.fsencode(root), name))


def _run(row: tuple[object, ...]) -> RunRecord:
    import json  # noqa: PLC0415 - a run looks here too, for those that were lost

    run, state, started, ended, code, total, counts, request, folder = row
    values = (str(run), state, started, ended, code, total, json.loads(str(counts)), json.loads(str(request)), folder)
    return RunRecord._make(values)


def _task(row: tuple[object, ...], definitions: Mapping[str, str]) -> TaskRecord:
    import json  # noqa: PLC0415 - as above

    run, task, *values, definition, captured, outputs = row
    defined = definitions.get(str(task), "") if definition is None else definition
    left = json.loads(str(captured)), json.loads(str(outputs))
    return TaskRecord._make((str(run), task, *values, defined, *left))
