"""A run as it is written down: every fact is on disk before anybody is shown it.

What cannot be written costs the record, never the run: it is told in one line, and the run goes on.
"""

from __future__ import annotations

import os

from spry.core.events import Outcome, RunFinished, RunStarted, TaskFinished, TaskOutput, TaskStarted
from spry.record import NamedTuple
from spry.store import database
from spry.store.ledger import Ledger
from spry.store.lock import claimed, run_folder
from spry.store.rows import as_json, row_of, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from sqlite3 import Connection

    from spry.core.events import Event
    from spry.store.logs import LogWriter

NOTHING = (None, None, None, None)  # of `started`, `definition`, `captured`, `outputs`
DURATIONS = """
    SELECT task, duration FROM tasks WHERE outcome = 'succeeded' AND reason = '' AND run IN (
        SELECT run FROM runs WHERE work = ? AND state = 'finished' ORDER BY run DESC LIMIT 3)"""


class Left(NamedTuple):
    """What a task that succeeded left: its captures and the values of `$SPRY_OUTPUT`.

    It is not `whole` if something of it must not be written down: resumed, such a task runs again.
    """

    captured: Mapping[str, str] = {}
    outputs: Mapping[str, str] = {}
    whole: bool = True


class Beginning(NamedTuple):
    """What is known of a run before it starts: its id, what was asked for (see `RunRecord`), and what it resumes.

    `definitions` are the digests of what its tasks are, in the order of the plan. The `lock` comes with the id, and
    has to be given if that is claimed already (see `store.lock`). `book` is the key of what is told of the tasks.
    """

    run: str
    request: Mapping[str, object]
    folder: str
    definitions: Sequence[str] = ()
    resumed: str = ""
    lock: int = -1
    book: str = ""


class History:
    """A listener that writes a run down; it has to be the first one. Making it raises HostError or OSError.

    It holds a lock for as long as the run lives: that lock, and nothing else, says whether a run is under way.
    `incomplete` says that output, or the record itself, was lost on its way to the disk.
    """

    __slots__ = (
        "_beginning", "_ledger", "_left", "_lock", "_log", "_number", "_numbers", "_place", "_run", "_started",
        "_unwritten", "_warn",
    )  # fmt: skip

    def __init__(
        self,
        folder: str,
        connection: Connection,
        beginning: Beginning,
        left: Callable[[TaskFinished], Left],
        warn: Callable[[str], None],
    ) -> None:
        self._beginning, self._left, self._warn = beginning, left, warn
        self._run, self._number = int(beginning.run), 0
        self._place = run_folder(folder, beginning.run)
        self._lock = beginning.lock if beginning.lock >= 0 else claimed(folder, int(beginning.run))[1]
        self._ledger = Ledger(connection, folder, self._place, warn)
        self._log: LogWriter | None = None
        self._numbers: dict[str, int] = {}
        self._started: dict[str, float] = {}
        self._unwritten = False

    @property
    def lock(self) -> int:
        """The descriptor that holds the lock."""
        return self._lock

    @property
    def incomplete(self) -> bool:
        """Whether something of this run cannot be looked up later."""
        return self._unwritten or self._ledger.lost

    def __call__(self, event: Event) -> None:
        """Write an event down, whole or not at all."""
        if isinstance(event, TaskOutput):
            self._output(event)
            return
        self._number += 1
        row = (self._run, self._number, *row_of(event))
        if isinstance(event, TaskFinished):
            self._ledger.keep((*row, self._started.pop(event.task, None), *self._leavings(event)))
            self._ledger.look()
        elif isinstance(event, RunStarted):
            self._numbers = {name: number for number, name in enumerate(event.tasks)}
            self._ledger.begin(self._known(event), (*row, None, " ".join(self._beginning.definitions), None, None))
        elif isinstance(event, RunFinished):
            self._ledger.end((*row, *NOTHING), (event.at, event.exit_code, as_json(event.counts), self._run))
        else:
            if isinstance(event, TaskStarted):
                self._started.setdefault(event.task, event.at)
            self._ledger.keep((*row, *NOTHING))

    def close(self) -> None:
        """The run is over, or broke off: whoever looks now sees how it ended."""
        if self._log is not None:
            self._log.close()
            self._log = None
        self._ledger.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _leavings(self, event: TaskFinished) -> tuple[str | None, str | None, str | None]:
        """What dependents of a later run need; an empty definition is like that of no task."""
        if event.outcome is not Outcome.SUCCEEDED:
            return None, None, None
        captured, outputs, whole = self._left(event)
        return None if whole else "", as_json(captured) if captured else None, as_json(outputs) if outputs else None

    def _known(self, event: RunStarted) -> tuple[object, ...]:
        """The row of the run."""
        request, resumed = self._beginning.request, self._beginning.resumed
        return (
            self._run, event.at, len(event.tasks), as_json(request), text(self._beginning.folder), work_of(request),
            int(resumed) if resumed else None, self._beginning.book,
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
            self._unwritten = True
            self._warn(f"the log of this run is incomplete: {self._place}: {error.strerror}; the run goes on")


class Unrecorded:
    """In place of a `History` that has no room: such a run goes on, and cannot be called good."""

    __slots__ = ()
    incomplete = True
    lock = -1

    def __call__(self, event: Event) -> None:
        """Write nothing down."""

    def close(self) -> None:
        """Nothing was opened."""


def keep_book(connection: Connection, book: str, tasks: Callable[[], object]) -> str:
    """Keep what is told of the tasks of runs under a key, once for all runs of the same tasks; nothing without room."""
    try:
        if not connection.execute("SELECT 1 FROM books WHERE book = ?", (book,)).fetchone():
            connection.execute("INSERT OR IGNORE INTO books VALUES (?, ?)", (book, as_json(tasks())))
    except database.Error:
        return ""
    return book


def work_of(request: Mapping[str, object]) -> str:
    """What two runs share that do the same work: runbooks and selection."""
    tasks = request.get("tasks")
    return as_json([request.get("files"), request.get("selection"), *([tasks] if tasks else [])])


def durations(connection: Connection, work: str) -> dict[str, float]:
    """The usual seconds of each task in the latest runs of the same work: the median."""
    seconds: dict[str, list[float]] = {}
    for task, duration in connection.execute(DURATIONS, (work,)):
        seconds.setdefault(task, []).append(duration)
    return {task: sorted(values)[len(values) // 2] for task, values in seconds.items()}
