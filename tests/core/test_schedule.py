from __future__ import annotations

from itertools import pairwise

import pytest
from world import BAD, FAILED, INTERRUPTED, SKIPPED, SUCCEEDED, World, finally_, plan, task

from spry.core.events import Outcome, Reason, TaskFinished, TaskStarted
from spry.core.priority import by_urgency
from spry.core.result import Ending
from spry.core.schedule import Schedule

UP_TO_DATE = (Outcome.SUCCEEDED, Reason.UP_TO_DATE)


def test_an_empty_plan_is_done_at_once():
    schedule = Schedule(plan(), "r1")

    assert schedule.done
    assert schedule.take(1, 0.0) == []
    assert schedule.wake() is None


def test_a_task_starts_once_its_dependencies_have_succeeded():
    world = World(task("a"), task("b"), task("c", "a", "b"))
    world.take()
    world.end("a")

    assert world.take() == []

    world.end("b")

    assert world.take() == ["c"]


def test_a_task_that_is_spared_never_started_and_has_succeeded():
    world = World(task("a"), task("b", "a"))
    world.take()
    world.tell(world.schedule.spared("a", Ending(3, reason=Reason.UP_TO_DATE, message="so"), 0.0))
    (event,) = world.finished.values()

    assert (event.attempt, event.outcome, event.reason, event.exit_code) == (0, *UP_TO_DATE, 3)
    assert event.message == "so"
    assert world.take() == ["b"]


def test_a_task_of_which_it_cannot_be_told_whether_it_is_spared_fails_without_another_try():
    world = World(task("a", attempts=3), task("b", "a"))
    world.take()
    world.tell(world.schedule.spared("a", Ending(None, reason=Reason.ARTIFACTS, final=True), 0.0))

    assert world.outcomes == {"a": ("failed", "artifacts"), "b": SKIPPED}


def test_a_question_need_not_be_answered_for_a_task_that_is_spared():
    world = World(task("a", confirm="Sure?"), task("b", confirm="Sure?"))
    assert world.take() == ["a"]
    world.tell(world.schedule.spared("a", Ending(0, reason=Reason.UP_TO_DATE), 0.0))

    assert world.take() == ["b"]


def test_there_is_no_barrier_between_layers():
    world = World(task("fast"), task("slow"), task("next", "fast"))
    world.take()
    world.end("fast")

    assert world.take() == ["next"]

    world.end("next")

    assert world.outcomes == {"fast": SUCCEEDED, "next": SUCCEEDED}


def test_no_more_tasks_start_than_slots_are_free():
    world = World(*(task(name) for name in "abcde"))

    assert world.take(2) == ["a", "b"]
    assert world.take(0) == []
    assert world.take(2) == ["c", "d"]


def test_of_a_crowd_no_more_than_so_many_run_at_once_and_others_do_not_wait_for_it():
    world = World(task("a"), task("b"), task("c"), task("d"), crowds=[(("a", "b", "c"), 2)])

    assert world.take() == ["a", "b", "d"]
    assert world.take() == []
    world.end("b")
    assert world.take() == ["c"]
    world.end("a")
    world.end("c")
    world.end("d")
    assert world.schedule.done


def test_a_place_in_a_crowd_is_free_during_the_pause_before_a_retry():
    world = World(task("a", attempts=2, backoff=5.0), task("b"), crowds=[(("a", "b"), 1)])

    assert world.take() == ["a"]
    world.end("a", BAD)
    assert world.take() == ["b"]


def test_a_task_that_many_need_runs_once():
    world = World(task("a"), task("b", "a"), task("c", "a"), task("d", "b", "c")).run()

    assert world.started == ["a", "b", "c", "d"]


def test_events_carry_the_time_of_the_wall_and_the_duration_of_the_task():
    world = World(task("a"), epoch=1000.0)
    world.at(5.0)
    world.take()
    world.now = 7.5
    world.end("a")

    assert world.events == [
        TaskStarted(1005.0, "r1", "a", 1),
        TaskFinished(1007.5, "r1", "a", 1, Outcome.SUCCEEDED, None, 0, None, 2.5),
    ]


def test_a_failure_skips_exactly_its_descendants():
    world = World(task("a"), task("b", "a"), task("c", "b"), task("x"), task("y", "x")).run({"a": BAD})

    assert world.outcomes == {"a": FAILED, "b": SKIPPED, "c": SKIPPED, "x": SUCCEEDED, "y": SUCCEEDED}


def test_a_skipped_task_names_the_failure_it_descends_from():
    world = World(task("a"), task("b", "a"), task("c", "b")).run({"a": BAD})

    assert world.finished["c"].message == '"a" failed'
    assert world.finished["c"].attempt == 0
    assert world.finished["c"].duration == 0.0


