"""Random plans, driven in random order: whatever happens, the schedule keeps its promises."""

from __future__ import annotations

from hypothesis import event, given
from hypothesis import strategies as st

from examples import examples
from spry.core.events import (
    ConfirmationAsked,
    Outcome,
    Reason,
    RunFinished,
    RunStarted,
    TaskFinished,
    TaskRetrying,
    TaskStarted,
)
from spry.core.model import Plan, Step, Task, Terms
from spry.core.result import Ending, counts, exit_code, fold
from spry.core.schedule import Schedule

SUCCEEDED = Outcome.SUCCEEDED
SOMETIMES = st.sampled_from([False, False, False, True])


@st.composite
def plans(draw, most=9):
    """A plan whose tasks need some of those before them, and for each how many of its attempts fail."""
    steps, failures = {}, {}
    for number in range(draw(st.integers(1, most))):
        name = f"t{number}"
        deps = (
            tuple(f"t{dep}" for dep in sorted(draw(st.sets(st.integers(0, number - 1), max_size=3)))) if number else ()
        )
        is_finally = draw(SOMETIMES)
        task = Task(
            name, "bash", "true", deps=deps, is_finally=is_finally, optional=is_finally and draw(SOMETIMES),
            attempts=draw(st.integers(1, 3)), backoff=draw(st.sampled_from([0.0, 2.0])),
            timeout=draw(st.sampled_from([None, None, 1.0, 5.0])), interactive=draw(SOMETIMES),
            confirm="?" if draw(SOMETIMES) else None,
        )  # fmt: skip
        steps[name] = Step(task, deps)
        failures[name] = draw(st.sampled_from([0, 0, 0, 1, 2, 3]))
    return Plan(steps), failures


MOVES = st.lists(st.integers(0, 99), min_size=5, max_size=30)
WAYS = st.sampled_from(["cancel", "kill", "withdraw"])
INTERRUPTS = st.one_of(st.just({}), st.dictionaries(st.integers(0, 9), WAYS, max_size=3))
OPTIONS = st.fixed_dictionaries({
    "fail_fast": SOMETIMES,
    "timeout": st.sampled_from([None, None, 4.0]),
    "yes": st.booleans(),
    "durations": st.dictionaries(st.sampled_from(["t0", "t1", "t2"]), st.floats(0, 9)),
})  # fmt: skip


class Drive:
    """An engine without processes: moves choose what ends, `interrupts` the turns to cancel or kill in."""

    def __init__(self, plan, failures, moves, slots, options, interrupts=None):
        self.plan, self.failures, self.moves, self.slots = plan, failures, list(moves), slots
        terms = {name: value for name, value in options.items() if name != "durations"}
        self.schedule = Schedule(plan, "r1", Terms(**terms), durations=options.get("durations"))
        self.options, self.interrupts = options, interrupts
        self.now, self.turns, self.events = 0.0, 0, []
        self.running, self.stopped = {}, {}  # task: attempt (0 while it is asked about); task: kill
        self.attempts = dict.fromkeys(plan.steps, 0)
        self.began, self.retry_at, self.finished = {}, {}, {}
        self.halted = self.killed = False
        self.withdrawn = set()

    def run(self):
        for _ in range(2000):
            if self.schedule.done:
                return self
            self.turn()
        raise AssertionError("the run does not end")

    def turn(self):
        self.tell(self.schedule.tick(self.now))
        for stop in self.schedule.stops():
            assert stop.kill == self.killed
            assert self.may_stop(stop.task), "stopped without a reason"
            self.stopped[stop.task] = stop.kill
        while begun := self.schedule.take(self.slots - len(self.running), self.now):
            assert len(begun) <= self.slots - len(self.running)
            self.tell(begun)
        assert self.schedule.running == len(self.running)
        if not self.schedule.done:
            self.move()

    def move(self):
        wake = self.schedule.wake()
        move = self.moves.pop() if self.moves else 50
        self.turns += 1
        assert self.running or wake is not None, "stuck"
        if self.turns in (self.interrupts or {}):
            self.interrupt(self.interrupts[self.turns])
        elif wake is not None and (move % 3 == 0 or not self.running):
            assert wake > self.now or self.running
            self.now = max(self.now, wake)
        else:
            self.now += 0.5 * (move % 2)
            self.end(sorted(self.running)[move % len(self.running)], move)

    def interrupt(self, how):
        if how == "withdraw":
            name = sorted(self.plan.steps)[self.turns % len(self.plan.steps)]
            self.withdrawn.add(name)
            self.tell(self.schedule.withdraw(name, self.now))
            return
        self.halted = True
        self.killed |= how == "kill"
        self.tell(getattr(self.schedule, how)(self.now))

    def end(self, name, move):
        attempt = self.running[name]
        if not attempt:
            del self.running[name]
            decide = (
                self.schedule.declined if self.interrupts is not None and move % 5 == 0 else self.schedule.confirmed
            )
            self.tell(decide(name, self.now))
            self.stopped.pop(name, None)
            return
        del self.running[name]
        fails = attempt <= self.failures[name]
        ending = Ending(1 if fails else 0) if self.stopped.pop(name, None) is None else Ending(None, 15)
        self.tell(self.schedule.ended(name, ending, self.now))

    def tell(self, events):
        for each in events:
            self.events.append(each)
            self.CHECKS[type(each)](self, each)

    def asked(self, each):
        self.may_begin(each.task)
        assert 0 not in self.running.values(), "two questions at once"
        self.running[each.task] = 0

    def started(self, each):
        self.may_begin(each.task)
        self.attempts[each.task] += 1
        assert each.attempt == self.attempts[each.task] <= self.plan.steps[each.task].task.attempts
        assert self.now >= self.retry_at.pop(each.task, 0.0), "a pause was cut short"
        self.running[each.task] = each.attempt
        self.began[each.task] = self.now

    def may_stop(self, name):
        task, attempt = self.plan.steps[name].task, self.running[name]
        if attempt and task.timeout is not None and self.now >= self.began[name] + task.timeout:
            return True
        if name in self.withdrawn:
            return True
        if task.is_finally:
            return self.killed
        failed = any(each.outcome is Outcome.FAILED and not each.optional for each in self.finished.values())
        fast = self.options.get("fail_fast") and failed
        return self.halted or fast or self.now >= (self.options.get("timeout") or 1e9)

    def may_begin(self, name):
        task = self.plan.steps[name].task
        assert name not in self.running
        assert name not in self.finished
        assert len(self.running) < self.slots
        assert not self.killed
        assert name not in self.withdrawn
        assert task.is_finally or not self.halted
        assert not any(self.plan.steps[other].task.interactive for other in self.running)
        assert not (task.interactive and self.running)
        for dep in self.plan.steps[name].deps:
            assert dep in self.finished
            assert task.is_finally or self.finished[dep].outcome is SUCCEEDED

    def retrying(self, each):
        assert each.attempt == self.attempts[each.task] < each.attempts
        self.retry_at[each.task] = self.now + each.delay

    def has_finished(self, each):
        assert each.task not in self.finished
        assert each.task not in self.running
        assert each.attempt == self.attempts[each.task]
        self.finished[each.task] = each

    CHECKS = {
        ConfirmationAsked: asked,
        TaskStarted: started,
        TaskRetrying: retrying,
        TaskFinished: has_finished,
    }


