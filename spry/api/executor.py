"""What runs tasks: handlers by type, events, a store, and one task at a time or many in the background."""

from __future__ import annotations

import os
import threading
from datetime import datetime
from functools import partial

from spry.api.copilot import make_copilot_agent_handler, make_copilot_prompt_handler
from spry.api.events import EventBus, TaskEvent, TaskEventType
from spry.api.outcomes import TaskCancelled, TaskResult, TaskStatus
from spry.api.standing import NEXT, leaf_of, settle, transition
from spry.api.task import Task, TaskType
from spry.api.waiting import Bell, Held

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future
    from types import TracebackType
    from typing import Any, Self

    from spry.api.context import TaskContext, TaskHandler
    from spry.api.graph import TaskGraph
    from spry.api.retry import RetryPolicy
    from spry.api.stores import Store
    from spry.api.undertaking import Undertaking
    from spry.api.workers import Workers

PENDING, RUNNING, SUCCEEDED, FAILED, CANCELLED, BLOCKED = TaskStatus


def run_program(context: TaskContext) -> object:
    """Stands for the built-in way to run a script: as a process of the engine, which calls nothing."""
    raise RuntimeError(f"{context.type.value} tasks are run by a TaskExecutor, not by a call")


def _unfit(task: Task) -> TypeError | None:
    """Why no program can be started for a task, whose fields can have been set to anything."""
    if not isinstance(task.payload, str):
        return TypeError(f"payload must be a str, not {type(task.payload).__name__}")
    env: Mapping[Any, object] = task.env
    for name, value in env.items():
        if not isinstance(name, str) or not isinstance(value, str):
            return TypeError(f"env must map str to str: {name!r}")
    if task.cwd is not None and not isinstance(task.cwd, (str, os.PathLike)):
        return TypeError(f"cwd must be a path, not {type(task.cwd).__name__}")
    return None


