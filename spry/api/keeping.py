"""Where the files are kept that tasks of a program save, for as long as a later run may go on with them.

That is the store of the history which the runbooks of the same folder have. A task's files are held there by its id, so
that whoever runs its graph again finds them, also another program that has the graph from a `Store`.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress

from spry.api.artifacts import OF_PROGRAMS, fault, folder, remove_work_of_the_dead
from spry.artifacts import holds
from spry.engine.artifacts import Artifacts, Label, Place
from spry.errors import HostError
from spry.execute.identity import mine
from spry.store.lock import claimed, run_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from spry.api.task import Task
    from spry.artifacts.holds import Hold
    from spry.engine.attempts import Attempts

KEPT = 30 * 86400.0  # seconds


class Keeping:
    """The store of one run of a program's tasks, in the `own` folder of a history; close it when the run is over."""

    __slots__ = ("_lock", "_own", "_run", "_tasks", "_titles")

    def __init__(self, own: str, tasks: Mapping[str, Task], titles: Mapping[str, str]) -> None:
        self._own, self._tasks, self._titles = own, tasks, titles
        self._run, self._lock = "", -1

    def equip(self, attempts: Attempts) -> None:
        """Give a run its store, with all that it restores of tasks that have succeeded before.

        HostError if something of that is not there any more, or not what it was, or if nothing can be kept.
        """
        try:
            remove_work_of_the_dead(self._own)
            self._run, self._lock = claimed(self._own, int(attempts.situation.run), mine())
        except OSError as error:
            message = f"the files of tasks cannot be kept: {error.filename or self._own}: {error.strerror}"
            raise HostError(message, "make room and write access there, or set XDG_STATE_HOME") from None
        labels = {name: Label(self._titles[name], OF_PROGRAMS + task.id, KEPT) for name, task in self._tasks.items()}
        place = Place(folder(self._own), (self._own,))
        attempts.artifacts = artifacts = Artifacts(attempts.plan, place, self._run, attempts.folder, labels)
        waiting = [name for name, task in self._tasks.items() if not task.is_succeeded]
        restoring = [name for name in waiting if artifacts.tasks[name].restore is not None]
        needed = {other for name in restoring for other in artifacts.above(name)}.difference(waiting)
        if needed:
            artifacts.recall(self._known(artifacts, needed))

    def _known(self, artifacts: Artifacts, needed: Iterable[str]) -> Iterator[Hold]:
        """What tasks have saved that have succeeded before; nobody sweeps meanwhile."""
        sound: dict[str, bool] = {}
        for name in needed:
            one = holds.held(artifacts.place.folder, artifacts.labels[name].owner).get(name)
            why = fault(one, artifacts.blobs, sound)
            if why or one is None:
                message = f"task '{self._titles[name]}' has succeeded, but {why} in {artifacts.place.folder}"
                raise HostError(message, "make the task anew, so that it runs again")
            yield one._replace(until=time.time() + KEPT)

    def close(self) -> None:
        """The run is over."""
        if self._lock >= 0:
            with suppress(OSError):
                os.unlink(os.path.join(run_folder(self._own, self._run), "lock"))
                os.rmdir(run_folder(self._own, self._run))
            os.close(self._lock)