def test_a_task_is_skipped_as_soon_as_one_dependency_has_failed_and_only_once():
    world = World(task("a"), task("b"), task("c", "a", "b"))
    world.take()
    world.end("a", BAD)

    assert world.outcomes["c"] == SKIPPED
    assert [event.task for event in world.end("b", BAD)] == ["b"]


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        (Ending(0), SUCCEEDED),
        (Ending(3), SUCCEEDED),
        (Ending(1), FAILED),
        (Ending(None, signal=9), ("failed", "signal")),
        (Ending(None, message="no bash"), FAILED),
        (Ending(None, signal=9, reason=Reason.LIMIT), ("failed", "limit")),
        (Ending(0, reason=Reason.ARTIFACTS), ("failed", "artifacts")),
        (Ending(None, reason=Reason.UP_TO_DATE), ("succeeded", "up_to_date")),
        (Ending(None, reason=Reason.DECLINED), ("cancelled", "declined")),
        (Ending(None, reason=Reason.INTERRUPTED), INTERRUPTED),
    ],
)
def test_the_ending_of_an_attempt_decides_its_outcome(ending, expected):
    world = World(task("a", exit_codes=(0, 3))).run({"a": ending})

    assert world.outcomes == {"a": expected}
    assert world.finished["a"].message == ending.message


def test_a_task_without_a_process_is_taken_and_told_to_have_succeeded():
    world = World(task("all", "a", body="", exit_codes=(3,)), task("a", body=""))
    world.take()
    world.end("a")
    world.take()
    world.tell(world.schedule.succeeded("all", 0.0))

    assert world.outcomes == {"a": SUCCEEDED, "all": SUCCEEDED}
    assert world.finished["all"].exit_code is None


def test_code_zero_of_a_task_without_a_process_is_success_whatever_codes_it_accepts():
    world = World(task("group", body="", exit_codes=(3,))).run()

    assert world.outcomes == {"group": SUCCEEDED}


def test_a_task_that_is_not_under_way_cannot_end():
    world = World(task("a"), task("b", "a"))
    world.take()

    with pytest.raises(ValueError, match='"b" is not under way'):
        world.end("b")


def test_a_task_cannot_end_twice():
    world = World(task("a")).run()

    with pytest.raises(ValueError, match="not under way"):
        world.end("a")


def test_the_longest_remaining_path_goes_first():
    world = World(task("lone"), task("head"), task("middle", "head"), task("tail", "middle"), free=1).run()

    assert world.started == ["head", "middle", "lone", "tail"]


def test_ties_are_broken_by_the_order_of_the_plan():
    world = World(*(task(name) for name in "zay"), free=1).run()

    assert world.started == ["z", "a", "y"]


def test_durations_of_earlier_runs_outweigh_the_number_of_tasks():
    world = World(task("a"), task("b", "a"), task("long"), free=1, durations={"a": 1, "b": 1, "long": 9, "gone": 99})

    assert world.take() == ["long"]


def test_a_task_without_history_weighs_what_the_others_weigh_on_average():
    steps = plan(task("small"), task("fresh"), task("large")).steps

    assert by_urgency(steps, {"small": 1.0, "large": 5.0}) == ["large", "fresh", "small"]


@pytest.mark.parametrize("nonsense", [0.0, -1.0, float("nan")])
def test_durations_that_say_nothing_are_ignored(nonsense):
    steps = plan(task("a"), task("b"), task("c", "b")).steps

    assert by_urgency(steps, {"a": nonsense}) == ["b", "a", "c"]


def chain(length):
    names = [f"t{number}" for number in range(length)]
    return [task(names[0]), *(task(name, before) for before, name in pairwise(names))]


@pytest.mark.slow
@pytest.mark.parametrize("size", [20_000, pytest.param(100_000, marks=pytest.mark.stress)])
def test_a_very_long_chain_runs_to_its_end(size):
    world = World(*chain(size)).run()

    assert world.schedule.done
    assert len(world.finished) == size


@pytest.mark.parametrize("halt", ["fail", "cancel", "kill"])
def test_a_chain_of_20_000_tasks_is_given_up_at_once(halt):
    world = World(*chain(20_000))
    world.take()
    if halt != "fail":
        world.tell(getattr(world.schedule, halt)(0.0))
        world.schedule.stops()
    world.end("t0", BAD)

    assert world.schedule.done
    assert len(world.finished) == 20_000


@pytest.mark.slow
def test_20_000_tasks_side_by_side_run_with_as_many_clean_ups():
    tasks = [task(f"t{number}", timeout=60.0) for number in range(20_000)]
    world = World(*tasks, *(finally_(f"clean{number}") for number in range(20_000)), free=8).run({"t7": BAD})

    assert len(world.started) == 40_000
    assert world.outcomes["t7"] == FAILED
