"""The history as if it were queues: `spry.log.tasks`, and of each run what it was asked for and what came of it."""

from __future__ import annotations

import json

from spry.api import history
from spry.core.values import run_queue
from spry.errors import UsageError
from spry.store.control import listens, noted
from spry.store.lock import alive, holder, run_folder
from spry.store.queues import Message
from spry.view.tasklog import Told, entries, task_specs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spry.store.archive import Archive
    from spry.store.records import RunRecord

LOG = "spry.log.tasks"
SHOWN = ("inbox", "reserved", "outbox")  # the queues of a run that are made of the history


def shown(words: Sequence[str]) -> str:
    """The first of these queues that is made of the history; nothing if all are real."""
    for word in words:
        name = run_queue(word)
        if word == LOG or (name and name[1] in SHOWN):
            return word
    return ""


def check(word: str, name: str) -> None:
    """UsageError for whatever would change it."""
    if word != "peek":
        raise UsageError(f"{name} is made of the history, and can only be looked at", f"spry queue peek {name} --all")


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
        found = run_queue(name)
        for message in _of_run(archive, *found) if found else _log(archive, since):
            if since is None or message.id > since:
                yield message
    finally:
        archive.close()


def _log(archive: Archive, since: int | None) -> Iterator[Message]:
    """What became of the tasks of all runs, run by run."""
    for run in reversed(archive.runs()):
        if since is None or run.ended is None or run.ended * 1e9 > since:
            place = run_folder(archive.folder, run.run)
            told = Told(run.run, run.request, _pid(archive, run.run), noted(place))
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
