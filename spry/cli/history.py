"""The commands that look at what was run, or go on with it."""

from __future__ import annotations

import os
import sys
import time

from spry.api import history as api
from spry.api.places import STDIN, find
from spry.cli.options import no_names
from spry.errors import SpryError, UsageError
from spry.view import history as view

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from spry.cli.options import Request
    from spry.store.archive import Archive
    from spry.store.logs import LogReader, Piece
    from spry.store.records import RunRecord
    from spry.view.screen import Screen

LOOK = 0.1  # seconds between two looks at a run that is under way
DATABASE = frozenset({"running", "finished", "lost"})  # states by which the store itself can choose
NOTHING = "nothing has been run here"


def runs(request: Request, screen: Screen) -> int:
    """`spry runs`: all that is remembered."""
    no_names(request)
    archive = archive_of(request)
    state = request.state or ""
    found = archive.runs(state if state in DATABASE else "") if archive else []
    found = [run for run in found if state in ("", run.state, view.state_of(run))]
    if request.stats:
        stats = archive.statistics({run.run for run in found}) if archive else []
        screen.show(view.statistics_as_json(stats) if request.json else view.statistics(stats))
    else:
        is_terminal = screen.terminals["stdout"]
        screen.show(view.runs_as_json(found) if request.json else view.runs(found, is_terminal=is_terminal))
    return closed(archive)


def status(request: Request, screen: Screen) -> int:
    """`spry status [ID]`: how the whole stands, or one run."""
    if not request.names and (request.watch or request.process):
        raise UsageError("--watch and --process are for one run", "spry runs lists them; spry status ID --watch")
    archive = archive_of(request)
    if not request.names:
        running = sum(len(_under_way(archive, run.run)) for run in archive.runs("running")) if archive else 0
        known = len(archive.runs()) if archive else 0
        told = view.system_as_json if request.json else view.system
        screen.show(told(running, known, _up_to_date(request)))
        return closed(archive)
    archive = needed(archive)
    run = archive.run(_one(request))
    before = ""
    while True:
        run = archive.run(run.run)
        text = _status(archive, run, request)
        if text != before:
            clear = "\x1b[H\x1b[J" if request.watch and screen.terminals["stdout"] else ""
            screen.show(clear + text)
            screen.flush()
        before = text
        if not request.watch or run.state != "running":
            return closed(archive)
        _look_again(archive)


def _up_to_date(request: Request) -> tuple[int, int] | None:
    """How many tasks of the runbook are up to date, of how many that can be; None without any, or a valid runbook."""
    from spry.api.load import load

    try:
        files = find(request.files)
        graph = load(files)
    except SpryError:
        return None
    if not any(task.inputs or task.outputs for task in graph.runbook.tasks.values()):
        return None
    from spry.api.freshness import standings
    from spry.engine.forecast import FRESH

    states = [standing.state for standing in standings(graph, files[0].folder).values()]
    return states.count(FRESH), len(states)


def logs(request: Request, screen: Screen) -> int:
    """`spry logs ID[/TASK]`: what was written, in the order in which it was."""
    archive = needed(archive_of(request))
    run, task = target(archive, _one(request))
    reader = archive.log(run.run)
    names = archive.names(run.run)
    for piece in _pieces(archive, reader, run, follow=request.follow):
        name = names[piece.task]
        if task in ("", name):
            _show(piece, name, run, reader, request, screen)
    for name in names:
        screen.end(name)
    reader.close()
    return closed(archive)


def result(request: Request, screen: Screen) -> int:
    """`spry result ID[/TASK]`: status, exit code and standard output; exits as what it tells of did."""
    from spry.cli import results

    if request.all:
        return results.collect(request, screen, archive_of(request))
    if request.peek:
        raise UsageError("--peek is for --all", "spry result --all --peek")
    archive = needed(archive_of(request))
    run, task = target(archive, _one(request))
    if request.stream:
        return results.stream(request, screen, archive, run, task, _pieces)
    run = _ended(archive, run, request)
    results.show(results.of(archive, run, task, as_json=request.json), request, screen)
    code = results.exit_code(archive, run, task)
    closed(archive)
    return code


def resume(request: Request, screen: Screen) -> int:
    """`spry resume [ID]`: go on with a run."""
    from spry.api.resume import resumption, summary
    from spry.api.wishes import wishes
    from spry.cli.run import ours, preview, start

    asked = wishes(request._replace(names=()))
    archive = archive_of(request)
    run = needed(archive).run(_one(request)) if request.names else archive.last_unsuccessful() if archive else None
    if run is None or archive is None or (run.exit_code == 0 and not request.from_start):
        screen.say("nothing to resume: ", "that run succeeded" if run else "the last run succeeded, or there was none")
        return closed(archive)
    found = resumption(archive, run, asked, from_start=request.from_start)
    archive.close()
    for line in summary(found, run):
        screen.say(line)
    if request.dry_run:
        done = dict.fromkeys(found.origin.recalled, f"succeeded in run {run.run}, not run again")
        return preview(found.plan, found.asked, request, screen, found.origin, done)
    ours(found.files, found.plan, found.asked)
    return start(found.plan, found.asked, request, screen, found.origin, found.files)


