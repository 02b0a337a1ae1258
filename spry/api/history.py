"""Where runs are remembered, and a run's way into it."""

from __future__ import annotations

import marshal
import os

from spry.api.places import STDIN, project
from spry.core.fingerprint import definition, digest
from spry.core.model import Task
from spry.core.plan import Selection
from spry.engine.project import upward
from spry.errors import HostError
from spry.execute.identity import mine
from spry.record import NamedTuple
from spry.store import database
from spry.store.history import Beginning, History, Left, Unrecorded, durations, keep_book, work_of
from spry.store.lock import claimed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from sqlite3 import Connection

    from spry.api.places import File
    from spry.api.wishes import Wishes
    from spry.core.events import TaskFinished
    from spry.engine.attempts import Attempts
    from spry.store.archive import Archive
    from spry.store.records import TaskRecord

EARLIER = "succeeded in run"


class Origin(NamedTuple):
    """Where a plan comes from, so that it can be made again: absolute `files` (or `<stdin>`) and what was selected.

    `resumed` is the run that it continues, `recalled` what is known from there of tasks that need not run again. A plan
    that comes from no file is made of the `tasks` themselves.
    """

    files: tuple[str, ...]
    folder: str
    selection: Selection = Selection()
    resumed: str = ""
    recalled: Mapping[str, TaskRecord] = {}
    tasks: tuple[Task, ...] = ()


def origin(files: Sequence[File], selection: Selection) -> Origin:
    """Where a plan of these files comes from; its history is that of the first file's folder."""
    paths = (one.path if one.path == STDIN else os.path.join(one.folder, os.path.basename(one.path)) for one in files)
    return Origin(tuple(paths), files[0].folder, selection)


class recorded:  # noqa: N801 - reads as what it does: with recorded(...)
    """Lasts as long as a run that is written down: its first listeners, and the usual seconds of its tasks.

    Where it cannot be written down, that is told in one line, and it runs without; so it does without an `origin`.
    HostError where nothing can ever be written: that is for whoever set this up to know, before anything runs.
    """

    __slots__ = ("_histories", "_usual")

    def __init__(self, origin: Origin | None, asked: Wishes, attempts: Attempts, warn: Callable[[str], None]) -> None:
        self._histories: list[History | Unrecorded] = []
        self._usual: Mapping[str, float] = {}
        if origin is not None:
            self._begin(origin, asked, attempts, warn)

    def __enter__(self) -> tuple[Sequence[History | Unrecorded], Mapping[str, float]]:
        return self._histories, self._usual

    def __exit__(self, *_: object) -> None:
        for history in self._histories:
            history.close()

    def _begin(self, origin: Origin, asked: Wishes, attempts: Attempts, warn: Callable[[str], None]) -> None:
        folder = place(origin.folder)
        try:
            connection = database.connect(folder, create=True)
            assert connection is not None
            try:
                _mark_lost(folder, connection)
                lock = _claim(folder, connection, attempts)
                beginning = _booked(_beginning(origin, asked, attempts, lock), connection, origin, attempts)
                self._usual = durations(connection, work_of(beginning.request))
                self._histories = [History(folder, connection, beginning, _left(attempts), warn)]
            except BaseException:
                connection.close()
                raise
        except (HostError, OSError, database.Error) as error:
            reason = database.unusable(os.path.join(folder, database.NAME), error)
            if isinstance(reason, database.UnwritableError) or asked.begun is not None:
                raise reason from None
            warn(f"{reason.message}; the run goes on without history ({reason.hint})")
            if isinstance(reason, database.NoRoomError):
                self._histories = [Unrecorded()]


def recall(origin: Origin | None, attempts: Attempts) -> dict[str, str]:
    """Give a run what earlier tasks left; the tasks that need not run again, with the words why."""
    if origin is None:
        return {}
    for record in origin.recalled.values():
        attempts.recall(_as_event(record), record.captured, record.outputs)
    return {
        name: record.message if record.message.startswith(EARLIER) else f"{EARLIER} {record.run}"
        for name, record in origin.recalled.items()
    }


def place(folder: str) -> str:
    """Where the runs of the runbooks in a folder are remembered: the nearest `.spry/`, or the user's own state.

    Outside of a repository and of a project every folder has its own history.
    """
    own = project(folder)
    if own is not None:
        return own
    if not os.path.isabs(home()):
        message = "there is no place for the history: neither HOME nor XDG_STATE_HOME names a folder"
        raise HostError(message, "set one of them, make a project with spry init, or use --no-history")
    above = os.path.realpath(root(folder))
    return os.path.join(home(), f"{os.path.basename(above) or 'root'}-{digest(above)[:10]}")


def root(folder: str) -> str:
    """The folder whose runs are remembered together: the nearest with a `.spry/`, else the root of the repository."""
    own = project(folder)
    return list(upward(folder))[-1] if own is None else os.path.dirname(own)