class TaskExecutor:
    """Runs tasks through the handler of their type, and tells `events` about it.

    bash and PowerShell are run as programs, prompts and agents by the Copilot SDK if it is installed. With a `store`
    every task is saved whenever its status changes, before anybody is told; what goes wrong with that is kept in
    `persistence_errors` and never fails a task.
    """

    def __init__(self, store: Store | None = None, *, _register_defaults: bool = True) -> None:
        self.events = EventBus()
        self.store = store
        self.persistence_errors: list[tuple[str, Exception]] = []
        self.graph_persistence_errors: list[tuple[str, Exception]] = []
        self.handlers: dict[TaskType, TaskHandler] = {}
        self._under_way: dict[str, Undertaking] = {}
        self._lock, self._bell = threading.Lock(), Bell()
        self._workers: Workers | None = None
        self._closed = self._given_up = False
        if _register_defaults:
            for kind in (TaskType.BASH, TaskType.POWERSHELL, TaskType.SCRIPT):
                self.handlers[kind] = run_program
            self.handlers[TaskType.PROMPT] = make_copilot_prompt_handler()
            self.handlers[TaskType.AGENT] = make_copilot_agent_handler()

    @classmethod
    def empty(cls) -> Self:
        """An executor without any handler."""
        return cls(_register_defaults=False)

    # Handlers

    def register(self, task_type: TaskType, handler: TaskHandler) -> None:
        """Let `handler(context)` do the tasks of a type from now on: what it returns is a success and its output."""
        if not isinstance(task_type, TaskType):
            raise TypeError("task_type must be a TaskType")
        if not callable(handler):
            raise TypeError("handler must be callable")
        self.handlers[task_type] = handler

    def is_registered(self, task_type: TaskType) -> bool:
        """Whether there is a handler for tasks of a type."""
        return task_type in self.handlers

    def handler(self, task: Task) -> TaskHandler | None:
        """What is called to do a task; None if it is a program that the engine runs."""
        handler = self.handlers.get(task.type)
        return None if handler is run_program else handler

    def refusal(self, task: Task) -> Exception | None:
        """Why a task cannot be run at all, if so."""
        if task.type not in self.handlers:
            return ValueError(f"No handler registered for task type '{task.type.value}'")
        if task.origin and leaf_of(task) is None and self.handlers[task.type] is run_program:
            return ValueError(f"the task is the cell {task.origin}: load its runbook, and run a graph of that")
        return _unfit(task) if self.handlers[task.type] is run_program else None

    # One task

    def execute(
        self,
        task: Task,
        upstream: Mapping[str, Task] | None = None,
        *,
        retry_policy: RetryPolicy | None = None,
    ) -> TaskResult:
        """Run a task and wait for it: its result, or what went wrong as an exception.

        That is what its handler raised, TaskExecutionError or TaskTimeoutError for a program, TaskCancelled if somebody
        cancelled it, and ValueError if it cannot be run. `upstream` is what a handler sees as its dependencies.
        """
        from spry.api.undertaking import Undertaking, Work

        if not task.can_transition_to(RUNNING):
            raise ValueError(f"Cannot execute task with status '{task.status.value}'")
        work = Work(task, upstream=upstream or {}, retry=retry_policy)
        account = Undertaking(self, [work], 1).run()[task.id]
        if account.error is not None:
            raise account.error
        if task.result is None or not task.is_succeeded:
            raise TaskCancelled(f"Task '{task.id}' was cancelled")
        return task.result

    def submit(
        self,
        task: Task,
        upstream: Mapping[str, Task] | None = None,
        *,
        retry_policy: RetryPolicy | None = None,
    ) -> Future[TaskResult]:
        """Run a task as `execute` does, in the background. RuntimeError after `shutdown`."""
        if self._closed:
            raise RuntimeError("executor is shut down")
        if self._workers is None:
            self._employ()
        assert self._workers is not None
        return self._workers.submit(partial(self.execute, task, upstream, retry_policy=retry_policy))

    def _employ(self) -> None:
        with Held(), self._lock:  # an import that Ctrl-C interrupts can keep the lock that all imports need
            import spry.execute.guardian  # what is loaded first is called last in the end  # noqa: F401
            from spry.api.ending import attend
            from spry.api.running import cores
            from spry.api.workers import Workers

            if self._workers is None:
                workers = Workers(min(32, cores() + 4))
                attend(self, workers)
                self._workers = workers

    def cancel(self, task: Task) -> None:
        """Give a task up, from any thread, unless it has succeeded: its program is ended, its handler is told to end.

        Its status changes at once, its result and the event come when it has ended.
        """
        with transition:
            before = task.status
            if CANCELLED not in NEXT[before]:
                return
            task.transition_to(CANCELLED)
        with self._lock:
            undertaking = self._under_way.get(task.id)
        if before is not RUNNING or undertaking is None:
            now = datetime.now()  # noqa: DTZ005 - local, as documented
            settle(task, TaskResult(task.id, CANCELLED, now, now, 0.0, "", "cancelled", termination_reason="cancelled"))
            self.persist(task)
            self._emit(TaskEventType.CANCELLED, task, before, "cancelled")
        if undertaking is not None:
            undertaking.withdraw(task)

    def mark_blocked(self, task: Task, parent_id: str | None) -> None:
        """Note that a task cannot run because of a dependency; one that has failed before stays as it is."""
        with transition:
            before = task.status
            if before is BLOCKED:
                settle(task, task.result, parent_id)
            if not task.can_transition_to(BLOCKED):
                return
            task.transition_to(BLOCKED)
            settle(task, task.result, parent_id)
        self.persist(task)
        self._emit(TaskEventType.BLOCKED, task, before)

    def is_running(self, task_id: str) -> bool:
        """Whether this executor runs a task just now."""
        with self._lock:
            undertaking = self._under_way.get(task_id)
        return undertaking is not None and undertaking.accounts[undertaking.tasks[task_id]].is_open

    # The end

    @property
    def is_shutdown(self) -> bool:
        """Whether `submit` takes no more."""
        return self._closed

    def shutdown(self) -> None:
        """Take no more submitted tasks, and wait until all that were submitted have ended; none is cancelled.

        Ctrl-C while it waits cancels them all.
        """
        try:
            self._closed = True
            if self._workers is not None:
                self._workers.close()
                self._workers.wait()
        except KeyboardInterrupt:
            self._give_up()
            raise

    def close(self) -> None:
        """The same as `shutdown`."""
        self.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self._give_up()
        self.shutdown()

    def _give_up(self) -> None:
        """Take no more submitted tasks, cancel what other threads have under way, and wait until it has ended."""
        with Held():
            self._closed = self._given_up = True
            if self._workers is not None:
                self._workers.drop()
            for undertaking in self._elsewhere():
                self._withdraw(undertaking)
        if self._workers is not None:
            self._workers.wait()
        self._bell.wait_until(lambda: not self._elsewhere())

    def _elsewhere(self) -> set[Undertaking]:
        """What other threads carry out; what this one does is over, wherever Ctrl-C has interrupted it."""
        return {each for each in tuple(self._under_way.values()) if each.thread != threading.get_ident()}

    def _withdraw(self, undertaking: Undertaking) -> None:
        for work in undertaking.works.values():
            self.cancel(work.task)

    # What runs tell

    def undertake(self, undertaking: Undertaking) -> None:
        """Some tasks are on their way."""
        with self._lock:
            self._under_way.update(dict.fromkeys(undertaking.tasks, undertaking))
            is_late = self._given_up
        if is_late:
            self._withdraw(undertaking)

    def relinquish(self, undertaking: Undertaking) -> None:
        """They no longer are."""
        with self._lock:
            for task in undertaking.tasks:
                if self._under_way.get(task) is undertaking:
                    del self._under_way[task]
        self._bell.ring()

    def persist(self, task: Task) -> None:
        """Save a task; if that fails, say so."""
        if self.store is None:
            return
        try:
            self.store.tasks.save(task)
        except Exception as error:  # noqa: BLE001 - no store can fail a task
            self.persistence_errors.append((task.id, error))
            self._emit(TaskEventType.PERSISTENCE_FAILED, task, None, str(error))

    def persist_graph(self, graph: TaskGraph) -> None:
        """Save a graph; if that fails, say so: the event has its id and title."""
        if self.store is None:
            return
        try:
            self.store.graphs.save(graph)
        except Exception as error:  # noqa: BLE001 - no store can fail a graph
            self.graph_persistence_errors.append((graph.id, error))
            stand_in = Task(graph.title, "", TaskType.BASH, _id=graph.id)
            self._emit(TaskEventType.PERSISTENCE_FAILED, stand_in, None, str(error))

    def _emit(self, kind: TaskEventType, task: Task, before: TaskStatus | None, error: str | None = None) -> None:
        if self.events.is_heard:
            now = datetime.now()  # noqa: DTZ005 - local, as documented
            self.events.emit(TaskEvent(kind, task.id, task, now, before, task.status, error))
