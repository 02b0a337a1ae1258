"""The live plan as a pure state machine: told what ended and what time it is, it says what to start and to stop.

A task goes pending → ready → (asking →) running → (backoff → ready → running)* → done. Every instant is the caller's
monotonic clock in seconds; nothing here reads a clock. Rules that the words of the manual leave open:

- What `--fail-fast` stops or never starts is cancelled, reason `interrupted`, and its message names the failure.
  Only a failure that fails the run triggers it: no failed attempt, no `--optional` task, no declined question.
- When the run's own time is over, what runs is stopped and failed, the rest cancelled, both with reason `timeout`.
- What descends from a cancelled task is cancelled, reason `dependency`; what descends from a failed one is skipped.
- An ending that is told before its stop was handed out counts as it is; after that, the stop decides the outcome.
- An interactive task whose turn has come lets nothing start before it, so that it cannot starve.
- One question is on the terminal at a time; the time it takes counts neither as duration nor towards a timeout.
"""

from __future__ import annotations

from spry.core.events import ConfirmationAsked, Outcome, Reason, TaskFinished, TaskRetrying, TaskStarted
from spry.core.model import USUAL_TERMS
from spry.core.priority import ASKING, BACKOFF, DONE, PENDING, RUNNING, Timers, Turns, link
from spry.core.result import Ending, Verdict, consequence, judge
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from spry.core.events import Event
    from spry.core.model import Plan, Terms
    from spry.core.priority import Node

LONGEST_PAUSE = 86400.0  # growing pauses stop growing here, long before they overflow
TIMED_OUT = Verdict(Outcome.FAILED, Reason.TIMEOUT)
RUN_TIMED_OUT = Verdict(Outcome.FAILED, Reason.TIMEOUT, "the run's time was over")
NEVER_IN_TIME = Verdict(Outcome.CANCELLED, Reason.TIMEOUT, "the run's time was over")
INTERRUPTED = Verdict(Outcome.CANCELLED, Reason.INTERRUPTED)
SUCCEEDED, FAILED = Outcome.SUCCEEDED, Outcome.FAILED
NO_PROCESS = Ending(None)
UNDER_WAY = (RUNNING, ASKING)


class Stop(NamedTuple):
    """A running attempt (or a question) that must end: politely, or with `kill` at once."""

    task: str
    kill: bool


