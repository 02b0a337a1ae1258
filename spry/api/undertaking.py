"""Tasks and what they wait for, made into a plan and carried out by the engine like any other."""

from __future__ import annotations

import os
import signal
import time
from contextvars import copy_context
from typing import NamedTuple

from spry.api.context import Handling
from spry.api.running import grace_of, scratch_folder
from spry.api.task import TaskType
from spry.api.telling import Account, Telling
from spry.core.edges import Edges
from spry.core.events import Outcome, TaskFinished
from spry.core.model import Plan, Settings, Step
from spry.core.model import Task as Cell
from spry.engine.attempts import Attempts, Situation
from spry.engine.loop import Options, run
from spry.errors import SpryError
from spry.execute.local import LocalExecutor
from spry.execute.protocol import Withdrawn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from spry.api.executor import TaskExecutor
    from spry.api.retry import RetryPolicy
    from spry.api.task import Task
    from spry.execute.protocol import Call, Notice

BASH = "/bin/bash"
PLACE = "<task>"  # what a shell says in place of a file's name
AS_IT_IS = Settings(env_mode="system")  # a program's tasks have the program's environment


class Work(NamedTuple):
    """One task in an undertaking: the tasks it waits for, whether for their end only, and whether its failure counts.

    `upstream` is what its handler gets to see instead of those.
    """

    task: Task
    after: Sequence[Task] = ()
    always: bool = False
    optional: bool = False
    upstream: Mapping[str, Task] | None = None
    retry: RetryPolicy | None = None


class Undertaking:
    """Some tasks on their way, each once, at most `jobs` at a time."""

    def __init__(self, executor: TaskExecutor, works: Iterable[Work], jobs: int) -> None:
        self.executor, self.jobs = executor, jobs
        self.works = {work.task.id: work for work in works}
        self.accounts = {
            name: Account(work.task, () if work.always else work.after) for name, work in self.works.items()
        }
        self.surroundings = copy_context()
        self.post: Callable[[Notice], None] | None = None

    def run(self) -> Mapping[str, Account]:
        """Carry it out; a signal that came meanwhile does what it does in this program, once nothing runs any more."""
        self._check()
        plan, run_id = self._plan(), str(time.time_ns())
        folder = os.getcwd()
        calls = {name: self._caller(name) for name in self.works}
        situation = Situation(run_id, os.environb, folder, scratch_folder(run_id), calls=calls)
        attempts = Attempts(plan, situation)
        local = LocalExecutor(self.jobs)
        try:
            self.post = local.mailbox()
            self.executor.undertake(self)
            options = Options(self.jobs, grace=grace_of(plan), done=self._done(attempts))
            run(plan, run_id, local, attempts, [Telling(self.executor, self.accounts)], options)
        finally:
            self.executor.relinquish(self)
            local.close()
            attempts.close()
        if local.interrupted is not None:
            signal.raise_signal(local.interrupted)
        return self.accounts

    def withdraw(self, task: Task) -> None:
        """Let one task end, or never begin; from any thread."""
        if self.post is not None:
            self.post(Withdrawn(task.id))

    def _check(self) -> None:
        """HostError before anything starts if a handler needs what is not installed."""
        kinds = {work.task.type for work in self.works.values() if not work.task.is_succeeded}
        for kind in kinds:
            if hasattr(self.executor.handlers.get(kind), "needs_copilot"):
                from spry.execute.copilot import require

                require(f"{kind.value} tasks")

    def _plan(self) -> Plan:
        edges = Edges(self.works)
        for name, work in self.works.items():
            for dep in work.after:
                edges.add(dep.id, name)
        order = edges.order()
        assert order is not None, "whoever undertakes something has looked for cycles"
        folder = os.getcwd()
        steps = {name: Step(_cell(self.works[name], folder), tuple(edges.deps[name])) for name in order}
        return Plan(steps, settings={PLACE: AS_IT_IS})

    def _done(self, attempts: Attempts) -> dict[str, str]:
        """The tasks that need not run again, as the others see them."""
        done = [task for task in (work.task for work in self.works.values()) if task.is_succeeded]
        for task in done:
            duration, code = (task.result.duration, task.result.returncode) if task.result else (0.0, None)
            event = TaskFinished(0.0, "", task.id, 1, Outcome.SUCCEEDED, None, code, None, duration)
            attempts.recall(event, {}, {})
        return {task.id: "it had succeeded before" for task in done}

    def _caller(self, name: str) -> Callable[[int], Call | None]:
        """How the engine asks, when an attempt begins, what to call for it; SpryError where it must not begin."""
        account, work = self.accounts[name], self.works[name]

        def asked(_: int) -> Call | None:
            if account.refused is not None:
                raise SpryError(str(account.refused))
            if account.task.is_cancelled:
                raise SpryError("cancelled")
            handler = self.executor.handler(account.task)
            if handler is None:
                return None
            upstream = {dep.id: dep for dep in work.after} if work.upstream is None else work.upstream
            account.handling = Handling(name, account.task, handler, upstream, self.surroundings.copy())
            return account.handling

        return asked


def _cell(work: Work, folder: str) -> Cell:
    """A task as the engine knows it."""
    task, retry = work.task, work.retry or work.task.retry
    is_bash = task.type is TaskType.BASH
    return Cell(
        task.id,
        "bash" if is_bash else "pwsh",
        task.payload,
        path=PLACE,
        folder=folder,
        body_line=1,
        deps=tuple(dep.id for dep in work.after),
        is_finally=work.always,
        optional=work.optional,
        timeout=task.timeout,
        attempts=retry.max_attempts if retry else 1,
        backoff=retry.backoff if retry else 0.0,
        env=tuple(task.env.items()),
        cwd=task.cwd,
        interpreter=BASH if is_bash and os.access(BASH, os.X_OK) else None,
        strict=False,
    )
