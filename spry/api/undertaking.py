"""Tasks and what they wait for, made into a plan and carried out by the engine like any other."""

from __future__ import annotations

import logging
import os
import signal
import threading
from contextvars import copy_context

from spry.api.context import Handling
from spry.api.retry import RetryPolicy
from spry.api.running import Program, run_plan
from spry.api.standing import leaf_of
from spry.api.task import TaskType
from spry.api.telling import Account, Telling
from spry.api.wishes import Wishes
from spry.core.edges import Edges
from spry.core.events import Outcome, TaskFinished
from spry.core.model import Plan, Settings, Step
from spry.core.model import Task as Cell
from spry.errors import SpryError
from spry.execute.protocol import Withdrawn
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from spry.api.cells import Page
    from spry.api.context import TaskHandler
    from spry.api.executor import TaskExecutor
    from spry.api.keeping import Keeping
    from spry.api.task import Task
    from spry.engine.attempts import Attempts
    from spry.execute.local import LocalExecutor
    from spry.execute.protocol import Call, Notice

BASH = "/bin/bash"
PLACE = "<task>"  # what a shell says in place of a file's name
ONCE = RetryPolicy()
AS_IT_IS = Settings(env_mode="system")  # a program's tasks have the program's environment
LARGEST = 131_072  # letters of a task's output that others find in `$SPRY_UPSTREAM`


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

    @property
    def name(self) -> str:
        """What the engine calls it: a cell by its name, as others refer to it, every other task by its id."""
        return name_of(self.task)


def name_of(task: Task) -> str:
    """What the engine calls a task."""
    leaf = leaf_of(task)
    return leaf.cell.name if leaf else task.id


class Undertaking:
    """Some tasks on their way, each once, at most `jobs` at a time.

    `thread` is the one that carries it out. ValueError for cells that cannot be run together, or not without others
    that they need.
    """

    def __init__(self, executor: TaskExecutor, works: Iterable[Work], jobs: int) -> None:
        self.executor, self.jobs = executor, jobs
        self.works = {work.name: work for work in works}
        self.accounts = {
            name: Account(work.task, () if work.always else work.after) for name, work in self.works.items()
        }
        self.tasks = {work.task.id: name for name, work in self.works.items()}
        self.page = _page(self.works.values())
        self.surroundings = copy_context()
        self.plan = Plan({})
        self.keeping: Keeping | None = None
        self.attempts: Attempts | None = None
        self.post: Callable[[Notice], None] | None = None
        self.thread = threading.get_ident()

    def run(self) -> Mapping[str, Account]:
        """Carry it out; a signal that came meanwhile does what it does in this program, once nothing runs any more.

        What became of the tasks, by id. HostError, UsageError and ValueError before anything starts.
        """
        self._check()
        self.plan = self._plan()
        if self.plan.has_artifacts:
            self._keep()
        told = [Telling(self.executor, self.accounts, self._left)]
        calls = {name: self._caller(work) for name, work in self.works.items()}
        locals_: list[LocalExecutor] = []

        def ready(local: LocalExecutor) -> None:
            locals_.append(local)
            self.post = local.mailbox()
            self.executor.undertake(self)

        page = self.page
        asked = (page.asked if page else Wishes())._replace(jobs=self.jobs)
        program = Program(calls, self._recall, ready, self._programs())
        try:
            run_plan(
                self.plan,
                asked,
                told,
                warn=logging.getLogger("spry").warning,
                has_terminal=lambda: False,
                files=page.files if page else (),
                program=program,
            )
        finally:
            self.executor.relinquish(self)
            if self.keeping is not None:
                self.keeping.close()
        if locals_[0].interrupted is not None:
            signal.raise_signal(locals_[0].interrupted)
        return {task: self.accounts[name] for task, name in self.tasks.items()}

    def withdraw(self, task: Task) -> None:
        """Let one task end, or never begin; from any thread."""
        if self.post is not None:
            self.post(Withdrawn(self.tasks[task.id]))

    def _check(self) -> None:
        """HostError before anything starts if a handler needs what is not installed."""
        waiting = (work.task for work in self.works.values() if not work.task.is_succeeded)
        for kind in {task.type for task in waiting if leaf_of(task) is None}:
            if hasattr(self.executor.handlers.get(kind), "needs_copilot"):
                from spry.execute.copilot import require

                require(f"{kind.value} tasks")

    def _programs(self) -> list[str]:
        """The cells that the engine runs as it would for the command: what they need must be there."""
        cells = [(name, work.task) for name, work in self.works.items() if leaf_of(work.task)]
        return [name for name, task in cells if not task.is_succeeded and self._handler(task) is None]

    def _handler(self, task: Task) -> TaskHandler | None:
        """What is called to do a task; None if the engine itself knows how."""
        handler = self.executor.handler(task)
        return None if leaf_of(task) and hasattr(handler, "needs_copilot") else handler

    def _plan(self) -> Plan:
        edges = Edges(self.works)
        for name, work in self.works.items():
            for dep in work.after:
                edges.add(name_of(dep), name)
        order = edges.order()
        assert order is not None, "whoever undertakes something has looked for cycles"
        folder = os.getcwd()
        steps = {name: Step(_cell(self.works[name], folder), tuple(edges.deps[name])) for name in order}
        if self.page is None:
            return Plan(steps, settings={PLACE: AS_IT_IS})
        return Plan(steps, self.page.plan.kinds, {**self.page.plan.settings, PLACE: AS_IT_IS})

    def _keep(self) -> None:
        """Find out where files are kept; ValueError if tasks have them in a way that cannot be meant."""
        from spry.api.history import place
        from spry.api.keeping import Keeping
        from spry.api.passing import check, titles_of

        tasks = {name: work.task for name, work in self.works.items()}
        titles = titles_of(tasks)
        check(self.plan, tasks, [name for name, task in tasks.items() if self._handler(task) is not None], titles)
        self.keeping = Keeping(place(self.page.files[0].folder if self.page else os.getcwd()), tasks, titles)

    def _recall(self, attempts: Attempts) -> dict[str, str]:
        """Give the run what is known of tasks that need not run again."""
        self.attempts = attempts
        if self.keeping is not None:
            self.keeping.equip(attempts)
        done = [work for work in self.works.values() if work.task.is_succeeded]
        for work in done:
            result = work.task.result
            duration, code = (result.duration, result.returncode) if result else (0.0, None)
            event = TaskFinished(0.0, "", work.name, 1, Outcome.SUCCEEDED, None, code, None, duration)
            attempts.recall(event, *self._known(work))
        return {work.name: "it had succeeded before" for work in done}

    def _known(self, work: Work) -> tuple[Mapping[str, str], Mapping[str, str]]:
        if leaf_of(work.task) is None:
            return _output(work.task), {}
        return self.page.left.get(work.name, ({}, {})) if self.page else ({}, {})

    def _left(self, name: str) -> None:
        """A task has succeeded: what others can use of it, in this run and in later ones."""
        assert self.attempts is not None
        left, task = self.attempts.left, self.works[name].task
        if leaf_of(task) is None:
            left.captured[name] = _output(task)
        elif self.page is not None:
            self.page.left[name] = left.captured.get(name, {}), left.outputs.get(name, {})

    def _caller(self, work: Work) -> Callable[[int], Call | None]:
        """How the engine asks, when an attempt begins, what to call for it; SpryError where it must not begin."""
        name, task = work.name, work.task
        account = self.accounts[name]

        def asked(_: int) -> Call | None:
            if account.refused is not None:
                raise SpryError(str(account.refused))
            if task.is_cancelled:
                raise SpryError("cancelled")
            handler, payload = self._handler(task), None
            if handler is None:
                return None
            if leaf_of(task) is not None and self.attempts is not None:
                payload = self.attempts.rendered(self.plan.steps[name])[0]
            upstream = {dep.id: dep for dep in work.after} if work.upstream is None else work.upstream
            account.handling = Handling(name, task, handler, upstream, self.surroundings.copy(), payload)
            return account.handling

        return asked


