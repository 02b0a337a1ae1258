"""The one loop in which decisions meet the world. Every run goes through here."""

from __future__ import annotations

import time

from spry.core.events import (
    ConfirmationAsked,
    Reason,
    RunFinished,
    RunStarted,
    TaskFinished,
    TaskOutput,
    TaskProgress,
    TaskStarted,
)
from spry.core.result import Ending, counts, exit_code, fold, kept_running, own_code
from spry.core.schedule import Schedule
from spry.errors import FAILED, INTERNAL, TIMED_OUT, HostError, SpryError
from spry.execute.protocol import Attempt, Exited, Output, Paused, Progress, Signalled
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from spry.core.events import Event
    from spry.core.model import Plan
    from spry.core.result import RunResult
    from spry.engine.work import Work
    from spry.execute.protocol import Call, Executor, Notice

    Listener = Callable[[Event], None]

LONGEST_WAIT = 3600.0  # seconds; an instant years away is more than poll() can count
STOPPED = Ending(None, 15)  # of what we did for a task
STREAMS = {1: "stdout", 2: "stderr"}


class Options(NamedTuple):
    """How a run goes: `timeout` (seconds) is the whole run's, `grace` (seconds) lies between TERM and KILL.

    `graces` are those of tasks that have another one; of each of the `crowds` so many tasks run at once at most.
    `done` are tasks that need not run, with the words why: what they left is with the attempts already. With
    `own_code` the run ends with the exit code of the task that failed.
    """

    jobs: int = 1
    fail_fast: bool = False
    timeout: float | None = None
    yes: bool = False
    grace: float = 5.0
    done: Mapping[str, str] = {}
    graces: Mapping[str, float] = {}
    crowds: Sequence[tuple[Collection[str], int]] = ()
    own_code: bool = False


DEFAULTS = Options()


class Clock(NamedTuple):
    """Where time comes from: `now` never goes back, and `epoch` added to it is the time of day."""

    now: Callable[[], float] = time.monotonic
    epoch: float = 0.0


def run(
    plan: Plan,
    run_id: str,
    executor: Executor,
    attempts: Work,
    listeners: Sequence[Listener] = (),
    options: Options = DEFAULTS,
    *,
    clock: Clock | None = None,
    durations: Mapping[str, float] | None = None,
) -> RunResult:
    """Run every step of a plan to an outcome, telling the listeners each fact in order.

    A listener that fails is told no more, and the run ends with exit code 3: what people saw was not the whole.
    """
    clock = clock or Clock(time.monotonic, time.time() - time.monotonic())
    return _Loop(plan, run_id, executor, attempts, listeners, options, clock, durations or {}).run()


class Aside(NamedTuple):
    """How it goes on with a task for which something is done on a thread, once that is done or was broken off."""

    go_on: Callable[[], None]
    give_up: Callable[[], None]


