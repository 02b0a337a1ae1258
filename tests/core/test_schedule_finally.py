from __future__ import annotations

import pytest
from world import BAD, FAILED, OKAY, SKIPPED, SUCCEEDED, World, finally_, task

from spry.core.events import Reason
from spry.core.model import Plan, Step
from spry.core.result import Ending
from spry.core.schedule import Schedule, Stop


@pytest.mark.parametrize("ending", [OKAY, BAD, Ending(None, reason=Reason.DECLINED)])
def test_a_finally_task_starts_once_its_dependencies_have_ended_whatever_the_outcome(ending):
    world = World(task("a"), finally_("clean", "a"))
    world.take()

    assert world.take() == []

    world.end("a", ending)

    assert world.take() == ["clean"]


def test_a_finally_task_waits_for_all_its_dependencies():
    world = World(task("a"), task("b"), finally_("clean", "a", "b"))
    world.take()
    world.end("a", BAD)

    assert world.take() == []

    world.end("b")

    assert world.take() == ["clean"]


def test_a_finally_task_runs_even_if_none_of_its_dependencies_started():
    world = World(task("a"), task("b", "a"), finally_("clean", "b")).run({"a": BAD})

    assert world.outcomes == {"a": FAILED, "b": SKIPPED, "clean": SUCCEEDED}


def test_a_finally_task_without_dependencies_waits_for_every_task_that_is_not_finally():
    world = World(finally_("report"), task("a"), task("b", "a"), finally_("early", "a"))
    world.take()
    world.end("a")

    assert world.take() == ["b", "early"]

    world.end("b", BAD)

    assert world.take() == ["report"]


def test_a_plan_of_finally_tasks_alone_runs():
    world = World(finally_("one"), finally_("two", "one")).run()

    assert world.started == ["one", "two"]


def test_a_finally_task_does_not_wait_for_what_descends_from_it():
    world = World(task("a"), finally_("clean"), task("after", "clean"), finally_("last", "after")).run()

    assert world.started == ["a", "clean", "after", "last"]


def test_two_finally_tasks_do_not_wait_for_each_others_descendants():
    world = World(finally_("one"), finally_("two"), task("after-one", "one"), task("after-two", "two")).run()

    assert set(world.outcomes.values()) == {SUCCEEDED}


def test_an_injected_dependency_does_not_let_a_finally_task_start_early():
    kinds = {("setup", "clean"): "injected"}
    clean = finally_("clean")
    steps = {
        "setup": Step(task("setup"), ()),
        "a": Step(task("a", "setup"), ("setup",)),
        "clean": Step(clean, ("setup",)),
    }
    schedule = Schedule(Plan(steps, kinds), "r1")
    schedule.take(1, 0.0)
    schedule.ended("setup", OKAY, 0.0)

    assert [event.task for event in schedule.take(9, 0.0)] == ["a"]


def test_a_finally_task_whose_only_dependency_was_skipped_by_request_need_not_wait():
    schedule = Schedule(Plan({"a": Step(task("a"), ()), "clean": Step(finally_("clean", "gone"), ())}), "r1")

    assert [event.task for event in schedule.take(9, 0.0)] == ["a", "clean"]


def test_an_ordinary_task_that_depends_on_a_finally_task_needs_its_success():
    tasks = task("a"), finally_("clean", "a"), task("after", "clean")

    assert World(*tasks).run({"a": BAD}).outcomes["after"] == SUCCEEDED
    assert World(*tasks).run({"clean": BAD}).outcomes["after"] == SKIPPED


def test_a_finally_task_keeps_its_own_timeout_and_retries():
    world = World(finally_("clean", timeout=10.0, attempts=2))
    world.take()
    world.at(10.0)

    assert world.schedule.stops() == [Stop("clean", kill=False)]

    world.end("clean", Ending(None, 15))

    assert world.take() == ["clean"]


def test_an_optional_finally_task_says_so_when_it_fails():
    world = World(finally_("report", optional=True), task("odd", optional=True)).run({"report": BAD})

    assert world.finished["report"].optional
    assert not world.finished["odd"].optional