class Schedule:
    """Decides what a run does next.

    In each turn of its loop the engine calls `tick`, hands `stops` to the executor, calls `take` until it answers
    nothing, and waits until `wake` for notices. Every event returned is a fact to tell; a `TaskStarted` is also the
    order to start that attempt, a `ConfirmationAsked` the order to put the question. `timed_out` says whether the
    run's own time was over before its ordinary tasks were.
    """

    __slots__ = (
        "_barrier", "_deadline", "_epoch", "_facts", "_fail_fast", "_halted", "_killed", "_left", "_nodes", "_run",
        "_running", "_stops", "_timers", "_turns", "timed_out",
    )  # fmt: skip

    def __init__(
        self,
        plan: Plan,
        run: str,
        terms: Terms = USUAL_TERMS,
        *,
        now: float = 0.0,
        epoch: float = 0.0,
        durations: Mapping[str, float] | None = None,
    ) -> None:
        """`now` is the instant at which the run begins, `durations` are the usual seconds of each task.

        `epoch` added to an instant gives seconds since 1970, for the events.
        """
        self._nodes, self._barrier = link(plan, terms, durations or {})
        self._turns = Turns(self._nodes.values())
        self._run, self._fail_fast, self._epoch = run, terms.fail_fast, epoch
        self._deadline = None if terms.timeout is None else now + terms.timeout
        self._left = len(self._nodes)
        self._running = 0
        self._halted = self._killed = False
        self._timers = Timers()
        self._stops: dict[str, Stop] = {}
        self._facts: list[Event] = []
        self.timed_out = False
        for node in self._nodes.values():
            if not node.waits:
                self._turns.add(node)
        if not self._barrier.waits:
            self._settle([self._barrier], 0.0)

    @property
    def done(self) -> bool:
        """Whether every task has its outcome."""
        return not self._left

    @property
    def running(self) -> int:
        """How many attempts and questions are under way."""
        return self._running

    def recall(self, done: Mapping[str, str], now: float) -> list[Event]:
        """Tasks that need not run have succeeded before anything starts, each with the words why; call it first."""
        known = [node for name, node in self._nodes.items() if name in done]
        for node in known:
            self._close(node, Verdict(SUCCEEDED, Reason.UP_TO_DATE, done[node.name]), now)
        self._settle(known, now)
        return self._told()

    def take(self, free: int, now: float) -> list[TaskStarted | ConfirmationAsked]:
        """What to begin in `free` slots, the longest remaining path first; each of it holds a slot until it ends."""
        begun: list[TaskStarted | ConfirmationAsked] = []
        while len(begun) < free:
            node = self._turns.next(self._running)
            if node is None:
                break
            begun.append(self._begin(node, now))
        return begun

    def confirmed(self, task: str, now: float) -> list[Event]:
        """The question of a task was answered with yes; it starts, unless it was to be stopped meanwhile."""
        node = self._under_way(task, ASKING)
        if node.verdict is not None:
            node.told = True
            return self.ended(task, Ending(None), now)
        node.asks = False
        self._turns.answered(node)
        return [self._start(node, now)]

    def declined(self, task: str, now: float) -> list[Event]:
        """The question of a task was answered with no."""
        self._under_way(task, ASKING)
        return self.ended(task, Ending(None, reason=Reason.DECLINED), now)

    def succeeded(self, task: str, now: float, message: str = "") -> list[Event]:
        """A task that was begun is done without a process, since it has none, or nothing to do."""
        return self._conclude(self._under_way(task), Verdict(SUCCEEDED, None, message), NO_PROCESS, now)

    def spared(self, task: str, ending: Ending, now: float) -> list[Event]:
        """A task whose turn it was did not begin after all: it is up to date, or it cannot be told whether."""
        node = self._under_way(task)
        node.attempt = 0
        return self._conclude(node, judge(node.task, ending), ending, now)

    def is_success(self, task: str, ending: Ending) -> bool:
        """Whether an ending will count as a success: the task was not told to stop, and its code is good."""
        node = self._under_way(task)
        return not (node.told and node.verdict) and judge(node.task, ending).outcome is SUCCEEDED

    def ended(self, task: str, ending: Ending, now: float) -> list[Event]:
        """An attempt is over: its outcome and what follows from it for others, or its retry."""
        node = self._under_way(task)
        verdict = node.verdict if node.told and node.verdict else judge(node.task, ending)
        return self._conclude(node, verdict, ending, now)

    def tick(self, now: float) -> list[Event]:
        """Let time pass: pauses end, attempts and the run itself run out of time."""
        for node in self._timers.due(now):
            if node.state == BACKOFF:
                self._turns.add(node)
            else:
                self._stop(node, TIMED_OUT)
        if self._deadline is not None and now >= self._deadline:
            self._deadline = None
            if not self._halted:
                self.timed_out = self._halt(RUN_TIMED_OUT, NEVER_IN_TIME, now)
        return self._told()

    def wake(self) -> float | None:
        """The next instant at which `tick` has something to do."""
        instants = (self._timers.next(), None if self._halted else self._deadline)
        return min((instant for instant in instants if instant is not None), default=None)

    def stops(self) -> list[Stop]:
        """What the executor must stop now; each is handed out once."""
        stops = list(self._stops.values())
        self._stops.clear()
        for stop in stops:
            self._nodes[stop.task].told = True
        return stops

    def withdraw(self, task: str, now: float) -> list[Event]:
        """One task is given up: it is stopped, or never starts; what does not need it goes on."""
        node = self._nodes[task]
        if node.state in UNDER_WAY:
            node.verdict = None  # also of one whose time is over: it must not be tried again
            self._stop(node, INTERRUPTED)
        elif node.state != DONE:
            self._turns.left(node)
            self._close(node, INTERRUPTED, now)
            self._settle([node], now)
        return self._told()

    def postpone(self, seconds: float) -> None:
        """Everything stood still for so long, and the caller's clock was set back by that: it is later in the day."""
        self._epoch += seconds

    def cancel(self, now: float) -> list[Event]:
        """The first interrupt: ordinary tasks are stopped or never start; finally tasks go on and still start."""
        if not self._killed:
            self._halt(INTERRUPTED, INTERRUPTED, now)
        return self._told()

    def kill(self, now: float) -> list[Event]:
        """The second interrupt: nothing starts any more, and all that runs is killed."""
        self._killed = True
        self._halt(INTERRUPTED, INTERRUPTED, now)
        return self._told()

    def _begin(self, node: Node, now: float) -> TaskStarted | ConfirmationAsked:
        self._running += 1
        if not node.asks:
            return self._start(node, now)
        node.state = ASKING
        text = node.task.confirm or f'Run "{node.name}"?'
        return ConfirmationAsked(now + self._epoch, self._run, node.name, text)

    def _start(self, node: Node, now: float) -> TaskStarted:
        node.state = RUNNING
        node.attempt += 1
        if node.attempt == 1:
            node.started = now
        if node.task.timeout is not None:
            self._timers.set(now + node.task.timeout, node)
        return TaskStarted(now + self._epoch, self._run, node.name, node.attempt)

    def _under_way(self, task: str, *states: int) -> Node:
        node = self._nodes[task]
        if node.state not in (states or UNDER_WAY):
            raise ValueError(f'"{task}" is not under way')
        return node

    def _conclude(self, node: Node, verdict: Verdict, ending: Ending, now: float) -> list[Event]:
        """Free what a task held while it was under way; then it is tried again or has its outcome."""
        self._running -= 1
        self._stops.pop(node.name, None)
        node.verdict, node.told = None, False
        node.leaked += ending.leaked
        self._turns.left(node)
        if verdict.outcome is FAILED and not ending.final and self._may_retry(node):
            self._retry(node, verdict, ending, now)
            return self._told()
        self._close(node, verdict, now, ending)
        if node.dependents:
            self._settle([node], now)
        if verdict.outcome is FAILED and self._fail_fast and not self._halted and not node.optional:
            reached = Verdict(Outcome.CANCELLED, Reason.INTERRUPTED, f'"{node.name}" failed')
            self._halt(reached, reached, now)
        return self._told()

    def _may_retry(self, node: Node) -> bool:
        barred = self._killed if node.always else self._halted
        return 0 < node.attempt < node.task.attempts and not barred

    def _retry(self, node: Node, verdict: Verdict, ending: Ending, now: float) -> None:
        _, reason, message = verdict
        task, delay = node.task, node.delay
        node.delay = min(delay * task.backoff_factor, max(LONGEST_PAUSE, task.backoff))
        if delay > 0:
            node.state = BACKOFF
            self._timers.set(now + delay, node)
        else:
            self._turns.add(node)
        self._facts.append(
            TaskRetrying(
                now + self._epoch, self._run, node.name, node.attempt, task.attempts, delay,
                reason or Reason.EXIT_CODE, ending.exit_code, ending.signal, message,
            )
        )  # fmt: skip

    def _close(self, node: Node, verdict: Verdict, now: float, ending: Ending = NO_PROCESS) -> None:
        outcome, reason, message = node.verdict = verdict
        node.state = DONE
        self._left -= 1
        self._facts.append(
            TaskFinished(
                now + self._epoch, self._run, node.name, node.attempt, outcome, reason, ending.exit_code,
                ending.signal, now - node.started if node.attempt else 0.0, message, node.optional, node.leaked,
            )
        )  # fmt: skip

    def _settle(self, ended: list[Node], now: float) -> None:
        """Tell the dependents of what has ended, and theirs: a list that grows, so that no chain is too long."""
        for node in ended:
            verdict = node.verdict
            for dependent in node.dependents:
                if dependent.state != PENDING:
                    continue
                if verdict is None or verdict.outcome is SUCCEEDED or dependent.always:
                    self._release(dependent, ended)
                else:
                    self._close(dependent, consequence(node.name, verdict), now)
                    ended.append(dependent)

    def _release(self, node: Node, ended: list[Node]) -> None:
        """One thing less to wait for; a task with nothing left is ready, and the barrier has ended."""
        node.waits -= 1
        if node.waits:
            return
        if node is not self._barrier:
            self._turns.add(node)
            return
        node.state = DONE
        ended.append(node)

    def _halt(self, under_way: Verdict, others: Verdict, now: float) -> bool:
        """Stop ordinary tasks, after a kill all of them, and close those that wait; whether there were any."""
        self._halted = True
        closed = []
        stopped = False
        for node in self._nodes.values():
            if node.state == DONE or (node.always and not self._killed):
                continue
            if node.state in UNDER_WAY:
                self._stop(node, others if node.state == ASKING else under_way)
                stopped = True
            else:
                self._turns.left(node)
                self._close(node, others, now)
                closed.append(node)
        self._settle(closed, now)
        return stopped or bool(closed)

    def _stop(self, node: Node, verdict: Verdict) -> None:
        if node.verdict is None:
            node.verdict = verdict
        elif not self._killed:
            return
        self._stops[node.name] = Stop(node.name, self._killed)

    def _told(self) -> list[Event]:
        facts, self._facts = self._facts, []
        return facts