def _output(task: Task) -> dict[str, str]:
    """What a task of a program leaves for others to use: its output, unless it is too long."""
    output = task.result.output if task.result else ""
    return {"output": output} if len(output) <= LARGEST else {}


def _page(works: Iterable[Work]) -> Page | None:
    """The page on which the cells among some tasks stand; ValueError if they need others, or stand on several."""
    page: Page | None = None
    for work in works:
        leaf = leaf_of(work.task)
        if leaf is None:
            continue
        if page is not None and page is not leaf.page:
            raise ValueError(f"task '{work.name}' and others come from different calls of Runbook.graph")
        page = leaf.page
        missing = set(page.plan.steps[work.name].deps).difference(map(name_of, work.after))
        if missing:
            needs = ", ".join(sorted(missing))
            raise ValueError(f"task '{work.name}' is a cell that depends on {needs}: run it in a graph with that")
    return page


def _cell(work: Work, folder: str) -> Cell:
    """A task as the engine knows it."""
    task, leaf = work.task, leaf_of(work.task)
    deps = tuple(map(name_of, work.after))
    retry = work.retry or task.retry or ONCE
    if leaf is not None:
        return leaf.current(task, retry, deps)._replace(is_finally=work.always, optional=work.optional)
    is_bash = task.type is TaskType.BASH
    return Cell(
        task.id,
        "bash" if is_bash else "pwsh",
        str(task.payload),  # a handler may take what is no text
        path=PLACE,
        folder=folder,
        body_line=1,
        deps=deps,
        is_finally=work.always,
        optional=work.optional,
        timeout=task.timeout,
        attempts=retry.max_attempts,
        backoff=retry.backoff,
        env=tuple(task.env.items()),
        cwd=task.cwd,
        saves=task.save,
        isolated=task.has_own_folder,
        restore=task.restore if isinstance(task.restore, str) else "." if task.restore else None,
        interpreter=BASH if is_bash and os.access(BASH, os.X_OK) else None,
        strict=False,
    )