class _Loop:
    """One run under way."""

    __slots__ = (
        "asides", "attempts", "beats", "clock", "events", "executor", "host_error", "listeners", "numbers", "options",
        "plan", "run_id", "schedule", "signal", "started",
    )  # fmt: skip

    def __init__(
        self,
        plan: Plan,
        run_id: str,
        executor: Executor,
        attempts: Work,
        listeners: Sequence[Listener],
        options: Options,
        clock: Clock,
        durations: Mapping[str, float],
    ) -> None:
        self.plan, self.run_id, self.executor, self.attempts = plan, run_id, executor, attempts
        self.listeners, self.options, self.clock = list(listeners), options, clock
        self.beats = [listener for listener in listeners if hasattr(listener, "beat")]
        self.started = clock.now()
        self.schedule = Schedule(
            plan,
            run_id,
            fail_fast=options.fail_fast,
            deadline=None if options.timeout is None else self.started + options.timeout,
            durations=durations,
            epoch=clock.epoch,
            ask=not options.yes,
            crowds=options.crowds,
        )
        self.events: list[Event] = []
        self.numbers: dict[str, int] = {}
        self.asides: dict[str, Aside] = {}
        self.signal: int | None = None
        self.host_error = False

    def run(self) -> RunResult:
        """Turn until every task has its outcome."""
        schedule = self.schedule
        self.tell([RunStarted(self.at(), self.run_id, tuple(self.plan.steps), self.options.jobs)])
        if self.options.done:
            self.tell(schedule.recall(self.options.done, self.clock.now()))
        while not schedule.done:
            self.tell(schedule.tick(self.clock.now()))
            self.stop()
            self.begin()
            if schedule.done:
                break
            for notice in self.executor.wait(self.patience()):
                self.heed(notice)
            if self.attempts.secrets is not None:
                self.publish(self.attempts.secrets.eased(self.at()))
            for listener in self.beats:
                self.guarded(listener, lambda listener=listener: listener.beat(self.clock.now()))  # type: ignore[misc] # bound now
        return self.finish()

    def at(self) -> float:
        """The time of day."""
        return self.clock.now() + self.clock.epoch

    def patience(self) -> float:
        """How long to wait for a notice: until the schedule or a listener has something to do."""
        wake = self.schedule.wake()
        pauses = [listener.refresh for listener in self.beats if listener.refresh]  # type: ignore[attr-defined] # has one
        if wake is not None:
            pauses.append(max(wake - self.clock.now(), 0.0))
        held = self.attempts.secrets.patience(self.at()) if self.attempts.secrets is not None else None
        if held is not None:
            pauses.append(held)
        return float(min((*pauses, LONGEST_WAIT)))

    def stop(self) -> None:
        for stop in self.schedule.stops():
            grace = self.options.graces.get(stop.task, self.options.grace)
            if stop.task in self.asides:
                give_up = self.asides[stop.task].give_up
                self.asides[stop.task] = Aside(give_up, give_up)
            self.executor.stop(stop.task, grace=0.0 if stop.kill else grace)

    def begin(self) -> None:
        """Start whatever is ready while there is room; what needs no process is over at once."""
        while begun := self.schedule.take(self.executor.free(), self.clock.now()):
            for event in begun:
                self.launch(event)

    def launch(self, event: TaskStarted | ConfirmationAsked) -> None:
        """The turn of a task has come."""
        if self.attempts.freshness is not None and self.spared(event):
            return
        self.tell([event])
        if isinstance(event, ConfirmationAsked):
            self.executor.start(Attempt(event.task, 0, (), {}, "", self.attempts.shown(event.text)))
        else:
            self.start(event)

    def aside(self, task: str, call: Call, go_on: Callable[[], None], give_up: Callable[[], None]) -> None:
        """Do something for a task beside the loop, and then go on with it."""
        self.asides[task] = Aside(go_on, give_up)
        self.executor.start(Attempt(task, 0, (), {}, "", call=call))

    def spared(self, event: TaskStarted | ConfirmationAsked) -> bool:
        """Whether a task that was about to begin does not: it is up to date, or it cannot be told, or not yet."""
        assert self.attempts.freshness is not None
        if isinstance(event, TaskStarted) and event.attempt > 1:
            return False
        try:
            ending = self.attempts.freshness.spare(self.plan.steps[event.task])
        except SpryError as error:
            ending = self.unable(error)
        if ending is None:
            return False
        if isinstance(ending, Ending):
            self.follow(self.schedule.spared(event.task, ending, self.clock.now()))
        else:
            self.aside(event.task, ending, lambda: self.launch(event), lambda: self.unbegun(event))
        return True

    def unbegun(self, event: TaskStarted | ConfirmationAsked) -> None:
        """A task was stopped while it was looked whether it has to run."""
        if isinstance(event, TaskStarted):
            self.tell([event])
        self.conclude(event.task, STOPPED)

    def start(self, event: TaskStarted) -> None:
        step = self.plan.steps[event.task]
        self.numbers[event.task] = event.attempt
        try:
            attempt = self.attempts.prepare(step, event.attempt)
        except SpryError as error:
            self.conclude(event.task, self.unable(error))
            return
        if attempt is None:
            self.conclude(event.task, None)
        else:
            self.executor.start(attempt)

    def unable(self, error: SpryError) -> Ending:
        """The end of a task that cannot start."""
        message = f"{error.message}; {error.hint}" if error.hint else error.message
        by_host = isinstance(error, HostError)
        self.host_error = self.host_error or by_host
        return Ending(None, reason=Reason.HANDLER if by_host else Reason.ARTIFACTS, message=message, final=True)

    def heed(self, notice: Notice) -> None:
        if isinstance(notice, Output):
            self.write(notice)
        elif isinstance(notice, Exited):
            aside = self.asides.pop(notice.task, None)
            if aside is not None:
                (aside.go_on if notice.code == 0 else aside.give_up)()
            elif self.numbers.get(notice.task) is None:
                self.answered(notice)
            else:
                self.exited(notice)
        elif isinstance(notice, Signalled):
            self.interrupt(notice.number)
        elif isinstance(notice, Progress):
            self.advance(notice)
        elif isinstance(notice, Paused):
            self.stand_still(notice.seconds)
        else:
            self.follow(self.schedule.withdraw(notice.task, self.clock.now()))

    def write(self, notice: Output) -> None:
        if notice.stream == 1:
            self.attempts.took(notice.task, notice.data)
        number = self.numbers[notice.task]
        self.tell([TaskOutput(self.at(), self.run_id, notice.task, number, STREAMS[notice.stream], notice.data)])

    def advance(self, notice: Progress) -> None:
        """A task says how far it is; what has ended meanwhile has nothing to say any more."""
        number = self.numbers.get(notice.task)
        if number is not None:
            self.tell([TaskProgress(self.at(), self.run_id, notice.task, number, notice.percent, notice.text)])

    def interrupt(self, number: int) -> None:
        """The first signal stops politely and lets clean-up tasks run; the second kills."""
        again = self.signal is not None
        self.signal = self.signal or number
        act = self.schedule.kill if again else self.schedule.cancel
        self.tell(act(self.clock.now()))

    def stand_still(self, seconds: float) -> None:
        """Time in which nothing ran counts neither as duration nor towards a timeout: our clock is set back."""
        now, epoch = self.clock
        self.clock = Clock(lambda: now() - seconds, epoch + seconds)
        self.schedule.postpone(seconds)

    def answered(self, notice: Exited) -> None:
        """A question has its answer: a yes starts the task, unless it was cancelled meanwhile."""
        now = self.clock.now()
        if notice.error:
            self.host_error = True
            ending = Ending(None, reason=Reason.HANDLER, message=notice.error, final=True)
            self.follow(self.schedule.ended(notice.task, ending, now))
            return
        answer = self.schedule.confirmed if notice.code == 0 else self.schedule.declined
        events = answer(notice.task, now)
        self.follow(events)
        for event in events:
            if isinstance(event, TaskStarted):
                self.start(event)

    def exited(self, notice: Exited) -> None:
        if notice.beyond:
            who = ", ".join(notice.beyond)
            self.attempts.warn(f'what task "{notice.task}" left running cannot be killed: {who}')
        if notice.error:
            self.host_error = True
            self.conclude(notice.task, Ending(None, reason=Reason.HANDLER, message=notice.error, final=True))
        elif notice.ending is not None:
            self.conclude(notice.task, notice.ending)
        elif notice.limit:
            self.conclude(notice.task, Ending(notice.code, notice.signal, Reason.LIMIT, notice.limit))
        else:
            message, leaked = kept_running(notice.leaked), len(notice.leaked)
            self.conclude(notice.task, Ending(notice.code, notice.signal, message=message, leaked=leaked))

    def conclude(self, task: str, ending: Ending | None) -> None:
        """An attempt is over (None: it needed no process): keep what it leaves if it succeeded, tell what follows."""
        if ending is None or self.schedule.is_success(task, ending):
            fault = self.keep(task, ending)
            if not isinstance(fault, str):
                again, give_up = lambda: self.conclude(task, ending), lambda: self.conclude(task, STOPPED)
                self.aside(task, fault, again, give_up)
                return
            if fault:
                ending = (ending or Ending(None))._replace(reason=Reason.ARTIFACTS, message=fault)
        self.numbers.pop(task, None)
        self.attempts.over(task)
        now = self.clock.now()
        if ending is None:
            self.follow(self.schedule.succeeded(task, now, message=self.attempts.remark(task)))
        else:
            self.follow(self.schedule.ended(task, ending, now))

    def keep(self, task: str, ending: Ending | None) -> str | Call:
        """Keep what a task leaves; what is wrong with that, or nothing, or a call after which to keep it."""
        try:
            return self.attempts.keep(self.plan.steps[task], ending.exit_code if ending else None)
        except HostError as error:
            self.host_error = True
            return error.message

    def follow(self, events: Sequence[Event]) -> None:
        """Tell what follows from an ending; dependents may ask for the results from here on."""
        for event in events:
            if isinstance(event, TaskFinished):
                self.attempts.finished(event)
        self.tell(events)

    def tell(self, events: Iterable[Event]) -> None:
        """Tell the listeners, who learn no secrets."""
        self.publish(events if self.attempts.secrets is None else self.attempts.secrets.masked(events))

    def publish(self, events: Iterable[Event]) -> None:
        """Tell what may be told as it is."""
        for event in events:
            if not isinstance(event, TaskOutput):
                self.events.append(event)
            for listener in self.listeners:
                self.guarded(listener, lambda listener=listener, event=event: listener(event))  # type: ignore[misc] # bound now

    def guarded(self, listener: Listener, act: Callable[[], None]) -> None:
        """A listener cannot fail a run: one that raises is told no more, and the exit code says so."""
        try:
            act()
        except Exception as error:  # noqa: BLE001 - whatever it is
            self.host_error = True
            self.listeners = [other for other in self.listeners if other is not listener]
            self.beats = [other for other in self.beats if other is not listener]
            self.attempts.warn(f"{type(listener).__name__} failed and is told no more: {error!r}")

    def finish(self) -> RunResult:
        result = fold(self.events)
        finished = result.finished.values()
        if self.lossy():
            self.host_error = True  # output was lost: whatever the tasks did, this run cannot be called good
        code = exit_code(
            finished, signal=self.signal, host_error=self.host_error, timed_out_run=self.schedule.timed_out
        )
        if self.options.own_code and code in (FAILED, TIMED_OUT):
            code = own_code(finished)
        duration = self.clock.now() - self.started
        self.tell([RunFinished(self.at(), self.run_id, code == 0, counts(finished), duration, code)])
        result = fold(self.events)
        return result._replace(ok=False, exit_code=INTERNAL) if self.lossy() and result.ok else result

    def lossy(self) -> bool:
        """Whether a listener has lost something on its way to the disk."""
        return any(getattr(listener, "incomplete", False) for listener in self.listeners)