def expected(plan, failures):
    """The outcomes when nobody interferes, worked out task by task."""
    outcomes = {}
    for name, step in plan.steps.items():
        if not step.task.is_finally and any(outcomes[dep] is not SUCCEEDED for dep in step.deps):
            outcomes[name] = Outcome.SKIPPED
        else:
            outcomes[name] = SUCCEEDED if failures[name] < step.task.attempts else Outcome.FAILED
    return outcomes


def without_timeouts(plan):
    return Plan({name: step._replace(task=step.task._replace(timeout=None)) for name, step in plan.steps.items()})


@examples(600)
@given(plans(), MOVES, st.integers(1, 4), OPTIONS, INTERRUPTS)
def test_every_world_ends_and_keeps_the_rules(world, moves, slots, options, interrupts):
    plan, failures = world
    drive = Drive(plan, failures, moves, slots, options, interrupts).run()
    event(f"killed {drive.killed}, cancelled {drive.halted}, timed out {drive.schedule.timed_out}")

    assert drive.finished.keys() == plan.steps.keys()
    assert drive.schedule.stops() == []
    assert drive.schedule.take(99, drive.now) == []
    assert drive.schedule.wake() is None or drive.schedule.tick(1e9) == []
    for name, step in plan.steps.items():
        if step.task.is_finally and not drive.killed and name not in drive.withdrawn:
            declined = drive.finished[name].reason is Reason.DECLINED
            assert drive.finished[name].attempt > 0 or declined, "a finally task did not run"


@examples(250)
@given(plans(), MOVES, st.integers(1, 4), st.booleans())
def test_without_interference_the_outcomes_do_not_depend_on_the_order(world, moves, slots, yes):
    plan, failures = without_timeouts(world[0]), world[1]
    drive = Drive(plan, failures, moves, slots, {"yes": yes}).run()

    assert {name: each.outcome for name, each in drive.finished.items()} == expected(plan, failures)


@examples(250)
@given(plans(), MOVES, st.integers(1, 4), OPTIONS, INTERRUPTS)
def test_the_events_of_a_run_hold_its_result(world, moves, slots, options, interrupts):
    plan, failures = world
    drive = Drive(plan, failures, moves, slots, options, interrupts).run()
    code = exit_code(drive.finished.values(), timed_out_run=drive.schedule.timed_out)
    tally = counts(drive.finished.values())
    start = RunStarted(0.0, "r1", tuple(plan.steps), slots)
    end = RunFinished(drive.now, "r1", code == 0, tally, drive.now, code)
    result = fold([start, *drive.events, end])

    assert dict(result.finished) == drive.finished
    assert result.counts == tally
    assert result.ok == all(each.outcome is SUCCEEDED for each in drive.finished.values() if not each.optional)
