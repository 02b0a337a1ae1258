"""The files of one run: a fresh folder for each isolated attempt, what it restores, and what is kept of it.

`ready` and `collect` take as long as the files are large, and run on threads of their own (see `chores`); the rest is
for the loop's thread. What an attempt saved counts once `keep` is called, which is only done for one that succeeded.
"""

from __future__ import annotations

import os
import time

from spry.artifacts import holds, restoring, saving, snapshots
from spry.artifacts.blobs import Blobs, DamagedError, unwritable
from spry.artifacts.holds import Hold
from spry.core.artifacts import savers, savings_of
from spry.core.events import Outcome
from spry.core.fingerprint import digest
from spry.errors import SpryError
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from threading import Thread

    from spry.core.events import TaskFinished
    from spry.core.model import Plan, Step, Task
    from spry.execute.protocol import Exited


class Place(NamedTuple):
    """Where the store of a run is; `avoid` are folders that no save may enter, `own` says that it ends with the run."""

    folder: str
    avoid: tuple[str, ...] = ()
    own: bool = False


class Saved(NamedTuple):
    """What an attempt has saved and nobody refers to yet: as long as `lock` is open, nothing of it is swept."""

    record: str
    lock: int


class Label(NamedTuple):
    """What is known of a task that others do not call by its name: in words, and how its files are held."""

    title: str
    owner: str
    keep: float


