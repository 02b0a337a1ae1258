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
from spry.core.model import USUAL_TERMS
from spry.core.result import Ending, counts, exit_code, fold, own_code
from spry.core.schedule import Schedule
from spry.engine.audience import Audience
from spry.errors import FAILED, INTERNAL, TIMED_OUT, HostError, SpryError
from spry.execute.protocol import Attempt, Exited, Output, Paused, Progress, Signalled
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from spry.core.events import Event
    from spry.core.model import Plan, Terms
    from spry.core.result import RunResult
    from spry.engine.audience import Listener
    from spry.engine.work import Work
    from spry.execute.protocol import Call, Executor, Notice

LONGEST_WAIT = 3600.0  # seconds; an instant years away is more than poll() can count
STOPPED = Ending(None, 15)  # of what we did for a task
STREAMS = {1: "stdout", 2: "stderr"}


class Clock(NamedTuple):
    """Where time comes from: `now` never goes back, and `epoch` added to it is the time of day."""

    now: Callable[[], float] = time.monotonic
    epoch: float = 0.0


class Loop:
    """One run: `run` takes every step of a plan to an outcome and tells the listeners each fact in order.

    A listener that fails is told no more, and the run ends with exit code 3: what people saw was not the whole.
    `numbers` are those of the attempts under way. `asides` say how it goes on with a task for which something is done
    on a thread, once that is over, and whether it may count as done: what was to be stopped meanwhile does not.
    """

    __slots__ = (
        "asides", "attempts", "audience", "clock", "events", "executor", "host_error", "numbers", "plan", "run_id",
        "schedule", "signal", "started", "tell", "terms",
    )  # fmt: skip

    def __init__(
        self,
        plan: Plan,
        run_id: str,
        executor: Executor,
        attempts: Work,
        listeners: Sequence[Listener] = (),
        terms: Terms = USUAL_TERMS,
        *,
        clock: Clock | None = None,
        durations: Mapping[str, float] | None = None,
    ) -> None:
        self.plan, self.run_id, self.executor, self.attempts = plan, run_id, executor, attempts
        self.clock = clock = clock or Clock(time.monotonic, time.time() - time.monotonic())
        self.terms, self.started = terms, clock.now()
        self.audience = Audience([self.note, *listeners], attempts.warn, attempts.secrets)
        self.tell = self.audience.tell
        self.schedule = Schedule(plan, run_id, terms, now=self.started, epoch=clock.epoch, durations=durations)
        self.events: list[Event] = []
        self.numbers: dict[str, int] = {}
        self.asides: dict[str, tuple[Callable[[bool], None], bool]] = {}
        self.signal: int | None = None
        self.host_error = False

    def run(self) -> RunResult:
        """Turn until every task has its outcome."""
        schedule = self.schedule
        self.tell([RunStarted(self.at(), self.run_id, tuple(self.plan.steps), self.terms.jobs)])
        if self.terms.done:
            self.tell(schedule.recall(self.terms.done, self.clock.now()))
        while not schedule.done:
            self.tell(schedule.tick(self.clock.now()))
            self.stop()
            self.begin()
            if schedule.done:
                break
            for notice in self.executor.wait(self.patience()):
                self.heed(notice)
            self.audience.beat(self.clock.now(), self.at())
        return self.finish()

    def at(self) -> float:
        """The time of day."""
        return self.clock.now() + self.clock.epoch

    def patience(self) -> float:
        """How long to wait for a notice: until the schedule or a listener has something to do."""
        wake, pause = self.schedule.wake(), self.audience.patience(self.at())
        until = LONGEST_WAIT if wake is None else max(wake - self.clock.now(), 0.0)
        return min(until, LONGEST_WAIT if pause is None else pause)

    def stop(self) -> None:
        """Stop what must not go on."""
        for stop in self.schedule.stops():
            grace = self.terms.graces.get(stop.task, self.terms.grace)
            if stop.task in self.asides:
                self.asides[stop.task] = self.asides[stop.task][0], False
            self.executor.stop(stop.task, grace=0.0 if stop.kill else grace)

    def begin(self) -> None:
        """Start whatever is ready while there is room; what needs no process is over at once."""
        while begun := self.schedule.take(self.executor.free(), self.clock.now()):
            for event in begun:
                self.launch(event)

    def launch(self, event: TaskStarted | ConfirmationAsked) -> None:
        """The turn of a task has come."""
        if self.is_spared(event):
            return
        self.tell([event])
        if isinstance(event, ConfirmationAsked):
            self.executor.start(Attempt(event.task, 0, (), {}, "", self.attempts.shown(event.text)))
        else:
            self.start(event)

    def aside(self, task: str, call: Call, go_on: Callable[[bool], None]) -> None:
        """Do something for a task beside the loop, and then go on with it."""
        self.asides[task] = go_on, True
        self.executor.start(Attempt(task, 0, (), {}, "", call=call))

    def is_spared(self, event: TaskStarted | ConfirmationAsked) -> bool:
        """Whether a task that was about to begin does not: it is up to date, or it cannot be told, or not yet."""
        if self.attempts.freshness is None or (isinstance(event, TaskStarted) and event.attempt > 1):
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
            self.aside(event.task, ending, lambda done: self.launch(event) if done else self.unbegun(event))
        return True

    def unbegun(self, event: TaskStarted | ConfirmationAsked) -> None:
        """A task was stopped while it was looked whether it has to run."""
        if isinstance(event, TaskStarted):
            self.tell([event])
        self.conclude(event.task, STOPPED)

    def start(self, event: TaskStarted) -> None:
        """Start an attempt; one that cannot start, or needs no process, is over at once."""
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
        """Act on what the executor says."""
        if isinstance(notice, Output):
            self.write(notice)
        elif isinstance(notice, Exited):
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
        """A task has written something, which its dependents may want."""
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
        act = self.schedule.cancel if self.signal is None else self.schedule.kill
        self.signal = self.signal or number
        self.tell(act(self.clock.now()))

    def stand_still(self, seconds: float) -> None:
        """Time in which nothing ran counts neither as duration nor towards a timeout: our clock is set back."""
        now, epoch = self.clock
        self.clock = Clock(lambda: now() - seconds, epoch + seconds)
        self.schedule.postpone(seconds)

    def exited(self, notice: Exited) -> None:
        """What was done for a task is over: aside, or its attempt, or a question."""
        if notice.beyond:
            who = ", ".join(notice.beyond)
            self.attempts.warn(f'what task "{notice.task}" left running cannot be killed: {who}')
        self.host_error = self.host_error or bool(notice.error)
        if notice.task in self.asides:
            go_on, may_count = self.asides.pop(notice.task)
            go_on(may_count and notice.code == 0)
        elif notice.task not in self.numbers:
            self.answered(notice)
        else:
            self.conclude(notice.task, notice.concluded)

    def answered(self, notice: Exited) -> None:
        """A question has its answer: a yes starts the task, unless it was cancelled meanwhile."""
        now = self.clock.now()
        if notice.error:
            self.follow(self.schedule.ended(notice.task, notice.concluded, now))
            return
        answer = self.schedule.confirmed if notice.code == 0 else self.schedule.declined
        events = answer(notice.task, now)
        self.follow(events)
        for event in events:
            if isinstance(event, TaskStarted):
                self.start(event)

    def conclude(self, task: str, ending: Ending | None) -> None:
        """An attempt is over (None: it needed no process): keep what it leaves if it succeeded, tell what follows."""
        if ending is None or self.schedule.is_success(task, ending):
            fault = self.keep(task, ending)
            if not isinstance(fault, str):
                self.aside(task, fault, lambda done: self.conclude(task, ending if done else STOPPED))
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

    def note(self, event: Event) -> None:
        """Remember what the result comes from: the first listener of every run."""
        if not isinstance(event, TaskOutput):
            self.events.append(event)

    def finish(self) -> RunResult:
        """Tell how the run ended; whoever misses something then has missed it all the same."""
        finished = fold(self.events).finished.values()
        broken = self.host_error or self.audience.has_missed
        code = exit_code(finished, signal=self.signal, host_error=broken, timed_out_run=self.schedule.timed_out)
        if self.terms.own_code and code in (FAILED, TIMED_OUT):
            code = own_code(finished)
        duration = self.clock.now() - self.started
        self.tell([RunFinished(self.at(), self.run_id, code == 0, counts(finished), duration, code)])
        result = fold(self.events)
        return result._replace(ok=False, exit_code=INTERNAL) if self.audience.has_missed else result