def archive_of(request: Request) -> Archive | None:
    """The history of the runbook that is named, or of the nearest one; without any, of the current folder."""
    return api.archive(folder_of(request))


def folder_of(request: Request) -> str:
    """The folder of the project or the runbook that is named, or of the nearest one; without any, the current one."""
    if request.context:
        return os.path.abspath(request.context)
    if request.files and request.files[0] == STDIN:
        return os.getcwd()
    try:
        return find(request.files)[0].folder
    except UsageError:
        if request.files:
            raise
        return os.getcwd()


def needed(archive: Archive | None) -> Archive:
    """A history that has to be there; UsageError where nothing was ever run."""
    if archive is None:
        raise UsageError(NOTHING, "spry runbook runs the nearest runbook")
    return archive


def closed(archive: Archive | None) -> int:
    """Close a history, if there is one; exit code 0."""
    if archive is not None:
        archive.close()
    return 0


def _one(request: Request) -> str:
    if len(request.names) != 1:
        raise UsageError(f"spry {request.command} takes one run", "spry runs lists them")
    return request.names[0]


def target(archive: Archive, name: str) -> tuple[RunRecord, str]:
    """A run, and a task of it if one is named."""
    end, _, task = name.partition("/")
    run = archive.run(end)
    names = archive.names(run.run)
    if task and task not in names:
        from spry.core.text import did_you_mean

        hint = did_you_mean(task, names) or f"spry status {end} lists them"
        raise UsageError(f'run {run.run} has no task "{task}"', hint)
    return run, task


def _status(archive: Archive, run: RunRecord, request: Request) -> str:
    known = {one.task: one for one in archive.tasks(run.run)}
    under_way = _under_way(archive, run.run) if run.state == "running" else ()
    tasks = [
        view.task_object(known[name]) if name in known else _unfinished(name, running=name in under_way)
        for name in archive.names(run.run)
    ]
    process = _process(archive, run) if request.process else None
    return view.status_as_json(run, tasks, process) if request.json else view.status(run, tasks, process)


def _process(archive: Archive, run: RunRecord) -> Mapping[str, object]:
    """The process of a run, and what the system says of it."""
    from spry.execute.identity import state
    from spry.store.lock import alive, holder

    who = holder(archive.folder, run.run)
    now = state(who) if alive(archive.folder, run.run) else ""
    pid = who.partition(" ")[0]
    return {
        "pid": int(pid) if pid.isdigit() else None,
        "state": {"T": "stopped", "t": "stopped", "": "ended"}.get(now, "running"),
    }


def _unfinished(name: str, *, running: bool) -> Mapping[str, object]:
    return {
        "task": name, "outcome": "running" if running else "", "reason": None, "exit_code": None, "signal": None,
        "attempt": 0, "duration": 0.0, "message": "",
    }  # fmt: skip


def _under_way(archive: Archive, run: str) -> set[str]:
    from spry.core.events import TaskFinished, TaskStarted

    names: set[str] = set()
    for event in archive.events(run):
        if isinstance(event, TaskStarted):
            names.add(event.task)
        elif isinstance(event, TaskFinished):
            names.discard(event.task)
    return names


def _pieces(archive: Archive, reader: LogReader, run: RunRecord, *, follow: bool) -> Iterator[Piece]:
    """What was written, and with `follow` what is still to come."""
    while True:
        running = follow and archive.run(run.run).state == "running"
        yield from reader.pieces()
        if not running:
            return
        _look_again(archive)


def _look_again(archive: Archive) -> None:
    time.sleep(LOOK)
    archive.mark_lost(api.sweep)


def _ended(archive: Archive, run: RunRecord, request: Request) -> RunRecord:
    """A run once it is over, or as it is when the time is up."""
    from spry.api.wishes import wishes

    seconds = wishes(request._replace(names=())).timeout or 0.0
    end = time.monotonic() + seconds
    while run.state == "running" and time.monotonic() < end:
        _look_again(archive)
        run = archive.run(run.run)
    return run


def _show(piece: Piece, name: str, run: RunRecord, reader: LogReader, request: Request, screen: Screen) -> None:
    """Show a piece: as an event, untouched, or without what a terminal would obey besides colours."""
    from spry.store.logs import STREAMS

    for data in reader.data(piece):
        if request.json:
            import json

            from spry.core.events import TaskOutput, record

            event = TaskOutput(piece.at, run.run, name, piece.attempt, STREAMS[piece.stream], data)
            screen.show(json.dumps(record(event)) + "\n")
        else:
            screen.write("stdout", data if request.raw else screen.clean(name, "stdout", data))
    if request.follow:
        screen.flush()
        sys.stdout.flush()


COMMANDS: Mapping[str, Callable[[Request, Screen], int]] = {
    "runs": runs,
    "status": status,
    "logs": logs,
    "result": result,
    "resume": resume,
}
