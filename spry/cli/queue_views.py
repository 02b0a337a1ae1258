"""What is known, as if it were queues: `spry.log.tasks`, the queues of runs, what waits to start, who is at work.

They are made when somebody looks, of the history, of the locks of runs and of what the manager has written down. So
they can only be looked at; of an outbox, which is somebody's to collect, the messages can be taken, too.
"""

from __future__ import annotations

import json
import os

from spry.api import history
from spry.core.values import OF_RUNS, run_queue
from spry.errors import UsageError
from spry.store.control import listens, noted
from spry.store.lock import alive, holder, run_folder
from spry.store.queues import Count, Message
from spry.view.tasklog import SHORT, Told, entries, task_specs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from spry.store.archive import Archive
    from spry.store.records import RunRecord

LOG = "spry.log.tasks"
SHOWN = ("inbox", "reserved", "outbox")  # the queues of a run that are made of the history
DIGITS = 19  # of the whole id of a run


def shown(words: Sequence[str]) -> str:
    """The first of these queues that is made of what is known; nothing if all are real."""
    for word in words:
        name = run_queue(word)
        if word == LOG or word in AT_WORK or (name and name[1] in SHOWN):
            return word
    return ""


def check(word: str, name: str) -> None:
    """UsageError for whatever would change it."""
    if word == "peek" or (word == "read" and _is_outbox(name)):
        return
    how = f"spry queue peek {name} --all"
    if name == LOG or name in AT_WORK:
        raise UsageError(f"{name} is made of what is known, and can only be looked at", how)
    raise UsageError(f"{name} is made of the history, and can only be looked at", how)


def whole(name: str, folder: str) -> str:
    """A queue of a run with all the digits of its id, of which the end is enough; UsageError where several have it."""
    found = run_queue(name)
    if found is None:
        return name
    end, kind = found
    archive = history.archive(folder)
    if archive is None:
        raise UsageError(f"{name}: nothing has been run here", "spry queue list --all shows the queues of runs")
    try:
        return f"T{archive.run(end).run}.{kind}"
    except UsageError:
        if len(end) >= DIGITS:
            return name  # answers may be left of a run that is forgotten
        raise
    finally:
        archive.close()


def reachable(folder: str, name: str) -> None:
    """UsageError where a message to a run would have no effect: it is over, unknown, or does not listen."""
    found = run_queue(name)
    if not found or found[1] != "ctrl_in":
        return
    home, run = history.place(folder), found[0]
    if not alive(home, run):
        raise UsageError(f"no run {run} is under way", "spry runs --status running lists those that are")
    if not listens(run_folder(home, run)):
        hint = f"spry stop {run}, kill and ping reach it"
        raise UsageError(f"run {run} began before there were queues here, and does not listen to them", hint)


def messages(name: str, folder: str, since: int | None) -> Iterator[Message]:
    """The messages of such a queue, the oldest first, those after an id if it is given."""
    archive = history.archive(folder)
    if archive is None:
        return
    try:
        for message in _made(archive, name, since):
            if since is None or message.id > since:
                yield message
    finally:
        archive.close()


def _made(archive: Archive, name: str, since: int | None) -> Iterator[Message]:
    found = run_queue(name)
    if found is not None:
        return _of_run(archive, *found)
    return _log(archive, since) if name == LOG else AT_WORK[name](archive)


def collect(name: str, folder: str) -> None:
    """The output of a run was read out of its outbox: it is not there any more."""
    archive, found = history.archive(folder), run_queue(name)
    if archive is not None and found is not None:
        archive.collect([found[0]])
        archive.close()


def counts(folder: str, matches: Callable[[str], bool], *, over: bool) -> Iterator[Count]:
    """These queues whose names match, with how many messages wait: of the runs under way, and of those that are `over`.

    A run has all its queues as long as it is under way, and those in which something waits from then on, unless its
    spec has them kept.
    """
    archive = history.archive(folder)
    if archive is None:
        return
    try:
        for name in AT_WORK:
            count = sum(1 for _ in AT_WORK[name](archive)) if matches(name) else 0
            if count or (over and matches(name)):
                yield Count(name, count)
        if over and matches(LOG):
            yield Count(LOG, sum(1 for _ in _log(archive, None)))
        collected = archive.collected() if over else set[str]()
        for run in archive.runs("" if over else "running"):
            yield from (one for one in _counts_of(run, collected) if matches(one.queue))
    finally:
        archive.close()


