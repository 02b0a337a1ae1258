from __future__ import annotations

import pytest
from world import BAD, FAILED, OKAY, SKIPPED, SUCCEEDED, World, task

from spry.core.events import Reason, TaskRetrying
from spry.core.result import Ending
from spry.core.schedule import LONGEST_PAUSE, Stop


def test_a_failure_is_tried_again_until_it_succeeds():
    world = World(task("a", attempts=3), task("b", "a"))
    for ending in (BAD, Ending(None, 9), OKAY):
        world.take()
        world.end("a", ending)

    assert world.events[1] == TaskRetrying(0.0, "r1", "a", 1, 3, 0.0, Reason.EXIT_CODE, 1, None, "")
    assert world.events[3] == TaskRetrying(0.0, "r1", "a", 2, 3, 0.0, Reason.SIGNAL, None, 9, "")
    assert world.finished["a"].attempt == 3
    assert world.outcomes == {"a": SUCCEEDED}
    assert world.take() == ["b"]


def test_after_the_last_attempt_the_task_has_failed():
    world = World(task("a", attempts=2)).run({"a": BAD})

    assert world.started == ["a", "a"]
    assert world.outcomes == {"a": FAILED}


def test_a_pause_before_a_retry_needs_no_slot():
    world = World(task("a", attempts=2, backoff=5.0), task("b"), free=1)
    world.take()
    world.end("a", BAD)

    assert world.schedule.wake() == 5.0
    assert world.take() == ["b"]

    world.at(5.0)
    world.end("b")

    assert world.take() == ["a"]


def test_a_retry_does_not_start_before_its_pause_is_over():
    world = World(task("a", attempts=2, backoff=5.0))
    world.take()
    world.end("a", BAD)
    world.at(4.9)

    assert world.take() == []

    world.at(5.0)

    assert world.take() == ["a"]


def test_pauses_grow_by_their_factor():
    world = World(task("a", attempts=4, backoff=1.0, backoff_factor=3.0)).run({"a": BAD})

    assert [event.delay for event in world.events if isinstance(event, TaskRetrying)] == [1.0, 3.0, 9.0]
    assert world.finished["a"].duration == 13.0


def test_pauses_do_not_grow_beyond_a_day():
    world = World(task("a", attempts=2000, backoff=1.0, backoff_factor=2.0)).run({"a": BAD})

    assert max(event.delay for event in world.events if isinstance(event, TaskRetrying)) == LONGEST_PAUSE


@pytest.mark.parametrize("reason", [Reason.DECLINED, Reason.INTERRUPTED])
def test_cancelling_and_declining_are_not_retried(reason):
    world = World(task("a", attempts=3)).run({"a": Ending(None, reason=reason)})

    assert world.started == ["a"]


@pytest.mark.parametrize("reason", [Reason.TIMEOUT, Reason.LIMIT, Reason.HANDLER, Reason.ARTIFACTS])
def test_timeouts_limits_and_other_failures_are_retried(reason):
    world = World(task("a", attempts=3)).run({"a": Ending(None, reason=reason)})

    assert world.started == ["a"] * 3
    assert world.outcomes == {"a": ("failed", reason.value)}


def test_a_failure_that_no_attempt_can_mend_is_not_retried():
    world = World(task("a", attempts=3)).run({"a": Ending(None, message="no such interpreter", final=True)})

    assert world.started == ["a"]


def test_an_attempt_that_runs_out_of_time_is_stopped_and_has_failed_when_it_ends():
    world = World(task("a", timeout=10.0), task("b", "a"))
    world.take()

    assert world.schedule.wake() == 10.0
    assert world.schedule.stops() == []

    world.at(10.0)

    assert world.schedule.stops() == [Stop("a", kill=False)]
    assert world.schedule.stops() == []
    assert world.schedule.wake() is None

    world.end("a", Ending(None, 15))

    assert world.outcomes == {"a": ("failed", "timeout"), "b": SKIPPED}
    assert world.finished["a"].signal == 15


def test_a_stopped_attempt_has_failed_even_if_it_exits_with_zero():
    world = World(task("a", timeout=10.0))
    world.take()
    world.at(10.0)
    world.schedule.stops()
    world.end("a")

    assert world.outcomes == {"a": ("failed", "timeout")}


def test_an_attempt_that_ended_before_its_stop_was_handed_out_counts_as_it_ended():
    world = World(task("a", timeout=10.0))
    world.take()
    world.at(10.0)
    world.end("a")

    assert world.outcomes == {"a": SUCCEEDED}
    assert world.schedule.stops() == []


def test_a_timeout_is_counted_for_each_attempt():
    world = World(task("a", timeout=10.0, attempts=2))
    world.take()
    world.at(10.0)
    world.schedule.stops()
    world.at(11.0)
    world.end("a", Ending(None, 15))

    assert world.take() == ["a"]
    assert world.schedule.wake() == 21.0

    world.end("a")

    assert world.outcomes == {"a": SUCCEEDED}


def test_the_timeout_of_an_earlier_attempt_touches_neither_pause_nor_next_attempt():
    world = World(task("a", timeout=10.0, attempts=2, backoff=12.0))
    world.take()
    world.at(1.0)
    world.end("a", BAD)

    assert world.schedule.wake() == 13.0

    world.at(10.0)

    assert world.take() == []

    world.at(13.0)
    world.take()

    assert world.schedule.stops() == []
    assert world.schedule.wake() == 23.0


def test_the_timeout_of_an_earlier_attempt_does_not_stop_the_next():
    world = World(task("a", timeout=10.0, attempts=2))
    world.take()
    world.at(1.0)
    world.end("a", BAD)
    world.take()
    world.at(10.0)

    assert world.schedule.stops() == []
    assert world.schedule.wake() == 11.0
