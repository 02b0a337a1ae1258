"""Where the files that tasks save are kept, what a run can rely on of them, and when they go."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import suppress

from spry.api.history import place
from spry.artifacts import holds, restoring, snapshots
from spry.artifacts.blobs import Blobs, DamagedError
from spry.engine.artifacts import Artifacts, Place
from spry.engine.keepsakes import OWNER as MADE
from spry.engine.keepsakes import owner_of
from spry.errors import HostError, SpryError, UsageError
from spry.record import NamedTuple
from spry.store.lock import alive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from spry.api.history import Origin
    from spry.artifacts.holds import Hold, Swept
    from spry.artifacts.snapshots import Snapshot
    from spry.core.model import Plan
    from spry.engine.attempts import Attempts
    from spry.store.archive import Archive
    from spry.store.records import TaskRecord


OF_PROGRAMS = "program-"  # owners of what tasks of programs save


class Kept(NamedTuple):
    """What one task of a run saved."""

    run: str
    task: str
    record: str
    snapshot: Snapshot


def equip(attempts: Attempts, origin: Origin | None, *, recorded: bool) -> Artifacts:
    """Give a run its store: that of the history it is written down in, else one of its own that ends with it."""
    plan, run = attempts.plan, attempts.situation.run
    if origin is not None and recorded:
        own = place(origin.folder)
        remove_work_of_the_dead(own)
        artifacts = Artifacts(plan, Place(folder(own), (own,)), run, attempts.folder)
        if origin.resumed:
            earlier = holds.held(folder(own), origin.resumed)
            artifacts.recall(one for name, one in earlier.items() if name in origin.recalled)
    else:
        path = tempfile.mkdtemp(prefix=f"spry-artifacts-{run}-")
        artifacts = Artifacts(plan, Place(path, own=True), run, attempts.folder)
    attempts.artifacts = artifacts
    return artifacts


def folder(own: str) -> str:
    """Where the store of a history is."""
    return os.path.join(own, "artifacts")


def remove_work_of_the_dead(own: str) -> None:
    """The working folders of runs that were killed."""
    work = os.path.join(folder(own), "work")
    with suppress(OSError):
        for run in os.listdir(work):
            if not alive(own, run):
                restoring.remove(os.path.join(work, run))


def lost(archive: Archive, run: str, plan: Plan, records: Mapping[str, TaskRecord]) -> dict[str, str]:
    """Tasks that have succeeded in a run and whose files are not what was saved any more, with the reason in words."""
    held = holds.held(folder(archive.folder), run)
    blobs = Blobs(folder(archive.folder))
    sound: dict[str, bool] = {}
    found: dict[str, str] = {}
    for name, step in plan.steps.items():
        record = records.get(name)
        if step.task.saves and record is not None and record.outcome == "succeeded":
            why = fault(held.get(name), blobs, sound)
            if why:
                found[name] = why
    return found


def fault(one: Hold | None, blobs: Blobs, sound: dict[str, bool]) -> str:
    """What is wrong with something that is held; `sound` are the blobs that have been looked at."""
    if one is None:
        return "what it saved is not kept any more"
    try:
        snapshot = snapshots.load(one.record, blobs)
    except (DamagedError, ValueError):
        return "the record of what it saved is damaged"
    for entry in snapshot.entries:
        if entry.blob and entry.blob not in sound:
            sound[entry.blob] = blobs.verify(entry.blob)
        if entry.blob and not sound[entry.blob]:
            return f"'{snapshots.shown(entry.path)}', which it saved, is damaged"
    return ""


def tidy(own: str, archive: Archive | None) -> Swept:
    """Drop what no run that is known, or can be resumed, refers to; and what has been kept for long enough.

    Where no history is known, only the latter.
    """
    now = time.time()
    remove_work_of_the_dead(own)
    if archive is None:
        return holds.sweep(folder(own), lambda owner, one: not owner.startswith(OF_PROGRAMS) or one.until > now)
    known = {run.run for run in archive.runs()}
    resumable = archive.resumable()
    successes = archive.successes()
    made = {owner_of(book, task) for book, task, _ in successes}
    saved = {(run, task) for _, task, run in successes}

    def is_needed(owner: str, one: Hold) -> bool:
        if owner.startswith(OF_PROGRAMS):
            return one.until > now
        if not owner.isdigit() or owner in resumable:
            return owner in made or not owner.startswith(MADE)
        return (owner in known or (owner, one.name) in saved) and (not one.until or one.until > now)

    return holds.sweep(folder(own), is_needed)


def kept(archive: Archive, run: str, task: str = "") -> list[Kept]:
    """What the tasks of a run, or one of them, saved, in the order of the plan; SpryError if a record is damaged."""
    store = folder(archive.folder)
    held = holds.held(store, run)
    blobs = Blobs(store)
    succeeded = {one.task for one in archive.tasks(run) if one.outcome == "succeeded"}
    names = [name for name in archive.names(run) if name in held and name in succeeded and task in ("", name)]
    return [Kept(run, name, held[name].record, snapshots.load(held[name].record, blobs)) for name in names]


def export(archive: Archive, found: Sequence[Kept], destination: str) -> None:
    """Write what was saved into a new folder, whole or not at all; SpryError for a conflict, or a folder in use."""
    owned = [restoring.Owned(one.task, one.snapshot) for one in found]
    try:
        restoring.restore(Blobs(folder(archive.folder)), owned, destination)
    except (DamagedError, HostError):
        raise
    except SpryError as error:
        hint = error.hint
        if "conflict" in error.message:
            hint = f"copy one task at a time: spry artifacts export {found[0].run}/TASK DEST"
        raise UsageError(error.message, hint) from None
