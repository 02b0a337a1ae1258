"""One task in many repositories: one after the other, or all of them in one graph."""

from __future__ import annotations

import time

from spry.api.running import cores, jobs_of, pair, scratch_folder
from spry.core.events import Outcome
from spry.core.model import Terms
from spry.core.text import did_you_mean
from spry.engine.loop import Loop
from spry.errors import HostError, SpryError, UsageError
from spry.execute.local import LocalExecutor
from spry.execute.protocol import Signalled
from spry.record import NamedTuple, Protocol
from spry.workspace.crew import Member
from spry.workspace.joined import combined, in_order, join
from spry.workspace.results import FAILURE, SKIPPED, RepositoryResult, WorkspaceTaskResult, workspace_code
from spry.workspace.shared import Each, SharedAttempts, usual_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from spry.api.wishes import Wishes
    from spry.core.model import Plan
    from spry.engine.audience import Listener
    from spry.execute.protocol import Executor, Notice
    from spry.view.plain import Output
    from spry.workspace.books import Book
    from spry.workspace.crew import Stage
    from spry.workspace.joined import Share
    from spry.workspace.reporting import Reports


class Order(NamedTuple):
    """What is to be done: a task, with these wishes, in parallel or not."""

    task: str
    asked: Wishes
    parallel: bool = False


class Teller(Protocol):
    """What a workspace run tells beside the runs of its repositories."""

    def began(self, order: Order, shares: Sequence[Share], skipped: Sequence[str]) -> None:
        """These repositories have a part in it, and those have no such task."""

    def board(self, plan: Plan) -> Sequence[Output]:
        """Who listens to all repositories at once, while they run in parallel."""

    def refused(self, name: str, roots: Sequence[str], error: SpryError) -> None:
        """A repository cannot run at all."""

    def over(self, result: WorkspaceTaskResult) -> None:
        """All are done."""


def shares_of(books: Sequence[Book], chosen: Sequence[Book], order: Order) -> list[Share]:
    """Who has a part in a run, in order; UsageError if nobody has the task, or nobody declares a parameter."""
    having = [book.name for book in chosen if order.task in book.tasks]
    if not having and not any(book.error for book in chosen):
        known = dict.fromkeys(name for book in chosen for name in book.tasks)
        count = f"any of {len(chosen)} repositories" if len(chosen) > 1 else f"the repository {chosen[0].name}"
        hint = did_you_mean(order.task, known) or "spry workspace status lists the tasks of each"
        raise UsageError(f'Task "{order.task}" not found in {count}', hint)
    shares = join(books, order.task, having)
    declared = {one.name for share in shares for step in share.plan.steps.values() for one in step.task.params}
    for name in order.asked.params:
        if name not in declared:
            hint = did_you_mean(name, declared) or "spry show NAME lists the parameters of a task"
            raise UsageError(f'no selected task of any repository declares the parameter "{name}"', hint)
    return shares if order.parallel else in_order(shares)


def run_in_all(
    books: Sequence[Book], chosen: Sequence[Book], order: Order, stage: Stage, teller: Teller
) -> WorkspaceTaskResult:
    """Run a task in the chosen of all repositories and in those that they need; whatever happens, say what came of it.

    Raises what `shares_of` raises, before anything has started.
    """
    shares = shares_of(books, chosen, order)
    return _Workspace(shares, chosen, order, stage, teller).run()


class Heard:
    """The executor of all runs, which remembers the first signal that told spry to end."""

    def __init__(self, local: LocalExecutor) -> None:
        self.local = local
        self.signal: int | None = None
        self.free, self.start, self.close = local.free, local.start, local.close

    def stop(self, task: str, *, grace: float) -> None:
        """End the running attempt of a task."""
        self.local.stop(task, grace=grace)

    def wait(self, timeout: float | None) -> Sequence[Notice]:
        """Tell what happened."""
        told = self.local.wait(timeout)
        for notice in told:
            if isinstance(notice, Signalled) and self.signal is None:
                self.signal = notice.number
        return told


