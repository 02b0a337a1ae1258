from __future__ import annotations

import pytest
from world import BAD, FAILED, INTERRUPTED, World, finally_, task

from spry.core.events import ConfirmationAsked, TaskStarted
from spry.core.result import Ending
from spry.core.schedule import Stop


def test_a_task_to_confirm_is_asked_about_and_starts_after_a_yes():
    world = World(task("a", confirm="Sure?", timeout=10.0))
    world.take()

    assert world.events == [ConfirmationAsked(0.0, "r1", "a", "Sure?")]
    assert world.schedule.wake() is None

    world.now = 60.0
    world.tell(world.schedule.confirmed("a", 60.0))
    world.now = 61.0

    assert world.events[1] == TaskStarted(60.0, "r1", "a", 1)
    assert world.schedule.wake() == 70.0

    world.end("a")

    assert world.finished["a"].duration == 1.0


def test_a_question_without_words_names_the_task():
    world = World(task("deploy", confirm=""))
    world.take()

    assert world.events[0].text == 'Run "deploy"?'


def test_a_declined_task_is_cancelled_and_so_are_its_ordinary_descendants():
    world = World(task("a", confirm=""), task("b", "a"), task("c", "b"), finally_("clean", "b"))
    world.take()
    world.tell(world.schedule.declined("a", 0.0))

    assert world.outcomes == {
        "a": ("cancelled", "declined"),
        "b": ("cancelled", "dependency"),
        "c": ("cancelled", "dependency"),
    }
    assert world.finished["c"].message == '"a" was declined'
    assert world.finished["a"].attempt == 0
    assert world.take() == ["clean"]


def test_only_a_question_can_be_answered():
    world = World(task("a"))
    world.take()

    for answer in (world.schedule.confirmed, world.schedule.declined):
        with pytest.raises(ValueError, match="not under way"):
            answer("a", 0.0)


def test_answered_in_advance_nothing_is_asked():
    world = World(task("a", confirm=""), yes=True)
    world.take()

    assert world.events == [TaskStarted(0.0, "r1", "a", 1)]


def test_a_question_that_could_not_be_put_fails_its_task_without_an_attempt():
    world = World(task("a", confirm="", attempts=3))
    world.take()
    world.end("a", Ending(None, message="no terminal"))

    assert world.outcomes == {"a": FAILED}
    assert world.finished["a"].attempt == 0


def test_one_question_is_open_at_a_time_and_other_tasks_go_on():
    world = World(task("a", confirm=""), task("b", confirm=""), task("c"))

    assert world.take() == ["a", "c"]

    world.tell(world.schedule.confirmed("a", 0.0))

    assert world.take() == ["b"]


def test_a_retry_is_not_asked_about_again():
    world = World(task("a", confirm="", attempts=2))
    world.take()
    world.schedule.confirmed("a", 0.0)
    world.end("a", BAD)
    world.take()

    assert isinstance(world.events[-1], TaskStarted)


@pytest.mark.parametrize("answer", ["confirmed", "declined"])
def test_an_answer_after_the_interrupt_starts_nothing(answer):
    world = World(task("a", confirm=""))
    world.take()
    world.schedule.cancel(0.0)

    assert world.schedule.stops() == [Stop("a", kill=False)]

    world.tell(getattr(world.schedule, answer)("a", 1.0))

    assert world.started == []
    assert world.outcomes == {"a": INTERRUPTED}


def test_a_yes_in_the_instant_of_the_interrupt_starts_nothing():
    world = World(task("a", confirm=""))
    world.take()
    world.schedule.cancel(0.0)
    world.tell(world.schedule.confirmed("a", 0.0))

    assert world.outcomes == {"a": INTERRUPTED}


def test_a_question_still_open_when_the_time_of_the_run_is_over_is_cancelled():
    world = World(task("a", confirm=""), timeout=10.0)
    world.take()
    world.at(10.0)
    world.schedule.stops()
    world.tell(world.schedule.declined("a", 10.0))

    assert world.outcomes == {"a": ("cancelled", "timeout")}


def test_an_interactive_task_waits_until_nothing_runs_and_lets_nothing_start_meanwhile():
    world = World(task("a"), task("shell", interactive=True), task("b"))

    assert world.take() == ["a"]
    assert world.take() == []

    world.end("a")

    assert world.take() == ["shell"]
    assert world.take() == []

    world.end("shell")

    assert world.take() == ["b"]


def test_an_interactive_task_is_not_overtaken_once_its_turn_has_come():
    world = World(task("a"), task("b", "a"), task("shell", interactive=True), task("c", "b"))
    world.take()

    assert world.take() == []

    world.end("a")

    assert world.take() == ["shell"]


def test_two_interactive_tasks_run_one_after_the_other():
    world = World(task("one", interactive=True), task("two", interactive=True))

    assert world.take() == ["one"]

    world.end("one")

    assert world.take() == ["two"]


def test_an_interactive_task_that_pauses_before_a_retry_lets_others_start():
    world = World(task("shell", interactive=True, attempts=2, backoff=5.0), task("b"))
    world.take()
    world.end("shell", BAD)

    assert world.take() == ["b"]

    world.at(5.0)

    assert world.take() == []

    world.end("b")

    assert world.take() == ["shell"]


def test_an_interactive_task_that_is_cancelled_while_it_waits_blocks_nothing():
    world = World(task("a"), task("b", "a"), task("shell", interactive=True), finally_("clean", "shell"))

    assert world.take() == ["a"]

    world.schedule.cancel(0.0)

    assert world.take() == ["clean"]


def test_an_interactive_task_is_alone_with_its_question_too():
    world = World(task("shell", interactive=True, confirm=""), task("b"))

    assert world.take() == ["shell"]
    assert world.take() == []

    world.tell(world.schedule.confirmed("shell", 0.0))

    assert world.take() == []

    world.end("shell")

    assert world.take() == ["b"]
