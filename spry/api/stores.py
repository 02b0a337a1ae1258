"""Where tasks and graphs are kept: the protocol, and a store that lasts as long as the program."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Generic, Protocol, TypeVar, runtime_checkable

from spry.api.graph import TaskGraph
from spry.api.task import Task

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

Kept = TypeVar("Kept", Task, TaskGraph)


@runtime_checkable
class Store(Protocol):
    """Tasks and graphs by their ids."""

    @property
    def tasks(self) -> Tasks:
        """The tasks."""

    @property
    def graphs(self) -> Collection[TaskGraph]:
        """The graphs."""


class Collection(MutableMapping[str, Kept], Generic[Kept]):
    """What a store keeps of one kind, by id; `save` keeps one, also in place of what it was before."""

    _kind: type[Kept]
    _word: str

    def save(self, one: Kept) -> None:
        """Keep one as it is now."""
        self[one.id] = one

    def check(self, key: str, one: object) -> None:
        """TypeError for what is of another kind, ValueError where the key is not its id."""
        if not isinstance(one, self._kind):
            raise TypeError(f"Expected {self._kind.__name__}, got {type(one).__name__}")
        if key != one.id:
            raise ValueError(f"{self._word}_id must match {self._word}.id")


class Tasks(Collection[Task]):
    """The tasks of a store."""

    _kind, _word = Task, "task"

    def cancel(self, task_id: str) -> None:
        """Give a task up, and keep it so."""
        task = self[task_id]
        task.cancel()
        self.save(task)


class Graphs(Collection[TaskGraph]):
    """The graphs of a store."""

    _kind, _word = TaskGraph, "graph"


class InMemoryStore:
    """Keeps the very objects it is given, for as long as the program runs."""

    def __init__(self) -> None:
        self.tasks = _TasksInMemory()
        self.graphs = _GraphsInMemory()

    def __repr__(self) -> str:
        return f"InMemoryStore({len(self.tasks)} tasks, {len(self.graphs)} graphs)"


class _InMemory(Collection[Kept]):
    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}

    def __getitem__(self, key: str) -> Kept:
        return self._kept[key]

    def __setitem__(self, key: str, one: Kept) -> None:
        self.check(key, one)
        self._kept[key] = one

    def __delitem__(self, key: str) -> None:
        del self._kept[key]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._kept))

    def __len__(self) -> int:
        return len(self._kept)


class _TasksInMemory(_InMemory[Task], Tasks):
    """The tasks of a store in memory."""


class _GraphsInMemory(_InMemory[TaskGraph], Graphs):
    """The graphs of one; each comes with its tasks."""

    def __setitem__(self, key: str, one: TaskGraph) -> None:
        self.check(key, one)
        for dep in (dep for _, deps in one.items() for dep in deps):
            if dep not in one:
                raise KeyError(dep.id)
        super().__setitem__(key, one)