def home() -> str:
    """The user's folder for what spry remembers; relative where nobody knows a home."""
    state = os.environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(state):  # a relative one does not count, says whoever invented the variable
        state = os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(state, "spry")


def archive(folder: str) -> Archive | None:
    """What is remembered of the runs of a folder, the dead ones among them marked; None if nothing was ever run."""
    from spry.store.archive import Archive

    path = place(folder)
    connection = database.connect(path)
    if connection is None:
        return None
    found = Archive(path, connection)
    found.mark_lost(sweep)
    return found


def sweep(run: str) -> None:
    """End whatever a dead run has left running."""
    from spry.execute.sweep import by_mark

    by_mark(run)


def _claim(folder: str, connection: Connection, attempts: Attempts) -> int:
    """Give a run an id that is its own, and its lock: later runs have larger ids, also where the clock went back."""
    latest = connection.execute("SELECT max(run) FROM runs").fetchone()[0]
    run, lock = claimed(folder, max(int(attempts.situation.run), (latest or 0) + 1), mine())
    attempts.situation = attempts.situation._replace(run=run)
    return lock


def _mark_lost(folder: str, connection: Connection) -> None:
    if connection.execute("SELECT 1 FROM runs WHERE state = 'running' LIMIT 1").fetchone():
        from spry.store.archive import Archive

        Archive(folder, connection).mark_lost(sweep)


def _as_event(record: TaskRecord) -> TaskFinished:
    from spry.core.events import Outcome, TaskFinished

    at = (record.started or 0.0) + record.duration
    return TaskFinished(
        at, record.run, record.task, record.attempt, Outcome.SUCCEEDED, None, record.exit_code, None, record.duration
    )


def _beginning(origin: Origin, asked: Wishes, attempts: Attempts, lock: int) -> Beginning:
    """What was asked for, without anything secret."""
    plan, situation = attempts.plan, attempts.situation
    tasks = [step.task for step in plan.steps.values()]
    secret = {one.name for task in tasks if task.params for one in task.params if one.type == "secret"}
    secret.update(name for settings in plan.settings.values() for name in settings.secrets)
    request: dict[str, object] = {
        "files": origin.files,
        "selection": origin.selection._asdict(),
        "params": {name: value for name, value in asked.params.items() if name not in secret},
        "env": {name: value for name, value in asked.env.items() if name not in secret},
        "jobs": asked.jobs,
        "fail_fast": asked.fail_fast,
        "timeout": asked.timeout,
        "words": asked.words,
        "caller": situation.folder,
    }
    if asked.autostart:
        request["autostart"] = asked.autostart
    if origin.tasks:
        request["tasks"] = [_written(task) for task in origin.tasks]
    if attempts.secrets is not None:
        given = {name: attempts.secrets.clean(request[name]) for name in ("params", "env", "words")}
        request.update(given, masked=any(request[name] != value for name, value in given.items()))
    definitions = [digest_of(attempts, name) for name in plan.steps]
    return Beginning(situation.run, request, origin.folder, definitions, origin.resumed, lock)


def _booked(beginning: Beginning, connection: Connection, origin: Origin, attempts: Attempts) -> Beginning:
    """With what is told of the tasks of a runbook, without anything secret; commands tell it themselves."""
    if origin.tasks:
        return beginning
    tasks = [step.task for step in attempts.plan.steps.values()]

    def told() -> object:
        from spry.core.canonical import HIDDEN, spec

        secrets = attempts.secrets
        hides = secrets is not None and secrets.may_come
        shown = [task._replace(body=HIDDEN) for task in tasks] if hides else tasks
        found = {task.name: spec(task, attempts.settings(task), attempts.shown) for task in shown}
        return found if secrets is None else secrets.clean(found)

    rows = [tuple(task) if not (task.params or task.expressions) else ascii(task) for task in tasks]
    parts = marshal.dumps((*beginning.definitions, rows), 2)  # of an exact version: the same bytes for the same values
    return beginning._replace(book=keep_book(connection, digest(parts), told))


def _written(task: Task) -> dict[str, object]:
    """What is not as in any other task."""
    usual = Task._field_defaults
    return {name: value for name, value in task._asdict().items() if name not in usual or value != usual[name]}


def _left(attempts: Attempts) -> Callable[[TaskFinished], Left]:
    """How the history learns what a task has left."""

    def left(event: TaskFinished) -> Left:
        left = attempts.left
        captured, outputs = left.captured.get(event.task, {}), left.outputs.get(event.task, {})
        if attempts.secrets is not None and attempts.secrets.are_in({**captured, **outputs}):
            return Left(whole=False)
        return Left(captured, outputs)

    return left


def digest_of(attempts: Attempts, name: str) -> str:
    """The digest of what a task of a plan is, with what this run gives it."""
    task, situation = attempts.plan.steps[name].task, attempts.situation
    return definition(task, attempts.settings(task), situation.params.get(name), situation.words.get(name, ()))
