from __future__ import annotations

import pytest
from world import BAD, FAILED, INTERRUPTED, SKIPPED, SUCCEEDED, World, finally_, task

from spry.core.events import Reason
from spry.core.result import Ending
from spry.core.schedule import Stop


def test_fail_fast_starts_nothing_new_and_stops_what_runs():
    world = World(task("a"), task("b"), task("c"), task("d", "a"), free=2, fail_fast=True)
    world.take()
    world.end("b")
    world.take()
    world.end("a", BAD)

    assert world.schedule.stops() == [Stop("c", kill=False)]

    world.end("c", Ending(None, 15))

    assert world.outcomes == {"b": SUCCEEDED, "a": FAILED, "d": SKIPPED, "c": INTERRUPTED}
    assert world.finished["c"].message == '"a" failed'
    assert world.schedule.done


def test_fail_fast_cancels_what_waits_for_a_slot_or_a_retry():
    world = World(task("a"), task("b", attempts=2, backoff=5.0), task("c"), free=2, fail_fast=True)
    world.take()
    world.end("b", BAD)
    world.end("a", BAD)

    assert world.outcomes == {"a": FAILED, "b": INTERRUPTED, "c": INTERRUPTED}
    assert world.schedule.wake() is None


def test_fail_fast_neither_stops_nor_prevents_finally_tasks():
    world = World(task("a"), task("b"), finally_("early", "b"), finally_("late"), fail_fast=True)
    world.take()
    world.end("b")
    world.take()
    world.end("a", BAD)

    assert world.schedule.stops() == []
    assert world.take() == ["late"]


def test_fail_fast_waits_for_the_last_attempt():
    world = World(task("a", attempts=2), task("b"), fail_fast=True)
    world.take()
    world.end("a", BAD)

    assert world.schedule.stops() == []


@pytest.mark.parametrize("ending", [BAD, Ending(None, reason=Reason.TIMEOUT)])
def test_an_optional_failure_does_not_trigger_fail_fast(ending):
    world = World(finally_("a", "x", optional=True), task("x"), task("b"), fail_fast=True)
    world.take()
    world.end("x")
    world.take()
    world.end("a", ending)

    assert world.schedule.stops() == []


def test_a_declined_task_does_not_trigger_fail_fast():
    world = World(task("a", confirm=""), task("b"), fail_fast=True)
    world.take()
    world.tell(world.schedule.declined("a", 0.0))

    assert world.schedule.stops() == []


def test_what_fail_fast_stops_is_not_retried():
    world = World(task("a"), task("b", attempts=5), fail_fast=True)
    world.take()
    world.end("a", BAD)
    world.end("b", BAD)

    assert world.outcomes == {"a": FAILED, "b": FAILED}


def test_when_the_time_of_the_run_is_over_what_runs_has_failed_and_the_rest_is_cancelled():
    world = World(task("a"), task("b", "a"), task("c", attempts=2, backoff=50.0), timeout=10.0)
    world.take()
    world.end("c", BAD)

    assert world.schedule.wake() == 10.0

    world.at(10.0)

    assert world.schedule.stops() == [Stop("a", kill=False)]

    world.end("a", Ending(None, 15))

    assert world.outcomes == {"b": ("cancelled", "timeout"), "c": ("cancelled", "timeout"), "a": ("failed", "timeout")}
    assert world.schedule.done
    assert world.schedule.timed_out


def test_a_task_stopped_by_the_time_of_the_run_is_not_retried():
    world = World(task("a", attempts=5), timeout=10.0)
    world.take()
    world.at(10.0)
    world.schedule.stops()
    world.end("a", Ending(None, 15))

    assert world.outcomes == {"a": ("failed", "timeout")}


def test_the_time_of_the_run_neither_stops_nor_prevents_finally_tasks():
    world = World(task("a"), task("b"), finally_("early", "b"), finally_("late", "a"), timeout=10.0)
    world.take()
    world.end("b")
    world.take()
    world.at(10.0)

    assert world.schedule.stops() == [Stop("a", kill=False)]

    world.end("a", Ending(None, 15))

    assert world.take() == ["late"]


def test_a_run_whose_finally_tasks_alone_outlast_its_time_has_not_timed_out():
    world = World(task("a"), finally_("clean"), timeout=10.0)
    world.take()
    world.end("a")
    world.take()
    world.at(10.0)

    assert not world.schedule.timed_out
    assert world.schedule.wake() is None


