"""A run as it is written down: every fact is on disk before anybody is shown it.

What cannot be written costs the record, never the run: the first failure is told in one line, and the run goes on.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from spry.core.events import Outcome, RunFinished, RunStarted, TaskFinished, TaskOutput, TaskStarted
from spry.store import database
from spry.store.database import Error
from spry.store.rows import COLUMNS, as_json, row_of, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from sqlite3 import Connection

    from spry.core.events import Event
    from spry.store.logs import LogWriter

OFTEN = 4096  # events between two looks at how long the database's log has become
LOCK = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
EVENT = f"INSERT INTO events (run, number, {', '.join(COLUMNS)}) VALUES (?,?{',?' * len(COLUMNS)})"  # noqa: S608 - our own names
TASK = "INSERT OR REPLACE INTO tasks VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"
RUN = "INSERT INTO runs VALUES (?,'running',?,NULL,NULL,?,'{}',?,?,?,?)"
ENDED = "UPDATE runs SET state='finished', ended=?, exit_code=?, counts=? WHERE run=?"

DURATIONS = """
    SELECT task, duration FROM tasks WHERE outcome = 'succeeded' AND reason = '' AND run IN (
        SELECT run FROM runs WHERE work = ? AND state = 'finished' ORDER BY run DESC LIMIT 3)"""


class Left(NamedTuple):
    """What a task that succeeded left: the digest of what it is, its captures and the values of `$SPRY_OUTPUT`."""

    definition: str
    captured: Mapping[str, str] = {}
    outputs: Mapping[str, str] = {}


class Beginning(NamedTuple):
    """What is known of a run before it starts: its id, what was asked for (see `RunRecord`), and what it resumes."""

    run: str
    request: Mapping[str, object]
    folder: str
    resumed: str = ""


class History:
    """A listener that writes a run down; it has to be the first one. Making it raises HostError or OSError.

    It holds a lock for as long as the run lives: that lock, and nothing else, says whether a run is under way.
    `incomplete` says that output was lost on its way to the log.
    """

    __slots__ = (
        "_beginning", "_connection", "_folder", "_left", "_lock", "_log", "_number", "_numbers", "_place", "_run",
        "_started", "_warn", "incomplete",
    )  # fmt: skip

    def __init__(
        self,
        folder: str,
        connection: Connection,
        beginning: Beginning,
        left: Callable[[TaskFinished], Left],
        warn: Callable[[str], None],
    ) -> None:
        self._folder, self._connection, self._beginning = folder, connection, beginning
        self._left, self._warn = left, warn
        self._run, self._number = int(beginning.run), 0
        self._place = run_folder(folder, beginning.run)
        self._lock = _locked(self._place)
        self._log: LogWriter | None = None
        self._numbers: dict[str, int] = {}
        self._started: dict[str, float] = {}
        self.incomplete = False

    def __call__(self, event: Event) -> None:
        """Write an event down, whole or not at all."""
        if isinstance(event, TaskOutput):
            self._output(event)
            return
        if isinstance(event, RunStarted):
            self._numbers = {name: number for number, name in enumerate(event.tasks)}
        elif isinstance(event, TaskStarted):
            self._started.setdefault(event.task, event.at)
        if self._connection is not None:
            try:
                self._write(self._connection, event)
            except (Error, OSError) as error:
                self._give_up(error)

    def close(self) -> None:
        """The run is over, or broke off: whoever looks now sees how it ended."""
        if self._log is not None:
            self._log.close()
            self._log = None
        connection, self._connection = self._connection, None  # type: ignore[assignment] # closed once
        if connection is not None:
            database.close(connection, self._folder)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _write(self, connection: Connection, event: Event) -> None:
        last = isinstance(event, RunFinished)
        if last:
            connection.execute("PRAGMA synchronous=FULL")  # what the run came to outlives a loss of power
        connection.execute("BEGIN IMMEDIATE")
        if isinstance(event, RunStarted):
            self._begin(connection, event)
        self._number += 1
        connection.execute(EVENT, (self._run, self._number, *row_of(event)))
        if isinstance(event, TaskFinished):
            self._finish(connection, event)
        elif isinstance(event, RunFinished):
            connection.execute(ENDED, (event.at, event.exit_code, as_json(event.counts), self._run))
        connection.execute("COMMIT")
        if self._number % OFTEN == 0:
            database.checkpoint(connection, self._folder)

    def _begin(self, connection: Connection, event: RunStarted) -> None:
        _, request, folder, resumed = self._beginning
        work = work_of(request)
        resumes = int(resumed) if resumed else None
        row = (self._run, event.at, len(event.tasks), as_json(request), text(folder), work, resumes)
        connection.execute(RUN, row)

    def _finish(self, connection: Connection, event: TaskFinished) -> None:
        left = self._left(event) if event.outcome is Outcome.SUCCEEDED else Left("")
        connection.execute(
            TASK,
            (
                self._run, event.task, event.outcome.value, event.reason.value if event.reason else "",
                event.exit_code, event.signal, event.attempt, self._started.pop(event.task, None), event.duration,
                text(event.message), left.definition, as_json(left.captured), as_json(left.outputs),
            ),
        )  # fmt: skip

    def _output(self, event: TaskOutput) -> None:
        if self.incomplete:
            return
        try:
            if self._log is None:
                from spry.store.logs import LogWriter  # noqa: PLC0415 - many runs write nothing

                self._log = LogWriter(self._place)
            number, stream = self._numbers[event.task], int(event.stream == "stderr")
            self._log.append(number, event.attempt, stream, event.at, event.data)
        except OSError as error:
            self.incomplete = True
            self._warn(f"the log of this run is incomplete: {self._place}: {error.strerror}; the run goes on")

    def _give_up(self, error: Exception) -> None:
        """Go on without: the connection is closed, which takes back what was half written."""
        connection, self._connection = self._connection, None  # type: ignore[assignment] # nothing is written any more
        connection.close()
        reason = database.unusable(os.path.join(self._folder, database.NAME), error)
        self._warn(f"{reason.message}; the run goes on and is not recorded any further ({reason.hint})")


def work_of(request: Mapping[str, object]) -> str:
    """What two runs share that do the same work: runbooks and selection."""
    return as_json([request.get("files"), request.get("selection")])


def durations(connection: Connection, work: str) -> dict[str, float]:
    """The usual seconds of each task in the latest runs of the same work: the median."""
    seconds: dict[str, list[float]] = {}
    for task, duration in connection.execute(DURATIONS, (work,)):
        seconds.setdefault(task, []).append(duration)
    return {task: sorted(values)[len(values) // 2] for task, values in seconds.items()}


def run_folder(folder: str, run: str) -> str:
    """Where the files of a run are."""
    return os.path.join(folder, "runs", run)


def alive(folder: str, run: str) -> bool:
    """Whether somebody holds the lock of a run, which nobody does once its process has ended, however it did."""
    import fcntl  # noqa: PLC0415 - only where a run is recorded as running

    try:
        lock = os.open(os.path.join(run_folder(folder, run), "lock"), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _locked(place: str) -> int:
    """The lock of a new run in its new folder."""
    import fcntl  # noqa: PLC0415 - a run without history needs none

    os.makedirs(os.path.dirname(place), 0o700, exist_ok=True)
    os.mkdir(place, 0o700)
    lock = os.open(os.path.join(place, "lock"), LOCK, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return lock