class Artifacts:
    """The artifacts of one run of a plan; `folder_of` is where a task works that is not isolated.

    What a task saves is held by the run, for as long as its runbook says, unless it has a label that says otherwise.
    """

    def __init__(
        self,
        plan: Plan,
        place: Place,
        run: str,
        folder_of: Callable[[Task], str],
        labels: Mapping[str, Label] = {},
    ) -> None:
        self.plan, self.place, self.run, self.folder_of, self.labels = plan, place, run, folder_of, labels
        self.blobs = Blobs(place.folder)
        self.stopped: set[str] = set()
        self.records: dict[str, str] = {}
        self.trees: dict[str, str] = {}  # the digests of what is in the snapshots of these records
        self.saved: dict[str, Saved] = {}
        self.numbers: dict[str, int] = {}
        self.threads: dict[str, Thread] = {}
        self.deps = {name: step.deps for name, step in plan.steps.items()}
        self.tasks = {name: step.task for name, step in plan.steps.items()}
        self.places = {name: number for number, name in enumerate(plan.steps)}

    def concerns(self, name: str) -> bool:
        """Whether a task has files to be made ready or to be kept."""
        task = self.tasks[name]
        return task.isolated or bool(task.saves)

    def begin(self, name: str, number: int, ended: Mapping[str, TaskFinished]) -> None:
        """An attempt begins; SpryError if it restores files of a task that has succeeded, and nobody knows of them."""
        if self.tasks[name].restore is not None:
            succeeded = {other for other, event in ended.items() if event.outcome is Outcome.SUCCEEDED}
            gone = [other for other in self.above(name) if other in succeeded and other not in self.records]
            if gone:
                raise SpryError(f"what {self.title(gone[0])} saved is not there", "run that again")
        self.numbers[name] = number
        self.stopped.discard(name)

    def stop(self, name: str) -> None:
        """Make an end of what is done with the files of a task."""
        self.stopped.add(name)

    def _blobs(self, name: str) -> Blobs:
        """The store, as it is used for one task."""

        def go_on() -> None:
            if name in self.stopped:
                raise SpryError(f"what was done with the files of {self.title(name)} was stopped")

        return Blobs(self.place.folder, go_on)

    def folder(self, task: Task) -> str:
        """The working folder of the attempt of an isolated task that has begun last."""
        return os.path.join(self.place.folder, "work", self.run, f"{self.places[task.name]}-{self.numbers[task.name]}")

    def ready(self, name: str) -> None:
        """Make the folder of an isolated attempt, with what its ancestors saved; SpryError says why not."""
        task = self.tasks[name]
        if not task.isolated:
            return
        folder = self.folder(task)
        try:
            restoring.remove(folder)
            if task.restore is None:
                os.makedirs(folder, 0o755)
                return
            above = [other for other in self.above(name) if other in self.records]
            loaded = [
                restoring.Owned(self.title(other), snapshots.load(self.records[other], self.blobs)) for other in above
            ]
            restoring.restore(self._blobs(name), loaded, folder, os.path.normpath(task.restore))
        except OSError as error:
            raise unwritable(error) from None

    def wants(self, name: str, exited: Exited) -> bool:
        """Whether there is something to save of an attempt that ended like this."""
        task = self.tasks[name]
        failed = exited.error or exited.limit or exited.ending is not None
        return bool(task.saves) and not failed and exited.code in task.exit_codes

    def collect(self, name: str) -> None:
        """Save the files of an attempt that has ended well; SpryError says what is wrong with them."""
        task = self.tasks[name]
        if not task.saves:
            return
        folder = self.folder(task) if task.isolated else self.folder_of(task)
        blobs = self._blobs(name)
        lock = blobs.lock()
        try:
            memo = "" if task.isolated else self._memo(task, folder)
            found = saving.save(blobs, folder, savings_of(task), self._avoided(), memo=memo)
            self.saved[name] = Saved(snapshots.recorded(found, blobs), lock)
        except OSError as error:
            os.close(lock)
            raise unwritable(error) from None
        except BaseException:
            os.close(lock)
            raise

    def keep(self, step: Step) -> None:
        """An attempt has succeeded: what it saved is for its descendants. SpryError where that cannot be kept."""
        name = step.task.name
        if name not in self.saved and not step.task.needs_process:
            self.collect(name)
        saved = self.saved.get(name)
        if saved is None:
            return
        settings = self.plan.settings.get(step.task.path)
        keep = settings.keep_artifacts if settings else None
        if keep is None and name in self.labels:
            keep = self.labels[name].keep
        try:
            self._hold(Hold(name, saved.record, time.time() + keep if keep else 0.0))
        except OSError as error:
            raise unwritable(error) from None

    def over(self, name: str) -> None:
        """An attempt is over, however it ended: its folder goes, and what was saved and not kept is nobody's."""
        saved = self.saved.pop(name, None)
        if saved is not None:
            os.close(saved.lock)
        if self.tasks[name].isolated and name in self.numbers:
            restoring.remove(self.folder(self.tasks[name]))

    def recall(self, held: Iterable[Hold]) -> None:
        """What an earlier run saved, for this one: from here on it is this one's as well."""
        lock = self.blobs.lock()
        try:
            for one in held:
                self._hold(one)
        except OSError as error:
            raise unwritable(error) from None
        finally:
            os.close(lock)

    def _hold(self, one: Hold) -> None:
        label = self.labels.get(one.name)
        holds.hold(self.place.folder, label.owner if label else self.run, one)
        self.records[one.name] = one.record

    def title(self, name: str) -> str:
        """What people call a task."""
        return self.labels[name].title if name in self.labels else name

    def find(self, name: str, run: str) -> Hold | None:
        """What a task saved in an earlier run, if that is still there."""
        one = holds.held(self.place.folder, run).get(name)
        if one is None:
            return None
        try:
            known = snapshots.load(one.record, self.blobs)
        except (DamagedError, ValueError):
            return None
        return one if all(self.blobs.size(blob) >= 0 for blob in known.blobs) else None

    def bring(self, name: str, run: str) -> bool:
        """What a task saved in an earlier run, for this one, in which it need not run; False if that is not there."""
        one = self.find(name, run)
        if one is not None:
            self.recall([one])
        return one is not None

    def tree(self, name: str) -> str:
        """The digest of what a task saved in this run; empty if it saved nothing."""
        record = self.records.get(name)
        if not record:
            return ""
        if record not in self.trees:
            self.trees[record] = snapshots.load(record, self.blobs).tree
        return self.trees[record]

    def above(self, name: str) -> list[str]:
        """The tasks whose files a task restores."""
        return savers(name, self.deps, self.tasks)

    def close(self) -> str:
        """Remove all folders of the run, and a store that is its own; what is wrong with that, or nothing."""
        for thread in self.threads.values():
            thread.join()
        for saved in self.saved.values():
            os.close(saved.lock)
        work = os.path.join(self.place.folder, "work", self.run)
        path = self.place.folder if self.place.own else work
        try:
            restoring.remove(path)
        except OSError as error:
            return f"cannot remove {path}: {error.strerror}"
        return ""

    def _memo(self, task: Task, folder: str) -> str:
        return os.path.join(self.place.folder, "memory", digest(f"{folder}\n{task.name}"))

    def _avoided(self) -> Collection[tuple[int, int]]:
        found = set()
        for folder in (self.place.folder, *self.place.avoid):
            try:
                stat = os.stat(folder)
            except FileNotFoundError:
                continue
            found.add((stat.st_dev, stat.st_ino))
        return found
