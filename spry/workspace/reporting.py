"""The reports of a workspace run: one story of all its repositories, whether they ran in turn or at once."""

from __future__ import annotations

import time
from contextlib import ExitStack

from spry.api.reports import Reporting
from spry.api.running import cores
from spry.core.events import Outcome, Reason, RunFinished, RunStarted, TaskFinished
from spry.core.model import Step, Task
from spry.core.result import RunResult, counts
from spry.workspace.joined import combined

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from spry.core.events import Event
    from spry.engine.secrets import Secrets
    from spry.errors import SpryError
    from spry.workspace.books import Book
    from spry.workspace.crew import Member
    from spry.workspace.joined import Share
    from spry.workspace.running import Order


class Known:
    """The secrets of all repositories that have had a turn."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self.warn = warn
        self.all: list[Secrets] = []

    @property
    def secrets(self) -> Known:
        """What hides them: this."""
        return self

    def text(self, text: str) -> str:
        """Text without secrets."""
        for secrets in self.all:
            text = secrets.text(text)
        return text

    def clean(self, value: object) -> object:
        """A value made of mappings, sequences and text, without secrets."""
        for secrets in self.all:
            value = secrets.clean(value)
        return value


class Reports:
    """Lasts as long as a workspace run whose reports are wanted; a listener of every run of the engine in it."""

    def __init__(
        self, shares: Sequence[Share], invalid: Sequence[Book], order: Order, warn: Callable[[str], None]
    ) -> None:
        plan = combined(shares)
        for book in invalid:
            task = Task(f"{book.name}//{order.task}", "bash", path=book.files[0].path if book.files else book.name)
            plan = plan._replace(steps={**plan.steps, task.name: Step(task, ())})
        files = [file for share in shares for file in share.book.files]
        self._known = Known(warn)
        self._reporting = Reporting(plan, order.asked.reports, files, self._known)
        self._names = set(plan.steps)
        self._finished: list[TaskFinished] = []
        self._run, self._began = str(time.time_ns()), time.time()
        self._opened = ExitStack()
        self._opened.enter_context(self._reporting)
        self._tell(RunStarted(self._began, self._run, tuple(plan.steps), order.asked.jobs or cores()))

    def __call__(self, event: Event) -> None:
        """Take the next event of a run: what is of a task, and no task that is only there to be depended on."""
        if isinstance(event, (RunStarted, RunFinished)) or event.task not in self._names:
            return
        if isinstance(event, TaskFinished):
            self._finished.append(event)
        self._tell(event._replace(run=self._run))

    def refused(self, names: Iterable[str], error: SpryError) -> None:
        """A repository cannot run at all: none of its tasks does."""
        at = time.time()
        for name in names:
            self(TaskFinished(at, "", name, 0, Outcome.FAILED, Reason.HANDLER, None, None, 0.0, error.gist))

    def know(self, member: Member) -> None:
        """A repository has its turn: what it keeps secret is kept out of the reports."""
        if member.attempts.secrets is not None:
            self._known.all.append(member.attempts.secrets)

    def close(self, exit_code: int) -> int:
        """All are done: write the reports; the exit code, which is not good any more if one of them is not."""
        at, tally = time.time(), counts(self._finished)
        ended = RunFinished(at, self._run, exit_code == 0, tally, at - self._began, exit_code)
        self._tell(ended)
        finished = {event.task: event for event in self._finished}
        result = RunResult(self._run, finished, self._began, at, ended.ok, tally, exit_code)
        code = self._reporting.told(result, recorded=False).exit_code
        self._opened.close()
        return code

    def _tell(self, event: Event) -> None:
        self._reporting.chronicle(event)