class _Workspace:
    """One workspace run under way."""

    def __init__(
        self, shares: Sequence[Share], chosen: Sequence[Book], order: Order, stage: Stage, teller: Teller
    ) -> None:
        self.shares, self.chosen, self.order, self.stage, self.teller = shares, chosen, order, stage, teller
        self.reports: Reports | None = None
        self.scratch = ""
        self.results: dict[str, RepositoryResult] = {}
        self.codes: list[int] = []
        self.outcomes: dict[str, Outcome] = {}
        self.signal: int | None = None
        self.late = False
        self.started = time.monotonic()
        timeout = order.asked.timeout
        self.deadline = None if timeout is None else self.started + timeout

    def run(self) -> WorkspaceTaskResult:
        """Become a pair of processes, if that is wanted, and then run it all."""
        self.scratch = scratch_folder(str(time.time_ns()))
        try:
            line = pair(self._clean) if self.stage.paired else None
            executor = Heard(LocalExecutor(self.order.asked.jobs or cores(), line=line))
            try:
                return self._run(executor)
            finally:
                executor.close()
        finally:
            self._clean()

    def _clean(self) -> None:
        """Remove the folder that holds those of all repositories."""
        import shutil

        shutil.rmtree(self.scratch, ignore_errors=True)

    def _run(self, executor: Heard) -> WorkspaceTaskResult:
        """Everybody in turn, or all at once."""
        if self.order.asked.reports:
            from spry.workspace.reporting import Reports

            invalid = [book for book in self.chosen if book.error is not None]
            self.reports = Reports(self.shares, invalid, self.order, self.stage.warn)
        parts = {share.name for share in self.shares}
        missing = [book for book in self.chosen if book.name not in parts and book.error is None]
        for book in missing:
            self.results[book.name] = RepositoryResult(book.name, book.repository.folder, SKIPPED)
        self.teller.began(self.order, self.shares, list(self.results))
        for book in self.chosen:
            if book.error is not None:
                self._refused(book, (self.order.task,), book.error, [f"{book.name}//{self.order.task}"])
        if self.order.parallel:
            self._all(executor)
        else:
            self._in_turn(executor)
        self.signal = executor.signal
        not_run = tuple(share.name for share in self.shares if share.name not in self.results)
        code = workspace_code(self.codes, signal=self.signal, late=self.late)
        code = self.reports.close(code) if self.reports else code
        duration = time.monotonic() - self.started
        result = WorkspaceTaskResult(self.order.task, self.results, duration, code, not_run)
        self.teller.over(result)
        return result

    def _in_turn(self, executor: Heard) -> None:
        asked = self.order.asked
        for share in self.shares:
            executor.wait(0)
            if self._is_over() or executor.signal is not None:
                return
            member = self._member(share)
            if member is None:
                continue
            executor.local.jobs = jobs_of(share.plan, asked)
            member.begin(time.time(), executor.local)
            self._turn(executor, [member], fail_fast=asked.fail_fast)

    def _all(self, executor: Heard) -> None:
        members = [member for share in self.shares if (member := self._member(share))]
        if members:
            self._turn(executor, members, fail_fast=False)

    def _is_over(self) -> bool:
        """Whether nobody else has a turn: after a failure with fail-fast, or in the end of the time."""
        self.late = self.late or (self.deadline is not None and time.monotonic() >= self.deadline)
        failed = any(result.outcome == FAILURE for result in self.results.values())
        return self.late or (self.order.asked.fail_fast and failed)

    def _turn(self, executor: Heard, members: Sequence[Member], *, fail_fast: bool) -> None:
        """One run of the engine, for one repository or for all."""
        asked = self.order.asked
        plan = combined([member.share for member in members], self.outcomes)
        attempts = SharedAttempts(members, self.stage.warn)
        left = None if self.deadline is None else max(self.deadline - time.monotonic(), 0.001)
        graces = {member.share.full(name): member.grace for member in members for name in member.share.plan.steps}
        crowds = [crowd for member in members if (crowd := _crowd(member.share))] if self.order.parallel else []
        terms = Terms(executor.local.jobs, fail_fast, left, asked.yes, graces=graces, crowds=crowds)
        board = self.teller.board(plan) if self.order.parallel else ()
        first: list[Listener] = [Each(members, attempts.places, executor.local, self._ended)]
        listeners: list[Listener] = [*first, *([self.reports] if self.reports else []), *board]
        usual = usual_of(members)
        doer: Executor = executor
        if plan.has_artifacts:
            from spry.engine.chores import Chores

            doer = Chores(executor, attempts.files_of)
        try:
            result = Loop(plan, members[0].run, doer, attempts, listeners, terms, durations=usual).run()
        finally:
            for member in members:
                member.close()
            for listener in board:
                listener.close()
        self.outcomes.update(result.outcomes)

    def _member(self, share: Share) -> Member | None:
        """A repository made ready; None if it cannot run, which is told."""
        declared = {one.name for step in share.plan.steps.values() for one in step.task.params}
        asked = self.order.asked
        params = {name: value for name, value in asked.params.items() if name in declared}
        words = asked.words if self.order.task in share.roots else {}
        try:
            self.stage.agree(share, asked)
            member = Member(share, asked._replace(params=params, words=words), self.stage, self.scratch)
        except (UsageError, HostError) as error:
            self.outcomes.update((share.full(name), Outcome.FAILED) for name in share.plan.steps)
            self._refused(share.book, share.roots, error, [share.full(name) for name in share.plan.steps])
            return None
        if self.reports:
            self.reports.know(member)
        return member

    def _refused(self, book: Book, roots: Sequence[str], error: SpryError, tasks: Sequence[str]) -> None:
        """A repository cannot run at all; `tasks` are those that will not, by their full names."""
        if self.reports:
            self.reports.refused(tasks, error)
        folder = book.repository.folder
        self.results[book.name] = RepositoryResult(book.name, folder, FAILURE, error.exit_code, message=error.gist)
        self.codes.append(error.exit_code)
        self.teller.refused(book.name, roots, error)

    def _ended(self, member: Member) -> None:
        assert member.result is not None
        self.results[member.name] = member.result
        self.codes.append(member.code)


def _crowd(share: Share) -> tuple[list[str], int] | None:
    """The tasks of a repository whose runbook says how many of them may run at once."""
    written = [settings.jobs for settings in share.plan.settings.values() if settings.jobs]
    return ([share.full(name) for name in share.plan.steps], written[0]) if written else None