def test_the_first_interrupt_stops_what_runs_and_cancels_the_rest():
    world = World(task("a"), task("b", "a"), task("c", attempts=2, backoff=5.0), task("d"), free=2)
    world.take()
    world.end("c", BAD)
    world.tell(world.schedule.cancel(1.0))

    assert world.outcomes == {"b": INTERRUPTED, "c": INTERRUPTED, "d": INTERRUPTED}
    assert world.schedule.stops() == [Stop("a", kill=False)]
    assert world.take() == []

    world.end("a", BAD)

    assert world.outcomes["a"] == INTERRUPTED
    assert world.schedule.done


def test_a_cancelled_task_is_not_retried():
    world = World(task("a", attempts=3))
    world.take()
    world.schedule.cancel(0.0)
    world.schedule.stops()
    world.end("a", BAD)

    assert world.outcomes == {"a": INTERRUPTED}


def test_a_task_that_ended_in_the_instant_of_the_interrupt_counts_as_it_ended():
    world = World(task("a"), task("b"))
    world.take()
    world.schedule.cancel(0.0)
    world.end("a")
    world.end("b", BAD)

    assert world.outcomes == {"a": SUCCEEDED, "b": FAILED}


def test_after_the_first_interrupt_finally_tasks_go_on_start_and_are_retried():
    world = World(task("a"), task("b"), finally_("early", "b", attempts=2), finally_("late"))
    world.take()
    world.end("b")
    world.take()
    world.schedule.cancel(0.0)

    assert world.schedule.stops() == [Stop("a", kill=False)]

    world.end("early", BAD)
    world.end("a", Ending(None, 15))

    assert world.take() == ["early", "late"]


def test_ordinary_descendants_of_a_finally_task_do_not_start_after_an_interrupt():
    world = World(finally_("clean"), task("after", "clean"), finally_("last", "after"))
    world.take()
    world.tell(world.schedule.cancel(0.0))

    assert world.outcomes == {"after": INTERRUPTED}
    assert world.take() == ["last"]


def test_the_time_of_the_run_means_nothing_after_an_interrupt():
    world = World(task("a"), timeout=10.0)
    world.take()
    world.schedule.cancel(0.0)

    assert world.schedule.wake() is None

    world.at(10.0)

    assert not world.schedule.timed_out


def test_another_first_interrupt_changes_nothing():
    world = World(task("a"), finally_("clean"))
    world.take()
    world.schedule.cancel(0.0)
    world.schedule.stops()

    assert world.schedule.cancel(1.0) == []
    assert world.schedule.stops() == []


def test_the_second_interrupt_kills_all_that_runs_and_starts_nothing_more():
    world = World(task("a"), task("b"), finally_("early", "b"), finally_("late"))
    world.take()
    world.end("b")
    world.take()
    world.schedule.cancel(0.0)
    world.schedule.stops()
    world.tell(world.schedule.kill(1.0))

    assert world.outcomes == {"b": SUCCEEDED, "late": INTERRUPTED}
    assert world.schedule.stops() == [Stop("a", kill=True), Stop("early", kill=True)]

    world.end("a", Ending(None, 9))
    world.end("early", Ending(None, 9))

    assert world.outcomes["a"] == world.outcomes["early"] == INTERRUPTED
    assert world.schedule.done


def test_a_kill_without_a_first_interrupt_ends_everything_too():
    world = World(task("a"), task("b", "a"), finally_("clean", attempts=2))
    world.take()
    world.tell(world.schedule.kill(0.0))
    world.schedule.stops()
    world.end("a", Ending(None, 9))

    assert set(world.outcomes.values()) == {INTERRUPTED}
    assert world.schedule.done


def test_a_first_interrupt_after_a_kill_changes_nothing():
    world = World(task("a"))
    world.take()
    world.schedule.kill(0.0)
    world.schedule.stops()
    world.schedule.cancel(1.0)

    assert world.schedule.stops() == []


def test_a_killed_finally_task_is_not_retried():
    world = World(finally_("clean", attempts=2))
    world.take()
    world.schedule.kill(0.0)
    world.end("clean", BAD)

    assert world.schedule.done


def test_the_first_reason_to_stop_a_task_stays_its_reason():
    world = World(task("a", timeout=10.0))
    world.take()
    world.at(10.0)
    world.schedule.stops()
    world.schedule.cancel(11.0)
    world.schedule.kill(12.0)

    assert world.schedule.stops() == [Stop("a", kill=True)]

    world.end("a", Ending(None, 9))

    assert world.outcomes == {"a": ("failed", "timeout")}
