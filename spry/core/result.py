"""What endings come to: of an attempt for its task, of a task for its dependents, of all tasks for the run."""

from __future__ import annotations

from spry.core.events import Outcome, Reason, RunFinished, RunStarted, TaskFinished
from spry.errors import FAILED, INTERNAL, INVALID, OK, TIMED_OUT
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from spry.core.events import Event
    from spry.core.model import Task

CANCELLING = frozenset({Reason.DECLINED, Reason.INTERRUPTED})


class Ending(NamedTuple):
    """How an attempt ended: its exit code or the signal that ended it, neither if there was no process.

    It succeeded if the code is one the task accepts and no `reason` says otherwise; reason `up_to_date` is a success
    of its own. `final` means that no other attempt could mend it. `leaked` is the number of processes it left running.
    """

    exit_code: int | None
    signal: int | None = None
    reason: Reason | None = None
    message: str = ""
    final: bool = False
    leaked: int = 0


class Verdict(NamedTuple):
    """An outcome, why, and in a few words what neither can say."""

    outcome: Outcome
    reason: Reason | None = None
    message: str = ""


class RunResult(NamedTuple):
    """What is left of a run once it is over, rebuilt from its events alone.

    `ended` is None for a run that was cut short: such a run is not ok, whatever its tasks did. Times are seconds
    since the epoch; `finished` has the tasks in the order in which they ended.
    """

    run: str
    finished: Mapping[str, TaskFinished]
    started: float
    ended: float | None
    ok: bool
    counts: Mapping[str, int]
    exit_code: int

    @property
    def outcomes(self) -> dict[str, Outcome]:
        """The outcome of each task that has one."""
        return {name: event.outcome for name, event in self.finished.items()}


SUCCESS = Verdict(Outcome.SUCCEEDED)


def judge(task: Task, ending: Ending) -> Verdict:
    """The verdict on an attempt that ended by itself."""
    code, signal, reason, message, *_ = ending
    if reason is None:
        if code in task.exit_codes or (code == 0 and not task.needs_process):
            return Verdict(Outcome.SUCCEEDED, None, message) if message else SUCCESS
        return Verdict(Outcome.FAILED, Reason.EXIT_CODE if signal is None else Reason.SIGNAL, message)
    if reason is Reason.UP_TO_DATE:
        return Verdict(Outcome.SUCCEEDED, reason, message)
    return Verdict(Outcome.CANCELLED if reason in CANCELLING else Outcome.FAILED, reason, message)


def kept_running(names: Sequence[str]) -> str:
    """What an attempt left running, by the names of the programs: `sleep (3), node and 2 more kept running`."""
    tally: dict[str, int] = {}
    for name in names:
        tally[name] = tally.get(name, 0) + 1
    shown = [name if count == 1 else f"{name} ({count})" for name, count in list(tally.items())[:3]]
    more = len(names) - sum(list(tally.values())[:3])
    return f"{', '.join(shown)}{f' and {more} more' if more else ''} kept running" if names else ""


def consequence(name: str, verdict: Verdict) -> Verdict:
    """What a task that did not succeed makes of those that need it; the message names where it began."""
    if verdict.reason is Reason.DEPENDENCY:
        return verdict
    if verdict.outcome is Outcome.FAILED:
        return Verdict(Outcome.SKIPPED, Reason.DEPENDENCY, f'"{name}" failed')
    return Verdict(Outcome.CANCELLED, Reason.DEPENDENCY, f'"{name}" was {verdict.reason or verdict.outcome}')


def fold(events: Iterable[Event]) -> RunResult:
    """The result of one run from its events, in order; a run without its end counts as an internal error."""
    finished: dict[str, TaskFinished] = {}
    start: RunStarted | None = None
    end: RunFinished | None = None
    for event in events:
        if isinstance(event, TaskFinished):
            finished[event.task] = event
        elif isinstance(event, RunStarted):
            start = event
        elif isinstance(event, RunFinished):
            end = event
    if start is None:
        raise ValueError("these events do not say which run they belong to: run_started is missing")
    tally = counts(finished.values())
    if end is None:
        return RunResult(start.run, finished, start.at, None, ok=False, counts=tally, exit_code=INTERNAL)
    return RunResult(start.run, finished, start.at, end.at, end.ok, tally, end.exit_code)


def counts(finished: Iterable[TaskFinished]) -> dict[str, int]:
    """How many tasks had each outcome that occurred."""
    tally: dict[str, int] = {}
    for event in finished:
        tally[event.outcome.value] = tally.get(event.outcome.value, 0) + 1
    return tally


def exit_code(
    finished: Iterable[TaskFinished],
    *,
    signal: int | None = None,
    host_error: bool = False,
    timed_out_run: bool = False,
) -> int:
    """What the run tells its caller; the first that applies.

    3 an internal or host error; 128 + `signal` if spry itself was told to end; 2 nothing was run; 1 a required task
    failed or was declined; 124 every failure was a timeout, or the run's own time was over; 0. Optional tasks do not
    count. A required task that did not succeed without any failure (it needed an optional one) is a failure too.
    """
    finished = tuple(finished)
    if host_error:
        return INTERNAL
    if signal is not None:
        return 128 + signal
    if not finished:
        return INVALID
    return _code_of_tasks([event for event in finished if not event.optional], timed_out_run=timed_out_run)


def own_code(finished: Iterable[TaskFinished]) -> int:
    """The code of the first task that failed, as a shell would tell it: its own, 128 + N for signal N, 124, or 1."""
    for event in finished:
        if event.outcome is Outcome.FAILED and not event.optional:
            if event.reason is Reason.TIMEOUT:
                return TIMED_OUT
            if event.reason is Reason.SIGNAL and event.signal is not None:
                return 128 + event.signal
            return (event.exit_code if event.reason is Reason.EXIT_CODE else None) or FAILED
    return FAILED


def _code_of_tasks(required: list[TaskFinished], *, timed_out_run: bool) -> int:
    failures = [event for event in required if event.outcome is Outcome.FAILED or event.reason is Reason.DECLINED]
    if any(event.reason is not Reason.TIMEOUT for event in failures):
        return FAILED
    if failures or timed_out_run:
        return TIMED_OUT
    return OK if all(event.outcome is Outcome.SUCCEEDED for event in required) else FAILED