def _counts_of(run: RunRecord, collected: set[str]) -> Iterator[Count]:
    waiting = {
        "reserved": run.state != "finished",
        "outbox": run.state == "finished" and run.run not in collected,
    }
    tasks = run.request.get("tasks")
    is_kept = isinstance(tasks, list) and not all(one.get("cleanup", True) for one in tasks)
    for kind in OF_RUNS:
        if waiting.get(kind) or is_kept or run.state == "running":
            yield Count(f"T{run.run}.{kind}", int(waiting.get(kind, False)))


def _is_outbox(name: str) -> bool:
    found = run_queue(name)
    return found is not None and found[1] == "outbox"


def _log(archive: Archive, since: int | None) -> Iterator[Message]:
    """What became of the tasks of all runs, run by run."""
    for run in reversed(archive.runs()):
        if since is None or run.ended is None or run.ended * 1e9 > since:
            place = run_folder(archive.folder, run.run)
            told = Told(run.run, run.request, _pid(archive, run.run), noted(place), archive.specs(run.run))
            yield from (Message(text, at) for text, at in entries(told, archive.events(run.run)))


def _pid(archive: Archive, run: str) -> int | None:
    """The number of the process that carried a run out; None where it did so elsewhere."""
    pid = holder(archive.folder, run).partition(" ")[0]
    return int(pid) if pid.isdigit() else None


def _of_run(archive: Archive, run: str, kind: str) -> Iterator[Message]:
    """What was asked of a run, reserved until it has ended by itself, or its output, until that is collected."""
    one = archive.run(run)
    if kind == "reserved" and one.state != "finished":
        yield Message(json.dumps(_asked(one)), int(one.run))
    elif kind == "outbox" and one.state == "finished" and one.run not in archive.collected():
        yield Message(_output(archive, one), int((one.ended or 0.0) * 1e9))


def _asked(one: RunRecord) -> object:
    specs = task_specs(one.request)
    return specs[0] if len(specs) == 1 else {"stages": specs} if specs else one.request


def _output(archive: Archive, run: RunRecord) -> str:
    from spry.cli.results import of

    return b"".join(data for _, data in of(archive, run).output).decode(errors="replace").removesuffix("\n")


def _requests(archive: Archive) -> Iterator[Message]:
    """What the manager has yet to start: what a manifest asks for, and could not be started or has ended since."""
    from spry.manager.election import present
    from spry.manager.service import ACCOUNT, account

    targets = account(archive.folder).get("targets") if present(archive.folder) else None
    for number, (name, one) in enumerate(targets.items() if isinstance(targets, dict) else ()):
        if one.get("waits"):
            text = json.dumps({"name": name, "mode": one["mode"], "restarts": one["restarts"], "last": one["run"]})
            yield Message(text, os.stat(os.path.join(archive.folder, ACCOUNT)).st_mtime_ns + number)


def _workers(archive: Archive) -> Iterator[Message]:
    """The manager, if there is one."""
    from spry.manager.election import LOCK, present
    from spry.manager.service import account

    pid = present(archive.folder).partition(" ")[0]
    if pid:
        fields = {"role": "manager", "pid": int(pid), "targets": account(archive.folder).get("targets", {})}
        yield Message(json.dumps(fields), os.stat(os.path.join(archive.folder, LOCK)).st_mtime_ns)


def _ids(archive: Archive) -> Iterator[Message]:
    """The ids of the runs under way, short and whole, with their processes."""
    for run in reversed(archive.runs("running")):
        fields = {"tid": run.run, "tid_short": run.run[-SHORT:], "task_pid": _pid(archive, run.run)}
        yield Message(json.dumps(fields), int(run.run))


def _streaming(archive: Archive) -> Iterator[Message]:
    """The runs under way whose output is shown as it comes."""
    for run in reversed(archive.runs("running")):
        tasks = run.request.get("tasks")
        if not isinstance(tasks, list) or tasks[-1].get("stream", True):
            yield Message(json.dumps({"tid": run.run, "queue": f"T{run.run}.outbox"}), int(run.run))


AT_WORK: Mapping[str, Callable[[Archive], Iterator[Message]]] = {
    "spry.spawn.requests": _requests,
    "spry.state.workers": _workers,
    "spry.state.tid_mappings": _ids,
    "spry.state.streaming": _streaming,
}
