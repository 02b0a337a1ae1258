"""Tasks and what must come before them."""

from __future__ import annotations

import threading
from datetime import datetime
from uuid import uuid4

from spry.api.outcomes import TaskStatus
from spry.api.standing import restore
from spry.api.task import Task

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from spry.api.executor import TaskExecutor
    from spry.api.undertaking import Work
    from spry.core.edges import Edges

PENDING, RUNNING, SUCCEEDED, FAILED, CANCELLED, BLOCKED = TaskStatus


class TaskGraph:
    """Tasks with their dependencies, run in parallel as far as those allow.

    A task that fails or is cancelled blocks all that need it; everything else goes on. A graph can be run again, with
    more tasks or after a failure: what has succeeded counts as done.
    """

    def __init__(self, *, title: str = "") -> None:
        self.title = title
        self.created_at = datetime.now()  # noqa: DTZ005 - local, like those of its tasks
        self._id = str(uuid4())
        self._tasks: dict[str, Task] = {}
        self._deps: dict[str, dict[str, Task]] = {}
        self._finally: set[str] = set()
        self._optional: set[str] = set()
        self._errors: dict[str, BaseException] = {}
        self._turn = threading.Lock()

    @classmethod
    def restored(cls, name: str, title: str, created_at: datetime) -> TaskGraph:
        """An empty graph that was saved under an id: for stores."""
        graph = cls(title=title)
        graph._id, graph.created_at = name, created_at
        return graph

    @property
    def id(self) -> str:
        """What tells it from all other graphs."""
        return self._id

    def add(self, task: Task, *, after: Iterable[Task] = (), finally_: bool = False, required: bool = True) -> None:
        """Add a task that starts once all tasks of `after` have succeeded; they may be added later, before `run`.

        A `finally_` task starts once they have ended, whatever came of them; without `after`, once everything that is
        not finally has. Only such a task may be not `required`: then its failure shows, and `ok` does not mind. To
        add a task again replaces what was said about it.
        """
        deps = list(after)
        for one in (task, *deps):
            if not isinstance(one, Task):
                raise TypeError(f"Expected Task, got {type(one).__name__}")
        if not required and not finally_:
            raise ValueError("required=False is only valid with finally_=True")
        self._tasks[task.id] = task
        self._deps[task.id] = {dep.id: dep for dep in deps}
        for members, is_one in ((self._finally, finally_), (self._optional, not required)):
            members.discard(task.id)
            if is_one:
                members.add(task.id)

    # Running

    def run(self, executor: TaskExecutor, max_workers: int = 4) -> TaskGraph:
        """Run what has not succeeded yet, at most `max_workers` tasks at a time, and wait for it.

        ValueError before anything starts: for a task that runs already, a dependency that is not in the graph, a cycle.
        After Ctrl-C everything that runs is ended, finally tasks run, and KeyboardInterrupt is raised.
        """
        if max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        if not self._turn.acquire(blocking=False):
            raise ValueError("the graph is running already")
        try:
            self._validate()
            self._errors = {}
            executor.persist_graph(self)
            try:
                self._carry_out(executor, max_workers)
            finally:
                executor.persist_graph(self)
        finally:
            self._turn.release()
        return self

    def reset(self) -> list[Task]:
        """Let every task that is running or cancelled be pending again, and say which those are.

        It is for a graph whose program was killed, or interrupted. What has failed or is blocked needs no reset.
        """
        if not self._turn.acquire(blocking=False):
            raise ValueError("the graph is running")
        try:
            stuck = [task for task in self if task.status in (RUNNING, CANCELLED)]
            for task in stuck:
                restore(task, PENDING, None).error = None
        finally:
            self._turn.release()
        return stuck

    def _carry_out(self, executor: TaskExecutor, max_workers: int) -> None:
        from spry.api.undertaking import Undertaking

        undertaking = Undertaking(executor, self._works(), max_workers)
        try:
            undertaking.run()
        finally:
            found = ((account.task.id, account.error) for account in undertaking.accounts.values())
            self._errors = {name: error for name, error in found if error is not None}

    def _works(self) -> Iterator[Work]:
        from spry.api.undertaking import Work

        for name, task in self._tasks.items():
            yield Work(task, tuple(self._deps[name].values()), name in self._finally, name in self._optional)

    def _validate(self) -> None:
        from spry.core.edges import Edges

        edges = Edges(self._tasks)
        for name, task in self._tasks.items():
            if task.is_running:
                raise ValueError(f"task '{task.title or name}' is RUNNING; reset before run()")
            for dep in self._deps[name]:
                if dep not in self._tasks:
                    raise ValueError(f"task '{task.title or name}' depends on unregistered task id '{dep}'")
                edges.add(dep, name)
        if edges.order() is None:
            raise ValueError(f"TaskGraph contains a cycle: {self._cycle(edges)}")

    def _cycle(self, edges: Edges) -> str:
        import networkx as nx

        names = [name for name, _ in nx.find_cycle(edges.digraph())]
        return " → ".join(self._tasks[name].title or name for name in (*names, names[0]))

    # Looking

    @property
    def ok(self) -> bool:
        """Whether every required task has succeeded."""
        return all(task.is_succeeded for task in self.required_tasks)

    @property
    def errors(self) -> Mapping[str, BaseException]:
        """What went wrong in the last run, as exceptions by the id of the task."""
        return dict(self._errors)

    @property
    def succeeded(self) -> list[Task]:
        """The tasks that are done."""
        return self._standing(SUCCEEDED)

    @property
    def failed(self) -> list[Task]:
        """The tasks whose last attempt failed."""
        return self._standing(FAILED)

    @property
    def cancelled(self) -> list[Task]:
        """The tasks that were given up."""
        return self._standing(CANCELLED)

    @property
    def blocked(self) -> list[Task]:
        """The tasks that could not start because of a dependency."""
        return self._standing(BLOCKED)

    @property
    def finally_tasks(self) -> list[Task]:
        """The tasks that start whatever came of their dependencies."""
        return [task for name, task in self._tasks.items() if name in self._finally]

    @property
    def optional_tasks(self) -> list[Task]:
        """The tasks whose failure does not count."""
        return [task for name, task in self._tasks.items() if name in self._optional]

    @property
    def required_tasks(self) -> list[Task]:
        """The tasks whose failure counts."""
        return [task for name, task in self._tasks.items() if name not in self._optional]

    @property
    def optional_failed(self) -> list[Task]:
        """The optional tasks that failed."""
        return [task for task in self.optional_tasks if task.is_failed]

    @property
    def required_failed(self) -> list[Task]:
        """The required tasks that failed."""
        return [task for task in self.required_tasks if task.is_failed]

    @property
    def required_blocked(self) -> list[Task]:
        """The required tasks that are blocked."""
        return [task for task in self.required_tasks if task.is_blocked]

    def roots(self) -> list[Task]:
        """The tasks without dependencies."""
        return [task for name, task in self._tasks.items() if not self._deps[name]]

    def leaves(self) -> list[Task]:
        """The tasks that no other one depends on."""
        needed = {dep for deps in self._deps.values() for dep in deps}
        return [task for name, task in self._tasks.items() if name not in needed]

    def dependencies(self, task: Task) -> list[Task]:
        """The tasks that a task depends on directly; KeyError if it is not in the graph."""
        return list(self._deps[task.id].values())

    def items(self) -> Iterator[tuple[Task, list[Task]]]:
        """Every task with its dependencies."""
        return ((task, list(self._deps[name].values())) for name, task in self._tasks.items())

    def is_finally(self, task: Task) -> bool:
        """Whether a task of the graph starts whatever came of its dependencies."""
        return task.id in self._finally

    def is_optional(self, task: Task) -> bool:
        """Whether the failure of a task of the graph does not count."""
        return task.id in self._optional

    def _standing(self, status: TaskStatus) -> list[Task]:
        return [task for task in self._tasks.values() if task.status is status]

    def __getitem__(self, task: Task) -> list[Task]:
        return self.dependencies(task)

    def __contains__(self, task: object) -> bool:
        return isinstance(task, Task) and task.id in self._tasks

    def __iter__(self) -> Iterator[Task]:
        return iter(list(self._tasks.values()))

    def __len__(self) -> int:
        return len(self._tasks)

    def __repr__(self) -> str:
        edges = [f"{dep.title}->{task.title}" for task, deps in self.items() for dep in deps]
        return f"TaskGraph({len(self)} tasks, edges=[{', '.join(edges)}])"
