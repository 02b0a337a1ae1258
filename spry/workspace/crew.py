"""The repositories of one run: each with attempts, history and listeners of its own, and all in one loop."""

from __future__ import annotations

import os
from contextlib import ExitStack

from spry.api.history import origin, recorded
from spry.api.running import expect, grace_of, prepared, ready
from spry.core.events import Reason, RunFinished, RunStarted, TaskFinished
from spry.core.plan import Selection
from spry.core.result import counts, exit_code
from spry.engine.audience import Audience
from spry.errors import INTERNAL, HostError, SpryError
from spry.record import NamedTuple
from spry.workspace.results import FAILURE, SUCCEEDED, RepositoryResult, command_code
from spry.workspace.titles import Titles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from spry.api.history import Origin
    from spry.api.wishes import Wishes
    from spry.core.events import Event
    from spry.engine.audience import Listener
    from spry.execute.local import LocalExecutor
    from spry.store.history import History, Unrecorded
    from spry.workspace.joined import Share


class Stage(NamedTuple):
    """What surrounds all repositories: where warnings go, whether somebody can answer, and who shows a run.

    `agree` sees to it that somebody agrees to run what a stranger wrote, else it raises UsageError; `remember` says
    whether runs are written down, `paired` whether all is done by a pair of processes (see `execute.pair`).
    """

    warn: Callable[[str], None]
    has_terminal: Callable[[], bool]
    shown: Callable[[Share], Sequence[Listener]]
    agree: Callable[[Share, Wishes], None]
    remember: bool = True
    paired: bool = False


class Member:
    """One repository while the workspace runs. Making it checks all that a run of its own would.

    Raises UsageError and HostError for what keeps it from running.
    """

    def __init__(self, share: Share, asked: Wishes, stage: Stage, scratch: str) -> None:
        self.share, self.stage, self.name = share, stage, share.name
        self.asked, self.attempts = prepared(
            share.plan, asked, warn=stage.warn, has_terminal=stage.has_terminal, within=scratch
        )
        self.grace = grace_of(share.plan)
        self.usual: Mapping[str, float] = {}
        self.fault: HostError | None = None
        self.host_error = False
        self.finished: list[TaskFinished] = []
        self.result: RepositoryResult | None = None
        self.code = 0
        self.audience = Audience((), stage.warn)
        self._opened = ExitStack()
        self._opened.callback(self.attempts.close)
        self._begun = 0.0
        try:
            self.attempts.check()
            ready(self.attempts, asked, self._origin())
        except SpryError as error:
            error.message, error.hint = self.attempts.shown(error.message), self.attempts.shown(error.hint)
            self.close()
            raise

    @property
    def run(self) -> str:
        """The id of its run."""
        return self.attempts.situation.run

    @property
    def is_over(self) -> bool:
        """Whether every task of it has its outcome."""
        return len(self.finished) == len(self.share.plan.steps)

    def begin(self, at: float, executor: LocalExecutor) -> None:
        """Write down and show that it begins; a history that can never be written fails its tasks instead."""
        if self._begun:
            return
        self._begun = at
        histories: Sequence[History | Unrecorded] = ()
        try:
            opened = recorded(self._origin(), self.asked, self.attempts, self.attempts.warn)
            histories, self.usual = self._opened.enter_context(opened)
        except HostError as error:
            self.fault = error
        if self.share.plan.has_artifacts:
            from spry.api.artifacts import equip

            equip(self.attempts, self._origin(), recorded=bool(histories))
        executor.entrust(self.run, self.attempts.situation.scratch, [history.lock for history in histories])
        listeners = [*histories, *self.stage.shown(self.share)]
        if self.stage.paired:  # else this is a process of somebody else, which has a name of its own
            listeners.append(Titles(os.path.dirname(self.share.book.repository.folder), self.name))
        self.audience = Audience(listeners, self.attempts.warn)
        expect(self.audience.listeners, self.usual)
        self.audience.tell([RunStarted(at, self.run, tuple(self.share.plan.steps), executor.jobs)])

    def tell(self, event: Event, name: str) -> None:
        """Tell its listeners an event of the workspace as one of its own."""
        if isinstance(event, TaskFinished):
            event = event._replace(task=name, run=self.run)
            self.finished.append(event)
            self.host_error = self.host_error or event.reason is Reason.HANDLER
        else:
            event = event._replace(task=name, run=self.run)  # type: ignore[call-arg] # only runs have no task
        self.audience.tell([event])

    def end(self, at: float, signal: int | None = None) -> None:
        """Its run is over: write down and show how it ended."""
        broken = self.host_error or self.audience.has_missed
        late = any(event.reason is Reason.TIMEOUT and not event.attempt for event in self.finished)
        self.code = exit_code(self.finished, signal=signal, host_error=broken, timed_out_run=late)
        ended = RunFinished(at, self.run, self.code == 0, counts(self.finished), at - self._begun, self.code)
        self.audience.tell([ended])
        if self.audience.has_missed:
            self.code = INTERNAL
        outcome = SUCCEEDED if self.code == 0 else FAILURE
        code = command_code(self.finished, self.code)
        repository = self.share.book.repository
        self.result = RepositoryResult(self.name, repository.folder, outcome, code, ended.duration, self.run)
        self.close()

    def close(self) -> None:
        """Give back what it holds, and leave the screen as it should stay."""
        audience, self.audience = self.audience, Audience((), self.stage.warn)
        self._opened.close()
        for listener in audience.listeners:
            if hasattr(listener, "close"):
                listener.close()

    def _origin(self) -> Origin | None:
        """Where its plan comes from, if that is to be remembered."""
        return origin(self.share.book.files, Selection(self.share.roots)) if self.stage.remember else None
