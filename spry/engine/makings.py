"""The files that tasks have made: kept when they succeed, and put back where they are missing; see `keepsakes`."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spry.artifacts.contents import Contents
    from spry.core.fingerprint import Part
    from spry.core.model import Task
    from spry.engine.attempts import Attempts
    from spry.engine.freshness import Memory
    from spry.engine.keepsakes import Keepsakes, Kept
    from spry.engine.reading import Reading

MOMENT = 8 << 20  # bytes that are read or written at once; for more, others would wait noticeably


class Makings:
    """The files that the tasks of one run make; all of it needs a `memory`."""

    __slots__ = ("_attempts", "_contents", "_keepsakes", "_memory")

    def __init__(self, attempts: Attempts, contents: Contents, memory: Memory | None) -> None:
        self._attempts, self._contents, self._memory = attempts, contents, memory
        self._keepsakes: Keepsakes | None = None

    def keep(self, task: Task, made: list[Part], ahead: Reading | None) -> None:
        """Keep the files that a task has made, unless that is done; LengthyError if there is no time for it."""
        folder = self._attempts.place(task)
        if ahead is not None and ahead.kept == made:
            self._warn(ahead)
            return
        for part in made:
            self._contents.spend(os.lstat(os.path.join(folder, part.name)).st_size)
        self._store().keep(self._known().book(task), task.name, folder, made)

    def kept(self, task: Task, missing: list[Part]) -> Kept | None:
        """The files of a task that are missing, if all of them are kept."""
        return self._store().find(self._known().book(task), task.name, self._attempts.place(task), missing)

    def put_back(self, task: Task, missing: list[Part], ahead: Reading | None) -> list[Part] | Reading | None:
        """Put back what is missing: what that was; None if something stays missing, a call where it is much."""
        if ahead is not None and ahead.missing is not None:
            self._warn(ahead)
            return None if missing else ahead.missing
        if not missing:
            return []
        kept = self.kept(task, missing)
        if kept is None:
            return None
        if kept.size <= MOMENT:
            return missing if self._store().put_back(task.name, kept) else None
        from spry.engine.reading import Lost, again  # noqa: PLC0415 - only for large files

        lost = Lost(missing, kept, ahead.contents.readings if ahead is not None else {})
        return again(task, lost, self._known().store, self._contents, self._attempts.place(task))

    def _warn(self, ahead: Reading) -> None:
        for warning in ahead.warnings:
            self._attempts.warn(warning)

    def _known(self) -> Memory:
        assert self._memory is not None
        return self._memory

    def _store(self) -> Keepsakes:
        if self._keepsakes is None:
            from spry.engine.keepsakes import Keepsakes  # noqa: PLC0415 - where all is there nothing is put back

            store = self._known().store
            self._keepsakes = Keepsakes(store, os.path.dirname(store), self._attempts.warn)
        return self._keepsakes
